"""Computes batches on a Ray cluster.

::

    consumer threads            dispatcher thread                        cluster
      submit(task) ──> TaskQueue ─────> as many tasks as workers ──────────> any node
      future.result() <──────────────── settle <── object store of this node <──┘

Ray schedules, moves pixels between nodes, and computes again what a lost node had computed or was
computing. Kept here is the queue, so that a batch somebody waits for goes first, and the number of
tasks under way: the window of the stream bounds how many batches lie finished in the object store.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import queue
import sys
import threading
import time
import uuid
import weakref
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imageloom.errors import (
    ArgumentTypeError,
    InvalidArgumentError,
    IteratorClosedError,
    MissingDependencyError,
    WorkerDiedError,
    WorkerError,
)
from imageloom.executors.base import (
    BatchFuture,
    Channel,
    ComputedBatch,
    Executor,
    QueuedTask,
    TaskQueue,
    timeout_error,
)
from imageloom.executors.failures import revived
from imageloom.executors.messages import Failed
from imageloom.executors.ray_task import Computed, Order, compute
from imageloom.executors.spawning import worker_additions
from imageloom.pickling import portable
from imageloom.recipe import BatchTask, Recipe
from imageloom.version import __version__

__all__ = ["RayExecutor"]

_ATTEMPTS: Final = 5  # after the first; of each batch, if nodes or workers go
_CLOSE_SECONDS: Final = 2.0
_COUNT_SECONDS: Final = 2.0  # how often the cluster's processors are counted


class RayExecutor(Executor):
    """As many batches at a time as `cores` says of the cluster's processors, which may come and go."""

    def __init__(self, cores: float, *, disable_gpu: bool) -> None:
        """Connects to a cluster, or starts one here.

        Raises:
            MissingDependencyError: Ray is not installed.
        """
        self._dispatcher = _Dispatcher(
            _connected(cores), cores, worker_additions(disable_gpu=disable_gpu)
        )
        self._finalizer = weakref.finalize(self, self._dispatcher.close)

    def open(
        self, recipe: Recipe, max_batches_pending: int, batch_timeout: float | None = None
    ) -> Channel:
        """A channel whose recipe lies in the cluster's object store, with the array if there is one.

        Raises:
            ArgumentTypeError: a hook that cannot be sent to another process.
            InvalidArgumentError: `cache="memory"`.
        """
        if recipe.cache is not None and recipe.cache.path is None:
            raise InvalidArgumentError(
                'executor="ray" keeps no images in memory, which nodes do not share: let `cache` be a '
                "directory that all nodes see, or leave it out."
            )
        return _RayChannel(self, self._dispatcher, recipe, max_batches_pending, batch_timeout)

    def close(self) -> None:
        """Cancels all tasks. A cluster that was started here goes on until the program ends."""
        self._finalizer()


class _RayChannel:
    def __init__(
        self,
        executor: RayExecutor,
        dispatcher: _Dispatcher,
        recipe: Recipe,
        max_batches_pending: int,
        batch_timeout: float | None,
    ) -> None:
        self.batch_timeout = batch_timeout
        self.order = dispatcher.order(recipe)
        self._pending = max_batches_pending
        self._executor = executor  # keeps it alive
        self._dispatcher = dispatcher

    restarts = 0  # Ray does not tell

    @property
    def workers(self) -> int:
        return self._dispatcher.workers

    @property
    def cpus(self) -> int:
        return self._dispatcher.cpus

    @property
    def lookahead(self) -> int:
        return self._pending + self._dispatcher.workers

    def submit(self, task: BatchTask, *, urgent: bool) -> BatchFuture:
        item = QueuedTask(self, task)
        self._dispatcher.queue.put(item, urgent=urgent)
        self._dispatcher.wake()
        return item.future

    def hurry(self, future: BatchFuture) -> None:
        self._dispatcher.queue.hurry(future)

    def close(self) -> None:
        self._dispatcher.queue.cancel(self)
        self._dispatcher.events.put(partial(self._dispatcher.cancel, self))


