"""NumPy's global generator, which users draw from: reading it, and lending it a batch's state.

Ours never draws from it but where a public method documents that. The user's own versions of the
generator's methods do, as Keras lets them; they find in it the state that the batch's transforms are
drawn from.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import numpy as np

__all__ = ["drawing_from", "fork", "global_state"]

_LENT: Final = threading.RLock()  # there is one global generator for all threads


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
