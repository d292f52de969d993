"""A lock for functions of the user that must not run at the same time, and may wait for each other.

A function that holds the lock may read another iterator whose function needs the same lock, in another
thread. So who waits for a batch lends the lock to the threads that compute for that iterator, and to
nobody else: another call of the first function still has to wait until this one is over.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Final

from imageloom._locks import tell_of_forks

__all__ = ["TURNS_OF_THE_PROGRAM", "Turn", "Turns"]


class Turns:
    """The lock, which several iterators share."""

    def __init__(self) -> None:
        """Nobody holds it."""
        self._changed = threading.Condition()
        self._holder: int | None = None
        self._depth = 0
        self._lent_to: list[Turn] = []  # one within the other; only the last one may take it
        tell_of_forks(self)

    def in_forked_child(self) -> None:
        """Takes it from all threads but the one that has forked: the others are not there."""
        self._changed = threading.Condition()
        self._lent_to = []
        if self._holder != threading.get_ident():
            self._holder, self._depth = None, 0

    def acquire(self, turn: Turn) -> None:
        """Waits for it. A thread may hold it several times."""
        me = threading.get_ident()
        with self._changed:
            self._changed.wait_for(lambda: self._holder == me or self._is_free_for(turn))
            self._holder = me
            self._depth += 1

    def release(self) -> None:
        """Gives it back as often as it was taken."""
        with self._changed:
            self._depth -= 1
            if self._depth == 0:
                self._holder = None
                self._changed.notify_all()

    @contextmanager
    def lent_to(self, turn: Turn) -> Iterator[bool]:
        """Lends it while the calling thread waits; gives False if that thread does not hold it."""
        me = threading.get_ident()
        with self._changed:
            lends, depth, mine = self._holder == me, self._depth, len(self._lent_to) + 1
            if lends:
                self._lent_to.append(turn)
                self._holder, self._depth = None, 0
                self._changed.notify_all()
        try:
            yield lends
        finally:
            if lends:
                with self._changed:
                    # Who has it meanwhile gives it back, and what they lend comes back before that.
                    self._changed.wait_for(lambda: self._holder is None and len(self._lent_to) == mine)
                    self._lent_to.pop()
                    self._holder, self._depth = me, depth

    def _is_free_for(self, turn: Turn) -> bool:
        return self._holder is None and (not self._lent_to or self._lent_to[-1] is turn)


class Turn:
    """The lock as one iterator uses it: held in a `with` block."""

    def __init__(self, turns: Turns) -> None:
        """`turns` is the lock."""
        self.turns = turns

    def __enter__(self) -> None:
        """Waits for the lock."""
        self.turns.acquire(self)

    def lend_until(self, future: Future[Any]) -> None:
        """Waits for a batch that the caller needs, and lends the lock meanwhile if the caller holds it.

        Otherwise a function that reads an iterator would wait for ever for the function of that
        iterator.
        """
        with self.turns.lent_to(self) as lends:
            if lends:
                done = threading.Event()
                future.add_done_callback(lambda _: done.set())  # also if it is cancelled
                done.wait()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Gives the lock back."""
        self.turns.release()


# Of all functions of the program that use what belongs to its process, such as a random generator.
TURNS_OF_THE_PROGRAM: Final = Turns()
