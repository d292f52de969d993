"""The thread that submits tasks to a Ray cluster and settles their futures."""

from __future__ import annotations

import atexit
import contextlib
import dataclasses
import math
import os
import queue
import sys
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from types import ModuleType
from typing import Any, Final, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from imageloom._errors import (
    LESS_MEMORY,
    ImageLoomError,
    IteratorClosedError,
    WorkerDiedError,
    WorkerError,
)
from imageloom._executors.base import ComputedBatch, QueuedTask, TaskQueue, timeout_error
from imageloom._executors.failed import Failed
from imageloom._executors.failures import revived
from imageloom._executors.ray.large_parts import large_parts_of
from imageloom._executors.ray.session import RaySession
from imageloom._executors.ray.task import Arrays, Outcome, RemoteRecipe, compute
from imageloom._executors.travelling import packed_recipe
from imageloom._pipeline.recipe import BatchTask, Recipe
from imageloom._pipeline.rows import ImageRows
from imageloom._pipeline.stored_rows import StoredRows
from imageloom._version import __version__

__all__ = ["Dispatcher", "RemoteChannel"]

_RETRIES: Final = 5  # of each batch, if its node or its worker is lost
_CLOSE_SECONDS: Final = 3.0
_SETTLING_SECONDS: Final = 1.0  # from the submission of a task until it may be cancelled
_CHECK_SECONDS: Final = 1.0  # how often the connection is checked while tasks are running

T = TypeVar("T")


class _Reference(Protocol[T]):
    """A reference into the object store, as Ray's `ObjectRef`."""

    def future(self) -> Future[T]:
        """Returns a future of the object."""
        ...


@dataclass(eq=False, slots=True)
class RemoteChannel:
    """What the dispatcher keeps for one channel.

    Attributes:
        recipe: The recipe in the object store; None once the channel is closed.
        batch_timeout: Seconds after which an unfinished batch is an error; None for no limit.
        rows: The array that the images are rows of; None for files.
    """

    recipe: RemoteRecipe | None
    batch_timeout: float | None
    rows: ImageRows | StoredRows | None = None

    def own_rows(self, task: BatchTask) -> tuple[NDArray[Any], ...]:
        """The images of a batch, if only this process can read the array that they are rows of.

        Raises:
            BadImageError: They cannot be read.
        """
        if isinstance(self.rows, StoredRows) and not self.rows.reopens:
            return (self.rows.batch(task.spec.indices),)
        return ()


@dataclass(eq=False, slots=True)
class _RunningTask:
    """A task on the cluster. Its outcome and its pixels arrive one by one, in either order.

    Attributes:
        item: The task.
        outcome_reference: A reference to its outcome, by which it can be cancelled.
        arrays_reference: A reference to its pixels, which keeps them in the object store.
        submitted: When it was submitted.
        deadline: When it fails; None for no limit.
        outcome: A finished future of its outcome, once that has arrived.
        arrays: The same for its pixels.
    """

    item: QueuedTask[RemoteChannel]
    outcome_reference: _Reference[Outcome]
    arrays_reference: _Reference[Arrays]
    submitted: float
    deadline: float | None
    outcome: Future[Outcome] | None = None
    arrays: Future[Arrays] | None = None


