"""Computes batches in worker processes.

::

    consumer threads                 dispatcher thread                   workers
      submit(task) ──> TaskQueue ──────> lease a slot, Compute ──────────> pipeline writes the slot
      future.result() <───────────────── set_result <───── Done/Failed ──┘
                                         death ──> replace that worker, queue its task again

A worker computes one task at a time (and has the next one at hand if tasks are short), and a slot is
written by one worker at a time: when a worker has died, its slots are free. What the dispatcher does
is in `dispatcher`.
"""

from __future__ import annotations

import itertools
import weakref
from typing import Final

from imageloom._errors import ArgumentTypeError
from imageloom._executors.base import BatchFuture, Channel, Executor, QueuedTask
from imageloom._executors.portable import portable
from imageloom._executors.workers.dispatcher import Dispatcher
from imageloom._executors.workers.shared_memory import Segment, SlotPool
from imageloom._executors.workers.spawning import worker_environment
from imageloom._machine import available_cpus
from imageloom._pipeline.recipe import BatchTask, Recipe

__all__ = ["ProcessExecutor"]

KEPT_BATCHES: Final = 8  # the user may hold so many without a copy


class ProcessExecutor(Executor):
    """A fixed number of worker processes, started with the first task."""

    def __init__(self, workers: int, *, disable_gpu: bool) -> None:
        """Starts nothing yet but the dispatcher's thread."""
        self._dispatcher = Dispatcher(workers, worker_environment(disable_gpu=disable_gpu))
        self._finalizer = weakref.finalize(self, self._dispatcher.close)

    def open(
        self, recipe: Recipe, max_batches_pending: int, batch_timeout: float | None = None
    ) -> Channel:
        """A channel with slots of shared memory.

        Raises:
            ArgumentTypeError: a hook that cannot be sent to another process.
        """
        return _ProcessChannel(self, self._dispatcher, recipe, max_batches_pending, batch_timeout)

    def close(self) -> None:
        """Ends the workers; those in the middle of a batch are given half a second."""
        self._finalizer()


class _ProcessChannel:
    _keys = itertools.count()

    def __init__(
        self,
        executor: ProcessExecutor,
        dispatcher: Dispatcher,
        recipe: Recipe,
        max_batches_pending: int,
        batch_timeout: float | None,
    ) -> None:
        self.batch_timeout = batch_timeout
        self.key = next(self._keys)
        self.cpus = available_cpus()
        self.lookahead = max_batches_pending + dispatcher.size
        self.recipe = _pickled(recipe)
        self.rows = recipe.rows
        # One more than may be under way ahead of time: the batch somebody waits for.
        self.slots = SlotPool(recipe.layout, self.lookahead + 1, KEPT_BATCHES)
        plan = recipe.cache
        in_memory = plan is not None and plan.path is None and plan.rows > 0
        self.cache_memory = Segment(plan.nbytes) if plan is not None and in_memory else None
        self.forgotten = False
        self._executor = executor  # keeps it alive
        self._dispatcher = dispatcher

    @property
    def workers(self) -> int:
        return self._dispatcher.size

    @property
    def restarts(self) -> int:
        return self._dispatcher.restarts

    def submit(self, task: BatchTask, *, urgent: bool) -> BatchFuture:
        item = QueuedTask(self, task)
        self._dispatcher.queue.put(item, urgent=urgent)
        self._dispatcher.wake()
        return item.future

    def hurry(self, future: BatchFuture) -> None:
        self._dispatcher.queue.hurry(future)

    def close(self) -> None:
        self._dispatcher.queue.cancel(self)
        self._dispatcher.forget(self)


def _pickled(recipe: Recipe) -> bytes:
    try:
        return portable(recipe)
    except Exception as error:
        raise ArgumentTypeError(
            "A hook, or something it refers to, cannot be sent to worker processes "
            f"({type(error).__name__}: {error}). Create such objects (open files, locks, database "
            'connections, models) inside the hook, or use executor="threads".'
        ) from error
