"""`report()`: what it measures and says, and how many CPUs there are to give."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import pytest
from executor_support import AUGMENTED, BATCH, BATCHES, SAMPLES, flow, take, worker_processes
from hypothesis import strategies as st
from numpy.typing import NDArray

from imageloom import DirectoryIterator, ImageDataGenerator, _machine
from imageloom._executors.base import Executor
from imageloom._executors.shared import make_executor
from imageloom._pipeline.recipe import BatchReport
from imageloom._pipeline.stages import STAGES
from imageloom._stream.report import Meter, Report

# Made-up figures


def figures(**changed: Any) -> Report:
    """A consumer that waits half of 10 s for two of four CPUs, which mostly transform."""
    plain: dict[str, Any] = {
        "batches": 100,
        "images": 3200,
        "seconds": 10.0,
        "seconds_to_first_batch": 1.0,
        "waited": 5.0,
        "workers": 2,
        "cpus": 4,
        "worker_seconds": 20.0,
        "stages": {"transform": 15.0, "read": 5.0},
        "cache_hits": 0,
        "restarts": 0,
        "bad_images": (),
    }
    return Report(**{**plain, **changed})


positive = st.floats(1e-3, 1e4)
stage_times = st.dictionaries(st.sampled_from(sorted(STAGES)), positive, min_size=1)


@st.composite
def reports(draw: st.DrawFn) -> Report:
    stages, seconds = draw(stage_times), draw(positive)
    return figures(
        batches=draw(st.integers(3, 10**6)),
        seconds=seconds,
        waited=seconds * draw(st.floats(0, 1)),
        workers=draw(st.integers(1, 64)),
        cpus=draw(st.integers(1, 64)),
        worker_seconds=sum(stages.values()),
        stages=stages,
    )


@hypothesis.given(reports())
def test_the_verdict_follows_from_the_figures(report: Report) -> None:
    verdict = report.verdict
    assert 0 <= report.waiting_share <= 1
    assert 0 <= report.idle_share <= 1
    assert f"waits {report.waiting_share:.0%} of the time" in verdict
    if report.waiting_share < 0.05:
        assert "would gain nothing" in verdict
        assert "cores=" not in verdict
        return
    stage = max(report.stages, key=lambda name: report.stages[name])
    assert f"{STAGES[stage].cost} takes" in verdict
    share = report.stages[stage] / sum(report.stages.values())
    assert ("takes most" in verdict) == (share >= 0.5)
    advice = ["max_batches_pending", "CPUs are busy", "more worker(s) (cores=", "closer to this"]
    assert sum(text in verdict for text in advice) == 1


@hypothesis.given(reports())
def test_advised_workers_are_more_and_within_the_cpus(report: Report) -> None:
    _, found, rest = report.verdict.partition("(cores=")
    if found:
        advised = int(rest.split(")")[0])
        assert report.workers < advised <= report.cpus
        assert f"use {advised - report.workers} more" in report.verdict


@hypothesis.given(reports())
def test_a_report_can_be_read(report: Report) -> None:
    text = str(report)
    assert text.splitlines()[0] == report.verdict
    assert f"{report.batches} batches" in text
    listed = [line for line in text.splitlines() if "ms an image" in line]
    assert len(listed) == len(report.stages)
    shown = [float(line.split("%")[0]) for line in listed]
    assert shown == sorted(shown, reverse=True), "the longest first"


def test_as_many_workers_are_advised_as_the_model_can_use() -> None:
    # In the 5 s of its own the model uses up what takes 20 s to compute.
    assert "use 2 more worker(s) (cores=4)" in figures(cpus=8).verdict
    assert "use 1 more worker(s) (cores=3)" in figures(cpus=3).verdict
    assert "the random transforms takes most of it (75%)" in figures().verdict


def test_exhausted_cpus_are_told() -> None:
    verdict = figures(cpus=2).verdict
    assert "all 2 CPUs are busy and 4 would be needed" in verdict
    assert "cores=" not in verdict


def test_enough_workers_but_bursts() -> None:
    assert "raise max_batches_pending" in figures(worker_seconds=4.0, stages={"read": 4.0}).verdict


@pytest.mark.parametrize(
    ("stage", "named"),
    [
        ("hook", "make preprocessing_function faster"),
        ("noaug_hook", "make noaug_preprocessing_function faster"),
        ("batch_function", "make get_batch_function faster"),
        ("save", "leave save_to_dir out"),
    ],
)
def test_the_users_own_stages_are_theirs_to_make_faster(stage: str, named: str) -> None:
    verdict = figures(stages={stage: 12.0, "read": 8.0}).verdict
    assert f"{named}, or use 2 more" in verdict


def test_a_cache_is_advised_where_decoding_takes_longest_and_it_could_help() -> None:
    decoding: dict[str, Any] = {"stages": {"transform": 5.0, "read": 15.0}}
    verdict = figures(**decoding, decoded_nbytes=2_110_000_000).verdict
    assert 'cache the decoded images (cache="memory", about 2.1 GB), or use 2 more' in verdict
    far = figures(cpus=2, stages={"fetch": 15.0, "read": 5.0}, decoded_nbytes=10**9).verdict
    assert "about 1.0 GB), or move the files closer to this machine" in far
    small = figures(**decoding, decoded_nbytes=14_400_000).verdict
    assert "about 14 MB" in small
    assert "cache" not in figures(**decoding).verdict, "it is on already, or cannot help"
    assert "cache" not in figures(decoded_nbytes=10**9).verdict, "decoding is not what takes long"


def test_who_computes_in_the_foreground_is_told_to_let_workers_do_it() -> None:
    verdict = figures(workers=1, serial=True).verdict
    assert 'in the background (executor="processes", cores=4)' in verdict
    assert "more worker(s)" not in verdict


@pytest.mark.parametrize("batches", [0, 1, 2])
def test_few_batches_say_nothing(batches: int) -> None:
    assert "Too few batches" in figures(batches=batches).verdict


def test_a_consumer_that_does_nothing_but_wait() -> None:
    verdict = figures(waited=10.0, cpus=64).verdict
    assert "waits 100%" in verdict
    assert "(cores=20)" in verdict, "ten times as many at most"


def test_the_meter_keeps_sums_only(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("imageloom._stream.report.time.perf_counter", lambda: now)
    meter = Meter()
    for number in range(1000):
        asked = now
        now += 3.0 if number == 0 else 0.25
        meter.note(asked, 4, BatchReport(seconds={"read": 0.5, "hook": 1.5}))
        now += 0.75
    report = meter.report(workers=2, cpus=2, restarts=0, bad_images=())
    assert (report.batches, report.images) == (1000, 999 * 4)
    assert report.seconds_to_first_batch == 3
    assert (report.seconds, report.waited) == (999.0, 999 * 0.25)
    assert report.stages == {"read": 999 * 0.5, "hook": 999 * 1.5}
    assert report.worker_seconds == 999 * 2
    assert report.idle_share == 0
    assert not any(isinstance(kept, (list, tuple)) for kept in vars(meter).values())
    assert len(meter._stages) == 2


def test_several_waiting_threads_wait_at_most_all_of_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("imageloom._stream.report.time.perf_counter", lambda: now)
    meter = Meter()
    for number in range(8):
        now = number // 4 + 1.0
        meter.note(now - 1.0, 4, BatchReport(seconds={"read": 1.0}))  # four at a time
    assert meter.report(workers=1, cpus=1, restarts=0, bad_images=()).waiting_share <= 1


# Real runs


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


def test_stages_and_totals_of_a_real_run(executor: Executor, crops: Path, tmp_path: Path) -> None:
    with flow(crops, executor, save_to_dir=str(tmp_path), **AUGMENTED) as it:
        take(it, 2 * BATCHES)
        report = it.report()
        again = it.report()
    assert report == again, "looking changes nothing"
    assert report.batches == 2 * BATCHES
    assert report.images == 2 * SAMPLES - BATCH, "all but the first batch"
    assert report.stages.keys() >= {"read", "transform", "standardize", "save"}
    assert report.stages.keys() <= STAGES.keys()
    assert min(report.stages.values()) >= 0
    assert report.worker_seconds == pytest.approx(sum(report.stages.values()))
    assert 0 <= report.waited <= report.seconds
    assert report.seconds_to_first_batch > 0
    assert report.cpus == _machine.available_cpus()
    assert report.restarts == 0
    assert report.images_per_second == pytest.approx(report.images / report.seconds)


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


def test_a_slow_hook_is_named(executor: Executor, crops: Path) -> None:
    with flow(crops, executor, preprocessing_function=slow_hook) as it:
        take(it, 2 * BATCHES)
        report = it.report()
    assert max(report.stages, key=lambda name: report.stages[name]) == "hook"
    assert "preprocessing_function takes most of it" in report.verdict
    assert "make preprocessing_function faster" in report.verdict


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
    assert "replaced 1." in str(report)


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


# CPUs in a container


@pytest.fixture
def container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Makes control groups of given limits, 8 CPUs to run on; how many of them may be used."""
    monkeypatch.setattr(_machine, "_CONTROL_GROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(_machine, "_OWN_GROUPS", tmp_path / "own")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)

    def make(own: str, limits: dict[str, str]) -> int:
        (tmp_path / "own").write_text(own)
        for path, content in limits.items():
            file = tmp_path / "cgroup" / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content)
        return _machine.available_cpus()

    return make


