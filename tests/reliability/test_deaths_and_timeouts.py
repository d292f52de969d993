"""Workers that die, hang or never begin: the batches come all the same, or an error says why not."""

from __future__ import annotations

import errno
import os
import pickle
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
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
from numpy.typing import NDArray

from imageloom import (
    BatchTimeoutError,
    IteratorClosedError,
    WorkerDiedError,
    WorkerStartError,
)
from imageloom._executors.base import Executor
from imageloom._executors.shared import make_executor
from imageloom._executors.workers import dispatcher, spawning

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="sends POSIX signals")
TIMEOUT = 2.0  # more than any batch takes here that does not hang
# How a hook ends its process -> what the error says of the end, and of the likely reason.
ENDS: dict[str, tuple[Callable[[], Any], str, str]] = {
    "killed": (lambda: os.kill(os.getpid(), signal.SIGKILL), "signal SIGKILL", "too little memory"),
    "crashed": (lambda: os.kill(os.getpid(), signal.SIGSEGV), "signal SIGSEGV", "native code"),
    "exited": (lambda: os._exit(3), "exit code 3", "a hook that ends the process"),
}


class DieAt:
    """A hook that ends its process, some times at each of some files."""

    def __init__(self, signals: Signals, *files: str, how: str = "killed", times: int = 99) -> None:
        """Without files it ends at each."""
        self.signals = signals
        self.files = files
        self.end = ENDS[how][0]
        self.times = times

    def __call__(self, params: Any, x: NDArray[Any], filename: str) -> NDArray[Any]:
        if not self.files or filename in self.files:
            before = len(self.signals.starting(f"died-{filename}-".replace("/", "-")))
            if before < self.times:
                self.signals.give(f"died-{filename}-{before}")
                self.end()
        return x


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


def files_of_batch(folder: Path, position: int) -> list[str]:
    return [file_at(flow(folder), position, row) for row in range(4)]


# Deaths


@pytest.mark.parametrize("how", ENDS)
def test_a_dead_worker_is_replaced_and_no_byte_is_changed(
    how: str, executor: Executor, crops: Path, signals: Signals
) -> None:
    expected = take(flow(crops, **AUGMENTED), BATCHES)
    hook = DieAt(signals, file_at(flow(crops), 2, row=1), how=how, times=1)
    with flow(crops, executor, preprocessing_function=hook, **AUGMENTED) as it:
        assert_same_batches(take(it, BATCHES), expected)
        assert it.report().restarts == 1
        assert len(worker_processes()) == 2
    assert len(signals.starting("died-")) == 1


@pytest.mark.slow
@pytest.mark.parametrize("how", ENDS)
def test_a_sample_that_always_kills_is_an_error_that_says_which_and_why(
    how: str, executor: Executor, crops: Path, signals: Signals
) -> None:
    expected = take(flow(crops), BATCHES)
    file = file_at(flow(crops), 1, row=2)
    # Little is prefetched, or the file would kill again in the next epoch before deaths are counted.
    with flow(crops, executor, pending=1, preprocessing_function=DieAt(signals, file, how=how)) as it:
        received = take(it, 1)
        with pytest.raises(WorkerDiedError) as info:
            next(it)
        assert it.report().restarts == dispatcher._DEATHS_OVER_SAMPLE
        received += take(it, BATCHES - 2)
    assert_same_batches(received, [expected[0], *expected[2:]])
    _, end, reason = ENDS[how]
    error: WorkerDiedError = info.value
    for part in (repr(file), "sample 2 of the batch at position 1", end, reason):
        assert part in str(error)
    assert error.sample == 2
    assert isinstance(error, RuntimeError)
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), str(copy), copy.sample) == (WorkerDiedError, str(error), 2)


