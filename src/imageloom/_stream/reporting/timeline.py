"""What is kept of the last batches, so that a trace can show when each stage was."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Final, NamedTuple

from imageloom._locks import Lock
from imageloom._pipeline.timing import BatchTimes

__all__ = ["HandedOut", "Timeline"]

# Spans take five bytes, and a batch some hundred more. So an iterator that nobody traces keeps less
# than a megabyte, and one that somebody traces some ten.
_SPANS_KEPT: Final = 100_000
_SPANS_TRACED: Final = 2_000_000
_SPANS_OF_A_BATCH: Final = 50  # what the rest of a batch counts as


class HandedOut(NamedTuple):
    """A batch that was handed out.

    Attributes:
        position: Its position in the stream.
        epoch: The number of its epoch, from 1.
        images: The number of its images.
        asked: When the consumer requested it, by `time.perf_counter`.
        given: When the consumer had it.
        reader: The number of the consumer's thread.
        node: The node of a cluster that computed it; "" on this machine.
        times: When its stages were; None if that is not known.
    """

    position: int
    epoch: int
    images: int
    asked: float
    given: float
    reader: int
    node: str
    times: BatchTimes | None


class Timeline:
    """The last batches of an iterator; any thread may use it."""

    def __init__(self) -> None:
        """Starts without any batches."""
        self._lock = Lock()
        self._batches: deque[HandedOut] = deque()
        self._spans = 0
        self._most = _SPANS_KEPT

    def note(self, batch: HandedOut) -> None:
        """Keeps a batch, and drops the first ones if there are too many."""
        with self._lock:
            self._batches.append(batch)
            self._spans += _size(batch)
            while self._spans > self._most and len(self._batches) > 1:
                self._spans -= _size(self._batches.popleft())

    def keep_more(self) -> None:
        """Keeps many more batches from now on, because somebody wants to see them."""
        self._most = _SPANS_TRACED

    def batches(self) -> Sequence[HandedOut]:
        """The batches that are kept, in the order in which they were handed out."""
        with self._lock:
            return tuple(self._batches)


def _size(batch: HandedOut) -> int:
    return _SPANS_OF_A_BATCH + (0 if batch.times is None else len(batch.times.stages))
