"""Seeds the global random generators for the user's hooks."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Final

import numpy as np

from imageloom.recipe import BatchTask, Recipe

__all__ = ["seeded_for_hooks", "seeded_globals"]

_GLOBAL_DRAWS: Final = 3  # the purpose of this stream; see `pipeline`


def seeded_for_hooks(recipe: Recipe, task: BatchTask, *, restore: bool) -> AbstractContextManager[None]:
    """`seeded_globals` where the user's own code runs; else nothing, which is quicker."""
    return seeded_globals(task, restore=restore) if recipe.has_hooks else nullcontext()


@contextmanager
def seeded_globals(task: BatchTask, *, restore: bool) -> Iterator[None]:
    """Seeds `random` and `numpy.random` for a batch, so that hooks that draw from them repeat.

    With `restore` the caller's states come back afterwards.
    """
    states = (random.getstate(), np.random.get_state()) if restore else None
    words = np.random.SeedSequence((task.spec.seed, _GLOBAL_DRAWS)).generate_state(2)
    random.seed(int(words[0]))
    np.random.seed(int(words[1]))
    try:
        yield
    finally:
        if states is not None:
            random.setstate(states[0])
            np.random.set_state(states[1])