@pytest.mark.parametrize(
    ("own", "limits", "right"),
    [
        ("0::/\n", {}, 8),
        ("0::/\n", {"cpu.max": "max 100000\n"}, 8),
        ("0::/\n", {"cpu.max": "300000 100000\n"}, 3),
        ("0::/\n", {"cpu.max": "50000 100000\n"}, 1),
        ("0::/\n", {"cpu.max": "150000 100000\n"}, 2),
        ("0::/\n", {"cpu.max": "9900000 100000\n"}, 8),
        ("0::/a/b\n", {"cpu.max": "max 1", "a/cpu.max": "200000 100000", "a/b/cpu.max": "5 1"}, 2),
        ("0::/a/b\n", {"a/cpu.max": "700000 100000", "a/b/cpu.max": "max 100000"}, 7),
        ("0::/a/b\n", {"a/b/cpu.max": "40 10", "a/c/cpu.max": "10 10"}, 4),
        ("0::/of/the/host\n", {"cpu.max": "300000 100000"}, 3),
        ("0::/\n", {"cpu.max": "nonsense"}, 8),
        ("0::/\n", {"cpu.max": "1 0"}, 8),
        ("0::/\n", {"../cpu.max": "1 1"}, 8),
        ("1:name=systemd:/x\n0::/\n", {"cpu.max": "2 1"}, 2),
    ],
)
def test_quota_of_version_2(
    container: Callable[..., int], own: str, limits: dict[str, str], right: int
) -> None:
    assert container(own, limits) == right


