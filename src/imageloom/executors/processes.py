"""Computes batches in worker processes.

::

    consumer threads                 dispatcher thread                   workers
      submit(task) ──> TaskQueue ──────> lease a slot, Compute ──────────> pipeline writes the slot
      future.result() <───────────────── set_result <───── Done/Failed ──┘
                                         death ──> replace that worker, queue its task again

One thread owns the workers: it alone starts, tells, hears and buries them, so nothing about them needs
a lock. It waits for results, deaths and wake-ups at once. A worker holds one task at a time, and a
slot is written by one worker at a time: when a worker has died, its slot is free.
"""

from __future__ import annotations

import itertools
import os
import pickle
import threading
import time
import weakref
from collections import deque
from contextlib import suppress
from multiprocessing import Pipe, connection
from typing import Any, Final

import cloudpickle

from imageloom.errors import (
    ArgumentTypeError,
    IteratorClosedError,
    WorkerDiedError,
    WorkerError,
    WorkerStartError,
)
from imageloom.executors.base import (
    BatchFuture,
    Channel,
    ComputedBatch,
    Executor,
    QueuedTask,
    TaskQueue,
)
from imageloom.executors.messages import CloseChannel, Compute, Done, Failed, OpenChannel, Ready
from imageloom.executors.spawning import WorkerProcess, worker_environment
from imageloom.recipe import BatchTask, Recipe
from imageloom.shared_arrays import SlotPool

__all__ = ["ProcessExecutor"]

KEPT_BATCHES: Final = 8  # the user may hold so many without a copy
_MAX_DEATHS: Final = 3  # of workers over one batch, or of workers before they are ready, in a row
_GRACE_SECONDS: Final = 0.5  # for a worker to finish what it is at, when all ends
_CLOSE_SECONDS: Final = 2.0
_STARVED_SECONDS: Final = 0.05


class ProcessExecutor(Executor):
    """A fixed number of worker processes, started with the first task."""

    def __init__(self, workers: int, *, disable_gpu: bool) -> None:
        """Starts nothing yet but the dispatcher's thread."""
        self._dispatcher = _Dispatcher(workers, worker_environment(disable_gpu=disable_gpu))
        self._finalizer = weakref.finalize(self, self._dispatcher.close)

    def open(self, recipe: Recipe, max_batches_pending: int) -> Channel:
        """A channel with slots of shared memory.

        Raises:
            ArgumentTypeError: a hook that cannot be sent to another process.
        """
        return _ProcessChannel(self, self._dispatcher, recipe, max_batches_pending)

    def close(self) -> None:
        """Ends the workers; those in the middle of a batch are given half a second."""
        self._finalizer()


class _ProcessChannel:
    _keys = itertools.count()

    def __init__(
        self,
        executor: ProcessExecutor,
        dispatcher: _Dispatcher,
        recipe: Recipe,
        max_batches_pending: int,
    ) -> None:
        self.key = next(self._keys)
        self.lookahead = max_batches_pending + dispatcher.size
        self.recipe = _pickled(recipe)
        self.rows = recipe.rows
        # One more than may be under way ahead of time: the batch somebody waits for.
        self.slots = SlotPool(recipe.layout, self.lookahead + 1, KEPT_BATCHES)
        self.forgotten = False
        self._executor = executor  # keeps it alive
        self._dispatcher = dispatcher

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
        return cloudpickle.dumps(recipe)  # type: ignore[no-any-return]
    except Exception as error:
        raise ArgumentTypeError(
            "A hook, or something it refers to, cannot be sent to worker processes "
            f"({type(error).__name__}: {error}). Create such objects (open files, locks, database "
            'connections, models) inside the hook, or use executor="threads".'
        ) from error


