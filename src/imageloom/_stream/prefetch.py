"""Keeps an iterator's window on the batches that will probably be asked for next.

Under `next` these are the positions that follow. Under Keras' protocol they are guessed from what was
asked for so far. A wrong guess costs time and never a value.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import count
from typing import Protocol

from imageloom._adapters.keras import shuffled_order
from imageloom._stream.guess import ReadingOrder

__all__ = ["Prefetch"]


class _Follower(Protocol):
    def follow(self, plan: Iterable[int]) -> None:
        """Prefetches these positions, in this order."""
        ...


class Prefetch:
    """Plans what is computed ahead of time."""

    def __init__(self, supply: _Follower, batches: int) -> None:
        """For epochs of so many batches; plans nothing yet."""
        self._supply = supply
        self._batches = batches
        self._order = ReadingOrder(batches)
        self._next: int | None = None  # the position that the plan expects `next` to ask for

    def interrupt(self) -> None:
        """Whatever is asked for next, a new plan begins with it."""
        self._next = None

    def step(self, position: int) -> None:
        """`next` asks for a position."""
        if self._next != position:
            self._supply.follow(count(position))
        self._next = position + 1

    def ask(self, first: int, index: int) -> None:
        """Somebody asks for batch `index` of the pass that begins at `first`."""
        self._next = None
        upcoming = self._order.observe(index)
        if upcoming is not None:
            self._supply.follow([first + i for i in (index, *upcoming)])

    def begin_epoch(self) -> None:
        """Keras is about to ask for the batches of an epoch."""
        self._order.begin(shuffled_order(self._batches))

    def next_pass(self, first: int) -> None:
        """A pass begins at `first`, and nobody has asked for anything of it."""
        self._next = None
        shuffled = shuffled_order(self._batches)
        self._order.expect(())  # what was left out is not made up for
        self._order.begin(shuffled)
        expected = shuffled if self._order.shuffled else range(self._batches)
        self._order.expect(expected)
        self._supply.follow([first + i for i in expected])
