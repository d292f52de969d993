"""Nothing is written to, or closes, a descriptor whose number belongs to somebody else by now."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import threading
from multiprocessing.connection import Connection
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from imageloom._executors.workers import dispatcher as module
from imageloom._executors.workers import spawning
from imageloom._executors.workers.dispatcher import Dispatcher
from imageloom._executors.workers.shared_memory import Segment

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="descriptors as in POSIX")
SECONDS = 20


def a_channel() -> Any:
    """What the dispatcher knows of a channel, and how often its memory was given back."""
    closed: list[None] = []
    return SimpleNamespace(key=1, close=lambda: closed.append(None), closed=closed)


def test_wake_that_comes_while_another_thread_closes(monkeypatch: pytest.MonkeyPatch) -> None:
    dispatcher = Dispatcher(1, {})
    about_to_write, go = threading.Event(), threading.Event()
    send = Connection._send  # type: ignore[attr-defined]

    def slowly(connection: Connection, message: bytes) -> None:
        if threading.current_thread() is not late:
            return send(connection, message)
        number = connection.fileno()
        about_to_write.set()
        go.wait(SECONDS)
        os.write(number, message)
        return None

    monkeypatch.setattr(Connection, "_send", slowly)
    late = threading.Thread(target=dispatcher.wake)
    late.start()
    assert about_to_write.wait(SECONDS)
    dispatcher.close()
    pipes = [os.pipe() for _ in range(8)]  # they get the lowest free numbers
    try:
        go.set()
        late.join(SECONDS)
        ends = [reading for reading, _ in pipes]
        assert select.select(ends, [], [], 0)[0] == [], "somebody else's pipe was written to"
    finally:
        for end in (end for both in pipes for end in both):
            os.close(end)


def test_close_leaves_what_a_busy_dispatcher_is_at_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be about to send the very memory to a worker."""
    busy, go = threading.Event(), threading.Event()

    def hold(self: Dispatcher) -> None:
        busy.set()
        go.wait(SECONDS)

    monkeypatch.setattr(Dispatcher, "_assign", hold)
    monkeypatch.setattr(module, "_CLOSE_SECONDS", 0.01)
    dispatcher = Dispatcher(1, {})
    assert busy.wait(SECONDS)
    first, second = a_channel(), a_channel()
    dispatcher.release(first)
    dispatcher.close()
    assert not first.closed
    go.set()
    dispatcher._thread.join(SECONDS)
    assert len(first.closed) == 1
    dispatcher.release(second)
    assert len(second.closed) == 1, "nobody else would do it"


def test_memory_is_closed_once_even_from_within(monkeypatch: pytest.MonkeyPatch) -> None:
    """The garbage collector may close it again at any point."""
    segment = Segment(4096)
    closed: list[int] = []
    close = os.close

    def again(descriptor: int) -> None:
        closed.append(descriptor)
        if len(closed) == 1:
            segment.close()
        close(descriptor)

    monkeypatch.setattr(os, "close", again)
    segment.close()
    assert len(closed) == 1


class Unending:
    """The process of a worker that does not end when it is killed; it counts how often that was."""

    pid = os.getpid()  # of a process, so that there is something to watch
    returncode = None
    kills = 0

    def wait(self, seconds: float) -> int:
        raise subprocess.TimeoutExpired("a worker", seconds)

    def kill(self) -> None:
        self.kills += 1


def test_worker_that_does_not_end_leaves_no_descriptors(monkeypatch: pytest.MonkeyPatch) -> None:
    process = Unending()
    monkeypatch.setattr(spawning, "_popen", lambda *_: process)
    before = psutil.Process().num_fds()
    worker = spawning.WorkerProcess(dict(os.environ))
    process.kills = 0  # `__init__` kills one that does not listen, as this one
    assert worker.end(0.0).startswith("no end although it was killed")
    assert process.kills == 1
    assert not worker.gone  # so that its memory is not handed out again
    assert psutil.Process().num_fds() == before
