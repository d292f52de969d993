"""Computes batches in threads of this process: for hooks that cannot leave it, and for debugging.

The heavy steps (decoding, resizing, warping) leave the interpreter lock, hooks in Python do not.
"""

from __future__ import annotations

import threading
from concurrent.futures import InvalidStateError
from contextlib import suppress

from imageloom.errors import IteratorClosedError
from imageloom.executors.base import (
    BatchFuture,
    Channel,
    ComputedBatch,
    Executor,
    QueuedTask,
    TaskQueue,
)
from imageloom.pipeline import Pipeline
from imageloom.recipe import BatchTask, Recipe
from imageloom.shared_arrays import private_arrays

__all__ = ["ThreadExecutor"]


class ThreadExecutor(Executor):
    """A fixed number of threads over one queue.

    They are daemons: a program that ends does not wait for a hook that hangs.
    """

    def __init__(self, workers: int) -> None:
        """Starts the threads."""
        self._queue = TaskQueue()
        self._running: set[QueuedTask] = set()
        self._workers = workers
        for number in range(workers):
            threading.Thread(
                target=_work, args=(self._queue, self._running), name=f"imageloom-{number}", daemon=True
            ).start()

    def open(self, recipe: Recipe, max_batches_pending: int) -> Channel:
        """A channel on the common queue."""
        return _ThreadChannel(self._queue, recipe, max_batches_pending + self._workers)

    def close(self) -> None:
        """Fails what waits and what is in work; a thread cannot be stopped, only ignored."""
        error = IteratorClosedError("The iterator was closed while a batch was under way.")
        self._queue.close(error)
        for item in tuple(self._running):
            with suppress(InvalidStateError):
                item.fail(error)


class _ThreadChannel:
    def __init__(self, queue: TaskQueue, recipe: Recipe, lookahead: int) -> None:
        self.lookahead = lookahead
        self.pipeline = Pipeline(recipe)
        self._queue = queue

    def submit(self, task: BatchTask, *, urgent: bool) -> BatchFuture:
        item = QueuedTask(self, task)
        self._queue.put(item, urgent=urgent)
        return item.future

    def hurry(self, future: BatchFuture) -> None:
        self._queue.hurry(future)

    def close(self) -> None:
        self._queue.cancel(self)


def _work(queue: TaskQueue, running: set[QueuedTask]) -> None:
    while (item := queue.take(wait=True)) is not None:
        running.add(item)
        with suppress(InvalidStateError):  # the executor was closed meanwhile
            _compute(item)
        running.discard(item)
        del item  # a thread that waits holds on to nobody's batch


def _compute(item: QueuedTask) -> None:
    pipeline: Pipeline = item.channel.pipeline
    arrays = private_arrays(pipeline.recipe.layout, len(item.task))
    try:
        report = pipeline.run(item.task, arrays)
    except BaseException as error:
        item.future.set_exception(error)
    else:
        item.future.set_result(ComputedBatch(lambda: arrays, lambda: None, report))
