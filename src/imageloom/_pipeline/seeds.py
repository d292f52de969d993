"""Seeds and random streams, and the global generators that users may draw from.

The random numbers that Keras draws too come from one `RandomState` for each batch. Everything else
has a stream of its own, whose seed contains the number of its purpose. So enabling contrast, say,
does not change the numbers that Keras draws.

The library draws from a global generator only where a public method documents that. A method that the
user has overridden may do so, as in Keras: NumPy's global generator then has the state that the batch's
transforms are drawn from. For hooks, all generators are seeded for their batch (see `hook_randomness`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import IntEnum, unique
from typing import Final

import numpy as np
from numpy.typing import NDArray

from imageloom._locks import Lock

__all__ = [
    "StreamPurpose",
    "drawing_from",
    "fork",
    "global_state",
    "own_stream",
    "step_stream",
]

_global_generator: Final = Lock()  # all threads share it


@unique
class StreamPurpose(IntEnum):
    """The purpose of a random stream that Keras does not have; its number is part of the seed.

    A number is never used for another purpose later, because seeded results would change.
    """

    COLOUR_AND_NOISE = 1  # of a sample: contrast, the kind of noise and its values
    HOOK = 2  # of a sample: `params.rng`
    GLOBAL_GENERATORS = 3  # of a batch: `random`, `numpy.random` and those of frameworks, for hooks
    BALANCED_ORDER = 5  # of an epoch: `balance=True`
    FAST_ORDER = 6  # of an epoch: `shuffle="fast"`
    FIT = 7  # of an image that `fit(augment=True)` transforms: contrast and noise
    CARRIED_GENERATORS = 8  # of a batch and a generator that a hook refers to
    MIXTURE = 20  # of a batch: `mixup` and `cutmix`
    FURTHER_STEPS = 30  # behind the seed of contrast and noise, and before the number of a step
    TEST_TIME = 31  # of an iterator: the seed of the versions of `tta`


def own_stream(seed: int, image: int) -> Callable[[], np.random.Generator]:
    """Returns what makes the stream for contrast and noise of an image of a batch with this seed."""

    def stream() -> np.random.Generator:
        entropy = _in_words((seed, image, StreamPurpose.COLOUR_AND_NOISE))
        return np.random.Generator(np.random.PCG64(entropy))

    return stream


def step_stream(entropy: Sequence[int]) -> Callable[[int], np.random.Generator]:
    """Returns what makes an image's random stream for a step (see `_imaging.augment.steps.draw`).

    Args:
        entropy: The seed of the image's contrast and noise.
    """
    words = (*entropy, StreamPurpose.FURTHER_STEPS)
    return lambda step: np.random.Generator(np.random.PCG64(_in_words((*words, step))))


def _in_words(numbers: tuple[int, ...]) -> NDArray[np.uint32] | tuple[int, ...]:
    """The same entropy, as an array if it can be: NumPy takes that in two thirds of the time."""
    return np.array(numbers, np.uint32) if max(numbers) < 2**32 else numbers


def global_state() -> np.random.RandomState:
    """Returns NumPy's global generator, the one that `np.random.seed` seeds."""
    found = getattr(np.random.rand, "__self__", None)  # to make another one over it takes longer
    if isinstance(found, np.random.RandomState):
        return found
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
