"""Workers that die, hang or never begin: the batches come all the same, or an error says why not."""

from __future__ import annotations

import os
import pickle
import random
import signal
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

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

from imageloom import BatchTimeoutError, IteratorClosedError, WorkerDiedError
from imageloom._executors.base import Executor
from imageloom._executors.shared import make_executor
from imageloom._executors.workers import deaths

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="sends POSIX signals")
TIMEOUT = 5.0  # more than any batch takes here that does not hang
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


@pytest.mark.slow
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
        assert it.report().restarts == deaths._DEATHS_OVER_SAMPLE
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
    monkeypatch.setattr(deaths, "_DEATHS_IN_A_ROW", 2)
    monkeypatch.setattr(deaths, "_DEATHS_OVER_SAMPLE", 99)
    monkeypatch.setattr(deaths, "_DEATHS_OVER_BATCH", 99)
    with flow(crops, single, preprocessing_function=DieAt(signals, how="crashed")) as it:
        for _ in range(3):
            with pytest.raises(WorkerDiedError, match="2 worker processes have died") as info:
                next(it)
            assert "no batch was computed in between" in str(info.value)
            assert "signal SIGSEGV" in str(info.value)
            assert info.value.sample is None
    assert len(signals.starting("died-")) == 2
    assert worker_processes() == {}


@pytest.mark.slow
def test_deaths_with_batches_in_between_go_on_for_ever(
    single: Executor, crops: Path, signals: Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deaths, "_DEATHS_IN_A_ROW", 2)
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
    monkeypatch.setattr(deaths, "_FAILED_STARTS", 99)  # some are killed before they are ready
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
    assert f"It was working on the file {files[1]!r}." in str(info.value)
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
