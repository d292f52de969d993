"""When the stages of one batch were: who computed it, and when each stage ended.

It is noted for every batch, so it is kept in a few bytes for each stage of each image, and crosses to
the parent of a worker with the batch.
"""

from __future__ import annotations

import os
import threading
import time
from array import array
from collections.abc import Iterator
from itertools import accumulate
from typing import Final, NamedTuple

from imageloom._pipeline.stages import STAGES

__all__ = ["BatchTimes", "StageClock"]

_NAMES: Final = tuple(STAGES)
_NUMBERS: Final = {name: number for number, name in enumerate(_NAMES)}
_MOST_SPANS: Final = 8192  # of a batch; the spans of larger batches are put together


class BatchTimes(NamedTuple):
    """When the stages of a batch were.

    Attributes:
        process: The number of the process that computed it.
        thread: The number of the thread that did.
        began: When it began, by `time.perf_counter`, which all processes of a machine share.
        wall: The same by `time.time`, for batches of other machines.
        stages: The numbers of the stages, one after the other, a byte each.
        ends: When each of these ended, in seconds after `began`, as float32.
    """

    process: int
    thread: int
    began: float
    wall: float
    stages: bytes
    ends: bytes

    @property
    def is_of_this_thread(self) -> bool:
        """Whether the thread that asks has computed the batch."""
        return (self.process, self.thread) == (os.getpid(), threading.get_ident())

    def spans(self) -> Iterator[tuple[str, float, float]]:
        """Name, start and end of each span, in seconds after `began`."""
        start = 0.0
        for number, end in zip(self.stages, memoryview(self.ends).cast("f"), strict=True):
            yield _NAMES[number], start, end
            start = end


class StageClock:
    """Notes when stages end."""

    __slots__ = ("_began", "_ends", "_names", "_wall", "note_end", "note_name")

    def __init__(self) -> None:
        """Begins the first stage."""
        self._wall = time.time()
        self._names: list[str] = []
        self._ends: list[float] = []
        # What ends stages twice for each image calls these two itself.
        self.note_name: Final = self._names.append
        self.note_end: Final = self._ends.append
        self._began = time.perf_counter()

    def end(self, stage: str) -> None:
        """Ends a stage; the next one begins at the same time."""
        self.note_end(time.perf_counter())
        self.note_name(stage)

    def seconds(self) -> dict[str, float]:
        """The time that each stage has taken so far."""
        sums = dict.fromkeys(self._names, 0.0)
        start = self._began
        for name, end in zip(self._names, self._ends, strict=True):
            sums[name] += end - start
            start = end
        return sums

    def times(self) -> BatchTimes:
        """Who has computed this, and when."""
        began = self._began
        stages, ends = (
            bytes(map(_NUMBERS.__getitem__, self._names)),
            [end - began for end in self._ends],
        )
        if len(stages) > _MOST_SPANS:
            sums = self.seconds()  # as if each stage had been done for all images at once
            stages, ends = bytes(_NUMBERS[name] for name in sums), [*accumulate(sums.values())]
        where = os.getpid(), threading.get_ident()
        return BatchTimes(*where, began, self._wall, stages, array("f", ends).tobytes())