@dataclass(eq=False, slots=True)
class _Running:
    """A batch that the cluster computes."""

    item: QueuedTask
    computed: Any  # references into the object store
    pixels: Any
    submitted: float
    deadline: float | None


class _Dispatcher:
    """One thread that submits tasks and settles their futures."""

    def __init__(self, ray: Any, cores: float, environment: dict[str, str]) -> None:
        self.queue = TaskQueue()
        self.events: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._ray = ray
        self._cores = cores
        self._compute = ray.remote(
            num_cpus=1, num_returns=2, max_retries=_ATTEMPTS, runtime_env={"env_vars": environment}
        )(compute)
        self._busy: set[_Running] = set()  # computing
        self._arriving: set[_Running] = set()  # computed, on their way to this node
        self._counted = -_COUNT_SECONDS
        self.cpus = 1
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="imageloom-ray", daemon=True)
        self._thread.start()

    @property
    def workers(self) -> int:
        """How many tasks may run at the same time, of the cluster as it is now."""
        now = time.monotonic()
        if now - self._counted > _COUNT_SECONDS:
            self._counted = now
            with contextlib.suppress(Exception):  # it is gone, which its tasks will tell
                self.cpus = max(1, int(self._ray.cluster_resources().get("CPU", 1)))
        return _share(self._cores, self.cpus)

    def order(self, recipe: Recipe) -> Order:
        """Puts what all tasks need where all nodes find it."""
        try:
            pickled = portable(recipe)
        except Exception as error:
            raise ArgumentTypeError(
                "A hook, or something it refers to, cannot be sent to other nodes "
                f"({type(error).__name__}: {error}). Create such objects (open files, locks, models) "
                "inside the hook."
            ) from error
        travels = recipe.rows is not None and not recipe.rows.reopens
        rows = (self._ray.put(recipe.rows.array),) if travels and recipe.rows is not None else ()
        return Order(
            key=uuid.uuid4().hex,
            version=__version__,
            search_path=tuple(os.path.abspath(place) for place in sys.path),
            recipe=(self._ray.put(pickled),),
            rows=rows,
        )

    def wake(self) -> None:
        """Lets the thread look at the queue."""
        self.events.put(None)

    def close(self) -> None:
        """Ends the thread and its tasks."""
        self._closing = True
        self.wake()
        if threading.current_thread() is not self._thread:
            self._thread.join(_CLOSE_SECONDS)

    def cancel(self, channel: Any) -> None:
        """Drops the tasks of a channel that was closed; in the thread."""
        for running in [r for r in (*self._busy, *self._arriving) if r.item.channel is channel]:
            self._drop(running, IteratorClosedError("The iterator was closed."), force=False)

    def _run(self) -> None:
        error: Exception = IteratorClosedError("The iterator was closed while a batch was under way.")
        try:
            while not self._closing:
                self._submit()
                with contextlib.suppress(queue.Empty):
                    event = self.events.get(timeout=self._patience())
                    if event is not None:
                        event()
                self._drop_the_late()
        except Exception as failure:
            error = failure
        self.queue.close(error)
        for running in (*self._busy, *self._arriving):
            self._drop(running, error, force=False)

    def _patience(self) -> float | None:
        deadlines = [r.deadline for r in (*self._busy, *self._arriving) if r.deadline is not None]
        return max(0.0, min(deadlines) - time.monotonic()) if deadlines else None

    def _submit(self) -> None:
        while len(self._busy) < self.workers:
            item = self.queue.take(wait=False)
            if item is None:
                return
            now, limit = time.monotonic(), item.channel.batch_timeout
            computed, pixels = self._compute.remote(item.channel.order, item.task)
            running = _Running(item, computed, pixels, now, None if limit is None else now + limit)
            self._busy.add(running)
            # Ray calls these from a thread of its own, where nothing may wait.
            computed.future().add_done_callback(partial(self._heard, self._finished, running))
            pixels.future().add_done_callback(partial(self._heard, self._arrived, running))

    def _heard(self, react: Any, running: _Running, future: Future[Any]) -> None:
        self.events.put(partial(react, running, future))

    def _finished(self, running: _Running, future: Future[Any]) -> None:
        """A node is done; the pixels may still be on their way."""
        del future
        if running in self._busy:
            self._busy.discard(running)
            self._arriving.add(running)

    def _arrived(self, running: _Running, pixels: Future[Any]) -> None:
        if running not in self._busy and running not in self._arriving:
            return
        self._busy.discard(running)
        self._arriving.discard(running)
        try:
            arrays = pixels.result()
            computed: Computed = self._ray.get(running.computed)
        except Exception as error:
            running.item.fail(_in_own_words(self._ray, error, running.item.task))
            return
        if isinstance(computed.outcome, Failed):
            running.item.future.set_exception(revived(computed.outcome))
            return
        away = time.monotonic() - running.submitted - computed.seconds
        report = dataclasses.replace(computed.outcome, node=computed.node, away_seconds=away)
        running.item.future.set_result(ComputedBatch(partial(_own, arrays), _nothing, report))

    def _drop_the_late(self) -> None:
        now = time.monotonic()
        for running in (*self._busy, *self._arriving):
            if running.deadline is not None and running.deadline <= now:
                item = running.item
                error = timeout_error(item.task, item.channel.batch_timeout)
                self._drop(running, error, force=True)

    def _drop(self, running: _Running, error: Exception, *, force: bool) -> None:
        self._busy.discard(running)
        self._arriving.discard(running)
        with contextlib.suppress(Exception):  # it may have ended, or the whole cluster has
            self._ray.cancel(running.computed, force=force)
        running.item.fail(error)


