"""When the stages of one batch were: who computed it, and when each stage ended.

It is noted for every batch, so it is kept in a few bytes for each stage of each image, and crosses to
the parent of a worker with the batch.
"""

from __future__ import annotations

import os
import threading
import time
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from imageloom._pipeline.stages import STAGES

__all__ = ["BatchTimes", "StageClock"]

_NAMES: Final = tuple(STAGES)
_NUMBERS: Final = {name: number for number, name in enumerate(_NAMES)}
_MOST_SPANS: Final = 8192  # of a batch; the spans of larger batches are put together


@dataclass(frozen=True, slots=True)
class BatchTimes:
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

    def __len__(self) -> int:
        """The number of spans."""
        return len(self.stages)

    def spans(self) -> Iterator[tuple[str, float, float]]:
        """Name, start and end of each span, in seconds after `began`."""
        start = 0.0
        for number, end in zip(self.stages, np.frombuffer(self.ends, np.float32).tolist(), strict=True):
            yield _NAMES[number], start, end
            start = end


class StageClock:
    """Notes when stages end."""

    __slots__ = ("_began", "_ends", "_stages", "_wall")

    def __init__(self) -> None:
        """Begins the first stage."""
        self._wall = time.time()
        self._stages = bytearray()
        self._ends = array("d")
        self._began = time.perf_counter()

    def end(self, stage: str) -> None:
        """Ends a stage; the next one begins at the same time."""
        self._ends.append(time.perf_counter())
        self._stages.append(_NUMBERS[stage])

    def seconds(self) -> Mapping[str, float]:
        """The time that each stage has taken so far."""
        numbers, lengths = self._numbers_and_lengths()
        sums = np.bincount(numbers, lengths, len(_NAMES)).tolist()
        return {_NAMES[number]: sums[number] for number in dict.fromkeys(self._stages)}

    def times(self) -> BatchTimes:
        """Who has computed this, and when."""
        stages, ends = bytes(self._stages), np.frombuffer(self._ends, np.float64) - self._began
        if len(stages) > _MOST_SPANS:
            sums = self.seconds()  # as if each stage had been done for all images at once
            stages = bytes(_NUMBERS[name] for name in sums)
            ends = np.cumsum(np.fromiter(sums.values(), np.float64))
        return BatchTimes(
            os.getpid(),
            threading.get_ident(),
            self._began,
            self._wall,
            stages,
            ends.astype(np.float32).tobytes(),
        )

    def _numbers_and_lengths(self) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
        ends = np.frombuffer(self._ends, np.float64)
        return np.frombuffer(self._stages, np.uint8), np.diff(ends, prepend=self._began)
