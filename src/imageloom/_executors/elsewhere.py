"""What makes another process compute a batch as the program itself would."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from imageloom._executors.listening import Listener
from imageloom._executors.state.knowledge import Knowledge
from imageloom._executors.state.takeover import use
from imageloom._imaging.pillow_settings import use_settings, warnings_of_pillow
from imageloom._pipeline.pipeline import Pipeline
from imageloom._pipeline.recipe import BatchTask

__all__ = ["as_in_program"]


@contextmanager
def as_in_program(
    pipeline: Pipeline, task: BatchTask, listener: Listener
) -> Iterator[list[tuple[str, str, type[Warning]]]]:
    """Prepares a worker for one batch: what it knows of the program, and the generators for hooks.

    The list that it returns fills with what Pillow warns of, for the user's process to show. The
    listener takes down what hooks say.
    """
    recipe = pipeline.recipe
    if isinstance(recipe.program, Knowledge):
        use(recipe.program)
    use_settings(recipe.pillow)
    hearing = recipe.hearing if recipe.user_code else None
    with (
        listener.listening(hearing),
        warnings_of_pillow() as found,
        pipeline.randomness.seeded(task, restore=False),
    ):
        yield found
