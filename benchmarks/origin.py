"""The example of the class that imageloom continues, with that class and with imageloom.

MLTK's `ParallelImageDataGenerator` has an example with all of its options. It is run with the original
class and with imageloom on the same pictures, with two workers, and once more without brightness,
contrast and noise. Then a small model is trained from each, with Keras 2, for which MLTK is made. Each
feed runs in a new process, and the feeds take turns::

    python benchmarks/origin.py

Only a run of all feeds is saved, or one with ``--results``. ``--tiny`` runs everything in a small form.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fresh import RunFailed, result_of, tell
from machine import RESULTS, keep
from mltk_wheel import original_class
from reading import READ_BEFORE, read_for
from report import markdown
from tqdm import tqdm
from workload import make_workload

EXAMPLE: dict[str, Any] = {
    "rotation_range": 35,
    "width_shift_range": 5,
    "height_shift_range": 5,
    "brightness_range": (0.5, 1.7),
    "contrast_range": (0.5, 1.7),
    "noise": ["gauss", "poisson", "s&p"],
    "samplewise_center": True,
    "samplewise_std_normalization": True,
    "horizontal_flip": True,
    "vertical_flip": True,
}
GEOMETRY = {
    name: value
    for name, value in EXAMPLE.items()
    if name not in {"brightness_range", "contrast_range", "noise"}
}
BATCH = 32
# The original waits for ever if its producing thread fails.
_TIMEOUT_SECONDS = 240.0
SIZE = (96, 96)


@dataclass(frozen=True)
class Feed:
    """A class with options, and what its rate is compared with."""

    label: str
    original: bool
    options: Mapping[str, Any]
    reference: str | None = None


@dataclass(frozen=True)
class Plan:
    """How much is measured."""

    images: int = 2000
    seconds: float = 5.0
    # Workers are there after half a second on quiet cores.
    starting: float = 1.5
    rounds: int = 3
    epochs: int = 2
    executor: str = "processes"


TINY = Plan(64, 0.05, 0.0, 1, 1, "threads")

FEEDS = {
    "origin": Feed("MLTK", True, EXAMPLE),
    "imageloom": Feed("imageloom", False, EXAMPLE, "origin"),
    "imageloom-cache": Feed("imageloom, cache", False, EXAMPLE | {"cache": "memory"}, "origin"),
    "origin-geometry": Feed("MLTK, no brightness, contrast, noise", True, GEOMETRY, "origin"),
    "imageloom-geometry": Feed(
        "imageloom, no brightness, contrast, noise", False, GEOMETRY, "origin-geometry"
    ),
}


def iterator(feed: Feed, directory: str, plan: Plan, index: str) -> Any:
    """Return the iterator over the folder; its index goes elsewhere, so that it stays as it is."""
    if feed.original:
        generator = original_class()(**feed.options, cores=2)
    else:
        from imageloom import ParallelImageDataGenerator

        generator = ParallelImageDataGenerator(**feed.options, cores=2, executor=plan.executor)
    return generator.flow_from_directory(
        directory,
        target_size=SIZE,
        batch_shape=(BATCH, *SIZE, 1),
        classes=sorted(path.name for path in Path(directory).iterdir() if path.is_dir()),
        color_mode="grayscale",
        shuffle_index_dir=index,
        seed=1,
    )


def endless(batches: Any) -> Iterator[Any]:
    """Batches of one epoch after the other; the original's `for` ends with the epoch."""
    return itertools.chain.from_iterable(itertools.repeat(batches))


def generate(batches: Any, begun: float, before: int, plan: Plan) -> dict[str, float]:
    """Return how quickly batches come, and how long the first one took, iterator included."""
    one = endless(batches)
    _check(next(one)[0])
    first = time.perf_counter() - begun
    reading = read_for(one, plan.seconds, before, plan.starting)
    return {**asdict(reading), "seconds_to_first_batch": first}


def _check(images: Any) -> None:
    if images.shape != (BATCH, *SIZE, 1) or str(images.dtype) != "float32":
        raise RuntimeError(f"unexpected batch: {images.shape}, {images.dtype}")
    if abs(float(images.mean())) > 0.01 or not 0.9 < float(images.std()) < 1.01:
        raise RuntimeError("the images are not normalised")


def train(batches: Any, plan: Plan, classes: int) -> dict[str, float]:
    """Return steps per second from the iterator, and with a batch that is there already."""
    os.environ["TF_USE_LEGACY_KERAS"] = "1"
    import tf_keras
    from tf_keras import layers

    class There(tf_keras.utils.Sequence):  # type: ignore[misc]
        batch = next(iter(batches))

        def __len__(self) -> int:
            return len(batches)

        def __getitem__(self, index: int) -> Any:
            return self.batch

    model = tf_keras.Sequential([layers.Input((*SIZE, 1))])
    for filters in (8, 16, 32):
        model.add(layers.Conv2D(filters, 3, 2, activation="relu", padding="same"))
    model.add(layers.GlobalAveragePooling2D())
    model.add(layers.Dense(classes, activation="softmax"))
    model.compile("adam", "categorical_crossentropy")

    def rate(data: Any) -> float:
        model.fit(data, epochs=1, verbose=0)
        begun = time.perf_counter()
        model.fit(data, epochs=plan.epochs, verbose=0)
        return plan.epochs * len(batches) / (time.perf_counter() - begun)

    return {"there_already": rate(There()), "steps_per_second": rate(batches)}


def measure(name: str, task: str, directory: str, plan: Plan) -> dict[str, float]:
    """Measure a feed in this process."""
    with tempfile.TemporaryDirectory() as index:
        begun = time.perf_counter()
        batches = iterator(FEEDS[name], directory, plan, index)
        try:
            if task == "generate":
                # The first epoch fills a cache.
                before = len(batches) if "cache" in FEEDS[name].options else READ_BEFORE
                return generate(batches, begun, before, plan)
            return train(batches, plan, len(batches.class_indices))
        finally:
            batches.shutdown(wait=False)


