"""Workers that never get ready, or cannot be started: replaced, done without, or an error."""

from __future__ import annotations

import errno
import os
import platform
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from ending_programs import running
from executor_support import (
    AUGMENTED,
    BATCHES,
    HoldAt,
    Signals,
    assert_same_batches,
    file_at,
    flow,
    take,
    wait_for,
    worker_processes,
)

from imageloom import MissingDependencyError, WorkerStartError
from imageloom._executors.base import Executor
from imageloom._executors.shared import make_executor
from imageloom._executors.workers import assigned, deaths, spawning
from imageloom._executors.workers.messages import CannotStart


@pytest.fixture
def executor() -> Iterator[Executor]:
    """Two worker processes."""
    made = make_executor("processes", 2, disable_gpu=True)
    yield made
    made.close()


@pytest.fixture
def single() -> Iterator[Executor]:
    """One worker process."""
    made = make_executor("processes", 1, disable_gpu=True)
    yield made
    made.close()


class Starts:
    """Stands in for the function that starts a process, and does as it is told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.hanging = 0  # so many starts hang
        self.stillborn_from = 99  # from this start on they end at once
        self.refused_from = 99  # from this start on there are no more processes
        self.count = 0
        self._plain = spawning._popen
        monkeypatch.setattr(spawning, "_popen", self)

    def __call__(
        self, connection: Any, lifeline: Any, environment: dict[str, str]
    ) -> subprocess.Popen[bytes]:
        self.count += 1
        if self.count >= self.refused_from:
            raise OSError(errno.EAGAIN, "no more processes")
        if self.count >= self.stillborn_from:
            handles = (connection.fileno(),)
            return subprocess.Popen([sys.executable, "-S", "-c", ""], pass_fds=handles)
        if self.count > self.hanging:
            assigned._START_SECONDS = 60.0  # type: ignore[misc]
            return self._plain(connection, lifeline, environment)
        wait = f"import os; os.read({lifeline.fileno()}, 1)"
        handles = (connection.fileno(), lifeline.fileno())
        return subprocess.Popen([sys.executable, "-S", "-c", wait], pass_fds=handles, process_group=0)


def test_workers_that_never_get_ready_are_an_error(
    single: Executor, crops: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(assigned, "_START_SECONDS", 0.1)
    starts = Starts(monkeypatch)
    starts.hanging = 99
    with flow(crops, single) as it:
        for _ in range(2):
            with pytest.raises(WorkerStartError, match="ended before they were ready") as info:
                next(it)
    assert starts.count == deaths._FAILED_STARTS
    assert "threads" in str(info.value)
    assert psutil.Process().children() == []


@pytest.mark.slow
def test_a_worker_that_never_gets_ready_is_replaced(
    single: Executor, crops: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(assigned, "_START_SECONDS", 0.1)
    starts = Starts(monkeypatch)
    starts.hanging = 2
    with flow(crops, single) as it:
        assert_same_batches(take(it, BATCHES), take(flow(crops), BATCHES))
        assert it.report().restarts == 2
    assert starts.count == 3


@pytest.mark.slow
def test_one_worker_less_is_done_without(
    executor: Executor, crops: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Starts(monkeypatch).refused_from = 2
    with flow(crops, executor, **AUGMENTED) as it:
        assert_same_batches(take(it, 2 * BATCHES), take(flow(crops, **AUGMENTED), 2 * BATCHES))
        assert it.report().workers == 1
        assert len(worker_processes()) == 1


@pytest.mark.slow
def test_workers_that_never_get_ready_are_done_without(
    executor: Executor, crops: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    starts = Starts(monkeypatch)
    starts.stillborn_from = 2
    with flow(crops, executor, **AUGMENTED) as it:
        assert_same_batches(take(it, 2 * BATCHES), take(flow(crops, **AUGMENTED), 2 * BATCHES))
        assert it.report().workers == 1
    assert starts.count <= 1 + deaths._FAILED_STARTS


@pytest.mark.slow
def test_a_library_that_one_worker_lacks_is_no_error(
    executor: Executor, crops: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that could not be loaded, say, because memory has run out meanwhile."""
    with flow(crops, executor) as it:
        first = next(it)
        broken = CannotStart(MissingDependencyError("OpenCV cannot be imported"))
        executor._dispatcher._process_answer(None, broken)  # type: ignore[attr-defined]
        assert_same_batches([first, *take(it, BATCHES - 1)], take(flow(crops), BATCHES))


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="needs pidfd_open")
def test_without_pidfd_open(executor: Executor, crops: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def pidfd_open(pid: int, flags: int = 0) -> int:
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(os, "pidfd_open", pidfd_open)
    with flow(crops, executor) as it:
        received = take(it, 2)
        for process in worker_processes().values():
            process.kill()
        received += take(it, 3 * BATCHES - 2)  # more than were computed ahead
        assert it.report().restarts >= 1
    assert_same_batches(received, take(flow(crops), 3 * BATCHES))


def test_no_thread_can_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    with pytest.raises(WorkerStartError, match="serial"):
        make_executor("processes", 1, disable_gpu=True)


@pytest.mark.slow
@pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() != "x86_64", reason="numbers of system calls"
)
@pytest.mark.parametrize("killed", [False, True])
def test_with_calls_forbidden(crops: Path, tmp_path: Path, killed: bool) -> None:
    """Without `prctl` the kernel does not end a busy worker whose parent is killed."""
    name = "reliability/with_calls_forbidden.py"
    with running(name, tmp_path, crops, arguments=[4] if killed else []) as program:
        said = program.hear()
        if killed:
            wait_for((tmp_path / "held").exists, "a worker to be busy")
            assert len(said["workers"]) == 1
            program.process.kill()
        else:
            assert said["same"]
        assert program.finish(10) == ""


