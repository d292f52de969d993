"""Computes in the thread that reads, until workers are worth their start and have started.

A worker process needs half a second to start. Programs often read one batch of a small data set, and
the next one of another: Keras, which computes in the program, needs no time to begin. So does this::

    the first batches         computed by the thread that asks for them
    more work than a start    workers start; that thread goes on computing what it asks for
    a worker is ready         all batches come from the workers

Which process computes a batch does not change it.

Where the functions of the user *stay*, because what they hold cannot be sent, threads of the program
are the workers (see `fallback`). Then one lock keeps all such functions of the program apart, whoever
computes; else their objects, and the random generators of the process, would be used by two at once.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from imageloom._errors import IteratorClosedError
from imageloom._executors.base import (
    BatchFuture,
    Channel,
    ComputedBatch,
    WorkersCompute,
    discard_finished,
)
from imageloom._executors.closing import Closer, Closers
from imageloom._executors.fallback import Reason
from imageloom._executors.forwarding import ForwardingChannel
from imageloom._executors.here import computed_here
from imageloom._executors.turns import TURNS_OF_THE_PROGRAM, Turn
from imageloom._locks import Lock
from imageloom._machine import available_cpus
from imageloom._pipeline.pipeline import Pipeline
from imageloom._pipeline.recipe import BatchTask, Recipe

__all__ = ["AdaptiveChannel"]

_START_SECONDS: Final = 0.5  # what starting workers costs
_PASSING_SECONDS: Final = 1e-3  # of one batch, to a worker and back
_FIRST_USE_SECONDS: Final = 0.1  # at least, what libraries take to set themselves up
_LATEST: Final = 9  # batches, whose median is the usual time of one
# Functions of the user need not be made for several threads, and share the global random generators.
_turn: Final = Lock()


class _Program:
    """What is known about the program.

    Attributes:
        reads_on: Whether it has read on in the last iterator that workers were started for.
        is_set_up: Whether a batch was computed before, for which decoders and OpenCV set themselves up.
    """

    reads_on = True
    is_set_up = False


class _NoWorkers(WorkersCompute):
    """The figures of a channel before its workers start."""

    restarts = 0
    lookahead = 0
    ready = False

    def __init__(self, count: Callable[[], int]) -> None:
        self._count = count

    @property
    def workers(self) -> int:
        """How many there will be; to ask takes longer than a small batch."""
        return self._count()

    @property
    def cpus(self) -> int:
        """All that this process may use."""
        return available_cpus()

    def submit(self, task: BatchTask, *, urgent: bool) -> BatchFuture:
        """Returns a future that somebody has to work on."""
        del task, urgent
        return Future()

    def prioritise(self, future: BatchFuture) -> None:
        """Does nothing: there is no queue."""

    def closer(self) -> Closer:
        """There is nothing to close."""
        return Closers()


@dataclass(slots=True)
class _Use:
    """How a channel was used, and what closes it.

    Attributes:
        batches: How many were asked for.
        workers_started: Whether the channel to workers was opened.
        closers: What closes that.
    """

    batches: int = 0
    workers_started: bool = False
    closers: Closers = field(default_factory=Closers)

    def end(self) -> None:
        """Closes the channel to the workers."""
        if self.workers_started:
            _Program.reads_on = self.batches > 1
        self.closers()


class AdaptiveChannel(ForwardingChannel):
    """A channel that uses workers once the work is more than their start."""

    def __init__(
        self,
        recipe: Recipe,
        open_workers: Callable[[], Channel],
        *,
        epoch: int,
        workers: Callable[[], int],
        stays: Reason | None = None,
    ) -> None:
        """Starts nothing.

        Args:
            recipe: How the batches are computed.
            open_workers: Opens the channel to the workers.
            epoch: The number of batches in an epoch.
            workers: Returns how many workers there will be.
            stays: Why other processes cannot compute them, if that is known.
        """
        self._recipe = recipe
        self._reason: Final = stays
        self._stays: Final = None if stays is None else Turn(TURNS_OF_THE_PROGRAM)
        self._open_workers = open_workers
        self._epoch = epoch
        self._pipeline: Pipeline | None = None
        self._no_workers: Channel = _NoWorkers(workers)
        self._workers: Channel | None = None
        # The garbage collector may close the channel in the middle of anything.
        self._lock = Lock()
        self._tasks: dict[BatchFuture, BatchTask] = {}  # that may be computed here
        self._inner: dict[BatchFuture, BatchFuture] = {}  # of these, those that workers may take
        self._use = _Use()
        self._seconds = 0.0  # that batches took here
        self._latest: deque[float] = deque(maxlen=_LATEST)

    @property
    def _used(self) -> Channel:
        return self._workers or self._no_workers

    def at_once(self, task: BatchTask) -> ComputedBatch | None:
        """Computes a batch here, as long as no workers were started, nor are to be."""
        if self._workers is not None or self._is_worth_workers() or not self._take_turn():
            return None
        self._use.batches += 1
        begun = time.perf_counter()
        try:
            return self._computed(task)
        finally:
            self._end_turn()
            self._note(time.perf_counter() - begun)
            self._start_for_what_follows()

    def submit(self, task: BatchTask, *, urgent: bool) -> BatchFuture:
        """Submits a task to workers, or keeps it for `work_on`."""
        if self._workers is None and self._is_worth_workers():
            self._start_workers()
        if self._workers is not None and self._workers.ready:
            self._pipeline = None  # with its cache, if it has one
            return self._workers.submit(task, urgent=urgent)
        outer: BatchFuture = Future()
        self._tasks[outer] = task
        outer.add_done_callback(self._forget)
        if self._workers is not None:
            self._pass_on(outer, self._workers, urgent=urgent)
        return outer

    def prioritise(self, future: BatchFuture) -> None:
        """Moves the task of this future before all waiting tasks."""
        self._used.prioritise(self._inner.get(future, future))

    def work_on(self, future: BatchFuture) -> None:
        """Computes the batch here, unless a worker is ready to do so."""
        self._use.batches += 1
        if self._workers is not None and self._workers.ready:
            self._workers.work_on(self._inner.get(future, future))
            return
        task = self._tasks.pop(future, None)
        inner = self._inner.get(future)
        if task is None or (inner is not None and not inner.cancel()):
            return  # it is finished, or a worker has just begun it
        if self._take_turn():
            try:
                self._compute(future, task)
            finally:
                self._end_turn()
        else:  # another thread computes here, perhaps in a function that waits for this one
            self._tasks[future] = task
            self._start_workers()
            if self._workers is not None:
                self._pass_on(future, self._workers, urgent=True)
        self._start_for_what_follows()

    def close(self) -> None:
        """Gives up what is not computed, and closes the channel to the workers."""
        super().close()
        for future in tuple(self._tasks):
            future.cancel()

    def closer(self) -> Closer:
        """Returns what closes the channel to the workers."""
        return self._use.end

    def _is_worth_workers(self) -> bool:
        """Whether what was computed here, or what is left of the epoch, takes longer than a start.

        Nothing is won by workers if a batch takes less time than its way to them.
        """
        if not self._latest:
            return False
        # Not the mean: one batch during which the program stood still is not work.
        usual = sorted(self._latest)[len(self._latest) // 2]
        left = max(0, self._epoch - self._use.batches) * usual
        return usual >= _PASSING_SECONDS and max(left, self._seconds) >= _START_SECONDS

    def _take_turn(self) -> bool:
        """Takes the lock that functions of the user need here; False if workers should compute."""
        if not self._recipe.user_code:
            return True
        if self._stays is not None:  # who would compute in another thread has to wait, too
            self._stays.__enter__()
            return True
        return _turn.acquire(blocking=False)

    def _end_turn(self) -> None:
        """Gives it back."""
        if self._recipe.user_code:
            if self._stays is not None:
                self._stays.__exit__(None, None, None)
            else:
                _turn.release()

    def _start_for_what_follows(self) -> None:
        """Starts the workers while the batch that was computed here is used."""
        if self._workers is None and self._is_worth_workers() and _Program.reads_on:
            with suppress(Exception):  # the next `submit` tries again, and raises it
                self._start_workers()

    def _start_workers(self) -> None:
        with self._lock:
            if self._use.closers.closed:
                raise IteratorClosedError("The iterator was closed.")
            if self._workers is None:
                self._workers = self._open_workers()
                self._use.workers_started = True
                self._use.closers.add(self._workers.closer())

    def _compute(self, outer: BatchFuture, task: BatchTask) -> None:
        if not outer.set_running_or_notify_cancel():
            return
        begun = time.perf_counter()
        try:
            outer.set_result(self._computed(task))
        except Exception as error:
            outer.set_exception(error)
        self._note(time.perf_counter() - begun)

    def _computed(self, task: BatchTask) -> ComputedBatch:
        self._pipeline = pipeline = self._pipeline or Pipeline(self._recipe)
        batch = computed_here(pipeline, task)
        if self._reason is not None:
            batch.report = self._reason.noted_in(batch.report)
        return batch

    def _note(self, seconds: float) -> None:
        if not _Program.is_set_up:
            _Program.is_set_up = True
            seconds -= _FIRST_USE_SECONDS
        if seconds > 0:
            self._seconds += seconds
            self._latest.append(seconds)

    def _pass_on(self, outer: BatchFuture, workers: Channel, *, urgent: bool) -> None:
        """Lets a worker take a task, as long as nobody works on it here."""
        inner = workers.submit(self._tasks[outer], urgent=urgent)
        self._inner[outer] = inner
        inner.add_done_callback(partial(self._finished, outer))

    def _finished(self, outer: BatchFuture, inner: BatchFuture) -> None:
        """Passes on what a worker has computed. A task that was taken from it is cancelled."""
        current = self._inner.pop(outer, None) is inner and not inner.cancelled()
        if not current or not outer.set_running_or_notify_cancel():
            discard_finished(inner)
        elif (error := inner.exception()) is not None:
            outer.set_exception(error)
        else:
            outer.set_result(inner.result())

    def _forget(self, outer: BatchFuture) -> None:
        self._tasks.pop(outer, None)
        inner = self._inner.get(outer) if outer.cancelled() else None
        if inner is not None:
            inner.cancel()
