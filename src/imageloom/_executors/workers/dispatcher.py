"""The thread that owns the worker processes.

Only this thread starts workers, sends them tasks, reads their answers and ends them, so nothing
about them needs a lock. It waits for results, deaths, wake-ups and the next deadline at the same
time, so every wait ends:

* If a worker dies, another one replaces it and computes its batch again. A worker notes in its slot
  which sample it is working on, so if workers keep dying over one sample, the error names its file
  (see `deaths`). If one was killed, its batch is computed again alone (see `kills`).
* If a batch takes longer than `batch_timeout`, it fails with an error that names its files. Only
  its worker is killed and replaced.
* A worker that is not ready after two minutes is killed and counts as one that died.
* If workers keep dying and no batch is computed in between, all batches fail with one error.
* If only some workers can be started, these compute.

Sending and receiving never wait (see `message_socket`): what there is no room for is sent later.
"""

from __future__ import annotations

import operator
import os
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from multiprocessing.connection import Connection
from typing import Final

from imageloom._errors import ImageLoomError, IteratorClosedError, WorkerStartError
from imageloom._executors.base import ComputedBatch, TaskQueue, timeout_error
from imageloom._executors.failed import Failed
from imageloom._executors.failures import revived
from imageloom._executors.workers.answers import unpickled_answer
from imageloom._executors.workers.assigned import Task, Worker, end_all
from imageloom._executors.workers.deaths import DeathCounts, fatal_batch_error, watching_failed
from imageloom._executors.workers.kills import Kills
from imageloom._executors.workers.messages import Answer, CannotStart, Ready
from imageloom._executors.workers.parcels import ParcelStore
from imageloom._executors.workers.resources import ChannelResources
from imageloom._executors.workers.staffing import Staffing
from imageloom._executors.workers.waiting import Alarm, Waitable, wait
from imageloom._locks import tell_of_forks

__all__ = ["Dispatcher"]

_GRACE_SECONDS: Final = 0.5  # how long a worker may finish its batch when the executor is closed
_CLOSE_SECONDS: Final = 2.0
_NO_SLOT_SECONDS: Final = 0.05  # how often the dispatcher looks for a free slot if there is none
# If the last batch of a worker took less than this, the worker gets the next one before it has
# finished the current one, because otherwise it would spend much of its time waiting. Longer
# batches are better given to the worker that is free first.
_SHORT_SECONDS: Final = 0.05


