"""The interface of all executors, and the queue that the background executors share.

An iterator opens a *channel* on the executor for its recipe and submits tasks to it. Each task
comes back as a `Future` of a `ComputedBatch`. One test suite checks the contract on all executors:

* The bytes of a batch depend on its task alone.
* A task that is cancelled before it starts never runs.
* An exception of the user's code arrives in the future of its batch and keeps its type.
* `close()` releases everything. It may be called at any time and any number of times.
"""

from __future__ import annotations

import copy
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Final, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from imageloom._errors import BatchTimeoutError, IteratorClosedError
from imageloom._executors.closing import Closer
from imageloom._locks import tell_of_forks
from imageloom._pipeline.recipe import BatchReport, BatchTask, Recipe, SampleName

__all__ = [
    "KEPT_BATCHES",
    "Channel",
    "ComputedBatch",
    "Executor",
    "QueuedTask",
    "Replacement",
    "TaskQueue",
    "WorkersCompute",
    "discard_finished",
    "timeout_error",
]

KEPT_BATCHES: Final = 8  # how many batches the user may hold before further ones are copies

BatchFuture = Future["ComputedBatch"]
# What an executor keeps for one channel; each executor has a class of its own for it.
ChannelT = TypeVar("ChannelT")


class Replacement(Protocol):
    """A sample of a batch that another one has replaced."""

    @property
    def filename(self) -> SampleName:
        """The file of the sample."""
        ...

    @property
    def in_words(self) -> str:
        """A sentence for the user."""
        ...


class ComputedBatch:
    """A finished batch, which is either handed out once or discarded.

    Attributes:
        report: What the pipeline reports about the batch beside its pixels.
        indices: The samples of the batch, if they differ from the ones at its position in the
            stream (see `substitutions`); else None.
        replaced: The samples at its position that were replaced.
    """

    def __init__(
        self,
        hand_out: Callable[[], tuple[NDArray[Any], ...]],
        discard: Callable[[], None],
        report: BatchReport,
    ) -> None:
        """`hand_out` returns the arrays; `discard` releases their memory unused."""
        self.report = report
        self.indices: NDArray[np.int64] | None = None
        self.replaced: Sequence[Replacement] = ()
        self.hand_out = hand_out
        self.discard = discard


class Channel(Protocol):
    """The access of one iterator to an executor."""

    @property
    def workers(self) -> int:
        """How many batches may be computed at the same time."""
        ...

    @property
    def restarts(self) -> int:
        """How many workers have been replaced so far."""
        ...

    @property
    def cpus(self) -> int:
        """How many CPUs more workers could use."""
        ...

    @property
    def lookahead(self) -> int:
        """How many batches are worth submitting before they are asked for; 0 for none."""
        ...

    @property
    def ready(self) -> bool:
        """Whether a submitted task is begun as soon as those before it are."""
        ...

    def submit(self, task: BatchTask, *, urgent: bool) -> BatchFuture:
        """Submits a task; an urgent one goes before all waiting tasks."""
        ...

    def at_once(self, task: BatchTask) -> ComputedBatch | None:
        """Computes a batch in the calling thread, if that is the quickest; returns None if not.

        The caller is about to submit it and to wait for it, and holds no lock.

        Raises:
            Exception: What the computation of the batch has raised.
        """
        ...

    def prioritise(self, future: BatchFuture) -> None:
        """Moves the task of this future before all waiting tasks, because its batch is needed now."""
        ...

    def work_on(self, future: BatchFuture) -> None:
        """Computes the batch of this future in the calling thread, if that is the quickest.

        The caller is about to wait for it, and holds no lock.
        """
        ...

    def close(self) -> None:
        """Cancels the waiting tasks and releases the memory."""
        ...

    def closer(self) -> Closer:
        """Returns what does the same, and refers to nothing of the recipe (see `closing`)."""
        ...

    def give_back(self) -> None:
        """Ends the workers now, if they only linger for channels that may come."""
        ...


