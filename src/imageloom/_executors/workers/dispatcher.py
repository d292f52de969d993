"""The thread that owns the worker processes.

It alone starts, tells, hears and buries them, so nothing about them needs a lock. It waits at once for
results, deaths, wake-ups and the next deadline; there is no wait in it without an end:

* a worker that dies is replaced, and its batch computed again. A worker writes into its slot which
  sample it is at, so after `_DEATHS_OVER_SAMPLE` deaths over one sample the error names the file;
* a batch that takes longer than `batch_timeout` is an error that names its files, and its worker is
  killed and replaced, alone;
* a worker that is not ready after `_START_SECONDS` counts as one that died;
* workers that keep dying, with nothing computed in between, end in one error.
"""

from __future__ import annotations

import os
import threading
import time
from collections import Counter, deque
from contextlib import suppress
from multiprocessing import Pipe, connection
from multiprocessing.connection import Connection
from typing import Any, Final

from imageloom._errors import IteratorClosedError, WorkerDiedError, WorkerStartError
from imageloom._executors.base import ComputedBatch, QueuedTask, TaskQueue, timeout_error
from imageloom._executors.failures import revived
from imageloom._executors.workers.messages import (
    CannotStart,
    CloseChannel,
    Compute,
    Done,
    Failed,
    OpenChannel,
    Ready,
)
from imageloom._executors.workers.spawning import WorkerProcess

__all__ = ["Dispatcher"]

_DEATHS_OVER_SAMPLE: Final = 3  # of workers at the same sample of a batch
_DEATHS_OVER_BATCH: Final = 6  # at whatever sample
_FAILED_STARTS: Final = 3  # in a row
_DEATHS_IN_A_ROW: Final = 10  # for each worker, without a single batch computed
_EXPLAINED_IN_A_ROW: Final = 20  # guilty files or batches, likewise
_START_SECONDS: Final = 120.0  # for a worker to import what it needs
_GRACE_SECONDS: Final = 0.5  # for a worker to finish what it is at, when all ends
_CLOSE_SECONDS: Final = 2.0
_STARVED_SECONDS: Final = 0.05
# After a batch that took no longer, a worker gets the next one before it has finished this one: else it
# would wait for it a good part of its time. Longer batches are better given to whoever is free first.
_QUICK_SECONDS: Final = 0.05