@pytest.mark.slow
def test_deaths_at_different_samples_end_in_an_error_that_names_the_files(
    executor: Executor, crops: Path, signals: Signals
) -> None:
    expected = take(flow(crops), BATCHES)
    files = files_of_batch(crops, 1)
    with flow(crops, executor, preprocessing_function=DieAt(signals, *files, times=2)) as it:
        received = take(it, 1)
        with pytest.raises(WorkerDiedError, match="the batch at position 1") as info:
            next(it)
        received += take(it, BATCHES - 2)
    assert_same_batches(received, [expected[0], *expected[2:]])
    assert all(part in str(info.value) for part in ("signal SIGKILL", *map(repr, files)))
    assert info.value.sample is None


@pytest.mark.slow
def test_workers_that_die_over_everything_end_in_one_error(
    single: Executor, crops: Path, signals: Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatcher, "_DEATHS_IN_A_ROW", 2)
    monkeypatch.setattr(dispatcher, "_DEATHS_OVER_SAMPLE", 99)
    monkeypatch.setattr(dispatcher, "_DEATHS_OVER_BATCH", 99)
    with flow(crops, single, preprocessing_function=DieAt(signals, how="crashed")) as it:
        for _ in range(3):
            with pytest.raises(WorkerDiedError, match="2 worker processes have died") as info:
                next(it)
            assert "not one batch was computed in between" in str(info.value)
            assert "signal SIGSEGV" in str(info.value)
            assert info.value.sample is None
    assert len(signals.starting("died-")) == 2
    assert worker_processes() == {}


@pytest.mark.slow
def test_deaths_with_batches_in_between_go_on_for_ever(
    single: Executor, crops: Path, signals: Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatcher, "_DEATHS_IN_A_ROW", 2)
    files = [file_at(flow(crops), position) for position in range(4)]
    hook = DieAt(signals, *files, times=1)
    with flow(crops, single, preprocessing_function=hook) as it:
        assert_same_batches(take(it, BATCHES), take(flow(crops), BATCHES))
        assert it.report().restarts == 4


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_workers_killed_at_random_change_no_byte(
    seed: int, executor: Executor, crops: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatcher, "_FAILED_STARTS", 99)  # some are killed before they are ready
    expected = take(flow(crops, **AUGMENTED), 2 * BATCHES)
    chance = random.Random(seed)
    moments = set(chance.sample(range(1, 2 * BATCHES - 1), 4))
    received = []
    with flow(crops, executor, pending=chance.randrange(1, 5), **AUGMENTED) as it:
        for position in range(2 * BATCHES):
            received.append(next(it))
            if position in moments:
                workers = wait_for(worker_processes, "a worker that lives")
                process = chance.choice(sorted(workers.items()))[1]
                process.kill()
        assert it.report().restarts >= 1
    assert_same_batches(received, expected)


# Time limits


class HangOnce:
    """A hook that hangs at one file the first time: it waits, or its whole process stops."""

    def __init__(self, signals: Signals, file: str, *, stops: bool) -> None:
        self.signals = signals
        self.file = file
        self.stops = stops

    def __call__(self, params: Any, x: NDArray[Any], filename: str) -> NDArray[Any]:
        if filename == self.file and not self.signals.given("hangs"):
            self.signals.give("hangs", str(os.getpid()))
            if self.stops:  # as over a file system that does not answer
                os.kill(os.getpid(), signal.SIGSTOP)
            wait_for(lambda: self.signals.given("go"), "the test to say go", seconds=60)
        return x