class WorkersCompute(ABC):
    """What channels have in common whose batches are computed by workers, never by the caller."""

    @property
    def ready(self) -> bool:
        """True: workers of most kinds need no time to start."""
        return True

    def at_once(self, task: BatchTask) -> ComputedBatch | None:
        """Leaves it to the workers."""
        del task
        return None

    def work_on(self, future: BatchFuture) -> None:
        """Leaves it to the workers."""
        del future

    def close(self) -> None:
        """Cancels the waiting tasks and releases the memory."""
        self.closer()()

    @abstractmethod
    def closer(self) -> Closer:
        """Returns what does the same, and refers to nothing of the recipe."""

    def give_back(self) -> None:  # noqa: B027 - that nothing lingers is the rule
        """Does nothing: workers of most kinds do not linger."""


class Executor(ABC):
    """Computes the batches of iterators."""

    @property
    def ended(self) -> bool:
        """Whether it has closed itself, because its workers could not go on."""
        return False

    @abstractmethod
    def open(
        self,
        recipe: Recipe,
        max_batches_pending: int,
        batch_timeout: float | None = None,
        *,
        workers: int | None = None,
    ) -> Channel:
        """Opens a channel for the batches of one recipe.

        Args:
            recipe: How the batches are computed.
            max_batches_pending: How many finished batches may wait at most.
            batch_timeout: Seconds after which an unfinished batch is an error; None for no limit.
            workers: How many workers may compute for this channel at the same time; None for all.
                Only executors that many generators share grow for a channel that wants more.
        """

    def linger(self, may_end: Callable[[], bool]) -> bool:
        """Keeps the workers for a while, although no channel is open.

        Args:
            may_end: Called when the time is over; returns whether there still is no channel.

        Returns:
            Whether the workers linger; else the caller should close the executor.
        """
        del may_end
        return False

    @abstractmethod
    def close(self) -> None:
        """Ends all work and releases everything within 2 seconds."""


@dataclass(eq=False, slots=True)
class QueuedTask(Generic[ChannelT]):
    """A task on its way through a background executor.

    Attributes:
        channel: What the executor keeps for the channel that the task was submitted to.
        task: The batch to compute.
        future: The future that the channel has returned for it.
        started: Whether the task has left the queue before, so that its future is running.
        deaths_at: For each worker that died over this task by itself, the sample that the worker was
            working on; -1 if it had not begun any.
        kills_at: The same for each worker that was killed from outside.
        alone_until: Until this time of the monotonic clock it is computed alone, because memory may
            have been short (see `workers.kills`).
    """

    channel: ChannelT
    task: BatchTask
    future: BatchFuture = field(default_factory=Future)
    started: bool = False
    deaths_at: list[int] = field(default_factory=list)
    kills_at: list[int] = field(default_factory=list)
    alone_until: float = 0.0

    def fail(self, error: Exception) -> None:
        """Sets an exception, which may be shared with other tasks, unless the task was cancelled."""
        if self.started or self.future.set_running_or_notify_cancel():
            # Raising an exception adds to its traceback, so each task gets its own copy.
            own = copy.copy(error)
            own.__cause__ = error.__cause__
            self.future.set_exception(own)


def discard_finished(future: BatchFuture) -> None:
    """Releases the memory of a batch that nobody wants; `future` is done."""
    if not future.cancelled() and future.exception() is None:
        future.result().discard()


def timeout_error(task: BatchTask, seconds: float, sample: int = -1) -> BatchTimeoutError:
    """The error for a batch that takes too long; `sample` is where it hangs, or -1 if unknown."""
    at = f" It was working on {task.name(sample)}." if sample >= 0 else ""
    return BatchTimeoutError(
        f"The batch at position {task.spec.position} took longer than `batch_timeout`, {seconds:g} "
        f"s.{at} Pass a larger `batch_timeout` if that is not enough time. Its files: {task.names()}"
    )


