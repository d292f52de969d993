"""Measures what the batches of an iterator take, and adds it up by epoch.

The measurement takes a few readings of the clock for each image and each batch, so it is always on.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from imageloom._locks import Lock
from imageloom._log import counted, logger
from imageloom._pipeline.recipe import BatchReport
from imageloom._stream.reporting.figures import EpochReport
from imageloom._stream.reporting.report import Report
from imageloom._stream.substitutions import BadImage

__all__ = ["Meter"]

_EPOCHS_KEPT: Final = 1000
_LONGEST_PAUSE: Final = (
    3  # what the consumer may do between epochs, in times of what it does for a batch
)


class _Tally:
    """The sums of one epoch, or of several."""

    __slots__ = (
        "batches",
        "cache_hits",
        "images",
        "seconds",
        "stages",
        "timed",
        "timed_images",
        "waited",
    )

    def __init__(self) -> None:
        self.batches = self.images = self.timed = self.timed_images = self.cache_hits = 0
        self.seconds = self.waited = 0.0
        self.stages: dict[str, float] = {}

    def add(self, other: _Tally) -> None:
        for name in self.__slots__:
            if name != "stages":
                setattr(self, name, getattr(self, name) + getattr(other, name))
        self.add_stages(other.stages)

    def add_stages(self, seconds: Mapping[str, float]) -> None:
        for name, more in seconds.items():
            self.stages[name] = self.stages.get(name, 0.0) + more

    def figures(self, workers: int) -> dict[str, Any]:
        return {
            "batches": self.batches,
            "images": self.images,
            "timed_images": self.timed_images,
            "seconds": self.seconds,
            "waited": self.waited,
            "workers": workers,
            "worker_seconds": sum(self.stages.values()),
            "stages": dict(self.stages),
            "cache_hits": self.cache_hits,
        }


class Meter:
    """Collects the numbers of a report; any thread may use it."""

    def __init__(self) -> None:
        """Starts without any batches."""
        self._lock = Lock()
        self._epochs: dict[int, _Tally] = {}
        self._earlier = _Tally()  # of epochs that are not kept
        self._begun = False
        self._last = 0.0
        self._last_epoch = 0
        self._own = 0.0  # what the consumer did between batches of one epoch
        self._steps = 0  # how many times
        self._to_first = 0.0
        self._nodes: dict[str, int] = {}
        self._away = 0.0
        self._fallback: str | None = None
        self._by_reader = 0

    def note(
        self, asked: float, images: int, batch: BatchReport, *, epoch: int = 0, length: int = 0
    ) -> float:
        """Notes a batch, and returns when it was handed out.

        Args:
            asked: When it was requested, by `time.perf_counter`.
            images: How many images it has.
            batch: What the pipeline reports about it.
            epoch: The number of its epoch, from 0.
            length: The number of batches in an epoch; 0 if it is not known.
        """
        now = time.perf_counter()
        with self._lock:
            tally = self._epochs.get(epoch) or self._new(epoch)
            tally.batches += 1
            tally.images += images
            tally.cache_hits += batch.cache_hits
            if self._begun:
                tally.seconds += self._since_last(asked, now, epoch)
                tally.waited += now - asked
                tally.timed_images += images
                tally.add_stages(batch.seconds)
                self._away += batch.away_seconds
                if batch.node:
                    self._nodes[batch.node] = self._nodes.get(batch.node, 0) + 1
            else:  # it includes the start of the workers, which the following batches do not
                self._begun, self._to_first = True, now - asked
            self._fallback = batch.fallback or self._fallback
            self._by_reader += batch.times is not None and batch.times.is_of_this_thread
            self._last, self._last_epoch = now, epoch
        if tally.batches == length and logger.isEnabledFor(logging.INFO):
            _log_epoch(self._epoch_report(epoch, tally, 1))
        return now

    def _since_last(self, asked: float, now: float, epoch: int) -> float:
        """The time since the last batch, without what is more than usual of a pause between epochs."""
        gap, own = now - self._last, max(0.0, asked - self._last)
        if epoch == self._last_epoch:
            self._own += own
            self._steps += 1
        elif self._steps:
            gap -= max(0.0, own - _LONGEST_PAUSE * self._own / self._steps)
        return gap

    def _new(self, epoch: int) -> _Tally:
        while len(self._epochs) >= _EPOCHS_KEPT:
            self._earlier.add(self._epochs.pop(next(iter(self._epochs))))
        tally = self._epochs[epoch] = _Tally()
        return tally

    def report(
        self, *, workers: int, cpus: int, restarts: int, bad_images: Sequence[BadImage], **further: Any
    ) -> Report:
        """Returns the report so far; the arguments are attributes of `Report`."""
        with self._lock:
            epochs = sorted(self._epochs.items())
            total = _Tally()
            for tally in (self._earlier, *(tally for _, tally in epochs)):
                total.add(tally)
            return Report(
                **total.figures(workers),
                seconds_to_first_batch=self._to_first,
                cpus=cpus,
                restarts=restarts,
                bad_images=tuple(bad_images),
                epochs=tuple(self._epoch_reports(epochs, workers)),
                nodes=dict(self._nodes),
                away_seconds=self._away,
                fallback=self._fallback,
                by_reader=self._by_reader,
                **further,
            )

    def _epoch_reports(
        self, epochs: Iterable[tuple[int, _Tally]], workers: int
    ) -> Iterable[EpochReport]:
        return (self._epoch_report(number, tally, workers) for number, tally in epochs)

    @staticmethod
    def _epoch_report(number: int, tally: _Tally, workers: int) -> EpochReport:
        return EpochReport(epoch=number + 1, **tally.figures(workers))


def _log_epoch(epoch: EpochReport) -> None:
    images = counted(epoch.images, "image")
    if not epoch.timed_images:  # the very first batch was all
        logger.info("Epoch %d: %s.", epoch.epoch, images)
        return
    logger.info(
        "Epoch %d: %s in %.1f s (%.0f a second), %.0f%% of it waiting for data.",
        epoch.epoch,
        images,
        epoch.seconds,
        epoch.images_per_second,
        100 * epoch.waiting_share,
    )