class _Worker:
    """What the dispatcher knows about one worker."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.process = WorkerProcess(environment)
        self.ready = False
        self.channels: set[int] = set()
        self.item: QueuedTask | None = None
        self.slot = -1


class _Dispatcher:
    def __init__(self, size: int, environment: dict[str, str]) -> None:
        self.size = size
        self.queue = TaskQueue()
        self._forgotten: deque[_ProcessChannel] = deque()
        self._environment = environment
        self._workers: list[_Worker] = []
        self._failed_starts = 0
        self._starved = False
        self._closing = False
        self._owner = os.getpid()
        self._heard, self._waker = Pipe(duplex=False)
        self._woken = False
        self._thread = threading.Thread(target=self._run, name="imageloom", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Makes the dispatcher look at the queue; from any thread."""
        if not self._woken:
            self._woken = True
            with suppress(OSError):  # it has closed already
                self._waker.send_bytes(b"!")

    def forget(self, channel: _ProcessChannel) -> None:
        """Gives the memory of a channel back, here and in the workers; from any thread."""
        self._forgotten.append(channel)
        self.wake()
        if not self._thread.is_alive():
            self._forget_channels()

    def close(self) -> None:
        """Ends everything. Takes no lock: it may be called by the garbage collector anywhere."""
        if os.getpid() != self._owner:
            return  # a forked child does not own the workers
        self._closing = True
        self._woken = False
        self.wake()
        if threading.current_thread() is not self._thread:
            self._thread.join(_CLOSE_SECONDS)
            self._forget_channels()

    def _run(self) -> None:
        error: Exception = IteratorClosedError("The iterator was closed while a batch was under way.")
        try:
            while not self._closing:
                self._assign()
                timeout = _STARVED_SECONDS if self._starved else None
                self._attend(connection.wait(self._watched(), timeout))
                self._forget_channels()
        except Exception as failure:
            error = failure
        finally:
            self._shut_down(error)

    def _watched(self) -> list[Any]:
        watched: list[Any] = [self._heard]
        for worker in self._workers:
            watched += {worker.process.connection, worker.process.sentinel}
        return watched

    def _attend(self, ready: list[Any]) -> None:
        # Asked of the workers there were, not of `ready`: burying one frees descriptor numbers that
        # its replacement may get.
        for worker in tuple(self._workers):
            died = worker.process.sentinel in ready
            if died or worker.process.connection in ready:
                self._hear(worker, died=died)
        if self._heard in ready:
            self._woken = False
            self._heard.recv_bytes()

    def _hear(self, worker: _Worker, *, died: bool) -> None:
        """Takes what a worker has said, even if those were its last words."""
        died = died and worker.process.sentinel is not worker.process.connection
        try:
            while worker.process.connection.poll():
                self._answer(worker, worker.process.connection.recv())
        except (EOFError, OSError):
            died = True
        if died:
            self._bury(worker)

    def _answer(self, worker: _Worker, message: Ready | Done | Failed) -> None:
        if isinstance(message, Ready):
            worker.ready = True
            self._failed_starts = 0
            return
        item, slot = worker.item, worker.slot
        assert item is not None
        worker.item = None
        slots: SlotPool = item.channel.slots
        if isinstance(message, Failed):
            slots.give_back(slot)
            item.future.set_exception(_revived(message))
            return
        rows = len(item.task)
        item.future.set_result(
            ComputedBatch(
                lambda: slots.hand_out(slot, rows), lambda: slots.give_back(slot), message.report
            )
        )

    def _assign(self) -> None:
        """Gives every idle worker a task, starting workers that are missing."""
        self._starved = False
        while self.queue and len(self._workers) < self.size:
            self._hire()
        for worker in [w for w in self._workers if w.ready and w.item is None]:
            item = self.queue.take(wait=False)
            if item is None:
                return
            if item.channel.forgotten:  # closed while its worker died
                item.fail(IteratorClosedError("The iterator was closed."))
                continue
            slot = item.channel.slots.lease()
            if slot is None:
                self.queue.put(item, urgent=True)
                self._starved = True
                return
            self._tell(worker, item, slot)

    def _tell(self, worker: _Worker, item: QueuedTask, slot: int) -> None:
        channel: _ProcessChannel = item.channel
        worker.item, worker.slot = item, slot
        pipe = worker.process.connection
        try:
            if channel.key not in worker.channels:
                layout = channel.slots.layout
                pipe.send(OpenChannel(channel.key, channel.recipe, layout, channel.slots.nbytes))
                channel.slots.send(pipe, worker.process.pid)
                worker.channels.add(channel.key)
            raw = channel.slots.raw_rows(slot, len(item.task))
            if raw is not None and channel.rows is not None:
                channel.rows.copy_rows(item.task.spec.indices, raw)
            pipe.send(Compute(channel.key, slot, item.task))
        except OSError:
            self._bury(worker)

    def _bury(self, worker: _Worker) -> None:
        """A worker is dead: its batch is computed again, by another."""
        self._workers.remove(worker)
        how = worker.process.end(_GRACE_SECONDS)
        if (item := worker.item) is not None:
            item.channel.slots.give_back(worker.slot)
            item.deaths += 1
            if item.deaths < _MAX_DEATHS:
                self.queue.put(item, urgent=True)
            else:
                item.future.set_exception(_died_over(item, how))
        if not worker.ready:
            self._failed_starts += 1
            if self._failed_starts >= _MAX_DEATHS:
                raise WorkerStartError(
                    f"{self._failed_starts} worker processes in a row ended before they were ready "
                    f"(the last with {how}); what they printed says why. "
                    'executor="threads" works without processes.'
                )
        self._hire()

    def _hire(self) -> None:
        try:
            self._workers.append(_Worker(self._environment))
        except OSError as error:
            raise WorkerStartError(f"A worker process cannot be started: {error}") from error

    def _forget_channels(self) -> None:
        while self._forgotten:
            try:
                channel = self._forgotten.popleft()
            except IndexError:  # taken by the other thread that empties this
                return
            channel.forgotten = True
            channel.slots.close()
            for worker in self._workers:
                if channel.key in worker.channels:
                    worker.channels.discard(channel.key)
                    with suppress(OSError):  # it is dead, which the next wait tells
                        worker.process.connection.send(CloseChannel(channel.key))

    def _shut_down(self, error: Exception) -> None:
        """The order matters: no new tasks, then no workers, then no memory."""
        self.queue.close(error)
        for worker in self._workers:
            worker.process.hang_up()
        until = time.monotonic() + _GRACE_SECONDS
        for worker in self._workers:
            # One that is still importing holds nothing that it could leave half done.
            worker.process.end(max(0.0, until - time.monotonic()) if worker.ready else 0.0)
            if worker.item is not None:
                worker.item.fail(error)
        self._workers.clear()
        self._forget_channels()
        self._heard.close()
        self._waker.close()


def _revived(message: Failed) -> Exception:
    """The exception to raise here for one that left a worker."""
    cause = WorkerError(f"In a worker process: {message.summary}", message.traceback)
    if message.error is None:
        return cause
    try:
        error: Exception = pickle.loads(message.error)
    except Exception:
        return cause
    error.__cause__ = cause
    return error


def _died_over(item: QueuedTask, how: str) -> WorkerDiedError:
    files = ", ".join(map(str, item.task.filenames)) or "(images out of an array)"
    return WorkerDiedError(
        f"{item.deaths} worker processes died, one after the other, over the batch at position "
        f"{item.task.spec.position}; the last with {how}. Likely: a decoder or a hook that crashes on "
        f"one of its files, or too little memory. Its files: {files}"
    )
