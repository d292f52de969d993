"""A world in which the real dispatcher talks to workers, and every step is taken on demand.

Nothing runs by itself: no thread, no process, no clock. Tests say who takes the next step: the
dispatcher, one of the workers, or whoever stops, kills and waits. The dispatcher, the messages and
both ends of each connection are those of the package. The operating system is played: connections
with little room, processes, and time.
"""

from __future__ import annotations

import array
import os
import pickle
import socket
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, Final

import numpy as np
import pytest

from imageloom import ImageLoomError, IteratorClosedError
from imageloom._executors.base import QueuedTask
from imageloom._executors.packing import Packed, Packing
from imageloom._executors.workers import assigned, dispatcher, kills, parcels, staffing
from imageloom._executors.workers.dispatcher import Dispatcher
from imageloom._executors.workers.message_socket import MessageSocket
from imageloom._executors.workers.messages import CloseChannel, Compute, Done, OpenChannel, Ready
from imageloom._executors.workers.resources import ChannelResources
from imageloom._pipeline.layout import BatchLayout
from imageloom._pipeline.recipe import BatchReport, BatchSpec, BatchTask

ROOM: Final = 250  # bytes of a connection, less than any task has
SHORT, LARGE = 10, 600  # bytes of a name, and of what a batch function returns
TIMEOUT: Final = 5.0
PATIENCE: Final = 200.0  # more than a worker may take to start
_LAYOUT: Final = BatchLayout(rows=1, row_shape=(1,), dtype="float32")
_MOST_ROUNDS: Final = 5_000


class _Direction:
    """What is under way from one end of a connection to the other."""

    def __init__(self) -> None:
        self.content = bytearray()
        self.attached: list[tuple[int, bytes]] = []  # with the number of the byte that it comes with
        self.taken = 0
        self.ended = False

    def put(self, chunk: memoryview) -> int:
        if self.ended:
            raise BrokenPipeError
        room = ROOM - len(self.content)
        if room <= 0:
            raise BlockingIOError
        self.content += chunk[:room]
        return min(room, len(chunk))

    def take(self, place: memoryview) -> tuple[int, list[tuple[int, int, bytes]]]:
        if not self.content:
            if self.ended:
                return 0, []
            raise BlockingIOError
        count = min(len(place), len(self.content))
        place[:count] = self.content[:count]
        del self.content[:count]
        self.taken += count
        found = [one for place, one in self.attached if place < self.taken]
        self.attached = [(place, one) for place, one in self.attached if place >= self.taken]
        return count, [(socket.SOL_SOCKET, socket.SCM_RIGHTS, one) for one in found]

    def end(self) -> None:
        self.ended = True

    def lose(self) -> None:
        """Nobody will take what is under way."""
        self.end()
        self.content.clear()
        for _, numbers in self.attached:
            for number in array.array("i", numbers):
                os.close(number)
        self.attached.clear()


class PlayedSocket:
    """One end of a connection that never waits."""

    def __init__(self, sends: _Direction, receives: _Direction) -> None:
        self.sends = sends
        self.receives = receives

    def setblocking(self, blocking: bool) -> None:
        assert not blocking

    def send(self, chunk: memoryview) -> int:
        return self.sends.put(chunk)

    def sendmsg(self, chunks: list[memoryview], attached: list[tuple[int, int, Any]]) -> int:
        before = self.sends.taken + len(self.sends.content)
        sent = self.sends.put(chunks[0])
        ((_, _, numbers),) = attached
        copies = array.array("i", [os.dup(number) for number in numbers])
        self.sends.attached.append((before, copies.tobytes()))
        return sent

    def recvmsg_into(self, places: list[memoryview], room: int, flags: int) -> Any:
        del room, flags
        count, attached = self.receives.take(places[0])
        return count, attached, 0, None

    def shutdown(self, how: int) -> None:
        del how
        self.sends.end()
        self.receives.lose()

    def close(self) -> None:
        self.shutdown(socket.SHUT_RDWR)

    @property
    def readable(self) -> bool:
        return bool(self.receives.content) or self.receives.ended

    @property
    def writable(self) -> bool:
        return len(self.sends.content) < ROOM or self.sends.ended


