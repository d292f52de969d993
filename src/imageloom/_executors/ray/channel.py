"""Computes batches on a Ray cluster.

::

    consumer threads            dispatcher thread                        cluster
      submit(task) ──> TaskQueue ─────> as many tasks as workers ──────────> any node
      future.result() <──────────────── settle <── object store of this node <──┘

Ray schedules the tasks, moves pixels between nodes, and computes a batch again if its node is lost.
The module `dispatcher` keeps the queue, so that a batch that the consumer waits for goes first, and
limits the number of running tasks. The window of the stream limits how many finished batches are in
the object store.
"""

from __future__ import annotations

import weakref
from functools import partial

from imageloom._errors import InvalidArgumentError
from imageloom._executors.base import BatchFuture, Channel, Executor, QueuedTask, WorkersCompute
from imageloom._executors.closing import Closer
from imageloom._executors.environment import added_variables
from imageloom._executors.ray.dispatcher import Dispatcher, RemoteChannel
from imageloom._executors.ray.session import RaySession
from imageloom._pipeline.recipe import BatchTask, Recipe

__all__ = ["RayExecutor"]


class RayExecutor(Executor):
    """Runs as many tasks at a time as `cores` says of the cluster's CPUs, which may come and go."""

    def __init__(self, cores: float, *, disable_gpu: bool) -> None:
        """Connects to a cluster, or starts one on this machine.

        Raises:
            MissingDependencyError: Ray is not installed.
        """
        self._cores = cores
        self._environment = added_variables(disable_gpu=disable_gpu)
        self._connect()

    def _connect(self) -> None:
        self._dispatcher = Dispatcher(RaySession(self._cores), self._environment)
        self._finalizer = weakref.finalize(self, self._dispatcher.close)

    def open(
        self,
        recipe: Recipe,
        max_batches_pending: int,
        batch_timeout: float | None = None,
        *,
        workers: int | None = None,
    ) -> Channel:
        """Opens a channel, and puts its recipe and its array, if any, into the object store.

        Raises:
            CannotTravel: A hook cannot be sent to another process.
            InvalidArgumentError: The recipe has `cache="memory"`.
        """
        del workers
        if recipe.cache is not None and recipe.cache.path is None:
            raise InvalidArgumentError(
                'executor="ray" does not support cache="memory", because nodes do not share memory. '
                "Pass a directory that all nodes can access as `cache`, or leave it out."
            )
        if not self._dispatcher.session.alive:  # the program has disconnected, and may connect anew
            self.close()
            self._connect()
        return _RayChannel(self, self._dispatcher, recipe, max_batches_pending, batch_timeout)

    def close(self) -> None:
        """Cancels all tasks. A cluster that was started here runs until the program ends."""
        self._finalizer()


class _RayChannel(WorkersCompute):
    restarts = 0  # Ray does not report them

    def __init__(
        self,
        executor: RayExecutor,
        dispatcher: Dispatcher,
        recipe: Recipe,
        max_batches_pending: int,
        batch_timeout: float | None,
    ) -> None:
        self._remote = RemoteChannel(dispatcher.upload(recipe), batch_timeout, recipe.rows)
        self._max_batches_pending = max_batches_pending
        self._executor = executor  # keeps it alive
        self._dispatcher = dispatcher

    @property
    def workers(self) -> int:
        return self._dispatcher.session.workers

    @property
    def cpus(self) -> int:
        return self._dispatcher.session.cpus

    @property
    def lookahead(self) -> int:
        return self._max_batches_pending + self.workers

    def submit(self, task: BatchTask, *, urgent: bool) -> BatchFuture:
        item = QueuedTask(self._remote, task)
        self._dispatcher.queue.put(item, urgent=urgent)
        self._dispatcher.wake()
        return item.future

    def prioritise(self, future: BatchFuture) -> None:
        self._dispatcher.queue.prioritise(future)

    def closer(self) -> Closer:
        return partial(_close, self._dispatcher, self._remote)


def _close(dispatcher: Dispatcher, remote: RemoteChannel) -> None:
    remote.recipe = None  # the reference would keep an array in the object store
    dispatcher.queue.cancel(remote)
    dispatcher.cancel(remote)