class _Worker:
    """What the dispatcher knows about one worker."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.process = WorkerProcess(environment)
        self.ready = False
        self.channels: set[int] = set()
        self.item: QueuedTask | None = None
        self.slot = -1
        self.following: tuple[QueuedTask, int] | None = None  # and its slot
        self.quick = -1  # the key of the channel whose last batch here took no time
        self.deadline: float | None = time.monotonic() + _START_SECONDS


class Dispatcher:
    """Gives the tasks of a queue to worker processes."""

    def __init__(self, size: int, environment: dict[str, str]) -> None:
        """For so many workers, which are started with the first task."""
        self.size = size
        self.queue = TaskQueue()
        self.restarts = 0
        self._forgotten: deque[Any] = deque()
        self._environment = environment
        self._workers: list[_Worker] = []
        self._failed_starts = 0
        self._deaths = 0  # since a batch was computed
        self._explained = 0  # files and batches that were found guilty since then
        self._starved = False
        self._closing = False
        self._owner = os.getpid()
        # Nobody closes the two ends: a thread about to write could write to whatever has the number by
        # then. They go with the last reference, which such a thread holds too.
        self._alarm: tuple[Connection, Connection] | None = Pipe(duplex=False)
        self._woken = False
        self._ended = False
        self._thread = threading.Thread(target=self._run, name="imageloom", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Makes the dispatcher look at the queue; from any thread."""
        alarm = self._alarm
        if alarm is not None and not self._woken:
            self._woken = True
            with suppress(OSError):  # the garbage collector has closed it, with all that refers to it
                alarm[1].send_bytes(b"!")

    def forget(self, channel: Any) -> None:
        """Gives the memory of a channel back, here and in the workers; from any thread."""
        self._forgotten.append(channel)
        self.wake()
        if self._ended:
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

    def _run(self) -> None:
        error: Exception = IteratorClosedError("The iterator was closed while a batch was under way.")
        try:
            while not self._closing:
                self._assign()
                self._attend(connection.wait(self._watched(), self._patience()))
                self._end_the_late()
                self._forget_channels()
        except Exception as failure:
            error = failure
        finally:
            self._shut_down(error)

    @property
    def _ear(self) -> Connection:
        assert self._alarm is not None, "only the thread itself lets go of it, at its end"
        return self._alarm[0]

    def _watched(self) -> list[Any]:
        watched: list[Any] = [self._ear]
        for worker in self._workers:
            watched += {worker.process.connection, worker.process.sentinel}
        return watched

    def _patience(self) -> float | None:
        """Seconds until something is due, whatever the workers say; None if nothing is."""
        deadlines = [worker.deadline for worker in self._workers if worker.deadline is not None]
        due = [max(0.0, min(deadlines) - time.monotonic())] if deadlines else []
        return min([*due, _STARVED_SECONDS] if self._starved else due, default=None)

    def _attend(self, ready: list[Any]) -> None:
        # Asked of the workers there were, not of `ready`: burying one frees descriptor numbers that
        # its replacement may get.
        for worker in tuple(self._workers):
            died = worker.process.sentinel in ready
            if died or worker.process.connection in ready:
                self._hear(worker, died=died)
        if self._ear in ready:
            self._woken = False
            self._ear.recv_bytes()

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

    def _answer(self, worker: _Worker, message: Ready | CannotStart | Done | Failed) -> None:
        if isinstance(message, CannotStart):
            raise message.error
        worker.deadline = None
        if isinstance(message, Ready):
            worker.ready = True
            self._failed_starts = 0
            return
        item, slot = worker.item, worker.slot
        assert item is not None
        worker.item = None
        if worker.following is not None:
            (worker.item, worker.slot), worker.following = worker.following, None
        self._deaths = self._explained = 0
        slots = item.channel.slots
        if isinstance(message, Failed):
            slots.give_back(slot)
            item.future.set_exception(revived(message))
            return
        took = sum(message.report.seconds.values())
        worker.quick = item.channel.key if took < _QUICK_SECONDS else -1
        rows = len(item.task)
        item.future.set_result(
            ComputedBatch(
                lambda: slots.hand_out(slot, rows), lambda: slots.give_back(slot), message.report
            )
        )

    def _assign(self) -> None:
        """Gives every idle worker a task, starting workers that are missing."""
        self._starved = False
        while self.queue and len(self._workers) < self.size and self._hire():
            pass
        idle = [worker for worker in self._workers if worker.ready and worker.item is None]
        quick = [w for w in self._workers if w.quick >= 0 and w.following is None]
        for worker in (*idle, *quick):
            item = self.queue.take(wait=False)
            if item is None:
                return
            if item.channel.forgotten:  # closed while its worker died
                item.fail(IteratorClosedError("The iterator was closed."))
                continue
            if worker.item is not None and not _may_follow(item, worker):
                self.queue.put(item, urgent=True)
                continue
            slot = item.channel.slots.lease()
            if slot is None:
                self.queue.put(item, urgent=True)
                self._starved = True
                return
            self._tell(worker, item, slot)

    def _tell(self, worker: _Worker, item: QueuedTask, slot: int) -> None:
        channel = item.channel
        if worker.item is None:
            worker.item, worker.slot = item, slot
        else:
            worker.following = (item, slot)
        if channel.batch_timeout is not None:
            worker.deadline = time.monotonic() + channel.batch_timeout
        pipe = worker.process.connection
        try:
            if channel.key not in worker.channels:
                layout = channel.slots.layout
                nbytes, cache = channel.slots.nbytes, channel.cache_memory
                cache_nbytes = 0 if cache is None else cache.nbytes
                pipe.send(OpenChannel(channel.key, channel.recipe, layout, nbytes, cache_nbytes))
                channel.slots.send(pipe, worker.process.pid)
                if cache is not None:
                    cache.send(pipe, worker.process.pid)
                worker.channels.add(channel.key)
            channel.slots.note_sample(slot, -1)
            raw = channel.slots.raw_rows(slot, len(item.task))
            if raw is not None:
                channel.rows.copy_rows(item.task.spec.indices, raw)
            pipe.send(Compute(channel.key, slot, item.task))
        except OSError:
            self._bury(worker)

    def _end_the_late(self) -> None:
        """Kills workers that are past their deadline, and says over what."""
        now = time.monotonic()
        for worker in [w for w in self._workers if w.deadline is not None and w.deadline <= now]:
            item, worker.item = worker.item, None
            self._bury(worker, late=True)
            if item is not None:
                slots = item.channel.slots
                error = timeout_error(
                    item.task, item.channel.batch_timeout, slots.sample_at(worker.slot)
                )
                self._free_slot(worker, worker.slot, slots)
                item.future.set_exception(error)

    def _bury(self, worker: _Worker, *, late: bool = False) -> None:
        """A worker is dead, or late and now killed: its batch is computed again, by another."""
        self._workers.remove(worker)
        how = worker.process.end(0.0 if late else _GRACE_SECONDS)
        self.restarts += 1
        if worker.following is not None:
            innocent, slot = worker.following
            self._free_slot(worker, slot, innocent.channel.slots)
            self.queue.put(innocent, urgent=True)
        if (item := worker.item) is not None:
            item.deaths_at.append(item.channel.slots.sample_at(worker.slot))
            self._free_slot(worker, worker.slot, item.channel.slots)
            error = _died_over(item, how)
            if error is None:
                self.queue.put(item, urgent=True)
            else:
                self._deaths = 0  # these are explained
                self._explained += 1
                item.future.set_exception(error)
                if self._explained >= _EXPLAINED_IN_A_ROW:
                    raise WorkerDiedError(
                        f"Worker processes died over {self._explained} batches or files in a row, and "
                        f"not one batch was computed in between: {error}"
                    )
        if not worker.ready:
            self._failed_starts += 1
            if self._failed_starts >= _FAILED_STARTS:
                raise WorkerStartError(
                    f"{self._failed_starts} worker processes in a row ended before they were ready "
                    f"(the last with {how}); what they printed says why. "
                    'executor="threads" works without processes.'
                )
        elif not late:
            self._deaths += 1
            if self._deaths >= _DEATHS_IN_A_ROW * self.size:
                raise WorkerDiedError(
                    f"{self._deaths} worker processes have died, the last with {how}, and not one "
                    f"batch was computed in between. {_likely(how)}"
                )

    @staticmethod
    def _free_slot(worker: _Worker, slot: int, slots: Any) -> None:
        if worker.process.gone:  # else it may still write there
            slots.give_back(slot)

    def _hire(self) -> bool:
        """Starts a worker; with some there already, doing without one more is no error."""
        try:
            self._workers.append(_Worker(self._environment))
        except OSError as error:
            if self._workers:
                self.size = len(self._workers)
                return False
            raise WorkerStartError(f"A worker process cannot be started: {error}") from error
        return True

    def _forget_channels(self) -> None:
        while self._forgotten:
            try:
                channel = self._forgotten.popleft()
            except IndexError:  # taken by the other thread that empties this
                return
            channel.forgotten = True
            channel.slots.close()
            if channel.cache_memory is not None:
                channel.cache_memory.close()
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
            for item in (worker.item, worker.following and worker.following[0]):
                if item is not None:
                    item.fail(error)
        self._workers.clear()
        self._ended = True  # before the last look, so that a channel that comes after it is seen to
        self._forget_channels()
        self._alarm = None