class Dispatcher:
    """Submits the tasks of a queue to the cluster, in a thread of its own."""

    def __init__(self, session: RaySession, environment: dict[str, str]) -> None:
        """Starts the thread; `environment` is added to the environment of Ray's workers."""
        self.queue: TaskQueue[RemoteChannel] = TaskQueue()
        self.session = session
        # What the thread calls next; None only wakes it.
        self._events: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._ray = session.ray
        self._large_parts = large_parts_of(session)
        self._compute = self._ray.remote(
            num_cpus=1, num_returns=2, max_retries=_RETRIES, runtime_env={"env_vars": environment}
        )(compute)
        self._computing: set[_RunningTask] = set()
        self._arriving: set[_RunningTask] = set()  # computed, but not here yet
        self._abandoned: list[tuple[float, _Reference[Outcome]]] = []  # with when they may be ended
        self._closing = self._ended = False
        self._owner = os.getpid()
        self._thread = threading.Thread(target=self._run, name="imageloom-ray", daemon=True)
        self._thread.start()
        atexit.register(self.close)  # runs before the exit function of Ray

    def upload(self, recipe: Recipe) -> RemoteRecipe:
        """Puts a recipe, and its array if it has one, into the object store.

        Raises:
            CannotTravel: A hook cannot be sent to another process.
        """
        packed = packed_recipe(recipe)
        rows: tuple[object, ...] = ()
        if isinstance(recipe.rows, ImageRows) and not recipe.rows.reopens:
            rows = (self._ray.put(recipe.rows.array),)
        return RemoteRecipe(
            key=uuid.uuid4().hex,
            version=__version__,
            search_path=tuple(os.path.abspath(place) for place in sys.path),
            recipe=(self._ray.put(packed.packing),),
            large=tuple(map(self._large_parts.put, packed.large)),
            rows=rows,
        )

    def wake(self) -> None:
        """Makes the thread look at the queue; any thread may call this."""
        self._events.put(None)

    def cancel(self, channel: RemoteChannel) -> None:
        """Cancels the running tasks of a channel; any thread may call this."""
        self._events.put(partial(self._cancel, channel))

    def close(self) -> None:
        """Ends the thread and cancels its tasks."""
        self._closing = True
        atexit.unregister(self.close)
        if self._owner != os.getpid():
            return  # a forked child has neither the thread nor the connection
        self.wake()
        if threading.current_thread() is not self._thread:
            self._thread.join(_CLOSE_SECONDS)

    def _cancel(self, channel: RemoteChannel) -> None:
        for running in [r for r in self._running() if r.item.channel is channel]:
            self._drop(running, IteratorClosedError("The iterator was closed."), force=False)

    def _running(self) -> tuple[_RunningTask, ...]:
        return (*self._computing, *self._arriving)

    def _run(self) -> None:
        error: Exception = IteratorClosedError(
            "The iterator was closed while a batch was being computed."
        )
        try:
            while not self._closing:
                self._submit()
                with contextlib.suppress(queue.Empty):
                    event = self._events.get(timeout=self._seconds_to_wait())
                    if event is not None:
                        event()
                    del event  # it would keep the last batch in the object store
                self._drop_overdue()
                self._end_abandoned(wait=False)
                if self._computing or self._arriving:
                    self.session.check()
        except Exception as failure:
            error = failure
        self.queue.close(error)
        for running in self._running():
            self._drop(running, error, force=False)
        self._end_abandoned(wait=True)
        self._ended = True
        with contextlib.suppress(queue.Empty):  # late events would keep batches in the object store
            while True:
                self._events.get_nowait()

    def _seconds_to_wait(self) -> float | None:
        running, now = self._running(), time.monotonic()
        due = [r.deadline - now for r in running if r.deadline is not None]
        due += [when - now for when, _ in self._abandoned] + ([_CHECK_SECONDS] if running else [])
        return max(0.0, min(due)) if due else None

    def _submit(self) -> None:
        while len(self._computing) < self.session.workers:
            item = self.queue.take(wait=False)
            if item is None:
                return
            recipe = item.channel.recipe
            if recipe is None:
                item.fail(IteratorClosedError("The iterator was closed."))
                continue
            try:
                raw = item.channel.own_rows(item.task)
            except ImageLoomError as error:
                item.fail(error)
                continue
            now, limit = time.monotonic(), item.channel.batch_timeout
            outcome: _Reference[Outcome]
            arrays: _Reference[Arrays]
            try:
                self.session.check()
                outcome, arrays = self._compute.remote(recipe, item.task, *raw)
            except Exception as error:
                item.fail(error)
                raise
            deadline = None if limit is None else now + limit
            running = _RunningTask(item, outcome, arrays, now, deadline)
            self._computing.add(running)
            # Ray calls these from a thread of its own, which must not block.
            outcome.future().add_done_callback(partial(self._post, self._computed, running))
            arrays.future().add_done_callback(partial(self._post, self._arrived, running))

    def _post(
        self,
        react: Callable[[_RunningTask, Future[T]], None],
        running: _RunningTask,
        future: Future[T],
    ) -> None:
        if not self._ended:
            self._events.put(partial(react, running, future))

    def _computed(self, running: _RunningTask, outcome: Future[Outcome]) -> None:
        """A node has computed the batch; its pixels may still be on their way."""
        if running in self._computing:
            running.outcome = outcome
            self._computing.discard(running)
            self._arriving.add(running)
            self._settle(running)

    def _arrived(self, running: _RunningTask, arrays: Future[Arrays]) -> None:
        if running in self._computing or running in self._arriving:
            running.arrays = arrays
            self._settle(running)

    def _settle(self, running: _RunningTask) -> None:
        """Settles the future of a task once both parts have arrived, unless it has been dropped."""
        outcome_future, arrays_future = running.outcome, running.arrays
        if running not in self._arriving or outcome_future is None or arrays_future is None:
            return
        self._forget(running)
        item = running.item
        try:
            outcome = outcome_future.result()
            arrays = arrays_future.result()
        except Exception as error:
            item.fail(_translated(self._ray, error, item.task))
            return
        if isinstance(outcome.result, Failed):
            item.future.set_exception(revived(outcome.result))
            return
        away = time.monotonic() - running.submitted - outcome.seconds
        report = dataclasses.replace(outcome.result, node=outcome.node, away_seconds=away)
        hand_out = partial(_copies, self.session, arrays)
        item.future.set_result(ComputedBatch(hand_out, _discard, report))

    def _drop_overdue(self) -> None:
        now = time.monotonic()
        for running in self._running():
            seconds = running.item.channel.batch_timeout
            if seconds is not None and running.deadline is not None and running.deadline <= now:
                self._drop(running, timeout_error(running.item.task, seconds), force=True)

    def _forget(self, running: _RunningTask) -> None:
        self._computing.discard(running)
        self._arriving.discard(running)
        # The futures refer to the task in turn. This cycle would keep the batch in the object store
        # until the garbage collector runs.
        running.outcome = running.arrays = None

    def _drop(self, running: _RunningTask, error: Exception, *, force: bool) -> None:
        self._forget(running)
        if force:
            self._end(running.outcome_reference, force=True)
        else:
            when = running.submitted + _SETTLING_SECONDS
            self._abandoned.append((when, running.outcome_reference))
        running.item.fail(error)

    def _end_abandoned(self, *, wait: bool) -> None:
        """Cancels tasks that nobody waits for any more, if they still run after a while.

        Ray 2.60 ends this program if a task is cancelled that is just being given to a process, or
        that has just ended ("task that was not pending"). Most end by themselves.
        """
        if wait and self._abandoned and self.session.alive:
            with contextlib.suppress(Exception):
                references = [reference for _, reference in self._abandoned]
                self._ray.wait(references, num_returns=len(references), timeout=_SETTLING_SECONDS)
        now = math.inf if wait else time.monotonic()
        due = [reference for when, reference in self._abandoned if when <= now]
        self._abandoned = [(when, reference) for when, reference in self._abandoned if when > now]
        for reference in due:
            self._end(reference, force=False)

    def _end(self, reference: _Reference[Outcome], *, force: bool) -> None:
        with contextlib.suppress(Exception):  # the task, or the whole cluster, may have ended
            if self.session.alive and not self._ray.wait([reference], timeout=0)[0]:
                self._ray.cancel(reference, force=force)


