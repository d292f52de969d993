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
from concurrent.futures import CancelledError, Future
from functools import partial
from itertools import chain, islice

from imageloom._errors import IteratorClosedError
from imageloom._executors.base import BatchFuture, Channel, ComputedBatch
from imageloom._pipeline.recipe import BatchTask

__all__ = ["BatchStream"]


class BatchStream:
    """Hands out batches by position and keeps a window of them under way."""

    def __init__(self, channel: Channel, task_at: Callable[[int], BatchTask]) -> None:
        """`task_at` is the pure function from a position to its task."""
        self._channel = channel
        self._task_at = task_at
        self._lock = threading.RLock()
        self._window: dict[int, BatchFuture] = {}
        self._waiters: set[BatchFuture] = set()
        self._plan: Iterator[int] = iter(())
        self._closed = False
        self._owner = os.getpid()

    @property
    def inherited(self) -> bool:
        """Whether this is a forked child: the threads and workers are its parent's."""
        return os.getpid() != self._owner

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
                self._channel.prioritise(future)
            # Who waits must find a slot, however many threads ask for something unforeseen.
            while self._window and len(self._window) + len(self._waiters) >= self._channel.lookahead:
                _discard(self._window.popitem()[1])
            self._refill()
            waiter: BatchFuture = Future()
            self._waiters.add(waiter)
        future.add_done_callback(partial(_pass_on, waiter))
        try:
            return waiter.result()
        except CancelledError:
            if waiter.cancelled():
                raise _closed() from None
            raise  # a hook's own
        except BaseException:  # the batch failed, or Ctrl-C ended the wait
            _discard(waiter)
            raise
        finally:
            with self._lock:
                self._waiters.discard(waiter)
                if not self._closed:
                    self._refill()

    def close(self) -> None:
        """Gives everything back; those who wait get an IteratorClosedError."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._plan = iter(())
            window, self._window = self._window, {}
        if self.inherited:
            return
        for waiter in tuple(self._waiters):
            waiter.cancel()
        for future in window.values():
            _discard(future)
        self._channel.close()

    def _refill(self) -> None:
        while len(self._window) + len(self._waiters) < self._channel.lookahead:
            position = next(self._plan, None)
            if position is None:
                return
            if position not in self._window:
                self._window[position] = self._channel.submit(self._task_at(position), urgent=False)

    def _check_usable(self) -> None:
        if self._closed:
            raise _closed()
        if self.inherited:
            raise IteratorClosedError(
                "This iterator belongs to the process that read its first batch; a forked child cannot "
                "use it. Make the iterator in the child."
            )


def _closed() -> IteratorClosedError:
    return IteratorClosedError(
        "This iterator is closed. Make a new one with the generator's flow methods."
    )


def _pass_on(waiter: BatchFuture, future: BatchFuture) -> None:
    """Gives a batch to who waits for it, if anybody still does."""
    if future.cancelled() or not waiter.set_running_or_notify_cancel():
        waiter.cancel()
        _give_back(future)
    elif (error := future.exception()) is not None:
        waiter.set_exception(error)
    else:
        waiter.set_result(future.result())


def _discard(future: BatchFuture) -> None:
    """Cancels a batch, or gives its memory back as soon as it is there."""
    if not future.cancel():
        future.add_done_callback(_give_back)


def _give_back(future: BatchFuture) -> None:
    if not future.cancelled() and future.exception() is None:
        future.result().discard()