@pytest.mark.parametrize(
    ("own", "quota", "group", "right"),
    [
        ("3:cpu,cpuacct:/\n", "-1", "cpu,cpuacct", 8),
        ("3:cpu,cpuacct:/\n", "300000", "cpu,cpuacct", 3),
        ("3:cpu,cpuacct:/\n", "300000", "cpu", 3),
        ("3:cpu:/\n", "50000", "cpu", 1),
        ("3:cpu:/\n", "150000", "cpu", 2),
        ("3:cpu:/a/b\n", "200000", "cpu/a", 2),
        ("3:cpu:/of/the/host\n", "200000", "cpu", 2),
        ("3:cpuset:/\n", "200000", "cpu", 8),
    ],
)
def test_quota_of_version_1(
    container: Callable[..., int], own: str, quota: str, group: str, right: int
) -> None:
    limits = {f"{group}/cpu.cfs_quota_us": quota, f"{group}/cpu.cfs_period_us": "100000"}
    limits["cpu/a/b/other"] = limits["memory/cpu.cfs_quota_us"] = "1"
    assert container(own, limits) == right


def test_without_control_groups_all_cpus_count(container: Callable[..., int], tmp_path: Path) -> None:
    assert container("", {}) == 8
    (tmp_path / "own").unlink()
    assert _machine.available_cpus() == 8


@pytest.mark.parametrize(
    ("cores", "right"), [(-1, 4), (1, 1), (3, 3), (9, 4), (0.25, 1), (0.5, 2), (1.0, 4), (0.01, 1)]
)
def test_workers_are_counted_within_the_quota(
    container: Callable[..., int], cores: float, right: int
) -> None:
    container("0::/\n", {"cpu.max": "350000 100000"})
    assert _machine.worker_count(cores) == right