class PlayedWorker:
    """A worker, which does one thing in each step, as `worker.serve` does one after the other."""

    def __init__(self, end: PlayedSocket) -> None:
        self.end = end
        self.line = MessageSocket(end)  # type: ignore[arg-type]
        self.born = self.stopped = self.dead = False
        self.how = "signal SIGKILL"
        self.channels: set[int] = set()
        self.computing: Compute | None = None

    def step(self) -> None:
        if not self.stopped and not self.dead:
            try:
                self._step()
            except (EOFError, OSError):
                self.die()

    def _step(self) -> None:
        if self.computing is not None:
            task = self.computing.task
            size = LARGE if task.spec.position % 2 else SHORT
            report = BatchReport(batch=((task.spec.position, "x" * size),), seconds={"read": 0.001})
            self.computing = None
            self.line.send(Done(report))
            return
        message = self.line.poll()
        if message is not None:
            self._receive(message)

    def _receive(self, pickled: bytearray) -> None:
        message = pickle.loads(pickled)
        if not self.born:
            self.born = True
            self.line.send(Ready())
        elif isinstance(message, OpenChannel):
            for _ in message.tickets:
                os.close(self.line.take_descriptor())
            self.channels.add(message.channel)
        elif isinstance(message, CloseChannel):
            self.channels.remove(message.channel)
        else:
            assert message.channel in self.channels
            self.computing = message

    def die(self) -> None:
        if not self.dead:
            self.dead = True
            self.line.close()

    @property
    def state(self) -> tuple[Any, ...]:
        computing = None if self.computing is None else self.computing.task.spec.position
        under_way = (len(self.end.sends.content), len(self.end.receives.content))
        known = tuple(sorted(self.channels))
        return (self.born, self.stopped, self.dead, computing, under_way, left(self.line), known)


def left(line: MessageSocket) -> tuple[int, int]:
    """How many bytes of messages are neither sent nor lost, and how many of the next one are here."""
    return sum(len(one.content) for one in line._outgoing), line._filled


class PlayedProcess:
    """What the dispatcher knows a worker by."""

    def __init__(self, world: World) -> None:
        there, back = _Direction(), _Direction()
        self.line = MessageSocket(PlayedSocket(there, back))  # type: ignore[arg-type]
        self.worker = PlayedWorker(PlayedSocket(back, there))
        self.sentinel = -1 - len(world.workers)
        self.pid = 1 + len(world.workers)
        world.workers.append(self.worker)
        world.sentinels[self.sentinel] = self.worker
        self.line.send({"birth": "x" * ROOM})

    @property
    def gone(self) -> bool:
        return self.worker.dead

    def hang_up(self) -> None:
        self.line.hang_up()

    def end(self, grace: float) -> str:
        del grace
        self.line.hang_up()
        self.worker.die()
        return self.worker.how


