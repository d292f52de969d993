"""Closes channels for the garbage collector.

A function of the user may refer to the iterator that it is called for, and a channel refers to the
function. What closes the channel when the iterator is gone must not: it would keep the iterator.
"""

from __future__ import annotations

from collections.abc import Callable

from imageloom._locks import Lock

__all__ = ["Closer", "Closers"]

Closer = Callable[[], object]


class Closers:
    """Closes what was added to it, once, and what is added later at once.

    Attributes:
        closed: Whether it was called.
    """

    def __init__(self) -> None:
        """There is nothing to close yet."""
        # The garbage collector may call this in the middle of anything.
        self._lock = Lock()
        self._closers: list[Closer] = []
        self.closed = False

    def add(self, closer: Closer) -> None:
        """Adds what closes something that was just opened."""
        with self._lock:
            self._closers.append(closer)
            if self.closed:
                self()

    def __call__(self) -> None:
        """Closes everything."""
        with self._lock:
            self.closed = True
            closers, self._closers = self._closers, []
        for close in closers:
            close()
