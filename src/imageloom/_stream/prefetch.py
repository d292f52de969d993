"""Decides which batches an iterator computes in advance.

With `next`, these are the following positions. Under Keras' protocol they are guessed from the
requests so far. A wrong guess costs time but never changes a value.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, count
from typing import Protocol

from imageloom._adapters.keras import shuffled_batches
from imageloom._stream.guess import ReadingOrder

__all__ = ["Prefetch"]


class _Follower(Protocol):
    def follow(self, plan: Iterable[int]) -> None:
        """Prefetches these positions, in this order."""
        ...


class Prefetch:
    """Plans which positions are computed in advance."""

    def __init__(self, supply: _Follower, batches: int, *, draws_itself: bool = False) -> None:
        """Makes no plan yet; an epoch has `batches` batches.

        With `draws_itself`, a method of the user sets the order of an epoch. It is then called at the
        start of the epoch, as in Keras, so no epoch is computed before it has begun.
        """
        self._supply = supply
        self._batches = batches
        self._draws_itself = draws_itself
        self._reading = ReadingOrder(batches)
        self._next: int | None = None  # the position that `next` is expected to request

    def interrupt(self) -> None:
        """Makes the next request start a new plan."""
        self._next = None

    def step(self, position: int) -> None:
        """Plans for a request of a position by `next`."""
        if self._draws_itself and self._batches:
            if self._next != position or position % self._batches == 0:
                end = (position // self._batches + 1) * self._batches
                self._supply.follow(range(position, end))
        elif self._next != position:
            self._supply.follow(count(position))
        self._next = position + 1

    def ask(self, first: int, index: int) -> None:
        """Plans for a request of batch `index` of the pass that begins at `first`."""
        self._next = None
        upcoming = self._reading.observe(index)
        if upcoming is not None:
            self._supply.follow(chain([first + i for i in (index, *upcoming)], self._after(first)))

    def begin_epoch(self) -> None:
        """Plans for an epoch that Keras is going to read."""
        self._reading.begin(shuffled_batches(self._batches))

    def next_pass(self, first: int) -> None:
        """Plans for a new pass at `first`, before its first request."""
        self._next = None
        shuffled = shuffled_batches(self._batches)
        self._reading.expect(())  # batches that were left out are not read later
        self._reading.begin(shuffled)
        expected = shuffled if self._reading.shuffled else range(self._batches)
        self._reading.expect(expected)
        self._supply.follow(chain([first + i for i in expected], self._after(first)))

    def _after(self, first: int) -> Iterator[int]:
        """The positions of the pass after the one at `first`, so that it does not begin with a wait.

        It is guessed when the window has come there, because Keras shuffles when that pass begins.
        """
        if not self._draws_itself:
            following = first + self._batches
            shuffled = self._reading.shuffled
            expected = shuffled_batches(self._batches) if shuffled else range(self._batches)
            yield from (following + i for i in expected)
