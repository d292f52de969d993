"""How a Ray cluster scales: the rate by number of nodes, and the overhead of a batch.

A model says how many nodes feed one or eight GPUs; its rates are compared with measured ones.

python benchmarks/cluster.py

All nodes are processes of this machine. More nodes than processors are simulated by batches that
pause instead of computing. This measures the rest: scheduling, the object store, and the consumer's
copy.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")

import numpy as np
import ray
from machine import keep
from PIL import Image
from ray.cluster_utils import Cluster
from report import markdown
from workload import make_workload

from imageloom import ImageDataGenerator

NODES = (1, 2, 4, 8, 16)
SECONDS = 5.0
IMAGES = 1000
PAUSE = 0.4  # seconds of a simulated batch: the time of one processor for 32 photographs
BATCH = 32
SIDES = (96, 224, 512)
GPU_RATES = {96: 10_000, 224: 2_500, 512: 500}  # images per second of a small model, by side


@dataclass(frozen=True)
class Costs:
    """The parameters of the model.

    Attributes:
        overhead: seconds per batch for the way to a node and back, without computing and copying.
        take: seconds of the consumer per batch, without the time for its bytes.
        byte: seconds of the consumer per byte of a batch.
    """

    overhead: float
    take: float
    byte: float

    def rate(self, nodes: int, compute: float, nbytes: float) -> float:
        """Return batches per second if each processor computes a batch in `compute` seconds."""
        return min(nodes / (compute + self.overhead), self.consumer_rate(nbytes))

    def consumer_rate(self, nbytes: float) -> float:
        """Return the largest number of batches per second that one consumer can read."""
        return 1 / (self.take + self.byte * nbytes)


class Pause:
    """A hook that pauses once per batch, for the time that computing it would take."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def __call__(self, params: Any, x: Any, batch_index: int) -> Any:
        if batch_index == 0:
            time.sleep(self.seconds)
        return x


def rate_of(flow: Any) -> tuple[float, float]:
    """Return batches per second, and the overhead of a batch in seconds."""
    next(flow)
    for _ in range(2 * flow.report().workers):
        next(flow)
    batches, start = 0, time.perf_counter()
    while time.perf_counter() - start < SECONDS:
        next(flow)
        batches += 1
    seconds = time.perf_counter() - start
    report = flow.report()
    flow.close()
    return batches / seconds, report.away_seconds / max(1, report.batches - 1)


def imitated(folder: Path, side: int, seconds: float) -> Any:
    """Make an iterator over simulated batches of this size."""
    generator = ImageDataGenerator(
        executor="ray", cores=-1, preprocessing_function=Pause(seconds) if seconds else None
    )
    return generator.flow_from_directory(
        folder, (side, side), batch_size=BATCH, seed=1, interpolation="nearest"
    )


def imitated_rate(folder: Path, side: int, seconds: float) -> tuple[float, float]:
    """Return batches per second, and the overhead of a batch in seconds."""
    return rate_of(imitated(folder, side, seconds))


def consumer_seconds(folder: Path, side: int) -> float:
    """Return the median seconds of `next` when batches are ready: mostly their copy."""
    flow = imitated(folder, side, 0.0)
    next(flow)
    found = []
    for _ in range(20):
        time.sleep(0.3)  # until the next batch is ready
        start = time.perf_counter()
        next(flow)
        found.append(time.perf_counter() - start)
    flow.close()
    return statistics.median(found)


def with_nodes(count: int, measure: Callable[[], Any]) -> Any:
    """Run a measurement on a cluster of so many nodes with one processor each."""
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    try:
        for _ in range(count):
            cluster.add_node(num_cpus=1, object_store_memory=300 * 2**20)
        ray.init(address=cluster.address, logging_level="ERROR")
        return measure()
    finally:
        ray.shutdown()
        cluster.shutdown()


