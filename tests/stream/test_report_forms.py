"""`report()` as text, in a notebook, as a dictionary and as a picture; its epochs."""

from __future__ import annotations

import html.parser
import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from imageloom import BadImage, ImageDataGenerator, Report
from imageloom._pipeline.recipe import BatchReport
from imageloom._pipeline.stages import STAGES
from imageloom._stream.reporting.meter import Meter


class Clock:
    """Stands in for `time.perf_counter`, and makes a meter's batches."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        self.meter = Meter()
        monkeypatch.setattr("imageloom._stream.reporting.meter.time.perf_counter", lambda: self.now)

    def epochs(self, count: int, *, length: int = 5, pause: float = 0.0, first: int = 0) -> Clock:
        """Reads batches of 4 images: the consumer waits 0.25 s for each and computes 0.75 s."""
        for epoch in range(first, first + count):
            for _ in range(length):
                asked = self.now
                self.now += 0.25
                work = BatchReport(seconds={"read": 0.1, "hook": 0.3}, cache_hits=1)
                self.meter.note(asked, 4, work, epoch=epoch, length=length)
                self.now += 0.75
            self.now += pause
        return self

    def report(self, **further: Any) -> Report:
        known: dict[str, Any] = {"workers": 2, "cpus": 4, "restarts": 0, "bad_images": ()}
        return self.meter.report(**{**known, **further})


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def test_epochs_add_up(clock: Clock) -> None:
    report = clock.epochs(3).report()
    first, second, third = report.epochs
    assert [epoch.epoch for epoch in report.epochs] == [1, 2, 3]
    assert (first.batches, first.images, first.timed_images) == (5, 20, 16)
    assert (second.images, second.timed_images, second.seconds) == (20, 20, 5.0)
    assert second.waiting_share == third.waiting_share == 0.25
    assert third.images_per_second == 4.0
    assert third.stages == pytest.approx({"read": 0.5, "hook": 1.5})
    assert third.idle_share == pytest.approx(1 - 2.0 / 10)
    assert report.images == 60 == sum(epoch.images for epoch in report.epochs)
    assert report.seconds == 14.0 == sum(epoch.seconds for epoch in report.epochs)
    assert report.cache_hits == 15 == sum(epoch.cache_hits for epoch in report.epochs)


def test_pauses_between_epochs_are_nobodys_time(clock: Clock) -> None:
    """A validation of an hour would make any waiting look negligible."""
    report = clock.epochs(3, pause=3600).report()
    assert report.seconds == pytest.approx(14.0, abs=2 * 3 * 0.75)
    assert report.waiting_share > 0.15


def test_only_so_many_epochs_are_kept_and_the_sums_are_right(clock: Clock) -> None:
    report = clock.epochs(1200, length=1).report()
    assert [epoch.epoch for epoch in report.epochs] == [*range(201, 1201)]
    assert (report.batches, report.images) == (1200, 4800)
    assert report.stages["read"] == pytest.approx(1199 * 0.1)
    assert len(clock.meter._epochs) == 1000


def test_the_table_shows_each_epoch_and_the_sum(clock: Clock) -> None:
    lines = str(clock.epochs(3).report()).splitlines()
    assert lines[0].startswith("The model waits 25% of the time for data; most of the computing time")
    assert lines[2].split() == ["epoch", "batches", "images", "seconds", "images/s", "waiting", "idle"]
    assert lines[3].split() == ["1", "5", "20", "4.0", "4", "25%", "80%"]
    assert lines[5].split() == ["3", "5", "20", "5.0", "4", "25%", "80%"]
    assert lines[6].split() == ["since", "the", "start", "15", "60", "14.0", "4", "25%", "80%"]
    assert max(map(len, lines[2:])) <= 80


def test_of_many_epochs_the_first_and_the_last_are_shown(clock: Clock) -> None:
    lines = str(clock.epochs(40).report()).splitlines()
    rows = [line.split()[0] for line in lines[3:] if line[:1].isdigit() or line.startswith("...")]
    assert rows[:11] == ["1", "2", "...", *map(str, range(33, 41))]


def test_single_things_are_in_the_singular(clock: Clock) -> None:
    clock.meter.note(0.0, 1, BatchReport(node="a"), epoch=0)
    clock.meter.note(0.5, 1, BatchReport(node="a"), epoch=0)
    text = str(clock.report(workers=1, cpus=1, restarts=1))
    assert "1 worker on 1 CPU." in text
    assert "1 worker died or hung and was replaced." in text
    assert "a: 1 batch\n" in f"{text}\n"
    two = str(clock.epochs(1).report(restarts=2))
    assert "2 workers on 4 CPUs." in two
    assert "2 workers died or hung and were replaced." in two
    assert "5 images came out of the cache." in two


def test_where_the_workers_come_from_is_told(clock: Clock) -> None:
    report = clock.epochs(1).report
    assert "2 workers on 4 CPUs (cores=0.5)." in str(report(cores=0.5))
    before = str(report(cores=0.5, serial=True, workers_started=False))
    assert "2 workers on 4 CPUs (cores=0.5) may start later." in before
    assert "idle" not in before
    assert "The program computes each batch when it asks for it" in str(report(serial=True))


def test_nothing_yet() -> None:
    report = Meter().report(workers=0, cpus=0, restarts=0, bad_images=())
    assert str(report) == "Too few batches so far for a verdict.\n\nNo worker has been asked for yet."
    assert report.plot().size[0] == 960
    assert json.loads(json.dumps(report.to_dict()))["epochs"] == []


class _Tags(html.parser.HTMLParser):
    """Checks that tags are closed, and collects the texts of cells."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.cells: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        assert tag not in ("script", "style")
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("td", "th"):
            self.cells.append(data)