@pytest.mark.slow
def test_a_dead_worker_that_cannot_be_replaced_is_done_without(
    executor: Executor, crops: Path, signals: Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    starts = Starts(monkeypatch)
    starts.refused_from = 3
    file = file_at(flow(crops), 2)
    hook = HoldAt(signals, file)
    with flow(crops, executor, preprocessing_function=hook, **AUGMENTED) as it:
        received = take(it, 2)
        signals.wait(f"held-{file}")
        wait_for(lambda: len(worker_processes()) == 2, "both workers")
        worker_processes()[int(signals.content(f"held-{file}"))].kill()
        signals.give("go")
        received += take(it, BATCHES - 2)
        assert it.report().workers == 1
    assert_same_batches(received, take(flow(crops, **AUGMENTED), BATCHES))
    assert starts.count == 3


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="needs pidfd_open")
def test_no_descriptor_left_for_one_more_worker(
    executor: Executor, crops: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process is there by then, and must not stay behind unattended."""
    plain, plain_popen = os.pidfd_open, spawning._popen
    started: list[subprocess.Popen[bytes]] = []

    def pidfd_open(pid: int, flags: int = 0) -> int:
        if len(started) == 2:
            raise OSError(errno.EMFILE, "Too many open files")
        return plain(pid, flags)

    def popen(connection: Any, lifeline: Any, environment: dict[str, str]) -> subprocess.Popen[bytes]:
        started.append(plain_popen(connection, lifeline, environment))
        return started[-1]

    monkeypatch.setattr(os, "pidfd_open", pidfd_open)
    monkeypatch.setattr(spawning, "_popen", popen)
    try:
        with flow(crops, executor) as it:
            assert_same_batches(take(it, BATCHES), take(flow(crops), BATCHES))
            assert it.report().workers == 1
            assert len(started) == 2
            assert started[1].returncode is not None, "nobody has waited for its end"
    finally:
        for process in started[1:]:
            process.kill()
            process.wait()
