"""Seeds and random streams, and the global generators that users may draw from.

The random numbers that Keras draws too come from one `RandomState` for each batch. Everything else
has a stream of its own, whose seed contains the number of its purpose. So enabling contrast, say,
does not change the numbers that Keras draws.

The library draws from a global generator only where a public method documents that. A method that
the
user has overridden may do so, as in Keras: NumPy's global generator then has the state that the
    batch's
transforms are drawn from. For hooks, both global generators are seeded for their batch.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from enum import IntEnum, unique
from typing import Final

import numpy as np

from imageloom._locks import Lock
from imageloom._pipeline.recipe import BatchTask, Recipe

__all__ = [
    "StreamPurpose",
    "drawing_from",
    "fork",
    "global_state",
    "seeded_for_hooks",
    "seeded_globals",
]

_global_generator: Final = Lock()  # all threads share it


@unique
class StreamPurpose(IntEnum):
    """The purpose of a random stream that Keras does not have; its number is part of the seed.

    A number is never used for another purpose later, because seeded results would change.
    """

    COLOUR_AND_NOISE = 1  # of a sample: contrast, the kind of noise and its values
    HOOK = 2  # of a sample: `params.rng`
    GLOBAL_GENERATORS = 3  # of a batch: `random` and `numpy.random`, for hooks
    BALANCED_ORDER = 5  # of an epoch: `balance=True`
    FAST_ORDER = 6  # of an epoch: `shuffle="fast"`
    FIT = 7  # of an image that `fit(augment=True)` transforms: contrast and noise


def global_state() -> np.random.RandomState:
    """Returns NumPy's global generator, the one that `np.random.seed` seeds."""
    return np.random.RandomState(np.random.get_bit_generator())  # type: ignore[attr-defined]


def fork(state: np.random.RandomState) -> np.random.SeedSequence:
    """Returns a seed that depends on `state` but does not advance it."""
    words = state.get_state(legacy=False)["state"]
    return np.random.SeedSequence((*words["key"][:4], words["pos"]))


@contextmanager
def drawing_from(state: np.random.RandomState) -> Iterator[None]:
    """Gives NumPy's global generator the state of `state`; drawing from it advances `state`."""
    with _global_generator:
        saved = np.random.get_state(legacy=False)
        np.random.set_state(state.get_state(legacy=False))
        try:
            yield
        finally:
            drawn = np.random.get_state(legacy=False)
            np.random.set_state(saved)
            state.set_state(drawn)  # last: it may be the global generator itself


def seeded_for_hooks(recipe: Recipe, task: BatchTask, *, restore: bool) -> AbstractContextManager[None]:
    """Returns `seeded_globals` if the recipe runs code of the user; else an empty context."""
    return seeded_globals(task, restore=restore) if recipe.user_code else nullcontext()


@contextmanager
def seeded_globals(task: BatchTask, *, restore: bool) -> Iterator[None]:
    """Seeds `random` and `numpy.random` for a batch, so that hooks that use them are reproducible.

    With `restore`, both have their former states afterwards.
    """
    states = (random.getstate(), np.random.get_state()) if restore else None
    words = np.random.SeedSequence((task.spec.seed, StreamPurpose.GLOBAL_GENERATORS)).generate_state(2)
    random.seed(int(words[0]))
    np.random.seed(int(words[1]))
    try:
        yield
    finally:
        if states is not None:
            random.setstate(states[0])
            np.random.set_state(states[1])