class TaskQueue(Generic[ChannelT]):
    """A queue of tasks in the order of submission, for several producers and consumers.

    Urgent tasks go first. The lock is reentrant because the garbage collector may close an
    iterator, which cancels its tasks, in the middle of any of these methods. Futures are settled
    without it, because what waits for them may take other locks. A forked child has no workers: its
    queue is closed.
    """

    def __init__(self) -> None:
        """Makes an empty queue."""
        self._tasks: deque[QueuedTask[ChannelT]] = deque()
        self._changed = threading.Condition(threading.RLock())
        self._closed: Exception | None = None
        tell_of_forks(self)

    def in_forked_child(self) -> None:
        """Closes the queue, whose tasks are the parent's; their futures stay as they are."""
        self._changed = threading.Condition(threading.RLock())
        self._tasks = deque()
        self._closed = IteratorClosedError(
            "The workers belong to the process that has forked this one."
        )

    def __len__(self) -> int:
        """How many tasks wait."""
        return len(self._tasks)

    def put(self, item: QueuedTask[ChannelT], *, urgent: bool) -> None:
        """Adds a task; if the queue is closed, the task fails at once."""
        with self._changed:
            closed = self._closed
            if closed is None and urgent:
                self._tasks.appendleft(item)
            elif closed is None:
                self._tasks.append(item)
            self._changed.notify()
        if closed is not None:
            item.fail(closed)

    def prioritise(self, future: BatchFuture) -> None:
        """Moves the task of a future to the front, if it still waits."""
        with self._changed:
            for item in tuple(self._tasks):
                if item.future is future and self._removed(item):
                    self._tasks.appendleft(item)

    def take(self, *, wait: bool) -> QueuedTask[ChannelT] | None:
        """Removes and returns the next task that was not cancelled.

        Returns None if the queue is closed or, without `wait`, empty.
        """
        with self._changed:
            while True:
                item = self.take_of(lambda _: True)
                if item is not None or self._closed is not None or not wait:
                    return item
                self._changed.wait()

    def take_of(self, accepts: Callable[[ChannelT], bool]) -> QueuedTask[ChannelT] | None:
        """Removes and returns the next task whose channel is accepted and that was not cancelled."""
        with self._changed:
            for item in tuple(self._tasks):
                if accepts(item.channel) and self._begun(item):
                    return item
        return None

    def lone_ones(self) -> list[QueuedTask[ChannelT]]:
        """The waiting tasks that were to be computed alone at some time."""
        with self._changed:
            return [item for item in self._tasks if item.alone_until > 0]

    def withdraw(self, future: BatchFuture) -> QueuedTask[ChannelT] | None:
        """Removes and returns the task of a future; None if it does not wait, or was cancelled."""
        with self._changed:
            for item in tuple(self._tasks):
                if item.future is future and self._begun(item):
                    return item
        return None

    def cancel(self, channel: ChannelT) -> None:
        """Removes all waiting tasks of a channel."""
        error = IteratorClosedError("The iterator was closed before this batch was computed.")
        with self._changed:
            of_channel = [item for item in tuple(self._tasks) if item.channel is channel]
            removed = [item for item in of_channel if self._removed(item)]
        for item in removed:
            item.fail(error)

    def close(self, error: Exception) -> None:
        """Fails all waiting tasks, and all that are put from now on, with `error`."""
        with self._changed:
            self._closed = error
            waiting, self._tasks = self._tasks, deque()
            self._changed.notify_all()
        for item in waiting:
            item.fail(error)

    def _begun(self, item: QueuedTask[ChannelT]) -> bool:
        """Removes a task and marks it as running, unless it is gone or was cancelled."""
        if not self._removed(item):
            return False
        item.started = item.started or item.future.set_running_or_notify_cancel()
        return item.started

    def _removed(self, item: QueuedTask[ChannelT]) -> bool:
        """Removes a task; False if the garbage collector has just cancelled it."""
        try:
            self._tasks.remove(item)
        except ValueError:
            return False
        return True
