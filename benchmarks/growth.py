"""How the rate depends on the number of workers, classes and files, and on image and batch size.

Each quantity has a curve, measured on photographs, which `python docs/drawings/draw.py` draws. Each
point is the median of several rounds, and the points of a curve take turns::

    python benchmarks/growth.py
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from machine import keep
from tqdm import tqdm
from workload import Workload, make_workload

ROUNDS = 3
IMAGES_PER_POINT = 1500
LINKS_PER_FILE = 30_000  # file systems allow some 65,000 names for one file
Rate = Callable[[int], float]


@dataclass
class Curve:
    """Images per second over one quantity."""

    name: str
    unit: str
    limit: str
    rates: dict[int, float] = field(default_factory=dict)


def measure_curve(curve: Curve, points: Sequence[int], rate: Rate) -> Curve:
    """Fill in the medians; the points take turns, so that other load affects all of them."""
    runs: dict[int, list[float]] = {point: [] for point in points}
    for point in tqdm([*points] * ROUNDS, desc=curve.name, unit="run"):
        runs[point].append(rate(point))
    curve.rates = {point: round(statistics.median(run), 1) for point, run in runs.items()}
    return curve


def rate_of(
    directory: str, work: Workload, workers: int, images: int = IMAGES_PER_POINT, **changed: Any
) -> float:
    """Return images per second of the augmenting iterator, once its workers run."""
    from imageloom import ImageDataGenerator

    generator = ImageDataGenerator(**work.keras_augmentation(), executor="processes", cores=workers)
    usual = {"target_size": (work.height, work.width), "batch_size": work.batch_size}
    flow = generator.flow_from_directory(
        directory, **(usual | changed), interpolation="bilinear", seed=work.seed
    )
    with flow:
        for _ in range(2 * workers):
            next(flow)
        taken, start = 0, time.perf_counter()
        while taken < images:
            taken += len(next(flow)[0])
        return taken / (time.perf_counter() - start)


def link_folder(root: Path, sources: list[Path], files: int, classes: int) -> str:
    """Make a data set of so many links to the same photographs, evenly in the classes."""
    target = root / f"{files}-{classes}"
    for number in range(classes):
        (target / f"class{number:04d}").mkdir(parents=True)
    copies = root / f"{files}-{classes}-copies"
    copies.mkdir()
    for number in range(files):
        original = sources[number % len(sources)]
        again = copies / f"{number // (len(sources) * LINKS_PER_FILE)}-{original.name}"
        if not again.exists():
            again.write_bytes(original.read_bytes())
        os.link(again, target / f"class{number % classes:04d}" / f"{number:07d}.jpg")
    return str(target)


def measure_all(files: Sequence[int], root: Path) -> list[Curve]:
    """Measure all curves."""
    work = make_workload("photographs", 1000)
    sources = work.files[:200]
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    counts = sorted({1, 2, *(2**power for power in range(1, 8) if 2**power <= cpus), cpus})
    home = work.directory
    folders = {
        (number, classes): link_folder(root, sources, number, classes)
        for number, classes in {*((n, 10) for n in files), *((5000, c) for c in (2, 10, 100, 1000))}
    }
    return [
        measure_curve(
            Curve("workers", "worker processes", "one CPU each; beyond them nothing to gain"),
            [count for count in counts if count <= cpus],
            lambda workers: rate_of(home, work, workers),
        ),
        measure_curve(
            Curve("image size", "pixels a side", "decoding below 200, then warp and memory"),
            [32, 64, 96, 160, 224, 320, 448],
            lambda side: rate_of(home, work, 2, target_size=(side, side)),
        ),
        measure_curve(
            Curve("batch size", "images a batch", "a message, a slot and a seed for each batch"),
            [1, 4, 16, 32, 128, 512],
            lambda size: rate_of(home, work, 2, batch_size=size),
        ),
        measure_curve(
            Curve("classes", "classes of 5,000 files", "flat: a label is a number"),
            [2, 10, 100, 1000],
            lambda classes: rate_of(folders[5000, classes], work, 2),
        ),
        measure_curve(
            Curve("files", "files in the data set", "flat: a task names its own files"),
            files,
            lambda number: rate_of(folders[number, 10], work, 2),
        ),
    ]


def main() -> None:
    """Measure, print and save the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--most-files", type=int, default=1_000_000)
    options = parser.parse_args()
    files = [number for number in (1000, 10_000, 100_000, 1_000_000) if number <= options.most_files]
    with tempfile.TemporaryDirectory(prefix="imageloom-growth-") as folder, suppress(KeyboardInterrupt):
        curves = measure_all(files, Path(folder))
        for curve in curves:
            print(curve.name, curve.rates)
        keep("growth", {"rounds": ROUNDS, "curves": [asdict(curve) for curve in curves]})


if __name__ == "__main__":
    main()
