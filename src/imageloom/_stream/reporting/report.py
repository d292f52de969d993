"""The result of `report()`: where the time of an iterator went, and which change would help most."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from imageloom._public import public
from imageloom._stream.reporting.advice import sentence_about
from imageloom._stream.reporting.figures import EpochReport, Figures
from imageloom._stream.reporting.tables import as_html, as_text
from imageloom._stream.substitutions import BadImage

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["Report"]


@public
@dataclass(frozen=True, slots=True, kw_only=True)
class Report(Figures):
    """The result of `report()`: figures since the start, and by epoch.

    `print` shows it as a table and a sentence, and so does a notebook. The very first batch counts,
    but the time until it came does not, because that includes the start of the workers.

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
        seconds_to_first_batch: The time from the request for the first batch until it was handed
            out.
        cpus: The number of CPUs that this process may use.
        restarts: The number of workers that died or hung, and were replaced.
        bad_images: The files that could not be read, and those that have replaced them.
        epochs: The same figures for each epoch, of which the last 1,000 are kept.
        serial: Whether the consumer itself computes the batches when it requests them.
        workers_started: False if the work has been too little so far for worker processes.
        by_reader: The number of batches that the thread that requested them has computed, because
            no worker was ready.
        decoded_nbytes: The memory that all decoded images would take; None if they are cached
            already or cannot be cached.
        nodes: The number of batches by the node of a cluster that computed them; empty on one
            machine.
        away_seconds: The time that these batches took on a cluster in addition to the computation:
            until a node began, and until their pixels arrived.
        fallback: Why this process computes the batches, although the generator's executor has
            workers elsewhere; None if workers do.
        cores: The generator's argument, which says how many workers there are; None with `debug`.
        pending: How many finished batches may wait (`max_batches_pending`); 0 if none is computed
            ahead.
    """

    seconds_to_first_batch: float
    cpus: int
    restarts: int
    bad_images: Sequence[BadImage]
    epochs: Sequence[EpochReport] = ()
    serial: bool = False
    workers_started: bool = True
    by_reader: int = 0
    decoded_nbytes: int | None = None
    nodes: Mapping[str, int] = field(default_factory=dict)
    away_seconds: float = 0.0
    fallback: str | None = None
    cores: float | None = None
    pending: int = 0

    @property
    def verdict(self) -> str:
        """A sentence that says whether the model waits for data, and what would help most."""
        return sentence_about(self)

    def __str__(self) -> str:
        """The sentence, a table of the epochs, a table of the stages, and what else is to be told."""
        return as_text(self)

    def _repr_html_(self) -> str:
        """The same for a notebook."""
        return as_html(self)

    def to_dict(self) -> dict[str, Any]:
        """All figures, those that follow from them, and the sentence, as plain JSON."""
        return {
            "verdict": self.verdict,
            **self._as_dict(),
            "seconds_to_first_batch": self.seconds_to_first_batch,
            "cpus": self.cpus,
            "cores": self.cores,
            "pending": self.pending,
            "restarts": self.restarts,
            "serial": self.serial,
            "workers_started": self.workers_started,
            "by_reader": self.by_reader,
            "decoded_nbytes": self.decoded_nbytes,
            "nodes": dict(self.nodes),
            "away_seconds": self.away_seconds,
            "fallback": self.fallback,
            "bad_images": [bad.to_dict() for bad in self.bad_images],
            "epochs": [epoch.to_dict() for epoch in self.epochs],
        }

    def plot(self) -> Image.Image:
        """Draws, for each epoch, how long the model computed and waited, and the stages.

        A notebook shows the picture; `.save("report.png")` writes it. The time of a stage is that of
        one worker on average, so that both bars of an epoch have one scale: the rest of the lower one
        is time in which workers had nothing to do. The last 20 epochs are shown.
        """
        from imageloom._stream.reporting.plot import drawn  # loads Pillow

        return drawn(self)
