"""Locks between the threads of one process, which a forked child finds free.

A child that was forked has one thread, the one that forked. A lock that another thread held at that
moment stays locked there for ever, because nobody is left to release it: closing an inherited
iterator, or the end of the child, would wait for it. So all locks of the package come from here, or
are made anew by `in_forked_child`. What a lost thread was about to change may be half changed; a child
uses none of it but to say that it belongs to its parent.

They are reentrant because the garbage collector, or a signal handler, may run code of the package in
the middle of anything, also while the same thread holds the lock.
"""

from __future__ import annotations

import os
import threading
import weakref
from types import TracebackType
from typing import Final, Protocol

__all__ = ["Lock", "forks", "tell_of_forks"]


class _Concerned(Protocol):
    """What has something to do in a forked child."""

    def in_forked_child(self) -> None:
        """Forgets the threads that are not there. Nothing that it does may wait."""


# No `WeakSet`, whose Python code takes longer than to make a lock: a short flow makes many.
_concerned: Final[set[weakref.ref[_Concerned]]] = set()


class _Forks:
    """What is known of this process.

    Attributes:
        count: How often it has begun to fork.
    """

    count = 0


def tell_of_forks(concerned: _Concerned) -> None:
    """Lets `in_forked_child` of an object be called in each child, as long as the object lives."""
    _concerned.add(weakref.ref(concerned, _concerned.discard))


def forks() -> int:
    """How often this process has forked. It changes before the child is there."""
    return _Forks.count


class Lock:
    """A reentrant lock, used in a `with` block."""

    __slots__ = ("__weakref__", "_lock")

    def __init__(self) -> None:
        """It is free."""
        self._lock = threading.RLock()
        tell_of_forks(self)

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Takes it, as the locks of `threading` are taken; returns whether that worked."""
        return self._lock.acquire(blocking, timeout)

    def release(self) -> None:
        """Gives it back as often as it was taken."""
        self._lock.release()

    def __enter__(self) -> bool:
        """Waits for it."""
        return self._lock.acquire()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Gives it back."""
        self._lock.release()

    def __reduce__(self) -> tuple[type[Lock], tuple[()]]:
        """A copy, and what arrives in another process, is free."""
        return Lock, ()

    def in_forked_child(self) -> None:
        """Frees it, unless the thread that has forked holds it: that one will give it back."""
        if self._lock.acquire(blocking=False):
            self._lock.release()
        else:
            self._lock = threading.RLock()


def _before_fork() -> None:
    _Forks.count += 1


def _in_child() -> None:
    for reference in tuple(_concerned):
        one = reference()
        if one is not None:
            one.in_forked_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_child=_in_child)
