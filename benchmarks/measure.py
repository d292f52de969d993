"""Run one peer once and tell the result: the comparison starts this file for each run."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from fresh import tell
from peers import PEERS, Peer
from reading import cpu_seconds, processes
from workload import Measurement, Workload

_MIB = 2**20


def measure(peer: Peer, workload: Workload, started: float) -> Measurement:
    """Read the epochs of the peer; ``started`` is when the process began, in ``time.time()``."""
    batches = peer.build(workload, peer.workers)
    first = _checked_size(next(batches), peer, workload)
    first_batch, first_cpu = time.time(), cpu_seconds()
    after_first = workload.images - first
    _take(batches, workload, after_first)
    end, end_cpu = time.time(), cpu_seconds()
    later = [_epoch_rate(batches, workload) for _ in range(peer.epochs - 1)]
    # Measured while the workers run, because some loaders end their workers with the epoch.
    main_uss, worker_uss = _private_memory(peer.workers)
    _close(batches)
    return Measurement(
        first_epoch=None if peer.keeps else after_first / (end - first_batch),
        later_epoch=max(later, default=None),
        seconds_to_first_batch=first_batch - started,
        cpu_ms_per_image=1000 * (end_cpu - first_cpu) / after_first,
        main_uss_mib=main_uss,
        worker_uss_mib=worker_uss,
    )


def _epoch_rate(batches: Any, workload: Workload) -> float:
    """Return the images per second of one more epoch."""
    start = time.time()
    _take(batches, workload, workload.images)
    return workload.images / (time.time() - start)


def _take(batches: Any, workload: Workload, images: int) -> None:
    """Read batches until there are ``images`` images; an epoch must end there."""
    seen = 0
    while seen < images:
        seen += len(next(batches)[0])
    if seen != images:
        raise RuntimeError(f"{seen} images came instead of {images}")


def _checked_size(batch: Any, peer: Peer, workload: Workload) -> int:
    """Check shape, type and values of the images in ``batch``; return their number."""
    images = batch[0]
    if peer.augments:
        height, width, channels = workload.height, workload.width, workload.channels
        if tuple(images.shape[1:]) not in {(height, width, channels), (channels, height, width)}:
            raise RuntimeError(f"unexpected shape {images.shape}")
        if "float32" not in str(images.dtype):
            raise RuntimeError(f"unexpected type {images.dtype}")
        if not (0.05 < float(images.mean()) < 0.95 and float(images.max()) < 1.01):
            raise RuntimeError("pixel values do not lie between 0 and 1")
    return len(images)


def _private_memory(workers: int) -> tuple[float, list[float]]:
    """Return the unique set sizes in MiB of this process and of its ``workers``.

    Small helpers, such as multiprocessing's resource tracker, are also children: the workers
    are the largest ones.
    """
    main, *children = [process.memory_full_info().uss / _MIB for process in processes()]
    return main, sorted(children, reverse=True)[:workers]


def _close(batches: Any) -> None:
    """Close the iterator if it has a method for it."""
    close: Callable[[], None] | None = getattr(batches, "close", None)
    if close is not None:
        close()


def main() -> None:
    """Measure the peer that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("peer", choices=PEERS)
    parser.add_argument("--workload", type=json.loads, required=True, help="its fields as JSON")
    parser.add_argument("--started", type=float, required=True)
    options = parser.parse_args()
    result = measure(PEERS[options.peer], Workload(**options.workload), options.started)
    tell(asdict(result))


if __name__ == "__main__":
    main()