def _copies(session: RaySession, arrays: Arrays) -> Arrays:
    """Returns writable copies: all processes of the node share what is in the object store."""
    session.check()  # without a connection the memory may have been used for something else
    return tuple(np.array(array) for array in arrays)


def _discard() -> None:
    """Does nothing: the object store releases what is no longer referred to."""


def _translated(ray: ModuleType, error: Exception, task: BatchTask) -> Exception:
    """Returns the error of this library for an error of Ray's."""
    where = f"the batch at position {task.spec.position}"
    if isinstance(error, ray.exceptions.TaskCancelledError):
        return IteratorClosedError(f"The task for {where} was cancelled.")
    if isinstance(error, ray.exceptions.RayTaskError):
        return WorkerError(
            f"A node of the cluster cannot compute {where}. Check that imageloom is installed there. "
            f"The error: {error.cause!r}",
            str(error),
        )
    lost = WorkerDiedError(
        f"The cluster has lost {where} {_RETRIES + 1} times, the last time with "
        f"{type(error).__name__}: {error}. The likely cause is a node with too little memory, or a "
        f"hook or decoder that crashes. {LESS_MEMORY} Its files: {task.names()}"
    )
    lost.killed = isinstance(error, ray.exceptions.OutOfMemoryError)
    return lost
