"""Lends `RandomState` objects, because to make one takes 0.1 ms, and to seed it 2 microseconds."""

from __future__ import annotations

from contextlib import suppress
from types import TracebackType
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["borrowed_state", "drawn_permutation", "give_back", "permuted_state", "seeded_state"]

_MOST: Final = 32  # as many threads may compute at the same time without making new ones
_spare: Final[list[np.random.RandomState]] = []
# The state that has drawn the last order, by its seed and the number of items: the first batch of that
# epoch goes on with it, and most often is the next one that is computed here.
_drawn: Final[dict[tuple[int, int], np.random.RandomState]] = {}


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


def drawn_permutation(seed: int, items: int) -> NDArray[np.int64]:
    """The same as `RandomState(seed).permutation(items)`; `permuted_state` goes on with it."""
    state = seeded_state(seed)
    order = state.permutation(items)
    if _drawn:
        _take_drawn()
    _drawn[seed, items] = state
    return order


def permuted_state(seed: int, items: int) -> np.random.RandomState:
    """The same as `RandomState(seed)` behind `permutation(items)`, from now on the caller's."""
    state = _drawn.pop((seed, items), None)
    if state is None:
        state = seeded_state(seed)
        state.permutation(items)
    return state


def _take_drawn() -> None:
    """Takes back the state that nobody has gone on with, unless another thread has just taken it."""
    with suppress(KeyError):
        give_back(_drawn.popitem()[1])


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
