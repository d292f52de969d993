"""`report()` of real runs: stages, waiting, restarts, bad images."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from executor_support import AUGMENTED, BATCH, BATCHES, SAMPLES, flow, take, worker_processes
from numpy.typing import NDArray

from imageloom import DirectoryIterator, ImageDataGenerator, _machine
from imageloom._executors.base import Executor
from imageloom._executors.shared import make_executor
from imageloom._pipeline.stages import STAGES


@pytest.fixture(scope="module", params=["serial", "threads", "processes"])
def executor(request: pytest.FixtureRequest) -> Iterator[Executor]:
    made = make_executor(request.param, 2, disable_gpu=True)
    yield made
    made.close()


def busy(x: NDArray[Any], seconds: float = 0.01) -> NDArray[Any]:
    """Computes until it has used up some CPU time."""
    start = time.thread_time()
    while time.thread_time() - start < seconds:
        x = x + 0
    return x


def slow_hook(x: NDArray[Any]) -> NDArray[Any]:
    return busy(x)


def test_before_the_first_batch(crops: Path) -> None:
    it = flow(crops)
    report = it.report()
    assert (report.batches, report.images, report.workers) == (0, 0, 0)
    assert report.waiting_share == report.idle_share == report.images_per_second == 0
    assert "Too few batches" in str(report)
    assert not it.is_running


@pytest.mark.slow
def test_stages_and_totals_of_a_real_run(executor: Executor, crops: Path, tmp_path: Path) -> None:
    normalised = {**AUGMENTED, "samplewise_center": True}
    with flow(crops, executor, save_to_dir=str(tmp_path), **normalised) as it:
        take(it, 2 * BATCHES)
        report = it.report()
        again = it.report()
    assert report == again, "looking changes nothing"
    assert report.batches == 2 * BATCHES
    assert report.images == 2 * SAMPLES
    assert report.timed_images == 2 * SAMPLES - BATCH, "all but the first batch"
    assert [epoch.epoch for epoch in report.epochs] == [1, 2]
    assert [epoch.images for epoch in report.epochs] == [SAMPLES, SAMPLES]
    assert sum(epoch.seconds for epoch in report.epochs) == pytest.approx(report.seconds)
    assert sum(epoch.waited for epoch in report.epochs) == pytest.approx(report.waited)
    assert report.stages.keys() >= {"read", "transform", "standardize", "save"}
    assert report.stages.keys() <= STAGES.keys()
    assert min(report.stages.values()) >= 0
    assert report.worker_seconds == pytest.approx(sum(report.stages.values()))
    assert 0 <= report.waited <= report.seconds
    assert report.seconds_to_first_batch > 0
    assert report.cpus == _machine.available_cpus()
    assert report.restarts == 0
    assert report.images_per_second == pytest.approx(report.timed_images / report.seconds)


def test_a_serial_run_waits_for_its_own_computing(crops: Path) -> None:
    with flow(crops, **AUGMENTED) as it:
        take(it, 2 * BATCHES)
        report = it.report()
    assert report.workers == 1
    assert report.worker_seconds <= report.waited <= report.seconds


def test_a_real_iterator_knows_what_a_cache_would_take(crops: Path) -> None:
    def generator(**options: Any) -> ImageDataGenerator:
        return ImageDataGenerator(executor="serial", **options)

    def decoded_nbytes(it: DirectoryIterator) -> int | None:
        with it:
            take(it, 3)
            assert it.report().serial
            return it.report().decoded_nbytes

    sized: dict[str, Any] = {"target_size": (24, 20), "batch_size": BATCH}
    expected = SAMPLES * 24 * 20
    assert decoded_nbytes(generator().flow_from_directory(crops, **sized)) == expected * 3
    grey = generator().flow_from_directory(crops, **sized, color_mode="grayscale")
    assert decoded_nbytes(grey) == expected
    assert decoded_nbytes(generator(cache="memory").flow_from_directory(crops, **sized)) is None
    with generator().flow(np.zeros((9, 8, 8, 3)), batch_size=2) as it:
        take(it, 3)
        assert it.report().decoded_nbytes is None, "arrays are decoded already"


@pytest.mark.slow
def test_a_slow_hook_is_named(executor: Executor, crops: Path) -> None:
    with flow(crops, executor, preprocessing_function=slow_hook) as it:
        take(it, 2 * BATCHES)
        report = it.report()
    assert max(report.stages, key=lambda name: report.stages[name]) == "hook"
    assert "goes into preprocessing_function: " in report.verdict
    assert "make preprocessing_function faster" in report.verdict


@pytest.mark.slow
def test_a_slow_consumer_has_nothing_to_gain(crops: Path) -> None:
    executor = make_executor("threads", 2, disable_gpu=True)
    with flow(crops, executor) as it:
        for _ in range(BATCHES):
            next(it)
            stream = it._stream.supply._stream
            assert stream is not None
            for future in tuple(stream._window.values()):
                future.result()
            busy(np.zeros(9), seconds=0.1)
        report = it.report()
    executor.close()
    assert "would gain nothing" in report.verdict
    assert report.waiting_share < 0.05


@pytest.mark.slow
def test_restarts_are_counted(crops: Path) -> None:
    others = worker_processes().keys()
    executor = make_executor("processes", 1, disable_gpu=True)
    with flow(crops, executor) as it:
        take(it, 2)
        workers = worker_processes()
        (own,) = workers.keys() - others
        workers[own].kill()
        take(it, 2 * BATCHES)
        report = it.report()
    executor.close()
    assert report.restarts == 1
    assert "1 worker died or hung and was replaced." in str(report)


@pytest.fixture
def damaged(crops: Path, tmp_path: Path) -> Path:
    """The crops with two files that are no images."""
    folder = Path(shutil.copytree(crops, tmp_path / "images"))
    for name in ("cat/01.png", "cup/03.png"):
        (folder / name).write_bytes(b"nothing")
    return folder


def replaced(damaged: Path, executor: Executor) -> DirectoryIterator:
    it = flow(damaged, executor, on_bad_image="replace")
    with pytest.warns(UserWarning, match="nothing|identify|replaced|read"):
        take(it, BATCHES)
    return it


def test_bad_images_are_listed(executor: Executor, damaged: Path) -> None:
    with replaced(damaged, executor) as it:
        report = it.report()
    assert [bad.filename for bad in report.bad_images] == ["cat/01.png", "cup/03.png"]
    assert "Bad images, replaced (2):" in str(report)
    assert "'cat/01.png' by 'cat/02.jpg'" in str(report)


def test_bad_images_are_still_known_after_a_change_of_order(damaged: Path) -> None:
    executor = make_executor("serial", 1, disable_gpu=True)
    with replaced(damaged, executor) as it:
        it.shuffle = False
        next(it)
        assert len(it.bad_images) == 2
