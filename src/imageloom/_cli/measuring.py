"""Measures images per second with several configurations, and chooses one of them."""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from imageloom import DirectoryIterator

__all__ = ["Advice", "Configuration", "Rate", "advise", "configurations", "measure"]

_WORTH_IT: Final = 1.15  # more cores or memory have to bring at least this factor
_PARTS: Final = 5  # of a measurement; the slowest and the fastest part show the noise
_WARM_UP_SHARE: Final = 0.2


@dataclass(frozen=True, slots=True)
class Configuration:
    """What is measured: an executor, a number of cores, and whether there is a cache."""

    executor: str
    cores: int
    cache: bool = False

    @property
    def in_words(self) -> str:
        """The configuration as arguments of the generator."""
        return f"executor={self.executor!r}, cores={self.cores}" + ", cache='memory'" * self.cache


@dataclass(frozen=True, slots=True)
class Rate:
    """Images per second with a configuration.

    Attributes:
        configuration: what was measured.
        median: median of the parts of the measurement.
        low: rate of the slowest part.
        high: rate of the fastest part.
        images: number of images that were read.
        seconds: time that they took.
        first_batch: seconds until the first batch.
        stages: seconds of computing by stage, summed over all workers.
    """

    configuration: Configuration
    median: float
    low: float
    high: float
    images: int
    seconds: float
    first_batch: float
    stages: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Advice:
    """The configuration to use, and the reasons."""

    configuration: Configuration
    reasons: list[str]


def configurations(
    cpus: int, executors: Sequence[str] = (), cores: Sequence[int] = (), *, cache: bool = True
) -> list[Configuration]:
    """Returns what to measure: executors with 1, 2, 4 ... and all cores, some also with a cache.

    Args:
        cpus: number of CPUs.
        executors: executors to measure; all of them if empty.
        cores: numbers of cores to measure; 1, 2, 4 ... and all if empty.
        cache: whether to measure with a cache as well.
    """
    counts = sorted({count for count in cores if count <= cpus}) or sorted(
        {1, *(2**power for power in range(1, 10) if 2**power <= cpus), cpus}
    )
    wanted = executors or ("serial", "threads", "processes")
    found = [Configuration("serial", 1)] if "serial" in wanted else []
    parallel = [kind for kind in ("threads", "processes") if kind in wanted]
    found += [Configuration(kind, count) for kind in parallel for count in counts]
    if cache:
        ends = sorted({counts[0], counts[-1]})
        kinds = parallel[-1:] or ["serial"]
        found += [
            Configuration(kind, n, cache=True) for kind in kinds for n in (ends if parallel else [1])
        ]
    return found


def measure(flow: DirectoryIterator, configuration: Configuration, seconds: float) -> Rate:
    """Reads batches to warm up or to fill the cache, and then for `seconds`, in parts.

    The iterator is closed afterwards.
    """
    with flow:
        start = time.perf_counter()
        next(flow)
        first_batch = time.perf_counter() - start
        _warm_up(flow, seconds, until_batch=2 * len(flow) if configuration.cache else 0)
        parts: list[tuple[int, float]] = []
        before = dict(flow.report().stages)
        for _ in range(_PARTS):
            parts.append(_read_for(flow, seconds / _PARTS))
        after = flow.report().stages
    rates = [images / took for images, took in parts]
    return Rate(
        configuration=configuration,
        median=statistics.median(rates),
        low=min(rates),
        high=max(rates),
        images=sum(images for images, _ in parts),
        seconds=sum(took for _, took in parts),
        first_batch=first_batch,
        stages={name: value - before.get(name, 0.0) for name, value in after.items()},
    )


def _warm_up(flow: DirectoryIterator, seconds: float, *, until_batch: int) -> None:
    """Reads the batches that were computed ahead, and fills the cache."""
    end = time.perf_counter() + _WARM_UP_SHARE * seconds
    while time.perf_counter() < end or flow.total_batches_seen < until_batch:
        next(flow)


def _read_for(flow: DirectoryIterator, seconds: float) -> tuple[int, float]:
    images, start = 0, time.perf_counter()
    while (took := time.perf_counter() - start) < seconds or not images:
        images += len(next(flow)[0])
    return images, took


def advise(rates: Sequence[Rate], *, cached_nbytes: int, free_nbytes: int) -> Advice:
    """Chooses the cheapest configuration that is about as fast as the fastest one.

    Workers cost cores, and a cache costs memory.

    Args:
        rates: the measurements.
        cached_nbytes: memory that a cache of all images would take.
        free_nbytes: memory that a cache may use.
    """
    fits = cached_nbytes <= free_nbytes
    usable = [rate for rate in rates if fits or not rate.configuration.cache] or list(rates)
    fastest = max(usable, key=lambda rate: rate.median)
    good = [rate for rate in usable if rate.median * _WORTH_IT >= fastest.median]
    best = min(good, key=lambda r: (r.configuration.cache, r.configuration.cores, -r.median))
    reasons = []
    if best is fastest:
        reasons.append(f"the fastest: {best.median:,.0f} images/s")
    else:
        reasons.append(
            f"{best.median:,.0f} images/s; the fastest ({fastest.configuration.in_words}, "
            f"{fastest.median:,.0f}) is less than {_WORTH_IT - 1:.0%} ahead and takes more "
            + ("memory" if fastest.configuration.cache and not best.configuration.cache else "cores")
        )
    reasons += _about_cores(best, usable)
    reasons += _about_caches(best, rates, cached_nbytes, fits=fits)
    total = sum(best.stages.values())
    if total > 0:
        stage = max(best.stages, key=lambda name: best.stages[name])
        hint = ": decode='scaled' may help" if stage == "read" and not best.configuration.cache else ""
        reasons.append(
            f"the stage {stage!r} takes {best.stages[stage] / total:.0%} of the computing time{hint}"
        )
    overlapping = [
        rate for rate in usable if rate is not best and rate.high >= best.low and rate.low <= best.high
    ]
    if overlapping:
        reasons.append(
            f"the measurement overlaps with {len(overlapping)} other(s): to tell them apart, measure "
            "longer with --seconds"
        )
    return Advice(best.configuration, reasons)


def _about_cores(best: Rate, rates: Sequence[Rate]) -> list[str]:
    same = [
        rate for rate in rates if rate.configuration == dataclasses.replace(best.configuration, cores=1)
    ]
    if best.configuration.cores == 1 or not same:
        return []
    ratio = best.median / same[0].median
    return [f"{best.configuration.cores} cores are {ratio:.1f} times as fast as one"]


def _about_caches(best: Rate, rates: Sequence[Rate], nbytes: int, *, fits: bool) -> list[str]:
    cached = [rate for rate in rates if rate.configuration.cache]
    if not cached:
        return []
    size = f"{nbytes / 1e9:,.1f} GB" if nbytes > 1e8 else f"{max(1, round(nbytes / 1e6))} MB"
    quickest = max(cached, key=lambda rate: rate.median)
    if not fits:
        return [f"a cache of all images would take {size}, which is more than the free memory allows"]
    if best.configuration.cache:
        return [f"all decoded images take {size} of memory; the first epoch fills it"]
    return [f"with a cache ({size}): {quickest.median:,.0f} images/s from the second epoch on"]
