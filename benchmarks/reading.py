"""How quickly batches come, and how much of the processors' time they take."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psutil

# As many batches as wait to be read, with those at work: from then on, workers set the pace.
READ_BEFORE = 8


@dataclass(frozen=True)
class Reading:
    """Images per second, and milliseconds of processor time for an image, workers included.

    On a machine with other work, the processor time of two readings can still be compared.
    """

    images_per_second: float
    cpu_ms_per_image: float


def read_for(batches: Iterator[Any], seconds: float, before: int = READ_BEFORE) -> Reading:
    """Read batches of images and labels for a while, after those that do not count."""
    for _ in itertools.islice(batches, before):
        pass
    begun, begun_cpu, images = time.perf_counter(), cpu_seconds(), 0
    while time.perf_counter() - begun < seconds or not images:
        images += len(next(batches)[0])
    spent, cpu = time.perf_counter() - begun, cpu_seconds() - begun_cpu
    return Reading(images / spent, 1000 * cpu / images)


def processes() -> list[psutil.Process]:
    """Return this process and its descendants."""
    this = psutil.Process()
    return [this, *this.children(recursive=True)]


def cpu_seconds() -> float:
    """Return the processor time that this process and its descendants have used so far."""
    total = 0.0
    for process in processes():
        times = process.cpu_times()
        total += times.user + times.system
    return total
