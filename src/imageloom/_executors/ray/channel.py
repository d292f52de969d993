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

import atexit
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

from imageloom._errors import (
    ArgumentTypeError,
    InvalidArgumentError,
    IteratorClosedError,
    WorkerDiedError,
    WorkerError,
)
from imageloom._executors.base import (
    BatchFuture,
    Channel,
    ComputedBatch,
    Executor,
    QueuedTask,
    TaskQueue,
    timeout_error,
)
from imageloom._executors.failures import revived
from imageloom._executors.portable import portable
from imageloom._executors.ray.session import RaySession
from imageloom._executors.ray.task import Computed, Order, compute
from imageloom._executors.workers.messages import Failed
from imageloom._executors.workers.spawning import worker_additions
from imageloom._pipeline.recipe import BatchTask, Recipe
from imageloom._version import __version__

__all__ = ["RayExecutor"]

_ATTEMPTS: Final = 5  # after the first; of each batch, if nodes or workers go
_CLOSE_SECONDS: Final = 2.0
_LOOK_SECONDS: Final = 1.0  # how often the connection is looked at while somebody waits for it


class RayExecutor(Executor):
    """As many batches at a time as `cores` says of the cluster's processors, which may come and go."""

    def __init__(self, cores: float, *, disable_gpu: bool) -> None:
        """Connects to a cluster, or starts one here.

        Raises:
            MissingDependencyError: Ray is not installed.
        """
        self._cores = cores
        self._environment = worker_additions(disable_gpu=disable_gpu)
        self._connect()

    def _connect(self) -> None:
        self._dispatcher = _Dispatcher(RaySession(self._cores), self._environment)
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
        if not self._dispatcher.session.alive:  # the program has left it, and may want another
            self.close()
            self._connect()
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
        self.order: Order | None = dispatcher.order(recipe)
        self._pending = max_batches_pending
        self._executor = executor  # keeps it alive
        self._dispatcher = dispatcher

    restarts = 0  # Ray does not tell

    @property
    def workers(self) -> int:
        return self._dispatcher.session.workers

    @property
    def cpus(self) -> int:
        return self._dispatcher.session.cpus

    @property
    def lookahead(self) -> int:
        return self._pending + self.workers

    def submit(self, task: BatchTask, *, urgent: bool) -> BatchFuture:
        item = QueuedTask(self, task)
        self._dispatcher.queue.put(item, urgent=urgent)
        self._dispatcher.wake()
        return item.future

    def hurry(self, future: BatchFuture) -> None:
        self._dispatcher.queue.hurry(future)

    def close(self) -> None:
        self.order = None  # or an array would stay in the object store for as long as the iterator
        self._dispatcher.queue.cancel(self)
        self._dispatcher.events.put(partial(self._dispatcher.cancel, self))


@dataclass(eq=False, slots=True)
class _Running:
    """A batch that the cluster computes, in two parts that arrive one by one, in either order.

    Attributes:
        computed, pixels: references into the object store.
        told: what came of it, when that is here.
        arrived: its arrays, likewise.
    """

    item: QueuedTask
    computed: Any
    pixels: Any
    submitted: float
    deadline: float | None
    told: Future[Any] | None = None
    arrived: Future[Any] | None = None