def test_a_notebook_shows_the_same(clock: Clock) -> None:
    bad = BadImage("<b>.png", "c.png", "<script>alert()</script>")
    report = clock.epochs(2).report(bad_images=(bad,))
    tags = _Tags()
    shown = report._repr_html_()
    tags.feed(shown)
    assert not tags.open
    assert "<script>" not in shown
    assert "since the start" in tags.cells
    assert STAGES["hook"].cost in tags.cells
    assert "The model waits 25% of the time for data" in shown
    assert "&lt;b&gt;.png" in shown


def test_the_dictionary_is_plain_json_and_complete(clock: Clock) -> None:
    bad = BadImage(("a.png", "b.png"), ("c.png", "d.png"), "no image")
    report = clock.epochs(2).report(bad_images=(bad,), cores=0.25, pending=4)
    known = report.to_dict()
    assert json.loads(json.dumps(known)) == known
    fields = {name for name in dir(Report) if not name.startswith("_")}
    assert set(known) == fields - {"plot", "to_dict"}
    assert known["verdict"] == report.verdict
    assert known["waiting_share"] == 0.25
    assert known["bad_images"][0]["filename"] == ["a.png", "b.png"]
    assert [epoch["epoch"] for epoch in known["epochs"]] == [1, 2]
    assert known["epochs"][1]["stages"] == report.epochs[1].stages


def test_the_picture_has_a_bar_for_the_waiting_of_each_epoch(clock: Clock) -> None:
    pixels = np.asarray(clock.epochs(3).report().plot())
    orange = (pixels == (213, 94, 0)).all(axis=2)
    runs = np.flatnonzero(np.diff(np.r_[0, orange[:, 110:].sum(axis=1) > 40, 0]))
    assert len(runs) == 2 * 3
    widths = [orange[start:stop, 110:].any(axis=0).sum() for start, stop in runs.reshape(3, 2)]
    assert widths[1] == pytest.approx((960 - 110 - 70) / 4, abs=3)
    assert widths[0] < widths[1]
    many = clock.epochs(40, first=3).report().plot()
    assert many.height < 1200


def test_each_epoch_is_logged(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    clock.epochs(1)
    assert not caplog.records
    with caplog.at_level(logging.INFO, "imageloom"):
        clock.epochs(2, first=1)
    assert [record.getMessage() for record in caplog.records] == [
        "Epoch 2: 20 images in 5.0 s (4 a second), 25% of it waiting for data.",
        "Epoch 3: 20 images in 5.0 s (4 a second), 25% of it waiting for data.",
    ]


@pytest.mark.parametrize("read", ["next", "pass"])
def test_epochs_are_those_of_the_stream(read: str, crops: Path) -> None:
    generator = ImageDataGenerator(executor="serial")
    with generator.flow_from_directory(crops, (8, 8), batch_size=10, verbose=False) as it:
        for _ in range(2):
            if read == "next":
                for _ in range(len(it)):
                    next(it)
            else:
                for index in (2, 0, 1):
                    it[index]
                it.on_epoch_end()
        next(it)
        report = it.report()
    assert [epoch.batches for epoch in report.epochs] == [3, 3, 1]
    assert [epoch.images for epoch in report.epochs][:2] == [23, 23]
