"""Computes batches in threads of this process: for hooks that cannot leave it, and for debugging.

Decoding, resizing and warping release the interpreter lock; hooks written in Python hold it.
"""

from __future__ import annotations

import atexit
import dataclasses
import os
import threading
import time
import weakref
from collections.abc import Callable
from concurrent.futures import InvalidStateError
from contextlib import suppress
from functools import partial
from typing import Final

from imageloom._errors import IteratorClosedError, WorkerStartError
from imageloom._executors.base import (
    BatchFuture,
    Channel,
    ComputedBatch,
    Executor,
    QueuedTask,
    TaskQueue,
    WorkersCompute,
    timeout_error,
)
from imageloom._executors.closing import Closer
from imageloom._executors.state.settings import SettingsOfThread
from imageloom._executors.turns import TURNS_OF_THE_PROGRAM, Turn
from imageloom._locks import tell_of_forks
from imageloom._machine import available_cpus
from imageloom._pipeline.hook_randomness import DrawingTurn, HookRandomness
from imageloom._pipeline.layout import private_arrays
from imageloom._pipeline.naming import naming_in_warnings
from imageloom._pipeline.pipeline import Pipeline
from imageloom._pipeline.recipe import BatchTask, Recipe

__all__ = ["ThreadExecutor"]


_EXIT_SECONDS: Final = 1.0
_pools: weakref.WeakSet[_Pool] = weakref.WeakSet()  # all that may still have threads


@atexit.register
def _wait_for_threads() -> None:
    """Gives all threads up to a second to finish their batches.

    The interpreter ends a daemon thread that returns from native code after the interpreter has
    shut down, and some libraries respond to that by aborting the process.
    """
    until = time.monotonic() + _EXIT_SECONDS
    pools = tuple(_pools)
    for pool in pools:
        pool.queue.close(IteratorClosedError("The program has ended."))
    for pool in pools:
        for thread in pool.threads:
            thread.join(max(0.0, until - time.monotonic()))


class ThreadExecutor(Executor):
    """Runs a fixed number of threads over one queue.

    The threads are daemons, so a program that ends waits for their batches but not for a hook that
    hangs. A thread cannot be stopped: if its batch takes too long, the executor abandons it and
    starts another one in its place.
    """

    def __init__(self, workers: int) -> None:
        """Starts the threads."""
        self._pool = _Pool(workers)

    @property
    def ended(self) -> bool:
        """Whether it can compute no more."""
        return self._pool.ended

    def open(
        self,
        recipe: Recipe,
        max_batches_pending: int,
        batch_timeout: float | None = None,
        *,
        workers: int | None = None,
    ) -> Channel:
        """Opens a channel on the common queue."""
        del workers
        return _ThreadChannel(self._pool, recipe, max_batches_pending, batch_timeout)

    def close(self) -> None:
        """Fails the waiting tasks and the running ones; the threads end after their current batch."""
        error = IteratorClosedError("The iterator was closed while a batch was being computed.")
        self._pool.queue.close(error)
        for item in tuple(self._pool.running):
            with suppress(InvalidStateError):
                item.fail(error)


class _Pool:
    """The threads, and what they share."""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self.restarts = 0
        self.ended = False
        self.queue: TaskQueue[_ThreadChannel] = TaskQueue()
        self.running: set[QueuedTask[_ThreadChannel]] = set()
        self.threads: list[threading.Thread] = []
        _pools.add(self)
        tell_of_forks(self)
        for _ in range(workers):
            try:
                self._start()
            except RuntimeError as error:
                if not self.threads:
                    raise _no_threads(error) from error
                break  # those that could start work

    def _start(self) -> None:
        thread = threading.Thread(target=_work, args=(self,), name="imageloom", daemon=True)
        self.threads = [*(t for t in self.threads if t.is_alive()), thread]
        try:
            thread.start()
        except RuntimeError:
            self.threads.remove(thread)
            raise

    def in_forked_child(self) -> None:
        """Forgets the threads, which a forked child has not, so that its end waits for none."""
        self.threads = []
        self.running = set()
        _pools.discard(self)

    def replace(self) -> None:
        """Starts a thread in the place of one that hangs; without, no batch would ever be computed."""
        self.restarts += 1
        try:
            self._start()
        except RuntimeError as error:
            self.ended = True
            self.queue.close(_no_threads(error))


