"""The interface every executor has, and the queue that the background ones share.

An iterator opens a *channel* on the executor for its recipe and submits tasks to it; each comes back
as a `Future` of a `ComputedBatch`. The contract, which one test suite checks on all executors:

* the bytes of a batch depend on its task alone;
* a task that is cancelled before it starts never runs;
* an exception of the user's code arrives in the future of its batch, under its own type;
* `close()` gives everything back, at any time, any number of times.
"""

from __future__ import annotations

import copy
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from imageloom._errors import BatchTimeoutError, IteratorClosedError
from imageloom._pipeline.recipe import BatchReport, BatchTask, Recipe

__all__ = ["Channel", "ComputedBatch", "Executor", "QueuedTask", "TaskQueue", "timeout_error"]

BatchFuture = Future["ComputedBatch"]


class ComputedBatch:
    """A finished batch: either handed out, once, or discarded.

    Attributes:
        report: what came to light.
        indices: its samples, if they are not those that stand at its position (see `substitutions`).
        replaced: descriptions of those that were replaced.
    """

    def __init__(
        self,
        hand_out: Callable[[], tuple[NDArray[Any], ...]],
        discard: Callable[[], None],
        report: BatchReport,
    ) -> None:
        """`hand_out` makes the arrays, `discard` gives their memory back unused."""
        self.report = report
        self.indices: NDArray[np.int64] | None = None
        self.replaced: Sequence[Any] = ()
        self.hand_out = hand_out
        self.discard = discard


class Channel(Protocol):
    """One iterator's access to an executor."""

    @property
    def workers(self) -> int:
        """How many batches may be computed at the same time."""
        ...

    @property
    def restarts(self) -> int:
        """Workers that had to be replaced so far."""
        ...

    @property
    def cpus(self) -> int:
        """CPUs that more workers could use."""
        ...

    @property
    def lookahead(self) -> int:
        """Batches worth submitting before they are asked for; 0 if none."""
        ...

    def submit(self, task: BatchTask, *, urgent: bool) -> BatchFuture:
        """Asks for a batch; an urgent one goes before all that wait."""
        ...

    def hurry(self, future: BatchFuture) -> None:
        """Somebody waits for this batch now: let it go before all that wait."""
        ...

    def close(self) -> None:
        """Cancels what waits and gives the memory back."""
        ...


class Executor(ABC):
    """Computes batches for the iterators of one generator."""

    @abstractmethod
    def open(
        self, recipe: Recipe, max_batches_pending: int, batch_timeout: float | None = None
    ) -> Channel:
        """A channel for the batches of one recipe.

        Args:
            recipe: how they are made.
            max_batches_pending: finished batches that wait at most.
            batch_timeout: seconds after which a batch under way is an error; None for never.
        """

    @abstractmethod
    def close(self) -> None:
        """Ends all work and gives everything back within 2 seconds."""


@dataclass(eq=False, slots=True)
class QueuedTask:
    """A task on its way through a background executor.

    Attributes:
        channel: what the executor keeps for the iterator.
        started: it has been taken from the queue before; its future runs.
        deaths_at: the sample that a worker was at when it died over the batch, for each that did; -1
            where none was begun.
    """

    channel: Any
    task: BatchTask
    future: BatchFuture = field(default_factory=Future)
    started: bool = False
    deaths_at: list[int] = field(default_factory=list)

    def fail(self, error: Exception) -> None:
        """Raises an error, which may concern other tasks too, where this batch is waited for."""
        if self.started or self.future.set_running_or_notify_cancel():
            # A copy each: whoever raises an exception writes a traceback into it.
            own = copy.copy(error)
            own.__cause__ = error.__cause__
            self.future.set_exception(own)


def timeout_error(task: BatchTask, seconds: float, sample: int = -1) -> BatchTimeoutError:
    """The error for a batch that takes too long; `sample` is where it hangs, if that is known."""
    at = f" It was at {task.name(sample)}." if sample >= 0 else ""
    return BatchTimeoutError(
        f"The batch at position {task.spec.position} took longer than `batch_timeout`, {seconds:g} "
        f"s.{at} Its files: {task.names()}"
    )


class TaskQueue:
    """Tasks in order of submission, urgent ones first; for several producers and consumers.

    The lock is reentrant because the garbage collector may close an iterator, which cancels its
    tasks, in the middle of any of these methods.
    """

    def __init__(self) -> None:
        """An empty queue."""
        self._tasks: deque[QueuedTask] = deque()
        self._changed = threading.Condition(threading.RLock())
        self._closed: Exception | None = None

    def __len__(self) -> int:
        """Tasks that wait."""
        return len(self._tasks)

    def put(self, item: QueuedTask, *, urgent: bool) -> None:
        """Adds a task; once closed, it fails at once."""
        with self._changed:
            if self._closed is not None:
                item.fail(self._closed)
            elif urgent:
                self._tasks.appendleft(item)
            else:
                self._tasks.append(item)
            self._changed.notify()

    def hurry(self, future: BatchFuture) -> None:
        """Moves a task to the front, if it still waits."""
        with self._changed:
            for item in tuple(self._tasks):
                if item.future is future:
                    self._tasks.remove(item)
                    self._tasks.appendleft(item)

    def take(self, *, wait: bool) -> QueuedTask | None:
        """The next task that was not cancelled; None when closed or, without `wait`, empty."""
        with self._changed:
            while True:
                while self._tasks:
                    item = self._tasks.popleft()
                    if item.started or item.future.set_running_or_notify_cancel():
                        item.started = True
                        return item
                if self._closed is not None or not wait:
                    return None
                self._changed.wait()

    def cancel(self, channel: Any) -> None:
        """Drops all waiting tasks of a channel."""
        error = IteratorClosedError("The iterator was closed before this batch was computed.")
        with self._changed:
            for item in [item for item in self._tasks if item.channel is channel]:
                self._tasks.remove(item)
                item.fail(error)

    def close(self, error: Exception) -> None:
        """Takes no more tasks; those that wait fail with `error`, and so do all that come."""
        with self._changed:
            self._closed = error
            while self._tasks:
                self._tasks.popleft().fail(error)
            self._changed.notify_all()
