"""Worker processes: their deaths and their surroundings."""

from __future__ import annotations

import gc
import json
import os
import random
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest
from executor_support import (
    AUGMENTED,
    BATCHES,
    HoldAt,
    RaiseAt,
    Signals,
    assert_same_batches,
    file_at,
    flow,
    take,
    wait_for,
    worker_processes,
)
from numpy.typing import NDArray

from imageloom import ImageDataGenerator, WorkerDiedError
from imageloom._errors import WorkerError
from imageloom._executors.base import Executor
from imageloom._executors.shared import make_executor

FRAMEWORKS = ("keras", "tensorflow", "tf_keras", "jax", "torch", "pandas")
THREAD_CAPS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
MAIN = "__main__"  # a function whose code had this text would not be sent


@pytest.fixture
def executor() -> Iterator[Executor]:
    """Two worker processes."""
    made = make_executor("processes", 2, disable_gpu=True)
    yield made
    made.close()


class Describe:
    """A hook that tells what its process looks like."""

    def __init__(self, signals: Signals) -> None:
        self.signals = signals

    def __call__(self, x: NDArray[Any]) -> NDArray[Any]:
        import cv2

        seen = {
            "modules": sorted(sys.modules),
            "environment": dict(os.environ),
            "cv2_threads": cv2.getNumThreads(),
            "collects": gc.isenabled(),
            "path": sys.path,
            "main": getattr(sys.modules[MAIN], "__file__", None),
        }
        self.signals.give(f"described-{os.getpid()}", json.dumps(seen))
        return x


class KillAt:
    """A hook that ends its own process, hard, at some files."""

    def __init__(self, signals: Signals, *files: str, times: int) -> None:
        self.signals = signals
        self.files = files
        self.times = times

    def __call__(self, params: Any, x: NDArray[Any], filename: str) -> NDArray[Any]:
        if filename in self.files:
            before = len(self.signals.starting(f"killed-{filename}".replace("/", "-")))
            if before < self.times:
                self.signals.give(f"killed-{filename}-{before}")
                os.kill(os.getpid(), 9)
        return x


def workers_of(executor: Executor, folder: Path) -> dict[int, psutil.Process]:
    """The two workers, both at work for the first time."""
    with flow(folder, executor) as it:
        next(it)
    wait_for(lambda: len(worker_processes()) == 2, "two workers")
    return worker_processes()


# Deaths


@pytest.mark.slow
def test_killed_between_batches(executor: Executor, crops: Path) -> None:
    expected = take(flow(crops, **AUGMENTED), 2 * BATCHES)
    with flow(crops, executor, **AUGMENTED) as it:
        received = take(it, 3)
        before = worker_processes()
        assert len(before) == 2
        victim = random.Random(1).choice(sorted(before))
        before[victim].kill()
        received += take(it, 2 * BATCHES - 3)
        wait_for(lambda: len(worker_processes()) == 2, "a replacement")
        after = worker_processes()
    assert_same_batches(received, expected)
    assert victim not in after
    assert len(before.keys() & after.keys()) == 1, "only the dead one is replaced"


@pytest.mark.slow
def test_killed_in_the_middle_of_a_batch(executor: Executor, crops: Path, signals: Signals) -> None:
    expected = take(flow(crops, **AUGMENTED), BATCHES)
    file = file_at(flow(crops), 2, row=1)
    hold = HoldAt(signals, file)
    with flow(crops, executor, preprocessing_function=hold, **AUGMENTED) as it:
        received = take(it, 2)
        signals.wait(f"held-{file}")
        before = worker_processes()
        victim = int(signals.content(f"held-{file}"))
        before[victim].kill()
        before[victim].wait(10)
        signals.give("go")
        received += take(it, BATCHES - 2)
        after = worker_processes()
    assert_same_batches(received, expected)
    assert before.keys() - after.keys() == {victim}
    assert len(after) == 2


@pytest.mark.slow
def test_all_killed_at_once(executor: Executor, crops: Path) -> None:
    expected = take(flow(crops), BATCHES)
    with flow(crops, executor) as it:
        received = take(it, 1)
        for process in worker_processes().values():
            process.kill()
        received += take(it, BATCHES - 1)
    assert_same_batches(received, expected)


@pytest.mark.slow
def test_batch_that_kills_its_worker_once_is_computed_again(
    executor: Executor, crops: Path, signals: Signals
) -> None:
    expected = take(flow(crops, **AUGMENTED), BATCHES)
    hook = KillAt(signals, file_at(flow(crops), 1), times=2)
    with flow(crops, executor, preprocessing_function=hook, **AUGMENTED) as it:
        assert_same_batches(take(it, BATCHES), expected)
    assert len(signals.starting("killed-")) == 2


