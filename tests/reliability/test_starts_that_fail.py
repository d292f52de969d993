"""Workers that never get ready, or cannot be started: replaced, done without, or an error."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
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

from imageloom import WorkerStartError
from imageloom._executors.base import Executor
from imageloom._executors.shared import make_executor
from imageloom._executors.workers import deaths, dispatcher, spawning


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
        if self.count > self.hanging:
            dispatcher._START_SECONDS = 60.0  # type: ignore[misc]
            return self._plain(connection, lifeline, environment)
        wait = f"import os; os.read({lifeline.fileno()}, 1)"
        handles = (connection.fileno(), lifeline.fileno())
        return subprocess.Popen([sys.executable, "-S", "-c", wait], pass_fds=handles, process_group=0)


def test_workers_that_never_get_ready_are_an_error(
    single: Executor, crops: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatcher, "_START_SECONDS", 0.1)
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
    monkeypatch.setattr(dispatcher, "_START_SECONDS", 0.1)
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
