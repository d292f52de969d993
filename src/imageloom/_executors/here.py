"""Computes a batch in the calling thread, at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext

from imageloom._executors.base import ComputedBatch
from imageloom._executors.turns import TURNS_OF_THE_PROGRAM, Turn
from imageloom._pipeline.layout import private_arrays
from imageloom._pipeline.naming import naming_in_warnings
from imageloom._pipeline.pipeline import Pipeline
from imageloom._pipeline.recipe import BatchTask

__all__ = ["computed_here", "seeded_here"]


@contextmanager
def seeded_here(pipeline: Pipeline, task: BatchTask) -> Iterator[None]:
    """Seeds the generators that functions draw from, for a batch in the calling thread.

    Functions of other iterators may run in threads of this process and draw from the same ones. They
    wait until the batch is done, as it waits for the one that runs.
    """
    turn = Turn(TURNS_OF_THE_PROGRAM) if pipeline.randomness.needs_turns else nullcontext()
    with turn, _seeded(pipeline, task):
        yield


def _seeded(pipeline: Pipeline, task: BatchTask) -> AbstractContextManager[None]:
    return pipeline.randomness.seeded(task, restore=True)


def computed_here(pipeline: Pipeline, task: BatchTask, *, waits: bool = True) -> ComputedBatch:
    """The batch of a task.

    Args:
        pipeline: Computes it.
        task: Says which samples it has.
        waits: Whether to wait for functions that run in other threads. Who holds a lock that such a
            function may need must not.

    Raises:
        Exception: What a hook or the decoder has raised.
    """
    recipe = pipeline.recipe
    arrays = private_arrays(recipe.layout, len(task))
    with ExitStack() as around:
        if recipe.user_code:  # otherwise nothing draws, or warns of a sample, but this library
            seeded = seeded_here if waits else _seeded
            around.enter_context(seeded(pipeline, task))
            around.enter_context(naming_in_warnings)
        report = pipeline.run(task, arrays)
    return ComputedBatch(lambda: arrays, lambda: None, report)
