"""`trace()`: which worker did which stage of which batch when, and when the consumer waited."""

from __future__ import annotations

import gc
import gzip
import json
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from executor_support import AUGMENTED, BATCH, BATCHES, flow, take
from programs import run_program

from imageloom import ArgumentTypeError, ImageDataGenerator, InvalidArgumentError, MissingDirectoryError
from imageloom._executors.base import Executor
from imageloom._executors.shared import make_executor
from imageloom._pipeline.stages import STAGES
from imageloom._pipeline.timing import BatchTimes, StageClock
from imageloom._stream.reporting.timeline import HandedOut, Timeline
from imageloom._stream.reporting.trace import events_of

Event = dict[str, Any]


@pytest.fixture(scope="module", params=["serial", "threads", "processes"])
def executor(request: pytest.FixtureRequest) -> Iterator[Executor]:
    made = make_executor(request.param, 2, disable_gpu=True)
    yield made
    made.close()


def events(path: Path, kind: str | None = None) -> list[Event]:
    """The events of a file, without those that name processes and threads."""
    content = path.read_bytes()
    known = json.loads(gzip.decompress(content) if path.suffix == ".gz" else content)
    found: list[Event] = known["traceEvents"]
    return [event for event in found if event["ph"] == "X" and kind in (None, event["cat"])]


def of_batch(found: list[Event], batch: int) -> list[Event]:
    return [event for event in found if event["args"]["batch"] == batch]


def end(event: Event) -> float:
    return float(event["ts"] + event["dur"])


def assert_nested(found: list[Event]) -> None:
    """On each line every event lies wholly within the one that it begins in, as viewers need it."""
    lines: dict[tuple[int, int], list[Event]] = {}
    for event in sorted(found, key=lambda event: (event["ts"], -event["dur"])):
        assert event["dur"] >= 0
        assert 0 < event["tid"] < 2**31
        open_ones = lines.setdefault((event["pid"], event["tid"]), [])
        while open_ones and end(open_ones[-1]) <= event["ts"] + 1e-3:
            open_ones.pop()
        if open_ones:
            assert end(event) <= end(open_ones[-1]) + 1e-3
        open_ones.append(event)


def test_every_stage_of_every_batch_is_there(executor: Executor, crops: Path, tmp_path: Path) -> None:
    file = tmp_path / "trace.json"
    with flow(crops, executor, **AUGMENTED) as it:
        it.trace(file)
        assert events(file) == []
        take(it, 2 * BATCHES)
        seconds = sum(it.report().stages.values())
    found = events(file)
    assert_nested(found)
    assert min(event["ts"] for event in found) == 0
    for kind in ("waiting", "batch"):
        numbers = [event["args"]["batch"] for event in found if event["cat"] == kind]
        assert sorted(numbers) == [*range(2 * BATCHES)]
    stages = [event for event in found if event["cat"] == "stage"]
    assert {"read", "transform"} <= {event["name"] for event in stages} <= STAGES.keys()
    per_batch = Counter(e["args"]["batch"] for e in stages if e["name"] == "transform")
    assert per_batch[1] >= BATCH
    later = sum(event["dur"] for event in stages if event["args"]["batch"] > 0)
    assert later / 1e6 == pytest.approx(seconds, rel=0.05)
    assert {event["args"]["epoch"] for event in found} == {1, 2}
    for number in range(2 * BATCHES):
        (waiting,) = (e for e in of_batch(found, number) if e["cat"] == "waiting")
        (batch,) = (e for e in of_batch(found, number) if e["cat"] == "batch")
        assert end(batch) <= end(waiting) + 1, "it is handed out once it is computed"
        for stage in of_batch(stages, number):
            assert (stage["pid"], stage["tid"]) == (batch["pid"], batch["tid"])


def names(path: Path) -> dict[tuple[int, int], tuple[str, str]]:
    """The names of the process and the thread of each line."""
    found = json.loads(path.read_text())["traceEvents"]
    processes = {e["pid"]: e["args"]["name"] for e in found if e["name"] == "process_name"}
    threads = {(e["pid"], e["tid"]): e["args"]["name"] for e in found if e["name"] == "thread_name"}
    return {line: (processes[line[0]], name) for line, name in threads.items()}


@pytest.mark.parametrize("kind", ["serial", "threads", "processes"])
def test_workers_have_lines_of_their_own(kind: str, crops: Path, tmp_path: Path) -> None:
    file = tmp_path / "trace.json"
    executor = make_executor(kind, 2, disable_gpu=True)
    with flow(crops, executor, **AUGMENTED) as it, it.trace(file):
        take(it, 3 * BATCHES)
    executor.close()
    known = names(file)
    program = f"program ({os.getpid()})"
    (consumer,) = {(e["pid"], e["tid"]) for e in events(file, "waiting")}
    assert known.pop(consumer) == (program, "consumer")
    workers = {(e["pid"], e["tid"]) for e in events(file, "batch")}
    if kind == "serial":
        assert workers == {consumer}
        assert not known
        return
    assert workers == known.keys()
    assert 1 <= len(workers) <= 2
    for number, line in enumerate(known, 1):
        if kind == "threads":
            assert known[line] == (program, f"worker {number}")
        else:
            assert line[0] != os.getpid()
            assert known[line] == (f"worker {number} ({line[0]})", "batches")


