"""The bounded window of batches between an iterator and its executor.

::

    plan (positions that will probably be asked for, in order)
      └─> window: position -> future, at most `lookahead` of them, finished or not
            └─> get(position): taken from the window, or submitted before all waiting tasks

Which positions are prefetched is a guess. A wrong guess only costs time: a request from any thread,
in any order, returns the batch of its position.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError, Future
from functools import partial
from itertools import chain, islice

from imageloom._errors import IteratorClosedError
from imageloom._executors.base import BatchFuture, Channel, ComputedBatch, discard_finished
from imageloom._executors.closing import Closer
from imageloom._locks import Lock
from imageloom._pipeline.recipe import BatchTask

__all__ = ["BatchStream"]


class BatchStream:
    """Hands out batches by position, and keeps a window of them submitted in advance."""

    def __init__(self, channel: Channel, task_at: Callable[[int], BatchTask]) -> None:
        """`task_at` returns the task of a position; it is a pure function."""
        self._channel = channel
        self._task_at = task_at
        self._lock = Lock()
        self._window: dict[int, BatchFuture] = {}
        self._tasks: dict[int, BatchTask] = {}  # of the futures in the window
        self._waiters: set[BatchFuture] = set()
        self._plan: Iterator[int] = iter(())
        self._upcoming: int | None = None  # the first position of the plan, if it was looked at
        self._closed = False
        self._owner = os.getpid()

    @property
    def inherited(self) -> bool:
        """Whether this process is a forked child, so that threads and workers belong to its parent."""
        return os.getpid() != self._owner

    def follow(self, plan: Iterable[int]) -> None:
        """Prefetches these positions, in this order, from now on; drops batches that are not near."""
        with self._lock:
            upcoming = iter(plan)
            near = list(islice(upcoming, self._channel.lookahead))
            for position in [p for p in self._window if p not in near]:
                _discard(self._window.pop(position))
            # Those in the window must not be in the plan, too: it would compute them again.
            missing = [p for p in near if p not in self._window]
            self._plan, self._upcoming = chain(missing, upcoming), None
            if not self._closed:
                self._refill()

    def compute(self, task: BatchTask) -> ComputedBatch:
        """Waits for a batch that nobody has computed ahead; what was computed ahead stays in the plan.

        Raises:
            IteratorClosedError: The stream is closed, or this is a forked child.
            Exception: What the computation of the batch has raised.
        """
        if not self._window and (at_once := self._at_once(task)) is not None:
            return at_once
        with self._lock:
            self._check_usable()
            future = self._channel.submit(task, urgent=True)
            for position in self._make_room():
                self._plan, self._upcoming = chain([position], self._rest_of_plan()), None
            waiter = self._new_waiter()
        return self._wait(future, waiter)

    def get(self, position: int, task: BatchTask | None = None) -> ComputedBatch:
        """Waits for the batch at a position and returns it.

        `task` is the task of that position as it is now. A batch that was computed ahead for another
        one, before the program has changed the data set or its order, is dropped.

        Raises:
            IteratorClosedError: The stream is closed, or this is a forked child.
            Exception: What the computation of the batch has raised.
        """
        if task is not None and not self._window:
            at_once = self._at_once(task, position)
            if at_once is not None:
                return at_once
        with self._lock:
            self._check_usable()
            future = self._window.pop(position, None)
            if future is not None and task is not None and not self._tasks[position].is_same(task):
                _discard(future)
                future = None
            if future is None:
                if self._peek() == position:
                    self._upcoming = None
                task = self._task_at(position) if task is None else task
                future = self._channel.submit(task, urgent=True)
            else:
                self._channel.prioritise(future)
            self._make_room()
            self._refill()
            waiter = self._new_waiter()
        return self._wait(future, waiter)

    def _at_once(self, task: BatchTask, position: int | None = None) -> ComputedBatch | None:
        """Returns the batch if the calling thread computes it, without a future; else None.

        Futures, and the locks that they take, would be a tenth of the time of a small batch.
        """
        with self._lock:
            self._check_usable()
            if position is not None and self._peek() == position:
                self._upcoming = None
        computed = self._channel.at_once(task)
        if computed is None:
            return None
        with self._lock:
            if self._closed:
                computed.discard()
                raise _closed()
            self._refill()
        return computed

    def _make_room(self) -> list[int]:
        """Drops what was computed ahead until there is a slot for one more waiting thread.

        There must be one for each, even if all ask for unexpected positions. Returns the positions,
        the last one of the plan first.
        """
        dropped = []
        while self._window and len(self._window) + len(self._waiters) >= self._channel.lookahead:
            position, future = self._window.popitem()
            _discard(future)
            dropped.append(position)
        return dropped

    def _rest_of_plan(self) -> Iterator[int]:
        return self._plan if self._upcoming is None else chain([self._upcoming], self._plan)

    def _new_waiter(self) -> BatchFuture:
        waiter: BatchFuture = Future()
        self._waiters.add(waiter)
        return waiter

    def _wait(self, future: BatchFuture, waiter: BatchFuture) -> ComputedBatch:
        future.add_done_callback(partial(_pass_on, waiter))
        try:
            self._channel.work_on(future)
            return waiter.result()
        except CancelledError:
            if waiter.cancelled():
                raise _closed() from None
            raise  # a hook has raised it
        except BaseException:  # the batch has failed, or Ctrl-C has ended the wait
            _discard(waiter)
            raise
        finally:
            with self._lock:
                self._waiters.discard(waiter)
                if not self._closed:
                    self._refill()

    def take_finished(self) -> tuple[int, BatchTask, ComputedBatch] | None:
        """Removes the batch that will probably be asked for next, if it is finished; never waits.

        Returns its position, its task, and the batch. A batch that has failed stays, and so do those
        behind it.
        """
        with self._lock:
            if self._closed or self.inherited or not self._window:
                return None
            position, future = next(iter(self._window.items()))
            if not future.done() or future.cancelled() or future.exception() is not None:
                return None
            del self._window[position]
            task = self._tasks.pop(position)
            self._refill()
            return position, task, future.result()

    def close(self) -> None:
        """Releases everything; threads that wait for a batch get an IteratorClosedError."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._plan, self._upcoming = iter(()), None
            window, self._window = self._window, {}
        if self.inherited:
            return
        for waiter in tuple(self._waiters):
            waiter.cancel()
        for future in window.values():
            _discard(future)
        self._channel.close()

    def closer(self) -> Closer:
        """Returns what closes the channel when nobody reads any more."""
        return partial(_close_own, self._owner, self._channel.closer())

    def _refill(self) -> None:
        while len(self._window) + len(self._waiters) < self._channel.lookahead:
            position = self._peek()
            if position is None:
                return
            self._upcoming = None
            if position in self._window:
                continue
            try:
                task = self._task_at(position)
            except Exception:  # it is raised when that batch is asked for
                self._plan = iter(())
                return
            self._window[position] = self._channel.submit(task, urgent=False)
            self._tasks = {p: self._tasks[p] for p in self._window if p in self._tasks}
            self._tasks[position] = task

    def _peek(self) -> int | None:
        """The first position of the plan, which stays there; None if there is none."""
        if self._upcoming is None:
            self._upcoming = next(self._plan, None)
        return self._upcoming

    def _check_usable(self) -> None:
        if self._closed:
            raise _closed()
        if self.inherited:
            raise IteratorClosedError(
                "This iterator belongs to the process that read its first batch, and a forked child "
                "cannot use it. Create the iterator in the child."
            )


def _close_own(owner: int, close: Closer) -> None:
    if os.getpid() == owner:
        close()


def _closed() -> IteratorClosedError:
    return IteratorClosedError(
        "This iterator is closed. Create a new one with the generator's flow methods."
    )


def _pass_on(waiter: BatchFuture, future: BatchFuture) -> None:
    """Passes a finished batch on to the thread that waits for it, if that still does."""
    if future.cancelled() or not waiter.set_running_or_notify_cancel():
        waiter.cancel()
        discard_finished(future)
    elif (error := future.exception()) is not None:
        waiter.set_exception(error)
    else:
        waiter.set_result(future.result())


def _discard(future: BatchFuture) -> None:
    """Cancels a batch, or releases its memory once it is finished."""
    if not future.cancel():
        future.add_done_callback(discard_finished)
