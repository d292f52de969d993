"""Reports where the time of an iterator went, and which change would help most.

The measurement takes a few readings of the clock for each image and each batch, so it is always on.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from imageloom._locks import Lock
from imageloom._pipeline.recipe import BatchReport
from imageloom._pipeline.stages import STAGES
from imageloom._public import public
from imageloom._stream.substitutions import BadImage

__all__ = ["Meter", "Report"]

_NEGLIGIBLE_WAITING = 0.05
_FEW_BATCHES = 3
_MB, _GB = 10**6, 10**9


@public
@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The result of `report()`; `str` and `print` show it in words.

    All attributes but the first and `seconds_to_first_batch` are about the second batch and the
    following ones, because the first one waits for the start of the workers.

    Attributes:
        batches: The number of batches that have been handed out.
        images: The number of images in them.
        seconds: The time from the first batch to the last one.
        seconds_to_first_batch: The time from the request for the first batch until it was handed
            out.
        waited: The seconds in which the consumer waited for a batch.
        workers: The number of workers.
        cpus: The number of CPUs that this process may use.
        worker_seconds: The time that all workers together have computed.
        stages: The same time by stage.
        cache_hits: The number of images that were read from the cache.
        restarts: The number of workers that died or hung, and were replaced.
        bad_images: The files that could not be read, and those that have replaced them.
        serial: Whether the consumer itself computes the batches when it requests them.
        workers_started: False if the work has been too little so far for worker processes.
        decoded_nbytes: The memory that all decoded images would take; None if they are cached
            already or cannot be cached.
        nodes: The number of batches by the node of a cluster that computed them; empty on one
            machine.
        away_seconds: The time that these batches took on a cluster in addition to the computation:
            until a node began, and until their pixels arrived.
        fallback: Why this process computes the batches, although the generator's executor has
            workers elsewhere; None if workers do.
    """

    batches: int
    images: int
    seconds: float
    seconds_to_first_batch: float
    waited: float
    workers: int
    cpus: int
    worker_seconds: float
    stages: Mapping[str, float]
    cache_hits: int
    restarts: int
    bad_images: Sequence[BadImage]
    serial: bool = False
    workers_started: bool = True
    decoded_nbytes: int | None = None
    nodes: Mapping[str, int] = field(default_factory=dict)
    away_seconds: float = 0.0
    fallback: str | None = None

    @property
    def waiting_share(self) -> float:
        """The share of the time in which the consumer waited, 0..1."""
        return min(1.0, self.waited / self.seconds) if self.seconds > 0 else 0.0

    @property
    def images_per_second(self) -> float:
        """The number of images that the consumer received in a second."""
        return self.images / self.seconds if self.seconds > 0 else 0.0

    @property
    def idle_share(self) -> float:
        """The share of the time in which workers had nothing to do, 0..1."""
        available = self.workers * self.seconds
        return max(0.0, 1 - self.worker_seconds / available) if available > 0 else 0.0

    @property
    def verdict(self) -> str:
        """Whether the model waits for data, and the one change that would help most."""
        if self.batches < _FEW_BATCHES:
            return "Too few batches so far for a verdict."
        if not self.workers_started:
            return (
                f"The program itself has computed the batches so far, in {self.worker_seconds:.1f} s. "
                "Workers start when there is more to do than their start takes."
            )
        if self.waiting_share < _NEGLIGIBLE_WAITING:
            return (
                f"The model waits {self.waiting_share:.0%} of the time for data, so faster loading "
                f"would gain nothing. Workers are idle {self.idle_share:.0%} of the time."
            )
        stage, share = self._main_stage()
        return (
            f"The model waits {self.waiting_share:.0%} of the time for data; {STAGES[stage].cost} "
            f"takes {'most' if share >= 0.5 else 'the largest part'} of it ({share:.0%}): "
            f"{self._advice(stage)}."
        )

    def _main_stage(self) -> tuple[str, float]:
        if not self.stages or self.worker_seconds <= 0:
            return "finish", 0.0
        stage = max(self.stages, key=lambda name: self.stages[name])
        return stage, self.stages[stage] / self.worker_seconds

    def _advice(self, stage: str) -> str:
        wanted = self._workers_wanted()
        if self.fallback is not None:
            more = "let the generator's own workers compute the batches, as the last line says"
        elif self.serial:
            more = (
                "let workers compute the batches ahead, in the background "
                f'(executor="processes", cores={min(wanted, self.cpus)})'
            )
        elif wanted <= self.workers:
            more = "raise max_batches_pending, because the consumer requests several batches at once"
        elif self.workers >= self.cpus and stage == "fetch":
            more = "move the files closer to this machine; more CPUs would not help"
        elif self.workers >= self.cpus:
            more = (
                f"all {self.cpus} CPUs are busy and {wanted} would be needed, so augment less, or use "
                "a " + ("larger cluster" if self.nodes else "machine with more CPUs")
            )
        else:
            usable = min(wanted, self.cpus)
            more = f"use {usable - self.workers} more worker(s) (cores={usable})"
        own = {
            "hook": "make preprocessing_function faster, or ",
            "noaug_hook": "make noaug_preprocessing_function faster, or ",
            "batch_function": "make get_batch_function faster, or ",
            "save": "leave save_to_dir out, or ",
        }
        if self.decoded_nbytes is not None:
            size = _in_words(self.decoded_nbytes)
            own["read"] = f'cache the decoded images (cache="memory", about {size}), or '
            own["fetch"] = own["read"]
        return own.get(stage, "") + more

    def _workers_wanted(self) -> int:
        """The number of workers that would compute as fast as the model consumes without waiting."""
        own_time = max(self.seconds - self.waited, 1e-3 * self.seconds)
        return min(10 * self.workers, math.ceil(self.worker_seconds / own_time))

    def __str__(self) -> str:
        """The report in words."""
        lines = [
            self.verdict,
            "",
            f"{self.batches} batches, {self.images} images in {self.seconds:.1f} s "
            f"({self.images_per_second:,.0f} a second); the first batch came after "
            f"{self.seconds_to_first_batch:.1f} s.",
            f"Waiting for data: {self.waited:.1f} s ({self.waiting_share:.0%}). {self.workers} "
            f"worker(s), idle {self.idle_share:.0%}, replaced {self.restarts}.",
        ]
        if self.worker_seconds > 0 and self.images:
            lines.append("Computing, by stage:")
            for name, seconds in sorted(self.stages.items(), key=lambda item: -item[1]):
                share, each = seconds / self.worker_seconds, 1000 * seconds / self.images
                lines.append(f"  {share:4.0%}  {each:7.3f} ms an image  {STAGES[name].cost}")
        if self.nodes:
            each = 1000 * self.away_seconds / sum(self.nodes.values())
            lines.append(f"Nodes of the cluster ({each:.0f} ms a batch to get there and back):")
            lines += [f"  {node}: {count} batches" for node, count in sorted(self.nodes.items())]
        if self.cache_hits:
            lines.append(f"Images out of the cache: {self.cache_hits}.")
        if self.bad_images:
            lines.append(f"Bad images, replaced ({len(self.bad_images)}):")
            lines += [
                f"  {bad.filename!r} by {bad.substitute!r}: {bad.reason}" for bad in self.bad_images
            ]
        if self.fallback is not None:
            lines.append(f"Computed in this process, not by the executor's workers: {self.fallback}")
        return "\n".join(lines)