def test_what_was_read_before_is_in_the_file_at_once(crops: Path, tmp_path: Path) -> None:
    with flow(crops) as it:
        take(it, 3)
        trace = it.trace(tmp_path / "trace.json")
        assert len(events(trace.path, "batch")) == 3
        assert repr(trace) == f"<Trace: 3 batches in {str(trace.path)!r}>"
        next(it)
        trace.write()
        assert len(events(trace.path, "batch")) == 4
        next(it)
    assert len(events(trace.path, "batch")) == 5
    late = it.trace(tmp_path / "late.json")
    assert len(events(late.path, "batch")) == 5


def test_a_block_ends_the_trace(crops: Path, tmp_path: Path) -> None:
    with flow(crops) as it:
        with it.trace(str(tmp_path / "trace.json.gz")) as trace:
            take(it, 2)
        next(it)
    assert len(events(trace.path, "batch")) == 2


@pytest.mark.slow
def test_an_iterator_that_is_forgotten_leaves_the_file(crops: Path, tmp_path: Path) -> None:
    it = flow(crops)
    it.trace(tmp_path / "trace.json")
    take(it, 2)
    del it
    gc.collect()
    assert len(events(tmp_path / "trace.json", "batch")) == 2


@pytest.mark.slow
def test_a_program_that_ends_leaves_the_file(crops: Path, tmp_path: Path) -> None:
    done = run_program("stream/traced.py", crops, "trace.json", cwd=tmp_path, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert len(events(tmp_path / "trace.json", "batch")) == 2


def test_arrays_and_frameworks_are_traced(tmp_path: Path) -> None:
    generator = ImageDataGenerator(executor="serial", preprocessing_function=lambda x: x + 1)
    with generator.flow(np.zeros((6, 8, 8, 3)), batch_size=2) as it:
        it.trace(tmp_path / "trace.json")
        for index in (2, 0, 1):
            it[index]
        it.on_epoch_end()
    found = events(tmp_path / "trace.json")
    waiting = [event["args"]["batch"] for event in found if event["cat"] == "waiting"]
    assert waiting == [2, 0, 1]
    assert sum(event["name"] == "hook" for event in found) == 6


@pytest.mark.parametrize("path", [None, 7, b"trace.json", ["a"]], ids=repr)
def test_what_is_no_path(path: Any, crops: Path) -> None:
    with flow(crops) as it, pytest.raises(ArgumentTypeError, match="`path` must be the name of a file"):
        it.trace(path)


def test_where_no_file_can_be(crops: Path, tmp_path: Path) -> None:
    with flow(crops) as it:
        with pytest.raises(MissingDirectoryError, match="nowhere"):
            it.trace(tmp_path / "nowhere" / "trace.json")
        with pytest.raises(InvalidArgumentError, match="not a folder"):
            it.trace(tmp_path)


def handed_out(position: int, times: BatchTimes | None, node: str = "") -> HandedOut:
    begun = 0.0 if times is None else times.began
    return HandedOut(position, 1, 1, begun, begun + 1, 1, node, times)


def times_of(spans: int, process: int = 4) -> BatchTimes:
    clock = StageClock()
    for _ in range(spans):
        clock.end("read")
    times = clock.times()
    return BatchTimes(process, 1, times.began, times.wall, times.stages, times.ends)


def test_memory_is_bounded_unless_somebody_looks() -> None:
    timeline = Timeline()
    for number in range(3000):
        timeline.note(handed_out(number, times_of(50)))
    kept = timeline.batches()
    assert len(kept) == 1000
    assert kept[-1].position == 2999
    timeline.keep_more()
    for number in range(3000):
        timeline.note(handed_out(number, times_of(50)))
    assert len(timeline.batches()) == 4000


def test_a_batch_of_very_many_images_is_put_together() -> None:
    clock = StageClock()
    for _ in range(20_000):
        clock.end("read")
        clock.end("hook")
    spans = list(clock.times().spans())
    assert [name for name, _, _ in spans] == ["read", "hook"]
    assert spans[1][2] == pytest.approx(sum(clock.seconds().values()), rel=1e-5)


def test_machines_with_the_same_process_numbers_are_told_apart() -> None:
    found = events_of([handed_out(n, times_of(3), node) for n, node in enumerate(("a", "b", "a"))])
    lines = [event["pid"] for event in found if event.get("cat") == "batch"]
    assert lines[0] == lines[2] != lines[1]
    named = {event["args"]["name"] for event in found if event["name"] == "process_name"}
    assert {"worker 1 (4 on a)", "worker 2 (4 on b)"} <= named
    unknown = events_of([handed_out(0, None)])
    assert [event["cat"] for event in unknown if event["ph"] == "X"] == ["waiting"]
