"""Lends `RandomState` objects, because to make one takes 0.1 ms, and to seed it 2 microseconds."""

from __future__ import annotations

from types import TracebackType
from typing import Final

import numpy as np

__all__ = ["borrowed_state", "give_back", "seeded_state"]

_MOST: Final = 32  # as many threads may compute at the same time without making new ones
_spare: Final[list[np.random.RandomState]] = []


def seeded_state(seed: int) -> np.random.RandomState:
    """The same as `RandomState(seed)`, from now on the caller's, who may give it back."""
    try:
        state = _spare.pop()
    except IndexError:
        state = None
    if state is None:  # outside of the `except`, which Ctrl-C would show as an error before it
        return np.random.RandomState(seed)
    state.seed(seed)
    return state


def give_back(state: np.random.RandomState) -> None:
    """Takes a state that nobody uses any more."""
    if len(_spare) < _MOST:
        _spare.append(state)


class _Borrowed:
    """What `borrowed_state` returns; a generator would take longer than to seed the state."""

    __slots__ = ("_state",)

    def __init__(self, state: np.random.RandomState) -> None:
        self._state = state

    def __enter__(self) -> np.random.RandomState:
        return self._state

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        give_back(self._state)


def borrowed_state(seed: int) -> _Borrowed:
    """A `with` block that has the same as `RandomState(seed)`."""
    return _Borrowed(seeded_state(seed))