def _may_follow(item: QueuedTask, worker: _Worker) -> bool:
    """Whether a worker may have a task beside its own: of the same quick kind, and without a limit."""
    assert worker.item is not None
    same = item.channel is worker.item.channel and item.channel.key == worker.quick
    return same and item.channel.batch_timeout is None


def _died_over(item: QueuedTask, how: str) -> WorkerDiedError | None:
    """The error if there is no use in trying the batch again; it names the file if that is known."""
    deaths, position = len(item.deaths_at), item.task.spec.position
    sample, times = Counter(item.deaths_at).most_common(1)[0]
    if times >= _DEATHS_OVER_SAMPLE and sample >= 0:
        error = WorkerDiedError(
            f"{times} worker processes died, one after the other, over {item.task.name(sample)} "
            f"(sample {sample} of the batch at position {position}); the last with {how}. "
            f"{_likely(how)}"
        )
        error.sample = sample
        return error
    if deaths < _DEATHS_OVER_BATCH:
        return None
    return WorkerDiedError(
        f"{deaths} worker processes died over the batch at position {position}, the last with {how}. "
        f"{_likely(how)} Its files: {item.task.names()}"
    )


def _likely(how: str) -> str:
    if how == "signal SIGKILL":
        return (
            "Likely too little memory (the system or the container kills then): use fewer `cores`, "
            "smaller batches or `max_batches_pending`; or somebody kills them."
        )
    if how.startswith("signal"):
        return "Likely a decoder or a hook that crashes in native code."
    return "Likely a hook that ends the process."
