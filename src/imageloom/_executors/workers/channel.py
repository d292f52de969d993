"""Computes batches in worker processes.

::

    consumer threads                 dispatcher thread                   workers
      submit(task) ──> TaskQueue ──────> lease a slot, Compute ──────────> pipeline writes the slot
      future.result() <───────────────── set_result <───── Done/Failed ──┘
                                         death ──> replace that worker, queue its task again

A worker computes one task at a time; if tasks are short, it already has the next one. Only one
worker writes into a slot at a time, so when a worker has died, its slots are free. The module
`dispatcher` describes the dispatcher thread.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from functools import partial

from imageloom._errors import WorkerStartError
from imageloom._executors.base import (
    KEPT_BATCHES,
    BatchFuture,
    Channel,
    Executor,
    QueuedTask,
    WorkersCompute,
)
from imageloom._executors.closing import Closer
from imageloom._executors.environment import worker_environment
from imageloom._executors.travelling import packed_recipe
from imageloom._executors.workers.dispatcher import Dispatcher
from imageloom._executors.workers.resources import ChannelResources
from imageloom._machine import available_cpus
from imageloom._pipeline.recipe import BatchTask, Recipe

__all__ = ["ProcessExecutor"]


class ProcessExecutor(Executor):
    """Runs worker processes, which are started with the first task."""

    def __init__(self, workers: int, *, disable_gpu: bool) -> None:
        """Starts the dispatcher's thread, and no process yet.

        Raises:
            WorkerStartError: The system has no thread or no descriptors for it.
        """
        self._workers = workers
        try:
            self._dispatcher = Dispatcher(workers, worker_environment(disable_gpu=disable_gpu))
        except OSError as error:
            raise WorkerStartError(f"Could not prepare to start worker processes: {error}") from error
        self._finalizer = weakref.finalize(self, self._dispatcher.close)

    @property
    def ended(self) -> bool:
        """Whether it can compute no more."""
        return self._dispatcher.ended

    def open(
        self,
        recipe: Recipe,
        max_batches_pending: int,
        batch_timeout: float | None = None,
        *,
        workers: int | None = None,
    ) -> Channel:
        """Opens a channel with slots of shared memory.

        Raises:
            CannotTravel: A hook cannot be sent to another process.
        """
        wanted = self._workers if workers is None else workers
        return _ProcessChannel(
            self, self._dispatcher, recipe, max_batches_pending, batch_timeout, wanted
        )

    def linger(self, may_end: Callable[[], bool]) -> bool:
        """Keeps the workers for `LINGER_SECONDS`, so that the next iterator need not start any."""
        return self._dispatcher.linger(may_end)

    def close(self) -> None:
        """Ends the workers; each has half a second to finish its batch."""
        self._finalizer()


class _ProcessChannel(WorkersCompute):
    def __init__(
        self,
        executor: ProcessExecutor,
        dispatcher: Dispatcher,
        recipe: Recipe,
        max_batches_pending: int,
        batch_timeout: float | None,
        workers: int,
    ) -> None:
        self.cpus = available_cpus()
        self.lookahead = max_batches_pending + workers
        self._resources = ChannelResources(
            recipe,
            packed_recipe(recipe),
            dispatcher.parcels,
            # One more than may be submitted ahead of time: the batch that the consumer waits for.
            in_flight=self.lookahead + 1,
            kept=KEPT_BATCHES,
            batch_timeout=batch_timeout,
            workers=workers,
        )
        self._executor = executor  # keeps it alive
        self._dispatcher = dispatcher
        self._restarts_before = dispatcher.restarts
        dispatcher.attach(self._resources)

    @property
    def workers(self) -> int:
        return min(self._resources.workers, self._dispatcher.size)

    @property
    def restarts(self) -> int:
        return self._dispatcher.restarts - self._restarts_before

    @property
    def ready(self) -> bool:
        return self._dispatcher.ready

    def submit(self, task: BatchTask, *, urgent: bool) -> BatchFuture:
        item = QueuedTask(self._resources, task)
        self._dispatcher.queue.put(item, urgent=urgent)
        self._dispatcher.wake()
        return item.future

    def prioritise(self, future: BatchFuture) -> None:
        self._dispatcher.queue.prioritise(future)

    def closer(self) -> Closer:
        return partial(_close, self._dispatcher, self._resources)


def _close(dispatcher: Dispatcher, resources: ChannelResources) -> None:
    dispatcher.queue.cancel(resources)
    dispatcher.release(resources)