class World:
    """The dispatcher, its workers, and the batches that were submitted.

    Attributes:
        futures: By position, also of batches that are finished.
    """

    def __init__(self, workers: int, *, timeouts: tuple[float | None, ...]) -> None:
        self.now = 1000.0
        self.timeouts = timeouts
        self.workers: list[PlayedWorker] = []
        self.sentinels: dict[object, PlayedWorker] = {}
        self.due: float | None = None
        self.asleep = False
        self.awaited: tuple[Collection[Any], Collection[Any]] = ((), ())
        self.dispatcher = Dispatcher(workers, {})
        recipe: Any = SimpleNamespace(layout=_LAYOUT, rows=None, cache=None)
        self.channels = [
            ChannelResources(
                recipe,
                Packed(Packing((b"x" * ROOM,))),
                self.dispatcher.parcels,
                in_flight=3,
                kept=0,
                batch_timeout=seconds,
                workers=workers,
            )
            for seconds in timeouts
        ]
        for channel in self.channels:
            self.dispatcher.attach(channel)
        self.futures: dict[int, Future[Any]] = {}
        self.closed: set[int] = set()

    def wait(
        self, reading: Collection[Any], writing: Collection[Any], seconds: float | None
    ) -> list[Any]:
        """What `waiting.wait` would return at once; otherwise the dispatcher sleeps."""
        assert set(writing) <= set(reading)
        self.due = None if seconds is None else self.now + seconds
        self.awaited = (reading, writing)
        ready = self._ready()
        self.asleep = not ready
        return ready

    def _ready(self) -> list[Any]:
        reading, writing = self.awaited
        return [one for one in reading if self._is_ready(one, writes=one in writing)]

    def _is_ready(self, one: Any, *, writes: bool) -> bool:
        if one in self.sentinels:
            return self.sentinels[one].dead
        if isinstance(one, PlayedSocket):
            return one.readable or (writes and one.writable)
        return bool(one.poll())

    def submit(self, channel: int) -> None:
        position = len(self.futures)
        name = "n" * (LARGE if position % 3 else SHORT)
        spec = BatchSpec(position, position, np.arange(1), seed=1, permuted=0)
        task = QueuedTask(self.channels[channel], BatchTask(spec=spec, filenames=(name,)))
        self.futures[position] = task.future
        task.future.add_done_callback(_take)
        self.dispatcher.queue.put(task, urgent=False)
        self.dispatcher.wake()

    def close(self, channel: int) -> None:
        self.closed.add(channel)
        self.dispatcher.queue.cancel(self.channels[channel])
        self.dispatcher.release(self.channels[channel])

    def dispatch(self) -> None:
        """A turn of the dispatcher, or its end, as in its thread; nothing while it sleeps."""
        due = self.due is not None and self.due <= self.now
        if self.dispatcher.ended or (self.asleep and not due and not self._ready()):
            return
        try:
            self.dispatcher._take_turn()
        except ImageLoomError as error:  # too many deaths
            self.dispatcher._shut_down(error)

    @property
    def alive(self) -> list[PlayedWorker]:
        return [worker for worker in self.workers if not worker.dead]

    @property
    def state(self) -> tuple[Any, ...]:
        """What decides about all that can follow, but for numbers that only grow."""
        futures = tuple((future.running(), future.done()) for future in self.futures.values())
        known = [
            (w.ready, w.item and w.item.task.spec.position, w.following is None, w.deadline is None)
            for w in self.dispatcher._workers
        ]
        lines = tuple(left(worker.process.line) for worker in self.dispatcher._workers)
        queue = tuple(item.task.spec.position for item in self.dispatcher.queue._tasks)
        workers = tuple(worker.state for worker in self.alive)
        return (futures, tuple(known), lines, queue, workers, frozenset(self.closed))

    def go_on_to_the_end(self) -> None:
        """Lets everyone go on by turns, and time pass when all wait; then every batch has ended.

        Raises:
            AssertionError: All wait for one another, or a batch does not end.
        """
        patience = self.now + PATIENCE
        for _ in range(_MOST_ROUNDS):
            before = self.state
            self.dispatch()
            for worker in tuple(self.alive):
                worker.step()
            if all(future.done() for future in self.futures.values()):
                return
            if self.state == before:
                self._nothing_happens(patience)
        raise AssertionError(f"no end: {self.state}")

    def _nothing_happens(self, patience: float) -> None:
        """Time passes until the dispatcher has something to do; if that is in vain, a stop ends."""
        if self.due is not None and self.now < patience:
            self.now = max(self.due, self.now + 0.5)
            return
        stopped = [worker for worker in self.alive if worker.stopped]
        assert stopped, f"all wait for one another: {self.state}"
        assert None in self.timeouts, f"a stopped worker has escaped `batch_timeout`: {self.state}"
        for worker in stopped:
            worker.stopped = False

    def check_batches(self) -> None:
        """Every batch is the one that was asked for, or an error, and no slot is lost."""
        for position, future in self.futures.items():
            if future.exception() is None:
                assert future.result().report.batch[0][0] == position
        for number, channel in enumerate(self.channels):
            if number not in self.closed and not self.dispatcher.ended:
                held = sum(w.item is not None for w in self.dispatcher._workers)
                assert held == 0
                assert len(channel.slots._free) == channel.slots._count

    def end(self) -> None:
        if not self.dispatcher.ended:
            self.dispatcher._shut_down(IteratorClosedError("the world ends"))
        for channel in self.channels:
            channel.close()
        for worker in self.workers:
            worker.end.shutdown(socket.SHUT_RDWR)


def _take(future: Future[Any]) -> None:
    """As the reader does with a batch, who then lets it go."""
    if future.exception() is None:
        future.result().discard()


@contextmanager
def playing(workers: int, *, timeouts: tuple[float | None, ...]) -> Iterator[World]:
    """A world, in which the dispatcher has no thread."""
    made: list[World] = []

    def thread(target: Callable[[], None], **options: Any) -> Any:
        del target, options
        return SimpleNamespace(start=lambda: None, join=lambda seconds: None)

    clock = SimpleNamespace(monotonic=lambda: made[0].now if made else 1000.0)
    threads = SimpleNamespace(Thread=thread, current_thread=lambda: None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dispatcher, "threading", threads)
        patch.setattr(assigned, "WorkerProcess", lambda environment: PlayedProcess(made[0]))
        patch.setattr(dispatcher, "wait", lambda *where: made[0].wait(*where))  # noqa: PLW0108 - it is made later
        for module in (dispatcher, assigned, kills, parcels, staffing):
            patch.setattr(module, "time", clock)
        world = World(workers, timeouts=timeouts)
        made.append(world)
        try:
            yield world
        finally:
            world.end()
