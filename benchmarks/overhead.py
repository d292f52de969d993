"""The overhead of the library: its start, the transfer of batches, bookkeeping and memory.

python benchmarks/overhead.py
"""

from __future__ import annotations

import ctypes
import json
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any
from unittest import mock

import numpy as np
import psutil
from machine import keep
from numpy.typing import NDArray
from report import markdown
from workload import Workload, make_workload

ROUNDS = 7
_MIB = 2**20
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # from <malloc.h>
_FIRST_BATCH = """
import json, sys, time, warnings
warnings.simplefilter("ignore")
start = time.perf_counter()
from imageloom import ImageDataGenerator
imported = time.perf_counter()
flow = ImageDataGenerator(executor="processes", cores=2, rescale=1 / 255).flow_from_directory(
    sys.argv[1], (224, 224)
)
listed = time.perf_counter()
next(flow)
print(json.dumps({"import_s": imported - start, "first_batch_s": time.perf_counter() - listed}))
flow.close()
"""


def start_costs(directory: str) -> dict[str, float]:
    """Return medians over new processes: of the import, and of the first batch of an iterator."""
    runs = []
    for _ in range(ROUNDS):
        command = [sys.executable, "-c", _FIRST_BATCH, directory]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        runs.append(json.loads(done.stdout.splitlines()[-1]))
    return {name: statistics.median(run[name] for run in runs) for name in runs[0]}


def hand_over_costs(workload: Workload) -> dict[str, float]:
    """Return the consumer's time for a batch of 19 MB that workers compute, and their memory."""
    flow = _flow(workload, executor="processes", cores=2)
    for _ in range(2 * workload.batches):  # until all slots were used
        next(flow)
    process = psutil.Process()
    own, all_threads, start = time.thread_time(), time.process_time(), time.perf_counter()
    batches = 3 * workload.batches
    for _ in range(batches):
        next(flow)
    seconds = time.perf_counter() - start
    workers = [child.memory_full_info().uss / _MIB for child in process.children()]
    costs = {
        "consumer_ms_per_batch": 1000 * (time.thread_time() - own) / batches,
        "parent_ms_per_batch": 1000 * (time.process_time() - all_threads) / batches,
        "parent_busy_share": (time.process_time() - all_threads) / seconds,
        "largest_worker_mib": max(workers),
    }
    flow.close()
    return costs


def bookkeeping_costs(workload: Workload) -> dict[str, float]:
    """Return microseconds per image without reading, decoding, resizing, warping and scaling.

    This is the time of the serial executor, with each library call of these steps replaced by a
    function that returns the same result at once. So is scaling: what it takes in a loop of its own is
    less than what it takes here, where its memory is not in the processor's cache any more. The minimum
    of several rounds counts.
    """
    from bare import BareSteps

    bare = BareSteps(workload)
    content = bare.read(bare.files[0])
    pixels = bare.decode(content)
    small = bare.resize(pixels)
    flow = _flow(workload, executor="serial")
    next(flow)  # imports everything
    with ExitStack() as replaced:
        for target, stub in _stubs(content, pixels, small).items():
            replaced.enter_context(mock.patch(target, stub))
        times = [_seconds(lambda: _take(flow, workload.batches)) for _ in range(3 * ROUNDS)]
    return {"bookkeeping_us_per_image": 1e6 * min(times) / workload.images}


def _stubs(content: bytes, pixels: NDArray[np.uint8], small: NDArray[np.uint8]) -> dict[str, object]:
    """Return the replacement of each library call, by its place in the pipeline."""
    return {
        "imageloom._imaging.decode._read": lambda path: content,
        "imageloom._imaging.decode.simplejpeg.decode_jpeg": lambda *_, **__: pixels,
        "imageloom._imaging.decode.decode_png": lambda *_: (
            pixels
        ),  # reading its chunks is part of decoding
        "imageloom._imaging.decode.resize_as_pillow": lambda *_: small,
        "imageloom._imaging.augment.fused.transform_and_scale": lambda *_, **__: None,
    }


def steps_of_an_image(workload: Workload) -> dict[str, float]:
    """Return microseconds per image of each library call: medians over rounds of the data set."""
    from bare import BareSteps

    bare = BareSteps(workload)
    row = np.empty((workload.height, workload.width, workload.channels), np.float32)
    runs: list[Counter[str]] = []
    for _ in range(ROUNDS):
        spent: Counter[str] = Counter()
        for file, matrix in zip(bare.files, bare.matrices, strict=True):
            last, value = time.perf_counter(), file
            for name, step in (
                ("read", bare.read),
                ("decode", bare.decode),
                ("resize", bare.resize),
                ("scale", bare.scale),
                ("warp", lambda scaled, matrix=matrix: bare.warp(scaled, matrix, row)),
            ):
                value = step(value)
                now = time.perf_counter()
                spent[name] += now - last
                last = now
        runs.append(spent)
    return {
        name: 1e6 * statistics.median(run[name] for run in runs) / workload.images for name in runs[0]
    }


def keep_freed_memory() -> None:
    """Make glibc keep freed memory, as in workers, because the next image needs it again."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        libc.mallopt(_MMAP_THRESHOLD, 32 * _MIB)
        libc.mallopt(_TRIM_THRESHOLD, 64 * _MIB)


def _take(flow: Any, batches: int) -> None:
    for _ in range(batches):
        next(flow)  # not kept, because kept batches need new memory each time


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _flow(workload: Workload, **constructor: Any) -> Any:
    from imageloom import ImageDataGenerator

    generator = ImageDataGenerator(**workload.keras_augmentation(), **constructor)
    return generator.flow_from_directory(
        workload.directory,
        (workload.height, workload.width),
        color_mode="rgb" if workload.channels == 3 else "grayscale",
        interpolation="bilinear",
        batch_size=workload.batch_size,
        seed=workload.seed,
    )


def main() -> None:
    """Measure, print and save the results."""
    photographs, cells = make_workload("photographs", 1000), make_workload("cells", 1000)
    results = {
        "start": start_costs(photographs.directory),
        "hand_over": hand_over_costs(photographs),
        "photographs": bookkeeping_costs(photographs),
        "cells": bookkeeping_costs(cells),
        "photographs, by step": steps_of_an_image(photographs),
        "cells, by step": steps_of_an_image(cells),
    }
    rows = [("what", "measured", "wanted")]
    rows += [
        (what, f"{results[group][name]:.3g}", wanted)
        for what, group, name, wanted in (
            ("import imageloom, s", "start", "import_s", "< 0.3"),
            ("first batch after the iterator, s", "start", "first_batch_s", "< 1"),
            ("consumer per 19 MB batch, ms", "hand_over", "consumer_ms_per_batch", "< 1"),
            ("parent per batch, all threads, ms", "hand_over", "parent_ms_per_batch", ""),
            ("parent busy while it waits, share", "hand_over", "parent_busy_share", "idle"),
            ("largest worker, private MiB", "hand_over", "largest_worker_mib", "< 100"),
            ("bookkeeping per photograph, us", "photographs", "bookkeeping_us_per_image", "< 40"),
            ("bookkeeping per cell, us", "cells", "bookkeeping_us_per_image", "< 40"),
        )
    ]
    print(markdown(rows))
    steps = [("step, us", *results["photographs, by step"], "ours")]
    steps += [
        (
            name,
            *(f"{spent:.0f}" for spent in results[f"{name}, by step"].values()),
            f"{results[name]['bookkeeping_us_per_image']:.0f}",
        )
        for name in ("photographs", "cells")
    ]
    print(markdown(steps))
    keep("overhead", results)


if __name__ == "__main__":
    main()
