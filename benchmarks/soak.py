"""Many epochs of training and validation, with workers killed at random, and the resources used.

The program prints a row for every tenth epoch: memory of this process and of its workers,
descriptors, threads, children, speed, and the number of killed workers. Its status is 1 if the last
epoch is worse than the second one::

    python benchmarks/soak.py                       50 epochs
    python benchmarks/soak.py --epochs 500 --kills 0
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import os
import random
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from augmentation import AUGMENTATION
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "examples"))

from real_images import write_photographs

from imageloom import ImageDataGenerator

_MIB = 2**20
_SETTLE_SECONDS = 10.0


@dataclass(frozen=True)
class Footprint:
    """The resources of a program; counts must not grow, and memory only within a tolerance."""

    rss_mib: float
    worker_uss_mib: float
    descriptors: int
    threads: int
    children: int

    @classmethod
    def now(cls) -> Footprint:
        """Measure this process and its largest worker."""
        this = psutil.Process()
        sizes = [0.0]
        for child in _workers():
            with contextlib.suppress(psutil.Error):
                sizes.append(child.memory_full_info().uss / _MIB)
        return cls(
            rss_mib=this.memory_info().rss / _MIB,
            worker_uss_mib=max(sizes),
            descriptors=this.num_fds() if os.name == "posix" else this.num_handles(),
            threads=this.num_threads(),
            children=len(this.children(recursive=True)),
        )

    def growth_since(self, before: Footprint, tolerance_mib: float) -> list[str]:
        """Return a line for each resource that has grown."""
        found = []
        for name, now in vars(self).items():
            then = vars(before)[name]
            if now > then + (tolerance_mib if name.endswith("_mib") else 0):
                found.append(f"{name}: {then:g} after epoch 2, {now:g} at the end")
        return found


def _workers() -> list[psutil.Process]:
    """Return the running workers."""
    found = []
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.Error):
            if "imageloom" in " ".join(child.cmdline()):
                found.append(child)
    return found


class Killer:
    """Kills a random worker now and then, from the thread that reads the batches."""

    def __init__(self, chance: float, seed: int) -> None:
        """``chance`` is the probability of a kill per batch."""
        self.killed = 0
        self._chance = chance
        self._random = random.Random(seed)

    def maybe(self) -> None:
        """Kill a worker, with probability ``chance``."""
        if self._random.random() < self._chance and (workers := _workers()):
            with contextlib.suppress(psutil.NoSuchProcess):
                self._random.choice(workers).kill()
                self.killed += 1


def settled(workers: int) -> Footprint:
    """Measure after killed workers were replaced and their resources freed."""
    gc.collect()
    end = time.monotonic() + _SETTLE_SECONDS
    while len(_workers()) < workers and time.monotonic() < end:
        threading.Event().wait(0.02)
    footprint = Footprint.now()
    while time.monotonic() < end:
        threading.Event().wait(0.1)
        last, footprint = footprint, Footprint.now()
        if (last.descriptors, last.children) == (footprint.descriptors, footprint.children):
            break
    return footprint


def run_epoch(train: Any, validation: Any, killer: Killer) -> int:
    """Read a pass of both iterators, as a training loop does; return the number of images."""
    images = 0
    train.on_epoch_begin()
    for number in range(len(train)):
        images += len(train[number][0])
        killer.maybe()
    train.on_epoch_end()
    for _ in range(len(validation)):
        images += len(next(validation)[0])
        killer.maybe()
    # A new iterator each time, as in some programs.
    with contextlib.redirect_stdout(None):  # the number of images would be printed each time
        again = validation.image_data_generator.flow_from_directory(
            validation.directory, subset="validation", target_size=validation.target_size, batch_size=8
        )
    with again:
        images += len(next(again)[0])
    return images


def _header() -> str:
    return (
        f"{'epoch':>6} {'RSS MiB':>9} {'worker USS':>11} {'descriptors':>12} {'threads':>8} "
        f"{'children':>9} {'images/s':>9} {'killed':>7}"
    )


def _row(epoch: int, at: Footprint, speed: float, killed: int) -> str:
    return (
        f"{epoch:>6} {at.rss_mib:>9.1f} {at.worker_uss_mib:>11.1f} {at.descriptors:>12} "
        f"{at.threads:>8} {at.children:>9} {speed:>9.0f} {killed:>7}"
    )


def soak(folder: Path, options: argparse.Namespace) -> list[str]:
    """Run all epochs and print the table; return a line for each resource that has grown."""
    generator = ImageDataGenerator(cores=options.cores, validation_split=0.2, **AUGMENTATION)
    flow = {"target_size": (options.size, options.size), "batch_size": 8, "seed": 1}
    train = generator.flow_from_directory(folder, subset="training", **flow)
    validation = generator.flow_from_directory(folder, subset="validation", **flow)
    killer = Killer(options.kills, seed=1)
    second: Footprint | None = None
    footprint = Footprint.now()
    images, started = 0, time.perf_counter()
    bar = tqdm(range(1, options.epochs + 1), desc="Epochs", unit="epoch")
    bar.write(_header())
    with train, validation:
        next(train)  # starts all workers
        train.reset()
        workers = train.report().workers
        for epoch in bar:
            images += run_epoch(train, validation, killer)
            if epoch == 2 or epoch % 10 == 0 or epoch == options.epochs:
                speed = images / (time.perf_counter() - started)
                footprint = settled(workers)
                second = footprint if epoch == 2 else second
                bar.write(_row(epoch, footprint, speed, killer.killed))
                images, started = 0, time.perf_counter()
    assert second is not None
    return footprint.growth_since(second, options.tolerance)


def main() -> int:
    """Run with the arguments of the command line; return 1 if a resource has grown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--size", type=int, default=128, help="height and width of the batches")
    parser.add_argument("--cores", type=int, default=2, help="workers")
    parser.add_argument("--kills", type=float, default=0.02, help="chance of a kill at each batch")
    parser.add_argument("--tolerance", type=float, default=16.0, help="MiB that memory may grow")
    options = parser.parse_args()
    if options.epochs < 3:
        parser.error("at least 3 epochs: the end is compared with the second")
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        worse = soak(write_photographs(Path(folder) / "images", options.images), options)
    for line in worse:
        print(f"GREW {line}")
    print("flat" if not worse else "not flat")
    return 1 if worse else 0


if __name__ == "__main__":
    sys.exit(main())