def small_folder(root: Path) -> Path:
    """Write images that are very quick to read."""
    (root / "class").mkdir()
    for number in range(256):
        Image.fromarray(np.full((8, 8, 3), number, np.uint8)).save(root / "class" / f"{number:03}.bmp")
    return root


def real_rate(executor: str) -> float:
    """Return photographs per second with full augmentation."""
    workload = make_workload("photographs", IMAGES)
    generator = ImageDataGenerator(executor=executor, cores=-1, **workload.keras_augmentation())
    flow = generator.flow_from_directory(
        workload.directory, (224, 224), batch_size=BATCH, seed=1, interpolation="bilinear"
    )
    return rate_of(flow)[0] * BATCH


def measured(folder: Path) -> tuple[Costs, dict[str, Any]]:
    """Measure the parameters of the model, and rates to compare it with."""
    sides = {side: with_nodes(2, partial(consumer_seconds, folder, side)) for side in SIDES}
    nbytes = {side: BATCH * side * side * 3 * 4 for side in SIDES}
    byte, take = np.polyfit(list(nbytes.values()), list(sides.values()), 1)
    tiny, overhead = with_nodes(1, partial(imitated_rate, folder, 8, 0.0))
    costs = Costs(overhead=float(overhead), take=max(0.0, float(take)), byte=float(byte))
    rows = []
    for nodes in NODES:
        rate, away = with_nodes(nodes, partial(imitated_rate, folder, 96, PAUSE))
        rows.append(
            {
                "nodes": nodes,
                "batches_per_second": rate,
                "model": costs.rate(nodes, PAUSE, nbytes[96]),
                "away_ms": 1000 * away,
            }
        )
    real = {f"{count} nodes": with_nodes(count, partial(real_rate, "ray")) for count in (1, 2)}
    real["2 processes"] = real_rate("processes")
    return costs, {
        "consumer_ms_per_batch": {str(side): 1000 * value for side, value in sides.items()},
        "batches_of_8x8_per_second": tiny,
        "by_nodes": rows,
        "photographs_per_second": real,
    }


def on_paper(costs: Costs, per_processor: float) -> list[dict[str, Any]]:
    """Return the processors that feed one and eight GPUs, each with its own process and shard."""
    rows = []
    for side, rate in GPU_RATES.items():
        # The time of decoding is constant; that of later steps grows with the area.
        each = per_processor / (0.7 + 0.3 * (side / 224) ** 2)
        one = rate / each
        limit = costs.consumer_rate(BATCH * side * side * 3 * 4) * BATCH
        rows.append(
            {
                "side": side,
                "gpu_images_per_second": rate,
                "processors_for_1": one,
                "processors_for_8": 8 * one,
                "consumer_limit": limit,
            }
        )
    return rows


def main() -> None:
    """Measure, print and save the results."""
    with tempfile.TemporaryDirectory() as place:
        costs, found = measured(small_folder(Path(place)))
    paper = on_paper(costs, found["photographs_per_second"]["1 nodes"])
    rows = [("nodes", "batches/s", "model", "beside computing ms")]
    rows += [
        (
            str(row["nodes"]),
            f"{row['batches_per_second']:.1f}",
            f"{row['model']:.1f}",
            f"{row['away_ms']:.0f}",
        )
        for row in found["by_nodes"]
    ]
    print(markdown(rows))
    rows = [("images", "a GPU takes", "CPUs for 1", "CPUs for 8", "one process takes at most")]
    rows += [
        (
            f"{row['side']}x{row['side']}",
            f"{row['gpu_images_per_second']:,}/s",
            f"{row['processors_for_1']:.0f}",
            f"{row['processors_for_8']:.0f}",
            f"{row['consumer_limit']:,.0f}/s",
        )
        for row in paper
    ]
    print(markdown(rows))
    print(keep("cluster", {"costs": vars(costs), **found, "paper": paper}))


if __name__ == "__main__":
    main()