class Dispatcher:
    """Gives the tasks of a queue to worker processes.

    Attributes:
        queue: The tasks that no worker has begun.
        parcels: The large parts of recipes, which its workers share.
        restarts: How many workers have died or hung, and were replaced.
        ended: Whether everything is released, and no task can be computed any more.
    """

    def __init__(self, size: int, environment: dict[str, str]) -> None:
        """Starts the thread; the workers are started with the first task, `size` at first."""
        self._staffing = Staffing(size)
        self.queue: TaskQueue[ChannelResources] = TaskQueue()
        self.restarts = 0
        self.parcels = ParcelStore()
        self._released: deque[ChannelResources] = deque()
        self._environment = environment
        self._workers: list[Worker] = []
        self._deaths = DeathCounts()
        self._kills = Kills(self.queue)
        self._without_slot = False  # a task waits for a free slot
        self._closing = False
        self._owner = os.getpid()
        self._alarm: Alarm | None = Alarm()  # None once the thread has ended
        self._woken = False
        self.ended = False
        tell_of_forks(self)
        self._thread = threading.Thread(target=self._run, name="imageloom", daemon=True)
        try:
            self._thread.start()
        except RuntimeError as error:
            raise WorkerStartError(f'{error}; pass executor="serial" to work without any') from error

    @property
    def size(self) -> int:
        """How many workers there are if there are enough tasks."""
        return self._staffing.size

    @property
    def ready(self) -> bool:
        """Whether at least one worker has started."""
        return any(worker.ready for worker in tuple(self._workers))

    def attach(self, channel: ChannelResources) -> None:
        """Notes that tasks of a channel may come; any thread may call this."""
        self._staffing.attach(channel.key, channel.workers)

    def linger(self, may_end: Callable[[], bool]) -> bool:
        """Notes that no channel is open; returns whether the workers stay for a while."""
        if self.ended or self._closing or not self._workers:
            return False
        self._staffing.linger(may_end)
        self.wake()
        return True

    def wake(self) -> None:
        """Makes the dispatcher look at the queue; any thread may call this."""
        alarm = self._alarm
        if alarm is not None and not self._woken:
            self._woken = True
            if not alarm.ring():
                self._woken = False

    def release(self, channel: ChannelResources) -> None:
        """Releases the memory of a channel, here and in the workers; any thread may call this."""
        self._released.append(channel)
        self.wake()
        if self.ended:
            self._close_released()

    def close(self) -> None:
        """Ends everything. It takes no lock, because the garbage collector may call it anywhere."""
        if os.getpid() != self._owner:
            return  # a forked child does not own the workers
        self._closing = True
        self._woken = False
        self.wake()
        if threading.current_thread() is not self._thread:
            self._thread.join(_CLOSE_SECONDS)

    def _run(self) -> None:
        text = "The iterator was closed while a batch was being computed."
        error: Exception = IteratorClosedError(text)
        try:
            while not self._closing:
                self._take_turn()
        except Exception as failure:
            # Its frames refer to errors that consumers have, and so to what the consumers hold.
            traceback.clear_frames(failure.__traceback__)
            error = watching_failed(failure)
        finally:
            self._shut_down(error)

    def in_forked_child(self) -> None:
        """Ends without a thread: workers, their memory and what they compute belong to the parent."""
        self._alarm, self.ended = None, True
        workers, self._workers = self._workers, []
        for worker in workers:
            worker.process.in_forked_child()

    def _take_turn(self) -> None:
        removed = -1
        while self.restarts != removed:  # a worker turned out to be dead when it was given a task
            removed = self.restarts
            self._assign()
        reading, writing = self._waitables()
        self._process_events(wait(reading, writing, self._seconds_to_wait()))
        self._end_overdue()
        self._close_released()
        self._end_unneeded()
        self.parcels.drop_unused()

    @property
    def _wakeups(self) -> Connection:
        assert self._alarm is not None, "only this thread sets it to None, at its end"
        return self._alarm.waitable

    def _waitables(self) -> tuple[set[Waitable], set[Waitable]]:
        """What there is to wait for: to read from, and of that what to write to."""
        processes = [worker.process for worker in self._workers]
        reading = {one for process in processes for one in (process.line.waitable, process.sentinel)}
        return {self._wakeups, *reading}, {p.line.waitable for p in processes if p.line.unsent}

    def _seconds_to_wait(self) -> float | None:
        """Seconds until something is due even if no worker answers; None if nothing is."""
        deadlines = [worker.deadline for worker in self._workers if worker.deadline is not None]
        due = [max(0.0, min(deadlines) - time.monotonic())] if deadlines else []
        if self._without_slot:
            due.append(_NO_SLOT_SECONDS)
        due += self._kills.seconds_to_wait(self._workers) + self.parcels.seconds_to_wait()
        idle = self._staffing.seconds_to_wait(len(self._workers))
        return min(due if idle is None else [*due, idle], default=None)

    def _process_events(self, ready: Sequence[object]) -> None:
        # The loop is over the workers that were waited for. Removing a dead one frees its
        # descriptor numbers, and its replacement may get the same ones, which `ready` would then
        # match.
        for worker in tuple(self._workers):
            died = worker.process.sentinel in ready
            if died or worker.process.line.waitable in ready:
                self._read_answers(worker, died=died)
        if self._wakeups in ready:
            self._woken = False
            self._wakeups.recv_bytes()

    def _read_answers(self, worker: Worker, *, died: bool) -> None:
        """Processes the answers of a worker; if it has died, all that it has sent before."""
        line = worker.process.line
        died = died and worker.process.sentinel is not line.waitable
        with suppress(OSError):  # the end of the worker, which is noticed below
            line.flush()
        try:
            while answers := line.receive():
                for answer in answers:
                    self._process_answer(worker, unpickled_answer(answer))
        except (EOFError, OSError):
            died = True
        if died:
            self._remove(worker)

    def _process_answer(self, worker: Worker, answer: Answer) -> None:
        if isinstance(answer, CannotStart):
            if any(other.ready for other in self._workers):
                return  # its end counts as a failed start
            raise answer.error
        worker.deadline = None
        if isinstance(answer, Ready):
            worker.ready = True
            self._deaths.note_ready()
            return
        item, slot = worker.item, worker.slot
        assert item is not None
        worker.item = None
        if worker.following is not None:
            (worker.item, worker.slot), worker.following = worker.following, None
        self._deaths.note_batch()
        slots = item.channel.slots
        if isinstance(answer, Failed):
            slots.give_back(slot)
            item.future.set_exception(revived(answer))
            return
        seconds = sum(answer.report.seconds.values())
        worker.short = item.channel.key if seconds < _SHORT_SECONDS else -1
        rows = len(item.task)
        item.future.set_result(
            ComputedBatch(
                lambda: slots.hand_out(slot, rows), lambda: slots.give_back(slot), answer.report
            )
        )

    def _assign(self) -> None:
        """Gives every idle worker a task, and starts the workers that are missing."""
        self._without_slot = False
        while self.queue and len(self._workers) < self.size and self._start_worker():
            pass
        idle = self._idle()
        if self._others_wait(idle):
            return
        nearly_idle = [w for w in self._workers if w.short >= 0 and w.following is None]
        full: set[int] = set()
        for worker in idle:
            self._give(worker, self._may_have_more, full)
        for worker in nearly_idle:
            # One that is idle may just have turned out to be dead, when it was given a task.
            if worker.item is not None and worker in self._workers:
                self._give(worker, worker.may_have_next, full)

    def _others_wait(self, idle: Sequence[Worker]) -> bool:
        """Whether a task is computed alone, or is to be; gives it to an idle worker."""
        others_wait, lone = self._kills.others_wait(self._workers)
        while lone is not None and idle and not self._without_slot:
            if self._give(idle[0], partial(operator.is_, lone.channel), set()):
                break
            # Its iterator was closed meanwhile, and nothing would tell of that once more.
            others_wait, lone = self._kills.others_wait(self._workers)
        return others_wait

    def _give(
        self, worker: Worker, accepts: Callable[[ChannelResources], bool], full: set[int]
    ) -> bool:
        """Gives a worker the next task of an accepted channel that has a slot; notes those without.

        Returns whether there was one.
        """
        while item := self.queue.take_of(lambda channel: channel.key not in full and accepts(channel)):
            if item.channel.closed:  # its worker died, and then the channel was closed
                item.fail(IteratorClosedError("The iterator was closed."))
                continue
            slot = item.channel.slots.lease(worker.channels.get(item.channel.key, set()))
            if slot is not None:
                try:
                    item.channel.copy_rows(slot, item.task)
                except ImageLoomError as error:  # of the array, not of the worker
                    item.channel.slots.give_back(slot)
                    item.fail(error)
                    continue
                self._send_task(worker, item, slot)
                return True
            self.queue.put(item, urgent=True)
            full.add(item.channel.key)
            self._without_slot = True
        return False

    def _idle(self) -> list[Worker]:
        return [worker for worker in self._workers if worker.ready and worker.item is None]

    def _may_have_more(self, channel: ChannelResources) -> bool:
        """Whether a channel does not use all the workers yet that it wants."""
        busy = sum(w.item is not None and w.item.channel is channel for w in self._workers)
        return busy < channel.workers

    def _send_task(self, worker: Worker, item: Task, slot: int) -> None:
        channel = item.channel
        if worker.item is None:
            worker.item, worker.slot = item, slot
        else:
            worker.following = (item, slot)
        if channel.batch_timeout is not None:
            worker.deadline = time.monotonic() + channel.batch_timeout
        try:
            if channel.key not in worker.channels:
                channel.send_to(worker.process)
                worker.channels[channel.key] = set()
            worker.channels[channel.key].add(slot)
            channel.send_task(worker.process, slot, item.task)
        except OSError:
            self._remove(worker)

    def _end_overdue(self) -> None:
        """Kills the workers that are past their deadline, and fails their batches."""
        now = time.monotonic()
        for worker in [w for w in self._workers if w.deadline is not None and w.deadline <= now]:
            item, worker.item = worker.item, None
            self._remove(worker, overdue=True)
            if item is not None:
                slots, seconds = item.channel.slots, item.channel.batch_timeout
                assert seconds is not None  # otherwise there was no deadline
                error = timeout_error(item.task, seconds, slots.progress_of(worker.slot))
                worker.free(worker.slot, slots)
                item.future.set_exception(error)

    def _remove(self, worker: Worker, *, overdue: bool = False) -> None:
        """Removes a worker that has died, or kills one that is overdue, and queues its tasks again."""
        self._workers.remove(worker)
        how = worker.end(0.0 if overdue else _GRACE_SECONDS)
        self.restarts += 1
        if worker.following is not None:
            not_begun, slot = worker.following
            worker.free(slot, not_begun.channel.slots)
            self.queue.put(not_begun, urgent=True)
        item, sample = worker.item, worker.sample
        for_memory = None if overdue else self._kills.note_death(item, sample, how)
        if item is not None:
            worker.free(worker.slot, item.channel.slots)
            error = fatal_batch_error(item, how, for_memory)
            if error is None:
                self.queue.put(item, urgent=True)
            else:
                item.future.set_exception(error)
                self._deaths.note_fatal_batch(error)
        if not worker.ready:
            if not self._deaths.note_failed_start(how, len(self._workers)):
                self._staffing.limit(len(self._workers))
        elif not overdue:
            self._deaths.note_death(how, self.size, for_memory)

    def _start_worker(self) -> bool:
        """Starts a worker. If that fails, the others go on without it, if there are any."""
        try:
            self._workers.append(Worker(self._environment))
        except (OSError, MemoryError) as error:
            if self._workers:
                self._staffing.limit(len(self._workers))
                return False
            raise WorkerStartError(f"Could not start a worker process: {error}") from error
        return True

    def _close_released(self) -> None:
        while self._released:
            try:
                channel = self._released.popleft()
            except IndexError:  # another thread, which calls this too, has taken it
                return
            channel.close()
            self._staffing.detach(channel.key)
            for worker in self._workers:
                if worker.channels.pop(channel.key, None) is not None:
                    with suppress(OSError):  # the worker has died, as its sentinel will tell
                        channel.send_close(worker.process)

    def _end_unneeded(self) -> None:
        """Ends workers that nobody needs any more; perhaps all, and this thread."""
        for worker in self._idle()[: self._staffing.unneeded(len(self._workers))]:
            self._workers.remove(worker)
            worker.process.end(_GRACE_SECONDS)
        if self._staffing.is_over():
            self._closing = True

    def _shut_down(self, error: Exception) -> None:
        """Ends everything. The order matters: first the tasks, then the workers, then the memory."""
        self.queue.close(error)
        end_all(self._workers, error, _GRACE_SECONDS)
        self._workers.clear()
        # Set before the last look at released channels: `release` closes those that come later.
        self.ended = True
        self._close_released()
        self.parcels.drop_all()
        self._alarm = None
