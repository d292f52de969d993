"""Computes a batch in the calling thread, at once."""

from __future__ import annotations

from contextlib import ExitStack

from imageloom._executors.base import ComputedBatch
from imageloom._pipeline.layout import private_arrays
from imageloom._pipeline.naming import naming_in_warnings
from imageloom._pipeline.pipeline import Pipeline
from imageloom._pipeline.recipe import BatchTask

__all__ = ["computed_here"]


def computed_here(pipeline: Pipeline, task: BatchTask) -> ComputedBatch:
    """The batch of a task.

    Raises:
        Exception: What a hook or the decoder has raised.
    """
    recipe = pipeline.recipe
    arrays = private_arrays(recipe.layout, len(task))
    with ExitStack() as around:
        if recipe.user_code:  # otherwise nothing draws, or warns of a sample, but this library
            around.enter_context(pipeline.randomness.seeded(task, restore=True))
            around.enter_context(naming_in_warnings)
        report = pipeline.run(task, arrays)
    return ComputedBatch(lambda: arrays, lambda: None, report)
