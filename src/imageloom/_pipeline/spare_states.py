"""Lends `RandomState` objects, because to make one takes 0.1 ms, and to seed it 2 microseconds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

import numpy as np

__all__ = ["borrowed_state", "give_back", "seeded_state"]

_MOST: Final = 32  # as many threads may compute at the same time without making new ones
_spare: Final[list[np.random.RandomState]] = []


def seeded_state(seed: int) -> np.random.RandomState:
    """The same as `RandomState(seed)`, from now on the caller's, who may give it back."""
    state = None
    with suppress(IndexError):
        state = _spare.pop()
    if state is None:  # outside of the `except`, which Ctrl-C would show as an error before it
        return np.random.RandomState(seed)
    state.seed(seed)
    return state


def give_back(state: np.random.RandomState) -> None:
    """Takes a state that nobody uses any more."""
    if len(_spare) < _MOST:
        _spare.append(state)


@contextmanager
def borrowed_state(seed: int) -> Iterator[np.random.RandomState]:
    """The same as `RandomState(seed)`, within the `with` block."""
    state = seeded_state(seed)
    try:
        yield state
    finally:
        give_back(state)