def _in_words(nbytes: int) -> str:
    if nbytes < 0.1 * _GB:
        return f"{max(1, round(nbytes / _MB)):,} MB"
    return f"{nbytes / _GB:,.1f} GB"


class Meter:
    """Collects the numbers of a report; any thread may use it."""

    def __init__(self) -> None:
        """Starts without any batches."""
        self._lock = Lock()
        self._batches = 0
        self._images = 0
        self._cache_hits = 0
        self._first = self._last = 0.0
        self._to_first = 0.0
        self._waited = 0.0
        self._stages: Counter[str] = Counter()
        self._nodes: Counter[str] = Counter()
        self._away = 0.0
        self._fallback: str | None = None

    def note(self, asked: float, images: int, batch: BatchReport) -> None:
        """Notes a batch that was requested when `time.perf_counter` was `asked`."""
        now = time.perf_counter()
        with self._lock:
            if self._batches == 0:
                # It includes the start of the workers, which the following batches do not.
                self._first, self._to_first = now, now - asked
            else:
                self._waited += now - asked
                self._images += images
                self._cache_hits += batch.cache_hits
                self._stages.update(batch.seconds)
                self._away += batch.away_seconds
                self._nodes.update([batch.node] if batch.node else [])
            self._fallback = batch.fallback or self._fallback
            self._last = now
            self._batches += 1

    def report(
        self,
        *,
        workers: int,
        cpus: int,
        restarts: int,
        bad_images: Sequence[BadImage],
        serial: bool = False,
        workers_started: bool = True,
        decoded_nbytes: int | None = None,
    ) -> Report:
        """Returns the report so far."""
        return Report(
            batches=self._batches,
            images=self._images,
            seconds=self._last - self._first,
            seconds_to_first_batch=self._to_first,
            waited=self._waited,
            workers=workers,
            cpus=cpus,
            worker_seconds=sum(self._stages.values()),
            stages=dict(self._stages),
            cache_hits=self._cache_hits,
            restarts=restarts,
            bad_images=tuple(bad_images),
            serial=serial,
            workers_started=workers_started,
            decoded_nbytes=decoded_nbytes,
            nodes=dict(self._nodes),
            away_seconds=self._away,
            fallback=self._fallback,
        )