@pytest.mark.slow
def test_batch_that_always_kills_its_worker(executor: Executor, crops: Path, signals: Signals) -> None:
    expected = take(flow(crops), BATCHES)
    files = [file_at(flow(crops), 1, row) for row in range(4)]
    with flow(crops, executor, preprocessing_function=KillAt(signals, files[2], times=99)) as it:
        received = take(it, 1)
        with pytest.raises(WorkerDiedError) as info:
            next(it)
        assert f"over the file {files[2]!r} (sample 2 of the batch at position 1)" in str(info.value)
        assert "signal SIGKILL" in str(info.value)
        received += take(it, BATCHES - 2)
    assert_same_batches(received, [expected[0], *expected[2:]])
    assert isinstance(info.value, RuntimeError)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="sends a POSIX signal")
def test_ctrl_c_is_not_for_workers(executor: Executor, crops: Path, signals: Signals) -> None:
    expected = take(flow(crops), BATCHES)
    with flow(crops, executor, preprocessing_function=HoldAt(signals)) as it:
        with ThreadPoolExecutor(1) as consumer:
            received = consumer.submit(take, it, BATCHES)
            wait_for(lambda: len(signals.starting("held-")) == 2, "both workers to be at work")
            before = worker_processes()
            for process in before.values():
                process.send_signal(signal.SIGINT)
            signals.give("go")
            assert_same_batches(received.result(), expected)
        assert worker_processes().keys() == before.keys()


@pytest.mark.slow
def test_hook_that_exits_is_an_error_and_no_death(executor: Executor, crops: Path) -> None:
    before = workers_of(executor, crops)
    hook = RaiseAt(file_at(flow(crops), 1), lambda: SystemExit(3))
    with flow(crops, executor, preprocessing_function=hook) as it:
        next(it)
        with pytest.raises(WorkerError, match="SystemExit"):
            next(it)
        next(it)
    assert worker_processes().keys() == before.keys()


# Surroundings


@pytest.mark.slow
@pytest.mark.parametrize("disable_gpu", [True, False])
def test_environment_of_a_worker(
    crops: Path, signals: Signals, monkeypatch: pytest.MonkeyPatch, disable_gpu: bool
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    for name in THREAD_CAPS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NUMEXPR_NUM_THREADS", "3")  # the user's own wish
    generator = ImageDataGenerator(
        cores=1, disable_gpu_in_subprocesses=disable_gpu, preprocessing_function=Describe(signals)
    )
    with generator.flow_from_directory(crops, target_size=(24, 24), batch_size=4, seed=1) as it:
        next(it)
        (name,) = signals.starting("described-")
        seen = json.loads(signals.content(name))
    environment = seen["environment"]
    assert environment["CUDA_VISIBLE_DEVICES"] == ("-1" if disable_gpu else "0,1")
    assert {name: environment[name] for name in THREAD_CAPS[:-1]} == dict.fromkeys(
        THREAD_CAPS[:-1], "1"
    )
    assert environment["NUMEXPR_NUM_THREADS"] == "3"
    assert seen["cv2_threads"] == 1
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "0,1", "the parent's own is left alone"
    assert "OMP_NUM_THREADS" not in os.environ


@pytest.mark.slow
def test_workers_import_no_framework_and_no_main_module(
    executor: Executor, crops: Path, signals: Signals
) -> None:
    with flow(crops, executor, preprocessing_function=Describe(signals), **AUGMENTED) as it:
        next(it)
        (name, *_) = signals.starting("described-")
        seen = json.loads(signals.content(name))
    assert not set(FRAMEWORKS) & set(seen["modules"])
    assert "imageloom._pipeline.pipeline" in seen["modules"]
    assert seen["path"] == sys.path
    assert seen["main"] is None
    assert seen["collects"], "the garbage collector rests only while a worker starts"


@pytest.mark.slow
def test_printing_is_allowed(crops: Path, capfd: pytest.CaptureFixture[str]) -> None:
    def talkative(x: NDArray[Any]) -> NDArray[Any]:
        print("a word from the worker", flush=True)
        print("and one aside", file=sys.stderr)
        return x

    expected = take(flow(crops), 2)
    executor = make_executor("processes", 1, disable_gpu=True)
    with flow(crops, executor, preprocessing_function=talkative) as it:
        assert_same_batches(take(it, 2), expected)
    executor.close()
    printed = capfd.readouterr()
    assert "a word from the worker" in printed.out
    assert "and one aside" in printed.err