def measure_all(
    feeds: Sequence[str], plan: Plan, tasks: Sequence[str], pictures: Path | None = None
) -> dict[str, Any]:
    """Measure all feeds in turns, each run in a new process; one that fails is left out later."""
    directory = str(pictures or make_workload("cells", plan.images).directory)
    runs: dict[str, dict[str, list[dict[str, float]]]] = {task: {} for task in tasks}
    failures: dict[str, str] = {}
    turns = [(task, name) for task in tasks for _ in range(plan.rounds) for name in feeds]
    for task, name in tqdm(turns, desc="The original's example", unit="run"):
        if name in failures:
            continue
        command = [sys.executable, "-W", "ignore", __file__, "--one", name, "--task", task]
        command += ["--directory", directory, "--plan", json.dumps(asdict(plan))]
        try:
            run = result_of(command, _TIMEOUT_SECONDS, {"TF_CPP_MIN_LOG_LEVEL": "3"})
        except RunFailed as failure:
            failures[name] = str(failure)
            tqdm.write(f"{FEEDS[name].label} FAILED: {failure}")
            continue
        runs[task].setdefault(name, []).append(run)
    return {"plan": asdict(plan), "runs": runs, "failures": failures}


def ratios(record: Mapping[str, Any]) -> dict[str, float]:
    """Return what others are compared by: multiples of the original, medians of the rounds."""
    found = {}
    for task, key, word in (
        ("generate", "images_per_second", "x MLTK"),
        ("generate", "cpu_ms_per_image", "x MLTK, by processor time"),
        ("train", "steps_per_second", "x MLTK, training"),
    ):
        runs = record["runs"].get(task, {})
        for name, own in runs.items():
            reference = FEEDS[name].reference
            if reference not in runs:
                continue
            pairs = [(run[key], other[key]) for run, other in zip(own, runs[reference], strict=False)]
            less_is_better = key.startswith("cpu")
            # The system counts in hundredths of a second, so that a short run may have taken none.
            times = [
                theirs / ours if less_is_better else ours / theirs
                for ours, theirs in pairs
                if ours and theirs
            ]
            if times:
                found[f"{FEEDS[name].label}: {word}"] = statistics.median(times)
    return found


def table(record: Mapping[str, Any]) -> str:
    """Return the medians as a table."""
    times = ratios(record)
    made, trained = (record["runs"].get(task, {}) for task in ("generate", "train"))
    rows = [
        (
            "feed", "images/s", "x MLTK", "x by processor time", "first batch, s",
            "training, steps/s", "could take", "x MLTK",
        )
    ]  # fmt: skip
    for name, feed in FEEDS.items():
        if name not in made and name not in trained:
            continue

        def median(runs: Mapping[str, Any], key: str, digits: int, name: str = name) -> str:
            values = [run[key] for run in runs.get(name, [])]
            return f"{statistics.median(values):,.{digits}f}" if values else ""

        def ratio(word: str, label: str = feed.label) -> str:
            value = times.get(f"{label}: {word}")
            return "" if value is None else f"{value:.1f}"

        rows.append(
            (
                feed.label,
                median(made, "images_per_second", 0),
                ratio("x MLTK"),
                ratio("x MLTK, by processor time"),
                median(made, "seconds_to_first_batch", 1),
                median(trained, "steps_per_second", 0),
                median(trained, "there_already", 0),
                ratio("x MLTK, training"),
            )
        )
    failed = [f"FAILED: {FEEDS[name].label}: {why}" for name, why in record["failures"].items()]
    return "\n".join([markdown(rows), *failed])


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--feeds", nargs="+", choices=FEEDS, default=list(FEEDS), help="default: all")
    parser.add_argument("--pictures", type=Path, help="folder of other grey pictures, by class")
    parser.add_argument("--images", type=int, help="number of pictures (default: 2000)")
    parser.add_argument("--seconds", type=float, help="of each measurement (default: 5)")
    parser.add_argument("--rounds", type=int, help="runs of each feed (default: 3)")
    parser.add_argument("--no-training", action="store_true", help="do not train")
    parser.add_argument("--tiny", action="store_true", help="everything small")
    parser.add_argument("--results", type=Path, help="folder of origin.json")
    parser.add_argument("--one", choices=FEEDS, help=argparse.SUPPRESS)
    parser.add_argument("--task", help=argparse.SUPPRESS)
    parser.add_argument("--directory", help=argparse.SUPPRESS)
    parser.add_argument("--plan", type=json.loads, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.images is not None and options.images < BATCH:
        parser.error(f"needs at least {BATCH} images")
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and save the results; the status is 0 unless every feed failed."""
    options = _parse(arguments)
    if options.one:
        tell(measure(options.one, options.task, options.directory, Plan(**options.plan)))
        return 0
    usual = asdict(TINY if options.tiny else Plan())
    given = {name: getattr(options, name) for name in ("images", "seconds", "rounds")}
    plan = Plan(**usual | {name: value for name, value in given.items() if value is not None})
    tasks = ("generate",) if options.no_training else ("generate", "train")
    record = measure_all(options.feeds, plan, tasks, options.pictures)
    print(table(record))
    if not any(record["runs"]["generate"].values()):
        return 1
    whole = options.feeds == list(FEEDS) and not (
        options.no_training or options.pictures or options.tiny
    )
    if options.results or whole:
        folder = options.results or RESULTS
        print(f"Written: {keep('origin', record | {'ratios': ratios(record)}, folder)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