def _own(arrays: tuple[NDArray[Any], ...]) -> tuple[NDArray[Any], ...]:
    """Copies for the user to keep and to write to: what lies in the object store is everybody's."""
    return tuple(np.array(array) for array in arrays)


def _nothing() -> None:
    """The object store forgets what nobody refers to."""


def _share(cores: float, cpus: int) -> int:
    """Tasks at a time: a number, or a share of the cluster's processors; -1 is all."""
    if cores == -1:
        return cpus
    return max(1, int(cores)) if hasattr(cores, "__index__") else max(1, round(cores * cpus))


def _in_own_words(ray: Any, error: Exception, task: BatchTask) -> Exception:
    where = f"the batch at position {task.spec.position}"
    if isinstance(error, ray.exceptions.TaskCancelledError):
        return IteratorClosedError(f"The task for {where} was cancelled.")
    if isinstance(error, ray.exceptions.RayTaskError):
        return WorkerError(
            f"A node of the cluster cannot compute {where}; is imageloom installed there? "
            f"{error.cause!r}",
            str(error),
        )
    return WorkerDiedError(
        f"The cluster has lost {where} {_ATTEMPTS + 1} times, the last with {type(error).__name__}: "
        f"{error}. Likely a node without enough memory, or a hook or decoder that crashes. Its files: "
        f"{task.names()}"
    )


def _connected(cores: float) -> Any:
    """Ray, connected: to the cluster it is connected to, to RAY_ADDRESS, or to one started here."""
    try:
        import ray
    except ImportError as error:
        raise MissingDependencyError(
            'executor="ray" needs Ray, which is not installed: pip install "imageloom[ray]".'
        ) from error
    if ray.is_initialized():
        return ray
    address = os.environ.get("RAY_ADDRESS")
    ray.init(address=address or "local", include_dashboard=None if address else False)
    cpus = int(ray.cluster_resources().get("CPU", 1))
    what = f"connected to the cluster at {address}" if address else "started a cluster on this machine"
    print(
        f"imageloom: Ray {what}, with {cpus} CPUs; cores={cores} uses {_share(cores, cpus)} of them.",
        file=sys.stderr,
    )
    return ray