@pytest.mark.slow
@pytest.mark.parametrize("stops", [False, True])
def test_a_process_that_hangs_is_an_error_and_replaced_alone(
    stops: bool, executor: Executor, crops: Path, signals: Signals
) -> None:
    expected = take(flow(crops), BATCHES)
    files = files_of_batch(crops, 2)
    hook = HangOnce(signals, files[1], stops=stops)
    with flow(crops, executor, preprocessing_function=hook, batch_timeout=TIMEOUT) as it:
        received = take(it, 2)
        signals.wait("hangs")
        wait_for(lambda: len(worker_processes()) == 2, "both workers")
        before = worker_processes()
        with pytest.raises(BatchTimeoutError, match="position 2") as info:
            next(it)
        received += take(it, BATCHES - 3)
        assert it.report().restarts == 1
        wait_for(lambda: len(worker_processes()) == 2, "the replacement")
        after = worker_processes()
    assert_same_batches(received, [*expected[:2], *expected[3:]])
    assert isinstance(info.value, TimeoutError)
    assert f"It was at the file {files[1]!r}." in str(info.value)
    assert all(repr(file) in str(info.value) for file in files)
    assert before.keys() - after.keys() == {int(signals.content("hangs"))}
    assert type(pickle.loads(pickle.dumps(info.value))) is BatchTimeoutError


@pytest.mark.slow
def test_a_thread_that_hangs_is_an_error_and_another_takes_its_place(
    crops: Path, signals: Signals
) -> None:
    expected = take(flow(crops), BATCHES)
    files = files_of_batch(crops, 2)
    executor = make_executor("threads", 1, disable_gpu=True)
    hook = HangOnce(signals, files[1], stops=False)
    with flow(crops, executor, preprocessing_function=hook, batch_timeout=TIMEOUT) as it:
        received = take(it, 2)
        with pytest.raises(BatchTimeoutError, match="position 2") as info:
            next(it)
        received += take(it, BATCHES - 3)  # though the only thread still hangs
        assert it.report().restarts == 1
        signals.give("go")
        received += take(it, 2)  # of the next epoch: it was one failure only
    executor.close()
    assert_same_batches(received[:-2], [*expected[:2], *expected[3:]])
    assert isinstance(info.value, TimeoutError)
    assert all(repr(file) in str(info.value) for file in files)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["threads", "processes"])
def test_a_time_limit_changes_nothing_where_nothing_hangs(kind: str, crops: Path) -> None:
    executor = make_executor(kind, 2, disable_gpu=True)
    with flow(crops, executor, batch_timeout=60, **AUGMENTED) as it:
        assert_same_batches(take(it, 2 * BATCHES), take(flow(crops, **AUGMENTED), 2 * BATCHES))
        assert it.report().restarts == 0
    executor.close()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["threads", "processes"])
def test_who_waits_while_another_thread_closes_gets_an_error(
    kind: str, crops: Path, signals: Signals
) -> None:
    executor = make_executor(kind, 1, disable_gpu=True)
    file = file_at(flow(crops), 0)
    it = flow(crops, executor, preprocessing_function=HoldAt(signals, file))
    with ThreadPoolExecutor(1) as consumer:
        waiting = consumer.submit(next, it)
        signals.wait(f"held-{file}")
        it.close()
        with pytest.raises(IteratorClosedError):
            waiting.result(20)
    signals.give("go")
    executor.close()


# Starts


class Starts:
    """Stands in for the function that starts a process, and does as it is told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.hanging = 0  # so many starts hang
        self.refused_from = 99  # from this start on there are no more processes
        self.count = 0
        self._plain = spawning._popen
        monkeypatch.setattr(spawning, "_popen", self)

    def __call__(self, connection: Any, environment: dict[str, str]) -> subprocess.Popen[bytes]:
        self.count += 1
        if self.count >= self.refused_from:
            raise OSError(errno.EAGAIN, "no more processes")
        if self.count > self.hanging:
            dispatcher._START_SECONDS = 60.0  # type: ignore[misc]
            return self._plain(connection, environment)
        command = [sys.executable, "-S", "-c", "import sys; sys.stdin.read()"]
        handles = (connection.fileno(),)
        return subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=handles, process_group=0)


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
    assert starts.count == dispatcher._FAILED_STARTS
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

    def popen(connection: Any, environment: dict[str, str]) -> subprocess.Popen[bytes]:
        started.append(plain_popen(connection, environment))
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
            assert process.stdin is not None
            process.stdin.close()
