"""Training a Keras model on photographs: images per second, and how long the model waits.

A model is trained for some epochs on each backend with each feed. Its rate without waiting is
measured in the same process, with batches that are in memory. The difference is the share of
waiting::

    python benchmarks/end_to_end.py
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from fresh import result_of, tell
from machine import keep
from peers import imageloom_batches, keras_flow, tfdata_dataset
from report import markdown
from tqdm import tqdm
from workload import Workload, make_workload

BACKENDS = ("jax", "tensorflow")
IMAGES = 384
ROUNDS = 3
EPOCHS = 1  # after a first epoch, which compiles the model and starts the workers


def make_model(workload: Workload, classes: int) -> Any:
    """Return a convolutional network that two cores train at a few hundred photographs a second."""
    import keras

    layers = keras.layers
    model = keras.Sequential([layers.Input((workload.height, workload.width, workload.channels))])
    for filters, size, strides in ((8, 4, 4), (16, 3, 2), (32, 3, 2)):
        model.add(layers.Conv2D(filters, size, strides, activation="relu", padding="same"))
    model.add(layers.GlobalAveragePooling2D())
    model.add(layers.Dense(classes, activation="softmax"))
    model.compile("adam", "categorical_crossentropy")
    return model


FEEDS: dict[str, Callable[[Workload], Any]] = {
    "imageloom": lambda workload: imageloom_batches(workload, 2),
    "imageloom, cache": lambda workload: imageloom_batches(workload, 2, cache="memory"),
    "Keras ImageDataGenerator": keras_flow,
    "tf.data + Keras layers": tfdata_dataset,
    "tf.data + Keras layers, cache": lambda workload: tfdata_dataset(workload, cache=True),
}


def _in_memory(batch: Any, batches: int) -> Any:
    """Return a data set of one epoch whose batches are in memory."""
    import keras

    class Repeated(keras.utils.PyDataset):  # type: ignore[misc]
        def __len__(self) -> int:
            return batches

        def __getitem__(self, index: int) -> Any:
            return batch

    return Repeated()


def train(feed: str, workload: Workload) -> dict[str, float]:
    """Return the rates with this feed and with batches in memory, in this process."""
    import numpy as np

    data = FEEDS[feed](workload)
    rng = np.random.default_rng(workload.seed)
    shape = (workload.batch_size, workload.height, workload.width, workload.channels)
    labels = np.eye(10, dtype=np.float32)[rng.integers(0, 10, workload.batch_size)]
    model = make_model(workload, 10)
    there = _in_memory((rng.random(shape, np.float32), labels), workload.batches)
    free = _rate(model, there, workload)
    fed = _rate(model, data, workload)
    return {"images_per_second": fed, "without_waiting": free, "waiting_share": max(0, 1 - fed / free)}


def _rate(model: Any, data: Any, workload: Workload) -> float:
    model.fit(data, epochs=1, verbose=0)
    start = time.perf_counter()
    model.fit(data, epochs=EPOCHS, verbose=0)
    return EPOCHS * workload.images / (time.perf_counter() - start)


def run(backend: str, feed: str, workload: Workload) -> dict[str, float]:
    """Call `train` in a new process."""
    command = [sys.executable, "-W", "ignore", __file__, "--one", feed]
    command += ["--workload", json.dumps(asdict(workload))]
    rates: dict[str, float] = result_of(
        command, environment={"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    )
    return rates


def main() -> None:
    """Measure, print and save the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--one", choices=FEEDS, help=argparse.SUPPRESS)
    parser.add_argument("--workload", type=json.loads, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        tell(train(options.one, Workload(**options.workload)))
        return
    workload = make_workload("photographs", IMAGES)
    turns = [(backend, feed) for backend in BACKENDS for feed in FEEDS]
    runs: dict[tuple[str, str], list[dict[str, float]]] = {turn: [] for turn in turns}
    for turn in tqdm(turns * ROUNDS, desc="Training", unit="run"):
        runs[turn].append(run(*turn, workload))
    medians = {
        backend: {
            feed: {
                name: statistics.median(one[name] for one in runs[backend, feed])
                for name in runs[backend, feed][0]
            }
            for feed in FEEDS
        }
        for backend in BACKENDS
    }
    rows = [("backend", "feed", "images/s", "could take", "waiting")]
    rows += [
        (
            backend,
            feed,
            f"{one['images_per_second']:.0f}",
            f"{one['without_waiting']:.0f}",
            f"{one['waiting_share']:.0%}",
        )
        for backend, feeds in medians.items()
        for feed, one in feeds.items()
    ]
    print(markdown(rows, names=2))
    keep("end_to_end", {"rounds": ROUNDS, "medians": medians})


if __name__ == "__main__":
    main()
