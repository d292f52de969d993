"""What makes another process compute a batch as the program itself would."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from imageloom._executors.listening import Listener
from imageloom._imaging.pillow_settings import use_settings, warnings_of_pillow
from imageloom._pipeline.pipeline import Pipeline
from imageloom._pipeline.recipe import BatchTask

__all__ = ["as_in_program"]


@contextmanager
def as_in_program(
    pipeline: Pipeline, task: BatchTask, listener: Listener
) -> Iterator[list[tuple[str, str, type[Warning]]]]:
    """Prepares a worker for one batch: Pillow's settings, and the generators that hooks may use.

    The list that it returns fills with what Pillow warns of, for the user's process to show. The
    listener takes down what hooks say.
    """
    recipe = pipeline.recipe
    use_settings(recipe.pillow)
    hearing = recipe.hearing if recipe.user_code else None
    with (
        listener.listening(hearing),
        warnings_of_pillow() as found,
        pipeline.randomness.seeded(task, restore=False),
    ):
        yield found
