"""What makes another process compute a batch as the program itself would."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from imageloom._executors.state.knowledge import Knowledge
from imageloom._executors.state.takeover import use
from imageloom._imaging.pillow_settings import use_settings, warnings_of_pillow
from imageloom._pipeline.recipe import BatchTask, Recipe
from imageloom._pipeline.seeds import seeded_for_hooks

__all__ = ["as_in_program"]


@contextmanager
def as_in_program(recipe: Recipe, task: BatchTask) -> Iterator[list[tuple[str, str, type[Warning]]]]:
    """Prepares a worker for one batch: what it knows of the program, and the generators for hooks.

    The list that it returns fills with what Pillow warns of, for the user's process to show.
    """
    if isinstance(recipe.program, Knowledge):
        use(recipe.program)
    use_settings(recipe.pillow)
    with warnings_of_pillow() as found, seeded_for_hooks(recipe, task, restore=False):
        yield found
