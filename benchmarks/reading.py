"""How quickly batches come, and how much of the processors' time they take."""

from __future__ import annotations

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


def read_for(
    batches: Iterator[Any], seconds: float, before: int = READ_BEFORE, starting: float = 0.0
) -> Reading:
    """Read batches of images and labels for a while.

    The first `before` batches do not count, nor those of the first seconds: until workers have started,
    the reading process computes.
    """
    begun = time.perf_counter()
    for number, _ in enumerate(batches, start=1):
        if number >= before and time.perf_counter() - begun >= starting:
            break
    begun, begun_cpu, images, read = time.perf_counter(), cpu_seconds(), 0, 0
    # So many that a batch more or less in the queue at the end does not matter.
    while time.perf_counter() - begun < seconds or read < READ_BEFORE:
        images += len(next(batches)[0])
        read += 1
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
