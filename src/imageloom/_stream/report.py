"""Where an iterator's time went, and what would help most.

All that is measured is a few readings of the clock per image and per batch, so it is always on.
"""

from __future__ import annotations

import math
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

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
    """What `report()` tells; printed, it says it in words.

    Attributes:
        batches: handed out so far.
        images: in them, from the second batch on, as all that follows: the first one waits for the
            start of the workers.
        seconds: from the first batch handed out to the last.
        seconds_to_first_batch: from the request for the first batch until it was there.
        waited: seconds, of these, in which the consumer waited for a batch.
        workers: who compute.
        cpus: that this process may use.
        worker_seconds: of computing, of all workers together, for these batches.
        stages: the same by stage.
        cache_hits: images that were taken from the cache.
        restarts: workers that died or hung, and were replaced.
        bad_images: files that could not be read, with what took their place.
        serial: batches are computed by the consumer itself, when it asks for them.
        decoded_nbytes: what all decoded images would take; None where they cannot be kept, or are.
        nodes: batches by the node of a cluster that computed them; empty on one machine.
        away_seconds: what these batches took beside their computing: until a node began, and until
            their pixels were here.
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
    decoded_nbytes: int | None = None
    nodes: Mapping[str, int] = field(default_factory=dict)
    away_seconds: float = 0.0

    @property
    def waiting_share(self) -> float:
        """Share of the time in which the consumer waited, 0..1."""
        return min(1.0, self.waited / self.seconds) if self.seconds > 0 else 0.0

    @property
    def images_per_second(self) -> float:
        """What the consumer has taken."""
        return self.images / self.seconds if self.seconds > 0 else 0.0

    @property
    def idle_share(self) -> float:
        """Share of the time in which workers had nothing to do, 0..1."""
        available = self.workers * self.seconds
        return max(0.0, 1 - self.worker_seconds / available) if available > 0 else 0.0

    @property
    def verdict(self) -> str:
        """The state of affairs, and the one change that would help most."""
        if self.batches < _FEW_BATCHES:
            return "Too few batches so far to say anything."
        if self.waiting_share < _NEGLIGIBLE_WAITING:
            return (
                f"The model waits {self.waiting_share:.0%} of the time for data: nothing to gain here. "
                f"Workers are idle {self.idle_share:.0%} of the time."
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
        if self.serial:
            more = (
                "let workers compute the batches ahead, in the background "
                f'(executor="processes", cores={min(wanted, self.cpus)})'
            )
        elif wanted <= self.workers:
            more = "the consumer asks in bursts: raise max_batches_pending"
        elif self.workers >= self.cpus and stage == "fetch":
            more = "bring the files nearer to this machine: its CPUs are not what is missing"
        elif self.workers >= self.cpus:
            more = (
                f"all {self.cpus} CPUs are at work and {wanted} would be needed: augment less, or on a "
                + ("larger cluster" if self.nodes else "machine with more")
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
        """Workers that would compute as fast as the model consumes when it does not wait."""
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
        return "\n".join(lines)


def _in_words(nbytes: int) -> str:
    if nbytes < 0.1 * _GB:
        return f"{max(1, round(nbytes / _MB)):,} MB"
    return f"{nbytes / _GB:,.1f} GB"


class Meter:
    """Collects what a report needs, from any thread."""

    def __init__(self) -> None:
        """Nothing has been handed out."""
        self._lock = threading.Lock()
        self._batches = 0
        self._images = 0
        self._cache_hits = 0
        self._first = self._last = 0.0
        self._to_first = 0.0
        self._waited = 0.0
        self._stages: Counter[str] = Counter()
        self._nodes: Counter[str] = Counter()
        self._away = 0.0

    def note(self, asked: float, images: int, batch: BatchReport) -> None:
        """A batch is there that was asked for at a time of `time.perf_counter`."""
        now = time.perf_counter()
        with self._lock:
            if self._batches == 0:
                # Workers start then, which says nothing about what follows.
                self._first, self._to_first = now, now - asked
            else:
                self._waited += now - asked
                self._images += images
                self._cache_hits += batch.cache_hits
                self._stages.update(batch.seconds)
                self._away += batch.away_seconds
                self._nodes.update([batch.node] if batch.node else [])
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
        decoded_nbytes: int | None = None,
    ) -> Report:
        """All of it, from the second batch on."""
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
            decoded_nbytes=decoded_nbytes,
            nodes=dict(self._nodes),
            away_seconds=self._away,
        )
