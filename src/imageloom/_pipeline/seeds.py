"""Seeds and random streams: what each is for, and the global generators that users draw from.

Keras' numbers come from one `RandomState` per batch. Whatever Keras does not draw has a stream of its
own, split off a seed by a number that tells its purpose. So switching it on moves no number of Keras'.

The library draws from a global generator only where a public method documents that. The user's own
versions of the generator's methods may, as Keras lets them; they find in NumPy's the state that the
batch's transforms are drawn from. Hooks find both global generators seeded for their batch.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from enum import IntEnum, unique
from typing import Any, Final

import numpy as np

from imageloom._pipeline.recipe import BatchTask, Recipe

__all__ = [
    "StreamPurpose",
    "drawing_from",
    "fork",
    "global_state",
    "seeded_for_hooks",
    "seeded_globals",
]

_LENT: Final = threading.RLock()  # there is one global generator for all threads


@unique
class StreamPurpose(IntEnum):
    """What a random stream that is not Keras' is for; its number is part of the stream's seed.

    Numbers are never used again for something else: seeded results would change.
    """

    COLOUR_AND_NOISE = 1  # of a sample: contrast, and which noise with which field
    HOOK = 2  # of a sample: `params.rng`
    GLOBAL_GENERATORS = 3  # of a batch: `random` and `numpy.random`, for hooks
    BALANCED_ORDER = 5  # of an epoch: `balance=True`
    FAST_ORDER = 6  # of an epoch: `shuffle="fast"`
    FIT = 7  # of an image that `fit(augment=True)` transforms: contrast and noise


def global_state() -> np.random.RandomState:
    """NumPy's global generator: drawing from it advances the one behind `np.random.seed`."""
    return np.random.RandomState(np.random.get_bit_generator())  # type: ignore[attr-defined]


def fork(state: np.random.RandomState) -> np.random.SeedSequence:
    """A seed that depends on where `state` stands, without advancing it."""
    words: Any = state.get_state(legacy=False)["state"]
    return np.random.SeedSequence((*words["key"][:4], words["pos"]))


@contextmanager
def drawing_from(state: np.random.RandomState) -> Iterator[None]:
    """Puts NumPy's global generator where `state` stands; what is drawn from it advances `state`."""
    with _LENT:
        saved = np.random.get_state(legacy=False)
        np.random.set_state(state.get_state(legacy=False))
        try:
            yield
        finally:
            drawn = np.random.get_state(legacy=False)
            np.random.set_state(saved)
            state.set_state(drawn)  # last: it may be the global generator itself


def seeded_for_hooks(recipe: Recipe, task: BatchTask, *, restore: bool) -> AbstractContextManager[None]:
    """`seeded_globals` where the user's own code runs; else nothing, which is quicker."""
    return seeded_globals(task, restore=restore) if recipe.has_hooks else nullcontext()


@contextmanager
def seeded_globals(task: BatchTask, *, restore: bool) -> Iterator[None]:
    """Seeds `random` and `numpy.random` for a batch, so that hooks that draw from them repeat.

    With `restore` the caller's states come back afterwards.
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
