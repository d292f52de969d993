"""Computes a batch in the calling thread, at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

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
    with turn, pipeline.randomness.seeded(task, restore=True):
        yield


def computed_here(pipeline: Pipeline, task: BatchTask) -> ComputedBatch:
    """The batch of a task.

    Raises:
        Exception: What a hook or the decoder has raised.
    """
    recipe = pipeline.recipe
    arrays = private_arrays(recipe.layout, len(task))
    if recipe.user_code:
        with seeded_here(pipeline, task), naming_in_warnings:
            report = pipeline.run(task, arrays)
    else:  # nothing draws, or warns of a sample, but this library
        report = pipeline.run(task, arrays)
    return ComputedBatch(lambda: arrays, lambda: None, report)