class _Dispatcher:
    """One thread that submits tasks and settles their futures."""

    def __init__(self, session: RaySession, environment: dict[str, str]) -> None:
        self.queue = TaskQueue()
        self.events: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.session = session
        self._ray = session.ray
        self._compute = self._ray.remote(
            num_cpus=1, num_returns=2, max_retries=_ATTEMPTS, runtime_env={"env_vars": environment}
        )(compute)
        self._busy: set[_Running] = set()  # computing
        self._arriving: set[_Running] = set()  # computed, on their way to this node
        self._closing = self._ended = False
        self._thread = threading.Thread(target=self._run, name="imageloom-ray", daemon=True)
        self._thread.start()
        atexit.register(self.close)  # before Ray's own end, which was registered earlier

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
        atexit.unregister(self.close)
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
                    del event  # or the last batch would stay in the object store
                self._drop_the_late()
                if self._busy or self._arriving:
                    self.session.check()
        except Exception as failure:
            error = failure
        self.queue.close(error)
        for running in (*self._busy, *self._arriving):
            self._drop(running, error, force=False)
        self._ended = True
        with contextlib.suppress(queue.Empty):  # what came too late would stay in the object store
            while True:
                self.events.get_nowait()

    def _patience(self) -> float | None:
        under_way = (*self._busy, *self._arriving)
        deadlines = [r.deadline - time.monotonic() for r in under_way if r.deadline is not None]
        return max(0.0, min([_LOOK_SECONDS, *deadlines])) if under_way else None

    def _submit(self) -> None:
        while len(self._busy) < self.session.workers:
            item = self.queue.take(wait=False)
            if item is None:
                return
            order: Order | None = item.channel.order
            if order is None:
                item.fail(IteratorClosedError("The iterator was closed."))
                continue
            now, limit = time.monotonic(), item.channel.batch_timeout
            try:
                self.session.check()
                computed, pixels = self._compute.remote(order, item.task)
            except Exception as error:
                item.fail(error)
                raise
            running = _Running(item, computed, pixels, now, None if limit is None else now + limit)
            self._busy.add(running)
            # Ray calls these from a thread of its own, where nothing may wait.
            computed.future().add_done_callback(partial(self._heard, self._computed, running))
            pixels.future().add_done_callback(partial(self._heard, self._arrived, running))

    def _heard(self, react: Any, running: _Running, future: Future[Any]) -> None:
        if not self._ended:
            self.events.put(partial(react, running, future))

    def _computed(self, running: _Running, future: Future[Any]) -> None:
        """A node is done; the pixels may still be on their way."""
        if running in self._busy:
            running.told = future
            self._busy.discard(running)
            self._arriving.add(running)
            self._settle(running)

    def _arrived(self, running: _Running, future: Future[Any]) -> None:
        if running in self._busy or running in self._arriving:
            running.arrived = future
            self._settle(running)

    def _settle(self, running: _Running) -> None:
        """Once both parts are here, and nobody has given it up meanwhile."""
        told, arrived = running.told, running.arrived
        if running not in self._arriving or told is None or arrived is None:
            return
        self._forget(running)
        item = running.item
        try:
            computed: Computed = told.result()
            arrays = arrived.result()
        except Exception as error:
            item.fail(_in_own_words(self._ray, error, item.task))
            return
        if isinstance(computed.outcome, Failed):
            item.future.set_exception(revived(computed.outcome))
            return
        away = time.monotonic() - running.submitted - computed.seconds
        report = dataclasses.replace(computed.outcome, node=computed.node, away_seconds=away)
        hand_out = partial(_own, self.session, arrays)
        item.future.set_result(ComputedBatch(hand_out, _nothing, report))

    def _drop_the_late(self) -> None:
        now = time.monotonic()
        for running in (*self._busy, *self._arriving):
            if running.deadline is not None and running.deadline <= now:
                item = running.item
                error = timeout_error(item.task, item.channel.batch_timeout)
                self._drop(running, error, force=True)

    def _forget(self, running: _Running) -> None:
        self._busy.discard(running)
        self._arriving.discard(running)
        # They refer to it in turn: the store would wait for the garbage collector.
        running.told = running.arrived = None

    def _drop(self, running: _Running, error: Exception, *, force: bool) -> None:
        self._forget(running)
        with contextlib.suppress(Exception):  # it may have ended, or the whole cluster has
            if self.session.alive:
                self._ray.cancel(running.computed, force=force)
        running.item.fail(error)


def _own(session: RaySession, arrays: tuple[NDArray[Any], ...]) -> tuple[NDArray[Any], ...]:
    """Copies for the user to keep and to write to: what lies in the object store is everybody's."""
    session.check()  # without a connection the store may hold something else by now
    return tuple(np.array(array) for array in arrays)


def _nothing() -> None:
    """The object store forgets what nobody refers to."""


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
