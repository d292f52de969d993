"""Computes batches in threads of this process: for hooks that cannot leave it, and for debugging.

The heavy steps (decoding, resizing, warping) leave the interpreter lock, hooks in Python do not.
"""

from __future__ import annotations

import threading

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
        self._workers = workers
        for number in range(workers):
            threading.Thread(
                target=_work, args=(self._queue,), name=f"imageloom-{number}", daemon=True
            ).start()

    def open(self, recipe: Recipe, max_batches_pending: int) -> Channel:
        """A channel on the common queue."""
        return _ThreadChannel(self._queue, recipe, max_batches_pending + self._workers)

    def close(self) -> None:
        """Cancels what waits; a batch in work is finished and thrown away."""
        self._queue.close(IteratorClosedError("The iterator was closed."))


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


def _work(queue: TaskQueue) -> None:
    while (item := queue.take(wait=True)) is not None:
        pipeline: Pipeline = item.channel.pipeline
        arrays = private_arrays(pipeline.recipe.layout, len(item.task))
        try:
            report = pipeline.run(item.task, arrays)
        except BaseException as error:
            item.future.set_exception(error)
        else:
            item.future.set_result(ComputedBatch(lambda a=arrays: a, lambda: None, report))  # type: ignore[misc]
        del item, arrays  # a thread that waits holds on to nobody's batch
