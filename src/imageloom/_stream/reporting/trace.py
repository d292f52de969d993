"""Writes a timeline as a file that Perfetto and Chrome's tracing page open.

The format is the JSON of Chrome's trace events: https://ui.perfetto.dev opens such a file. Processes
are the program and its workers; the threads of a process have a line each::

    program    consumer    | waiting for batch 0 |          | waiting for batch 1 |
    worker 1   batches          | batch 0: read, transform, read, ... |

"""

from __future__ import annotations

import gzip
import json
import os
import time
import weakref
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, Self

from imageloom._errors import ArgumentTypeError, InvalidArgumentError, MissingDirectoryError
from imageloom._pipeline.stages import STAGES
from imageloom._public import public
from imageloom._storage.atomic import replace_file
from imageloom._stream.reporting.timeline import HandedOut, Timeline

__all__ = ["Trace", "events_of"]

_NODE_STEP: Final = 10**7  # above all process numbers, to tell those of several machines apart

Event = dict[str, Any]


@public
class Trace:
    """The result of `trace()`: a file with the timeline of an iterator.

    The file is written when it is made, at the end of its `with` block, when the iterator is closed
    or collected, at the end of the program, and by `write`.

    Attributes:
        path: the file.
    """

    def __init__(self, timeline: Timeline, path: str | os.PathLike[str]) -> None:
        """Writes the file for the first time."""
        self.path = _checked(path)
        self._timeline = timeline
        timeline.keep_more()
        self.write()
        self._end = weakref.finalize(self, _write_in, os.getpid(), timeline, self.path)

    def write(self) -> None:
        """Replaces the file by one with all that is known so far.

        Raises:
            OSError: it cannot be written.
        """
        _write(self._timeline, self.path)

    def end(self) -> None:
        """Writes the file for the last time."""
        self._end()

    def __enter__(self) -> Self:
        """Returns this object; the file is written at the end of the block."""
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Writes the file."""
        self.end()

    def __repr__(self) -> str:
        """The file, and how many batches are in it."""
        return f"<Trace: {len(self._timeline.batches())} batches in {str(self.path)!r}>"


def _checked(path: Any) -> Path:
    """The absolute path of a file that can be written.

    Raises:
        ArgumentTypeError, InvalidArgumentError, MissingDirectoryError: it cannot be.
    """
    try:
        name = os.fspath(path)
    except TypeError:
        name = None
    if not isinstance(name, str):
        raise ArgumentTypeError(f"`path` must be the name of a file; received {path!r}.")
    found = Path(name).absolute()
    if not name or found.is_dir():
        raise InvalidArgumentError(f"`path` must be the name of a file, not a folder: {name!r}.")
    if not found.parent.is_dir():
        raise MissingDirectoryError(f"The folder of `path` does not exist: {str(found.parent)!r}.")
    return found


def _write_in(owner: int, timeline: Timeline, path: Path) -> None:
    if os.getpid() == owner:  # and not in a forked child
        _write(timeline, path)


def _write(timeline: Timeline, path: Path) -> None:
    content = json.dumps({"traceEvents": events_of(timeline.batches()), "displayTimeUnit": "ms"})
    data = content.encode()
    replace_file(path, gzip.compress(data) if path.suffix == ".gz" else data)


def events_of(batches: Sequence[HandedOut]) -> list[Event]:
    """The events of some batches; times are microseconds after the first of them."""
    lanes = _Lanes()
    events: list[Event] = []
    for batch in batches:
        events += _events(batch, lanes)
    zero = min((event["ts"] for event in events), default=0.0)
    for event in events:
        # Start and end are rounded, and not the time between: else a stage might end after its batch.
        start, end = (round(1e6 * (at - zero), 3) for at in (event["ts"], event.pop("end")))
        event["ts"], event["dur"] = start, round(max(0.0, end - start), 3)
    events.sort(key=lambda event: (event["ts"], -event["dur"]))
    return [*lanes.names(), *events]


def _events(batch: HandedOut, lanes: _Lanes) -> Iterator[Event]:
    about = {"batch": batch.position, "epoch": batch.epoch, "images": batch.images}

    def event(name: str, kind: str, lane: tuple[int, int], start: float, end: float) -> Event:
        pid, tid = lane
        return {
            "name": name, "cat": kind, "ph": "X", "pid": pid, "tid": tid,
            "ts": start, "end": end, "args": about,
        }  # fmt: skip

    consumer = lanes.of_consumer(batch.reader)
    yield event(f"waiting for batch {batch.position}", "waiting", consumer, batch.asked, batch.given)
    if batch.times is None:
        return
    lane = lanes.of_worker(batch)
    began = lanes.begin_of(batch)
    spans = list(batch.times.spans())
    end = spans[-1][2] if spans else 0.0
    yield event(f"batch {batch.position}", "batch", lane, began, began + end)
    for name, start, stop in spans:
        yield {
            **event(name, "stage", lane, began + start, began + stop),
            "args": {**about, "stage": STAGES[name].activity},
        }


class _Lanes:
    """The processes and threads of a trace, which are numbered in the order of their appearance."""

    def __init__(self) -> None:
        self._program = os.getpid()
        self._offset = time.time() - time.perf_counter()
        self._nodes: dict[str, int] = {"": 0}
        self._processes: dict[int, str] = {self._program: f"program ({self._program})"}
        # Viewers take numbers of 32 bits, which those of threads are not.
        self._numbers: dict[tuple[int, int], int] = {}
        self._threads: dict[tuple[int, int], str] = {}
        self._readers = self._workers = 0

    def of_consumer(self, thread: int) -> tuple[int, int]:
        """The line of a thread that reads batches."""
        lane = self._lane(self._program, thread)
        if lane not in self._threads:
            self._readers += 1
            self._threads[lane] = "consumer" if self._readers == 1 else f"consumer {self._readers}"
        return lane

    def of_worker(self, batch: HandedOut) -> tuple[int, int]:
        """The line of the thread that has computed a batch."""
        times = batch.times
        assert times is not None
        node = self._nodes.setdefault(batch.node, len(self._nodes))
        pid = times.process + _NODE_STEP * node
        if pid not in self._processes:
            self._workers += 1
            where = f" on {batch.node}" if batch.node else ""
            self._processes[pid] = f"worker {self._workers} ({times.process}{where})"
        lane = self._lane(pid, times.thread)
        if lane not in self._threads:
            if pid == self._program:
                self._workers += 1
                self._threads[lane] = f"worker {self._workers}"
            else:
                self._threads[lane] = "batches"
        return lane

    def _lane(self, process: int, thread: int) -> tuple[int, int]:
        return process, self._numbers.setdefault((process, thread), len(self._numbers) + 1)

    def begin_of(self, batch: HandedOut) -> float:
        """When the computation of a batch began, by this process's clock."""
        times = batch.times
        assert times is not None
        return times.wall - self._offset if batch.node else times.began

    def names(self) -> Iterator[Event]:
        """The events that name processes and threads."""
        for pid, name in self._processes.items():
            yield {"name": "process_name", "ph": "M", "pid": pid, "tid": 0, "args": {"name": name}}
        for (pid, tid), name in self._threads.items():
            yield {"name": "thread_name", "ph": "M", "pid": pid, "tid": tid, "args": {"name": name}}
