"""The figures that a report has for an epoch, and for all epochs together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from imageloom._public import public

__all__ = ["EpochReport", "Figures"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What was measured.

    The very first batch of an iterator counts, but the time until it came does not: that includes
    the start of the workers.

    Attributes:
        batches: The number of batches that have been handed out.
        images: The number of images in them.
        timed_images: The number of images without those of the very first batch.
        seconds: The time from the very first batch on, without pauses between epochs, such as those
            for validation.
        waited: The seconds of them in which the consumer waited for a batch.
        workers: The number of workers.
        worker_seconds: The time that all workers together have computed.
        stages: The same time by stage.
        cache_hits: The number of images that were read from the cache.
    """

    batches: int
    images: int
    timed_images: int
    seconds: float
    waited: float
    workers: int
    worker_seconds: float
    stages: Mapping[str, float]
    cache_hits: int

    @property
    def waiting_share(self) -> float:
        """The share of the time in which the consumer waited, 0..1."""
        return min(1.0, self.waited / self.seconds) if self.seconds > 0 else 0.0

    @property
    def images_per_second(self) -> float:
        """The number of images that the consumer received in a second."""
        return self.timed_images / self.seconds if self.seconds > 0 else 0.0

    @property
    def idle_share(self) -> float:
        """The share of the time in which workers had nothing to do, 0..1."""
        available = self.workers * self.seconds
        return max(0.0, 1 - self.worker_seconds / available) if available > 0 else 0.0

    def _as_dict(self) -> dict[str, Any]:
        return {
            "batches": self.batches,
            "images": self.images,
            "timed_images": self.timed_images,
            "seconds": self.seconds,
            "waited": self.waited,
            "waiting_share": self.waiting_share,
            "images_per_second": self.images_per_second,
            "workers": self.workers,
            "worker_seconds": self.worker_seconds,
            "idle_share": self.idle_share,
            "stages": dict(self.stages),
            "cache_hits": self.cache_hits,
        }


@public
@dataclass(frozen=True, slots=True, kw_only=True)
class EpochReport(Figures):
    """What `Report.epochs` says about one epoch; the figures are those of `Report`.

    Attributes:
        epoch: The number of the epoch, counted from 1, as Keras prints it.
    """

    epoch: int

    def to_dict(self) -> dict[str, Any]:
        """All figures, as plain JSON."""
        return {"epoch": self.epoch, **self._as_dict()}
