"""Guesses which batches of an epoch will be requested next, from the requests so far."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

__all__ = ["ReadingOrder"]


class ReadingOrder:
    """Follows one of several possible orders, and changes to another one when a request differs."""

    def __init__(self, batches: int) -> None:
        """Starts with the order 0, 1, ... of an epoch of so many batches."""
        self._batches = batches
        self._candidates: list[Sequence[int]] = [range(batches)]
        self._guess: deque[int] = deque()
        self.shuffled = False

    def begin(self, shuffled: Sequence[int]) -> None:
        """Notes that a pass begins: shuffled like this, in sequence, or where the last one stopped."""
        unfinished = [tuple(self._guess)] if self._guess else []
        self._candidates = [*unfinished, shuffled, range(self._batches)]

    def expect(self, order: Sequence[int]) -> None:
        """Notes that the next pass will probably read in this order."""
        self._guess = deque(order)

    def observe(self, index: int) -> list[int] | None:
        """Notes a request; returns what will probably follow if the guess has changed, else None."""
        if self._guess and self._guess[0] == index:
            self._guess.popleft()
            return None
        starting = [order for order in self._candidates if order and order[0] == index]
        containing = [order for order in self._candidates if index in order]
        order = (starting or containing or [range(self._batches)])[0]
        self.shuffled = not isinstance(order, range)
        self._guess = deque(order[order.index(index) + 1 :])
        return list(self._guess)
