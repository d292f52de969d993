"""Computes batches in threads of this process: for hooks that cannot leave it, and for debugging.

The heavy steps (decoding, resizing, warping) leave the interpreter lock, hooks in Python do not.
"""

from __future__ import annotations

import atexit
import threading
import time
import weakref
from collections.abc import Callable
from concurrent.futures import InvalidStateError
from contextlib import suppress
from typing import Final

from imageloom._errors import IteratorClosedError
from imageloom._executors.base import (
    BatchFuture,
    Channel,
    ComputedBatch,
    Executor,
    QueuedTask,
    TaskQueue,
    timeout_error,
)
from imageloom._machine import available_cpus
from imageloom._pipeline.layout import private_arrays
from imageloom._pipeline.pipeline import Pipeline
from imageloom._pipeline.recipe import BatchTask, Recipe

__all__ = ["ThreadExecutor"]


_EXIT_SECONDS: Final = 1.0
_POOLS: weakref.WeakSet[_Pool] = weakref.WeakSet()


@atexit.register
def _wait_for_batches() -> None:
    """Lets threads finish what they are at, for a second at most.

    A daemon thread that comes back from native code when the interpreter is gone is ended on the spot,
    which some libraries answer by aborting the process.
    """
    until = time.monotonic() + _EXIT_SECONDS
    pools = tuple(_POOLS)
    for pool in pools:
        pool.queue.close(IteratorClosedError("The program has ended."))
    for pool in pools:
        for thread in pool.threads:
            thread.join(max(0.0, until - time.monotonic()))


class ThreadExecutor(Executor):
    """A fixed number of threads over one queue.

    They are daemons: a program that ends waits for their batches, but not for a hook that hangs. A
    thread cannot be stopped: one whose batch takes too long is left to itself, and another takes its
    place.
    """

    def __init__(self, workers: int) -> None:
        """Starts the threads."""
        self._pool = _Pool(workers)

    def open(
        self, recipe: Recipe, max_batches_pending: int, batch_timeout: float | None = None
    ) -> Channel:
        """A channel on the common queue."""
        return _ThreadChannel(self._pool, recipe, max_batches_pending, batch_timeout)

    def close(self) -> None:
        """Fails what waits and what is in work; a thread cannot be stopped, only ignored."""
        error = IteratorClosedError("The iterator was closed while a batch was under way.")
        self._pool.queue.close(error)
        for item in tuple(self._pool.running):
            with suppress(InvalidStateError):
                item.fail(error)


class _Pool:
    """The threads, and what they share."""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self.restarts = 0
        self.queue = TaskQueue()
        self.running: set[QueuedTask] = set()
        self.threads: list[threading.Thread] = []
        _POOLS.add(self)
        for _ in range(workers):
            self._start()

    def _start(self) -> None:
        self.threads = [thread for thread in self.threads if thread.is_alive()]
        self.threads.append(threading.Thread(target=_work, args=(self,), name="imageloom", daemon=True))
        self.threads[-1].start()

    def replace(self) -> None:
        """Starts a thread in the place of one that hangs."""
        self.restarts += 1
        self._start()


class _ThreadChannel:
    def __init__(
        self, pool: _Pool, recipe: Recipe, max_batches_pending: int, batch_timeout: float | None
    ) -> None:
        self.lookahead = max_batches_pending + pool.workers
        self.workers = pool.workers
        self.cpus = available_cpus()
        self.pipeline = Pipeline(recipe)
        self.batch_timeout = batch_timeout
        self._pool = pool

    @property
    def restarts(self) -> int:
        return self._pool.restarts

    def submit(self, task: BatchTask, *, urgent: bool) -> BatchFuture:
        item = QueuedTask(self, task)
        self._pool.queue.put(item, urgent=urgent)
        return item.future

    def hurry(self, future: BatchFuture) -> None:
        self._pool.queue.hurry(future)

    def close(self) -> None:
        self._pool.queue.cancel(self)


class _Watch:
    """Gives up on a batch that takes too long."""

    def __init__(self, item: QueuedTask, replace: Callable[[], None]) -> None:
        self._item = item
        self._replace = replace
        self._timer: threading.Timer | None = None
        if item.channel.batch_timeout is not None:
            self._timer = threading.Timer(item.channel.batch_timeout, self._give_up)
            self._timer.daemon = True
            self._timer.start()

    def _give_up(self) -> None:
        with suppress(InvalidStateError):  # it has just come
            self._item.future.set_exception(
                timeout_error(self._item.task, self._item.channel.batch_timeout)
            )
            self._replace()

    def end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()


def _work(pool: _Pool) -> None:
    while (item := pool.queue.take(wait=True)) is not None:
        pool.running.add(item)
        watch = _Watch(item, pool.replace)
        told = _compute(item)
        watch.end()
        pool.running.discard(item)
        if not told:
            return  # the time was up and another thread has taken this one's place, or all is over
        del item, watch  # a thread that waits holds on to nobody's batch


def _compute(item: QueuedTask) -> bool:
    """Computes a batch; False if somebody else has settled its future meanwhile."""
    pipeline: Pipeline = item.channel.pipeline
    arrays = private_arrays(pipeline.recipe.layout, len(item.task))
    with suppress(InvalidStateError):
        try:
            report = pipeline.run(item.task, arrays)
        except BaseException as error:
            item.future.set_exception(error)
        else:
            item.future.set_result(ComputedBatch(lambda: arrays, lambda: None, report))
        return True
    return False