class _ThreadChannel(WorkersCompute):
    def __init__(
        self, pool: _Pool, recipe: Recipe, max_batches_pending: int, batch_timeout: float | None
    ) -> None:
        self.lookahead = max_batches_pending + pool.workers
        self.workers = pool.workers
        self.cpus = available_cpus()
        self._turn: Turn | None = None
        randomness = HookRandomness(recipe)
        if randomness.needs_turns:
            recipe = self._in_turns(recipe)
        self.pipeline = Pipeline(recipe, randomness=randomness)
        self.batch_timeout = batch_timeout
        self.settings = SettingsOfThread() if recipe.user_code else None
        self._pool = pool

    @property
    def restarts(self) -> int:
        return self._pool.restarts

    def submit(self, task: BatchTask, *, urgent: bool) -> BatchFuture:
        item = QueuedTask(self, task)
        self._pool.queue.put(item, urgent=urgent)
        return item.future

    def prioritise(self, future: BatchFuture) -> None:
        self._pool.queue.prioritise(future)

    def work_on(self, future: BatchFuture) -> None:
        """Computes the batch here if this is a thread of the pool, whose function reads an iterator."""
        if threading.current_thread() in self._pool.threads:
            item = self._pool.queue.withdraw(future)
            if item is not None:
                _compute(item)
        if self._turn is not None:
            self._turn.lend_until(future)

    def _in_turns(self, recipe: Recipe) -> Recipe:
        """The recipe whose functions draw one after the other, as those of all threads do."""
        turn = recipe.user_code.turns
        if not isinstance(turn, Turn):
            turn = self._turn = Turn(TURNS_OF_THE_PROGRAM)
        code = dataclasses.replace(recipe.user_code, turns=DrawingTurn(turn))
        return dataclasses.replace(recipe, user_code=code)

    def closer(self) -> Closer:
        return partial(_cancel_all, self._pool.queue, weakref.ref(self))


def _cancel_all(queue: TaskQueue[_ThreadChannel], channel: weakref.ref[_ThreadChannel]) -> None:
    """Cancels the tasks of a channel. One that is gone has none, because they refer to it."""
    found = channel()
    if found is not None:
        queue.cancel(found)


class _Deadline:
    """Fails a task whose batch takes longer than `batch_timeout`."""

    def __init__(self, item: QueuedTask[_ThreadChannel], replace: Callable[[], None]) -> None:
        """Starts a timer if there is a limit; `replace` is called when the time is up."""
        self._timer: threading.Timer | None = None
        seconds = item.channel.batch_timeout
        if seconds is not None:
            self._timer = threading.Timer(seconds, _time_out, (item, seconds, replace))
            self._timer.daemon = True
            self._timer.start()

    def cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()


def _time_out(item: QueuedTask[_ThreadChannel], seconds: float, replace: Callable[[], None]) -> None:
    with suppress(InvalidStateError):  # the batch was finished at this moment
        item.future.set_exception(timeout_error(item.task, seconds))
        replace()


def _no_threads(error: RuntimeError) -> WorkerStartError:
    return WorkerStartError(f'{error}; pass executor="serial" to work without any')


def _work(pool: _Pool) -> None:
    while (item := pool.queue.take(wait=True)) is not None:
        pool.running.add(item)
        try:
            deadline = _Deadline(item, pool.replace)
        except RuntimeError as error:
            item.fail(_no_threads(error))  # nobody could end it if it took too long
            pool.running.discard(item)
            del item
            continue
        delivered = _compute(item)
        deadline.cancel()
        pool.running.discard(item)
        if not delivered:
            return  # another thread has replaced this one, or the executor is closed
        del item, deadline  # an idle thread must not keep the last batch in memory


def _compute(item: QueuedTask[_ThreadChannel]) -> bool:
    """Computes a batch and settles its future; returns False if that was settled meanwhile."""
    settings, process = item.channel.settings, os.getpid()
    with suppress(InvalidStateError):
        try:
            compute = partial(_computed, item.channel.pipeline, item.task)
            computed = compute() if settings is None else settings.run(compute)
        except BaseException as error:
            if os.getpid() != process:
                raise  # a process that the hook has forked ends
            item.future.set_exception(error)
        else:
            item.future.set_result(computed)
        return True
    return False


def _computed(pipeline: Pipeline, task: BatchTask) -> ComputedBatch:
    arrays = private_arrays(pipeline.recipe.layout, len(task))
    with pipeline.randomness.seeded_for_each_call(task), naming_in_warnings:
        report = pipeline.run(task, arrays)
    return ComputedBatch(lambda: arrays, lambda: None, report)
