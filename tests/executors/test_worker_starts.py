"""Worker processes begin when they are needed, or say why they cannot."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest
from executor_support import (
    BATCHES,
    SEED,
    HoldAt,
    Signals,
    assert_same_batches,
    file_at,
    flow,
    take,
    wait_for,
    worker_processes,
)

from imageloom import ImageDataGenerator, ImageLoomError, WorkerStartError
from imageloom._executors.shared import make_executor
from imageloom._executors.workers import spawning


@pytest.mark.slow
def test_nothing_starts_before_the_first_batch(crops: Path) -> None:
    generator = ImageDataGenerator(cores=1)
    it = generator.flow_from_directory(crops, target_size=(24, 24), batch_size=4, seed=SEED)
    assert len(it) == BATCHES
    assert iter(it) is it
    it.reset()
    it.on_epoch_begin()
    it.on_epoch_end()
    assert it.index_array is None
    assert worker_processes() == {}
    assert not it.is_running
    next(it)
    assert len(worker_processes()) == 1
    it.close()
    wait_for(lambda: not worker_processes(), "the end of the worker", seconds=2)


@pytest.mark.slow
def test_one_pool_serves_all_iterators_of_a_generator(crops: Path) -> None:
    generator = ImageDataGenerator(cores=1)
    options: dict[str, Any] = {"target_size": (24, 24), "batch_size": 4, "seed": SEED}
    one, other = (generator.flow_from_directory(crops, **options) for _ in range(2))
    assert_same_batches(take(one, 2), take(other, 2))
    pids = worker_processes().keys()
    assert len(pids) == 1
    one.close()
    next(other)
    assert worker_processes().keys() == pids
    other.close()
    wait_for(lambda: not worker_processes(), "the end of the worker", seconds=2)


def test_workers_that_cannot_start(
    crops: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PYTHONHOME", str(crops))  # no standard library there
    executor = make_executor("processes", 2, disable_gpu=True)
    with flow(crops, executor) as it:
        for _ in range(2):
            with pytest.raises(WorkerStartError, match="threads"):
                next(it)
    executor.close()
    assert "Python" in capfd.readouterr().err, "the interpreter itself says what is wrong"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="descriptors are listed in /proc")
def test_workers_that_cannot_start_leave_nothing(
    crops: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PYTHONHOME", str(crops))
    generator = ImageDataGenerator(cores=1)
    it = generator.flow_from_directory(crops, target_size=(24, 24), batch_size=4, seed=SEED)
    with pytest.raises(WorkerStartError):
        next(it)
    it.close()
    links = [f"/proc/self/fd/{number}" for number in os.listdir("/proc/self/fd")]
    assert not [link for link in links if os.path.exists(link) and "imageloom" in os.readlink(link)]
    monkeypatch.undo()
    again = generator.flow_from_directory(crops, target_size=(24, 24), batch_size=4, seed=SEED)
    assert_same_batches(take(again, 2), take(flow(crops), 2))
    again.close()
    capfd.readouterr()


class Starts:
    """Stands in for the function that starts a process, and does as it is told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.stillborn = 0
        self.refused = False
        self._plain = spawning._popen
        monkeypatch.setattr(spawning, "_popen", self)

    def __call__(
        self, connection: Any, lifeline: Any, environment: dict[str, str]
    ) -> subprocess.Popen[bytes]:
        if self.refused:
            raise OSError(errno.EAGAIN, "no more processes")
        process = self._plain(connection, lifeline, environment)
        if self.stillborn:
            self.stillborn -= 1
            process.kill()
            child = psutil.Process(process.pid)
            wait_for(lambda: child.status() == psutil.STATUS_ZOMBIE, "the death of the child")
        return process


posix_only = pytest.mark.skipif(sys.platform == "win32", reason="looks at a zombie")


@pytest.mark.slow
@posix_only
def test_worker_that_dies_before_it_is_spoken_to(crops: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Starts(monkeypatch).stillborn = 1
    executor = make_executor("processes", 2, disable_gpu=True)
    with flow(crops, executor) as it:
        assert_same_batches(take(it, BATCHES), take(flow(crops), BATCHES))
    executor.close()


@posix_only
def test_workers_that_all_die_before_they_are_spoken_to(
    crops: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Starts(monkeypatch).stillborn = 99
    executor = make_executor("processes", 1, disable_gpu=True)
    with flow(crops, executor) as it, pytest.raises(WorkerStartError):
        next(it)
    executor.close()


def test_no_process_can_be_started(crops: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Starts(monkeypatch).refused = True
    executor = make_executor("processes", 2, disable_gpu=True)
    with flow(crops, executor) as it:
        for _ in range(2):
            with pytest.raises(ImageLoomError, match="no more processes"):
                next(it)
    executor.close()


@pytest.mark.slow
@pytest.mark.timeout(30)
def test_no_replacement_can_be_started(
    crops: Path, signals: Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The batch of the dead worker must not be waited for for ever."""
    starts = Starts(monkeypatch)
    file = file_at(flow(crops), 1)
    executor = make_executor("processes", 1, disable_gpu=True)
    with flow(crops, executor, preprocessing_function=HoldAt(signals, file)) as it:
        next(it)
        signals.wait(f"held-{file}")
        starts.refused = True
        worker_processes()[int(signals.content(f"held-{file}"))].kill()
        with pytest.raises(ImageLoomError, match="no more processes"):
            next(it)
    executor.close()
