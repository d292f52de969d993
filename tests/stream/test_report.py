"""`report()`: what it makes of its figures."""

from __future__ import annotations

import os
import re
import threading
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from imageloom._pipeline.recipe import BatchReport
from imageloom._pipeline.stages import STAGES
from imageloom._pipeline.timing import BatchTimes
from imageloom._stream.reporting.meter import Meter
from imageloom._stream.reporting.report import Report


def figures(**changed: Any) -> Report:
    """A consumer that waits half of 10 s for two of four CPUs, which mostly transform."""
    plain: dict[str, Any] = {
        "batches": 100,
        "images": 3232,
        "timed_images": 3200,
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
    share = report.stages[stage] / sum(report.stages.values())
    assert f"of the computing time ({share:.0%}) goes into {STAGES[stage].cost}:" in verdict
    assert ("; most of" in verdict) == (share >= 0.5)
    advice = ["max_batches_pending", " busy and", "more worker", "closer to this"]
    assert sum(text in verdict for text in advice) == 1
    if " busy and" in verdict or "more worker" in verdict:
        assert report.idle_share < 0.15, "no contradiction to the table"


@hypothesis.given(reports())
def test_the_verdict_is_one_sentence_without_brackets_for_plurals(report: Report) -> None:
    assert report.verdict.endswith(".")
    assert not re.search(r"[.?!] [A-Z]", report.verdict)
    assert "(s)" not in str(report)
    assert not re.search(r"\b1 (?!CPU would)\w+s\b(?<!ms)", report.verdict), report.verdict


@hypothesis.given(reports())
def test_advised_workers_are_more_and_within_the_cpus(report: Report) -> None:
    _, found, rest = report.verdict.partition("(cores=")
    if found:
        advised = int(rest.split(")")[0])
        assert report.workers < advised <= report.cpus
        more = advised - report.workers
        assert f"use {more} more worker{'' if more == 1 else 's'} (cores=" in report.verdict


@hypothesis.given(reports())
def test_a_report_can_be_read(report: Report) -> None:
    text = str(report)
    assert text.splitlines()[0] == report.verdict
    costs = {stage.cost for stage in STAGES.values()}
    listed = [line for line in text.splitlines()[2:] if line.split("  ")[0] in costs]
    assert len(listed) == len(report.stages)
    shown = [int(re.findall(r"(\d+)%", line)[-1]) for line in listed]
    assert shown == sorted(shown, reverse=True), "the longest first"


def test_as_many_workers_are_advised_as_the_model_can_use() -> None:
    # In the 5 s of its own the model uses up what takes 20 s to compute.
    assert "use 2 more workers (cores=4)" in figures(cpus=8).verdict
    assert "use 1 more worker (cores=3)" in figures(cpus=3).verdict
    assert "most of the computing time (75%) goes into the random transforms: " in figures().verdict


def test_exhausted_cpus_are_told() -> None:
    verdict = figures(cpus=2).verdict
    assert "more CPUs, because all 2 CPUs are busy and 4 would be needed." in verdict
    assert "augment less, or use a machine" in verdict
    assert "cores=" not in verdict


def test_enough_workers_but_bursts() -> None:
    bursts = figures(worker_seconds=4.0, stages={"read": 4.0}, pending=4)
    assert "raise max_batches_pending (max_batches_pending=8), because" in bursts.verdict
    assert "workers are idle 80% of the time" in bursts.verdict


def test_idle_workers_are_not_called_busy() -> None:
    """As many as there are CPUs, and the model's own time is so short that it could use more."""
    idle = figures(cpus=2, waited=9.0, worker_seconds=13.0, stages={"transform": 13.0})
    assert "idle 35% of the time" in idle.verdict
    assert "busy" not in idle.verdict


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
    assert "more worker" not in verdict


@pytest.mark.parametrize("batches", [0, 1, 2])
def test_few_batches_say_nothing(batches: int) -> None:
    assert "Too few batches" in figures(batches=batches).verdict


def test_a_consumer_that_does_nothing_but_wait() -> None:
    verdict = figures(waited=10.0, cpus=64).verdict
    assert "waits 100%" in verdict
    assert "(cores=20)" in verdict, "ten times as many at most"


def test_the_meter_keeps_sums_only(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("imageloom._stream.reporting.meter.time.perf_counter", lambda: now)
    meter = Meter()
    for number in range(1000):
        asked = now
        now += 3.0 if number == 0 else 0.25
        meter.note(asked, 4, BatchReport(seconds={"read": 0.5, "hook": 1.5}))
        now += 0.75
    report = meter.report(workers=2, cpus=2, restarts=0, bad_images=())
    assert (report.batches, report.images, report.timed_images) == (1000, 1000 * 4, 999 * 4)
    assert report.seconds_to_first_batch == 3
    assert (report.seconds, report.waited) == (999.0, 999 * 0.25)
    assert report.stages == {"read": 999 * 0.5, "hook": 999 * 1.5}
    assert report.worker_seconds == 999 * 2
    assert report.idle_share == 0
    assert not any(isinstance(kept, (list, tuple)) for kept in vars(meter).values())


def test_while_workers_start_nothing_is_said_of_idle_ones() -> None:
    here = BatchTimes(os.getpid(), threading.get_ident(), 0.0, 0.0, b"", b"")
    elsewhere = here._replace(process=os.getpid() + 1)
    meter = Meter()

    def verdict(times: BatchTimes, batches: int) -> str:
        for number in range(batches):
            meter.note(float(number), 4, BatchReport(seconds={"read": 1.0}, times=times))
        return meter.report(workers=1, cpus=1, restarts=0, bad_images=()).verdict

    assert "itself has computed 5 of 5 so far, while its workers were starting" in verdict(here, 5)
    assert "5 of 9" in verdict(elsewhere, 4)
    assert "workers were starting" not in verdict(elsewhere, 1), "half of them"


def test_several_waiting_threads_wait_at_most_all_of_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("imageloom._stream.reporting.meter.time.perf_counter", lambda: now)
    meter = Meter()
    for number in range(8):
        now = number // 4 + 1.0
        meter.note(now - 1.0, 4, BatchReport(seconds={"read": 1.0}))  # four at a time
    assert meter.report(workers=1, cpus=1, restarts=0, bad_images=()).waiting_share <= 1
