"""Images per second with some settings, and which of them to use."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from imageloom import DirectoryIterator

__all__ = ["Advice", "Rate", "Setting", "advise", "measure", "settings"]

_WORTH_IT: Final = 1.15  # a setting that is not faster by so much is not worth more cores or memory
_PARTS: Final = 5  # of the time of a measurement, for the spread
_WARM_UP_SHARE: Final = 0.2


@dataclass(frozen=True, slots=True)
class Setting:
    """What is measured."""

    executor: str
    cores: int
    cache: bool = False

    @property
    def in_words(self) -> str:
        """As arguments of the generator."""
        return f"executor={self.executor!r}, cores={self.cores}" + ", cache='memory'" * self.cache


@dataclass(frozen=True, slots=True)
class Rate:
    """Images per second with a setting.

    Attributes:
        setting: what was measured.
        median: of the parts of the measurement.
        low: of the slowest part.
        high: of the quickest part.
        images: that were counted.
        seconds: that they took.
        first_batch: seconds until the first batch was there.
        stages: seconds of computing by stage, of all workers together.
    """

    setting: Setting
    median: float
    low: float
    high: float
    images: int
    seconds: float
    first_batch: float
    stages: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Advice:
    """The setting to use, and why."""

    setting: Setting
    reasons: list[str]


def settings(
    cpus: int, executors: Sequence[str] = (), cores: Sequence[int] = (), *, cache: bool = True
) -> list[Setting]:
    """What to measure: each executor with 1, 2, 4 ... and all cores, and with a cache at both ends.

    Args:
        cpus: that may be used.
        executors: these alone; all of them if empty.
        cores: these numbers alone.
        cache: measure with a cache, too.
    """
    counts = sorted({count for count in cores if count <= cpus}) or sorted(
        {1, *(2**power for power in range(1, 10) if 2**power <= cpus), cpus}
    )
    wanted = executors or ("serial", "threads", "processes")
    found = [Setting("serial", 1)] if "serial" in wanted else []
    parallel = [kind for kind in ("threads", "processes") if kind in wanted]
    found += [Setting(kind, count) for kind in parallel for count in counts]
    if cache:
        ends = sorted({counts[0], counts[-1]})
        kinds = parallel[-1:] or ["serial"]
        found += [Setting(kind, n, cache=True) for kind in kinds for n in (ends if parallel else [1])]
    return found


def measure(flow: DirectoryIterator, setting: Setting, seconds: float) -> Rate:
    """Reads batches for a while: some to warm up, or until the cache is full, then parts of the time.

    The iterator is closed afterwards.
    """
    with flow:
        start = time.perf_counter()
        next(flow)
        first_batch = time.perf_counter() - start
        _warm_up(flow, seconds, until_batch=2 * len(flow) if setting.cache else 0)
        parts: list[tuple[int, float]] = []
        before = dict(flow.report().stages)
        for _ in range(_PARTS):
            parts.append(_read_for(flow, seconds / _PARTS))
        after = flow.report().stages
    rates = [images / took for images, took in parts]
    return Rate(
        setting=setting,
        median=statistics.median(rates),
        low=min(rates),
        high=max(rates),
        images=sum(images for images, _ in parts),
        seconds=sum(took for _, took in parts),
        first_batch=first_batch,
        stages={name: value - before.get(name, 0.0) for name, value in after.items()},
    )


def _warm_up(flow: DirectoryIterator, seconds: float, *, until_batch: int) -> None:
    """What was computed ahead while nobody looked is read off; caches are filled."""
    end = time.perf_counter() + _WARM_UP_SHARE * seconds
    while time.perf_counter() < end or flow.total_batches_seen < until_batch:
        next(flow)


def _read_for(flow: DirectoryIterator, seconds: float) -> tuple[int, float]:
    images, start = 0, time.perf_counter()
    while (took := time.perf_counter() - start) < seconds or not images:
        images += len(next(flow)[0])
    return images, took


def advise(rates: Sequence[Rate], *, cached_nbytes: int, free_nbytes: int) -> Advice:
    """The cheapest setting that is about as fast as the fastest: workers cost cores, a cache memory.

    Args:
        rates: what was measured.
        cached_nbytes: what all images would take in a cache.
        free_nbytes: memory that a cache may use.
    """
    fits = cached_nbytes <= free_nbytes
    usable = [rate for rate in rates if fits or not rate.setting.cache] or list(rates)
    fastest = max(usable, key=lambda rate: rate.median)
    good = [rate for rate in usable if rate.median * _WORTH_IT >= fastest.median]
    best = min(good, key=lambda r: (r.setting.cache, r.setting.cores, -r.median))
    reasons = []
    if best is fastest:
        reasons.append(f"the fastest: {best.median:,.0f} images/s")
    else:
        reasons.append(
            f"{best.median:,.0f} images/s; the fastest ({fastest.setting.in_words}, "
            f"{fastest.median:,.0f}) is less than {_WORTH_IT - 1:.0%} ahead and takes more "
            + ("memory" if fastest.setting.cache and not best.setting.cache else "cores")
        )
    reasons += _about_cores(best, usable)
    reasons += _about_caches(best, rates, cached_nbytes, fits=fits)
    total = sum(best.stages.values())
    if total > 0:
        stage = max(best.stages, key=lambda name: best.stages[name])
        hint = ": decode='scaled' may help" if stage == "read" and not best.setting.cache else ""
        reasons.append(
            f"{best.stages[stage] / total:.0%} of the computing is the stage {stage!r}{hint}"
        )
    overlapping = [
        rate for rate in usable if rate is not best and rate.high >= best.low and rate.low <= best.high
    ]
    if overlapping:
        reasons.append(
            f"the measurements overlap with {len(overlapping)} other(s): measure longer with --seconds "
            "if it matters"
        )
    return Advice(best.setting, reasons)


def _about_cores(best: Rate, rates: Sequence[Rate]) -> list[str]:
    same = [
        rate
        for rate in rates
        if (rate.setting.executor, rate.setting.cache) == (best.setting.executor, best.setting.cache)
        and rate.setting.cores == 1
    ]
    if best.setting.cores == 1 or not same:
        return []
    ratio = best.median / same[0].median
    return [f"{best.setting.cores} cores are {ratio:.1f} times as fast as one"]


def _about_caches(best: Rate, rates: Sequence[Rate], nbytes: int, *, fits: bool) -> list[str]:
    cached = [rate for rate in rates if rate.setting.cache]
    if not cached:
        return []
    size = f"{nbytes / 1e9:,.1f} GB" if nbytes > 1e8 else f"{max(1, round(nbytes / 1e6))} MB"
    quickest = max(cached, key=lambda rate: rate.median)
    if not fits:
        return [f"a cache of all images would take {size}, which is more than the free memory allows"]
    if best.setting.cache:
        return [f"all decoded images take {size} of memory; the first epoch fills it"]
    return [f"with a cache ({size}): {quickest.median:,.0f} images/s from the second epoch on"]
