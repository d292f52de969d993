"""The bounded window of batches between an iterator and its executor.

::

    plan (positions that will probably be asked for, in order)
      └─> window: position -> future, at most `lookahead` of them, finished or not
            └─> get(position): out of the window, or computed on demand, before all that wait

Which positions are prefetched is a guess and costs only time when it is wrong: whatever is asked for,
in whatever order, from whatever thread, is the batch of that position.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import TimeoutError as FutureTimeoutError
from itertools import chain, islice

from imageloom.errors import IteratorClosedError
from imageloom.executors.base import BatchFuture, Channel, ComputedBatch
from imageloom.recipe import BatchTask

__all__ = ["BatchStream"]


class BatchStream:
    """Hands out batches by position and keeps a window of them under way."""

    def __init__(self, channel: Channel, task_at: Callable[[int], BatchTask]) -> None:
        """`task_at` is the pure function from a position to its task."""
        self._channel = channel
        self._task_at = task_at
        self._lock = threading.RLock()
        self._window: dict[int, BatchFuture] = {}
        self._awaited = 0
        self._plan: Iterator[int] = iter(())
        self._closed = False
        self._owner = os.getpid()

    def follow(self, plan: Iterable[int]) -> None:
        """From now on prefetches these positions, in this order; drops what is not near in it."""
        with self._lock:
            upcoming = iter(plan)
            near = list(islice(upcoming, self._channel.lookahead))
            for position in [p for p in self._window if p not in near]:
                _discard(self._window.pop(position))
            self._plan = chain(near, upcoming)
            if not self._closed:
                self._refill()

    def get(self, position: int) -> ComputedBatch:
        """The batch at a position; waits for it.

        Raises:
            IteratorClosedError: after `close`, or in a forked child.
            Exception: what the batch's computation raised.
        """
        with self._lock:
            self._check_usable()
            future = self._window.pop(position, None)
            if future is None:
                future = self._channel.submit(self._task_at(position), urgent=True)
            else:
                self._channel.hurry(future)
            self._awaited += 1
            # Who waits must find a slot, however many threads ask for something unforeseen.
            while self._window and len(self._window) + self._awaited > self._channel.lookahead:
                _discard(self._window.popitem()[1])
            self._refill()
        try:
            return _result(future)
        except BaseException:
            _discard(future)  # the wait was interrupted, or there is nothing to discard
            raise
        finally:
            with self._lock:
                self._awaited -= 1
                if not self._closed:
                    self._refill()

    def clear(self) -> None:
        """Drops everything that was prefetched."""
        self.follow(())

    def close(self) -> None:
        """Gives everything back; those who wait get an IteratorClosedError."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._plan = iter(())
            window, self._window = self._window, {}
        if os.getpid() != self._owner:
            return
        for future in window.values():
            _discard(future)
        self._channel.close()

    def _refill(self) -> None:
        while len(self._window) + self._awaited < self._channel.lookahead:
            position = next(self._plan, None)
            if position is None:
                return
            if position not in self._window:
                self._window[position] = self._channel.submit(self._task_at(position), urgent=False)

    def _check_usable(self) -> None:
        if self._closed:
            raise IteratorClosedError(
                "This iterator is closed. Make a new one with the generator's flow methods."
            )
        if os.getpid() != self._owner:
            raise IteratorClosedError(
                "This iterator belongs to the process that read its first batch; a forked child cannot "
                "use it. Make the iterator in the child."
            )


def _result(future: BatchFuture) -> ComputedBatch:
    while True:
        try:
            return future.result(timeout=1)
        except FutureTimeoutError:
            # Also what a hook may have raised; else keep waiting, in slices that let signals in
            # on systems where a wait without end does not.
            if future.done():
                return future.result()


def _discard(future: BatchFuture) -> None:
    """Cancels a batch, or gives its memory back as soon as it is there."""
    if not future.cancel():
        future.add_done_callback(_give_back)


def _give_back(future: BatchFuture) -> None:
    if not future.cancelled() and future.exception() is None:
        future.result().discard()
