"""What each option of the generator costs: images per second, and the share of those without it.

"Plain" is photographs of 500x375 to 224x224x3 with geometry and rescaling, and two workers. Each
case adds an option. It is measured in the first epoch and from the cache, once the workers set the
pace. Each run is a new process; the cases take turns, with plain ones between them, and are compared
with the plain runs before and after, so that other load affects both. `decode="scaled"` is compared
with exact decoding at several sizes of photographs::

    python benchmarks/options.py                            15 minutes on two cores
    python benchmarks/options.py --only brightness noise    cases with such a word in their name
    python benchmarks/options.py --keras                    Keras' generator beside it

Only a run of all cases is saved, or one with ``--results``. ``--tiny`` runs everything in a small form.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from augmentation import AUGMENTATION
from fresh import RunFailed, result_of, tell
from machine import RESULTS, keep
from ratios import Run, shares
from reading import READ_BEFORE, read_for
from report import markdown
from tqdm import tqdm
from workload import USUAL_SIZE, photographs

PLAIN = "plain"
STILL = "without geometry"
# As many cases are measured between two runs of what they are compared with.
_BETWEEN_BASES = 5
_PREPROCESS = "preprocess_input of "
_FURTHER: dict[str, dict[str, Any]] = {
    "random crop": {"random_crop": {"scale": (0.5, 1.0)}},
    "perspective": {"perspective": True},
    "elastic": {"elastic": True},
    "rand_augment": {"rand_augment": (2, 0.5)},
    "hue": {"hue_range": 0.3},
    "saturation": {"saturation_range": 0.5},
    "grayscale": {"grayscale": 0.5},
    "blur": {"blur": True},
    "JPEG quality": {"jpeg_quality_range": (40, 90)},
    "erasing": {"random_erasing": True},
    "mixup": {"mixup": 0.2},
    "cutmix": {"cutmix": 1.0},
}
_NOT_IN_KERAS = {"contrast_range", "noise", "decode"}.union(*_FURTHER.values())


@dataclass(frozen=True)
class Case:
    """Options beside the geometry, the photographs' size, and the case that it is compared with."""

    options: Mapping[str, Any] = field(default_factory=dict)
    base: str = PLAIN
    size: tuple[int, int] = USUAL_SIZE

    @property
    def cached(self) -> bool:
        """Whether the cache is measured. It keeps no crops, and not how files were decoded."""
        exact = not {"decode", "random_crop"} & self.options.keys()
        return self.size == USUAL_SIZE and exact

    @property
    def in_keras(self) -> bool:
        """Whether Keras has these options."""
        return not _NOT_IN_KERAS & self.options.keys()


@dataclass(frozen=True)
class Plan:
    """How much is measured."""

    images: int = 512
    target: int = 224
    seconds: float = 2.0
    # Workers are there after half a second on quiet cores.
    starting: float = 1.5
    rounds: int = 3
    # What the sides of the photographs are divided by.
    smaller: int = 1
    executor: str = "processes"


TINY = Plan(20, 16, 0.01, 0.0, 1, 20, "threads")


def negative(image: Any) -> Any:
    """A user's function."""
    return 255 - image


_NORMALISED = {"samplewise_center": True, "samplewise_std_normalization": True}
_ALL = {
    "brightness_range": (0.5, 1.5),
    "contrast_range": (0.5, 1.5),
    "channel_shift_range": 30.0,
    "noise": ["gauss", "s&p", "poisson"],
    "fill_mode": "constant",
    "shear_range": 10.0,
    "vertical_flip": True,
    "preprocessing_function": negative,
    **_NORMALISED,
}
# From the cache, the warp takes most of the time, so that these show what else there is.
_STILL = {name: 0 for name in AUGMENTATION if name != "rescale"}
_LARGER = ((640, 480), (1000, 750), (2000, 1500), (4000, 3000))


def _at(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"


CASES: dict[str, Case] = {
    PLAIN: Case(),
    "brightness": Case({"brightness_range": (0.5, 1.5)}),
    "contrast": Case({"contrast_range": (0.5, 1.5)}),
    "brightness and contrast": Case({"brightness_range": (0.5, 1.5), "contrast_range": (0.5, 1.5)}),
    "channel shift": Case({"channel_shift_range": 30.0}),
    "noise gauss": Case({"noise": ["gauss"]}),
    "noise s&p": Case({"noise": ["s&p"]}),
    "noise poisson": Case({"noise": ["poisson"]}),
    "noise speckle": Case({"noise": ["speckle"]}),
    "constant border": Case({"fill_mode": "constant"}),
    "reflected border": Case({"fill_mode": "reflect"}),
    "wrapped border": Case({"fill_mode": "wrap"}),
    "interpolation_order=0": Case({"interpolation_order": 0}),
    "float16": Case({"dtype": "float16"}),
    "uint8": Case({"dtype": "uint8", "rescale": None}),
    "channels_first": Case({"data_format": "channels_first"}),
    "samplewise": Case(_NORMALISED),
    "featurewise": Case({"featurewise_center": True, "featurewise_std_normalization": True}),
    "hook": Case({"preprocessing_function": negative}),
    "preprocess_input of resnet": Case({"preprocessing_function": _PREPROCESS + "resnet"}),
    "preprocess_input of mobilenet_v2": Case({"preprocessing_function": _PREPROCESS + "mobilenet_v2"}),
    "all together": Case(_ALL),
    **{name: Case(options) for name, options in _FURTHER.items()},
    STILL: Case(_STILL, STILL),
    f"uint8 {STILL}": Case(_STILL | {"dtype": "uint8", "rescale": None}, STILL),
    f"scaled {_at(USUAL_SIZE)}": Case({"decode": "scaled"}),
    **{f"exact {_at(size)}": Case({}, f"exact {_at(size)}", size) for size in _LARGER},
    **{
        f"scaled {_at(size)}": Case({"decode": "scaled"}, f"exact {_at(size)}", size)
        for size in _LARGER
    },
}
BASES = {case.base for case in CASES.values()}


# One run, in its own process


def iterator(case: Case, directory: str, plan: Plan, batch: int, library: str, **more: Any) -> Any:
    """Return the iterator of imageloom or of Keras."""
    options = AUGMENTATION | dict(case.options)
    function = options.get("preprocessing_function")
    if isinstance(function, str):
        os.environ.setdefault("KERAS_BACKEND", "jax")
        module = import_module(f"keras.applications.{function.removeprefix(_PREPROCESS)}")
        options |= {"preprocessing_function": module.preprocess_input, "rescale": None}
    if library == "keras":
        os.environ.setdefault("KERAS_BACKEND", "jax")
        from keras._tf_keras.keras.preprocessing.image import ImageDataGenerator
    else:
        from imageloom import ImageDataGenerator

        more |= {"cores": 2, "executor": plan.executor}
    generator = ImageDataGenerator(**options, **more)
    if "featurewise_center" in options:
        shape = (4, plan.target, plan.target, 3)
        generator.fit(np.random.default_rng(1).integers(0, 256, shape).astype(np.float32))
    return generator.flow_from_directory(
        directory, (plan.target,) * 2, interpolation="bilinear", batch_size=batch, seed=1
    )


def measure(case: Case, directory: str, plan: Plan, library: str) -> dict[str, Any]:
    """Read from the files and, once all images are in it, from the cache."""
    images = sum(1 for _ in Path(directory).glob("*/*.jpg"))
    batch = max(1, min(32, images // 4))
    if library == "keras":
        it = iterator(case, directory, plan, batch, library)
        return {"first": asdict(read_for(it, plan.seconds, before=1))}
    found: dict[str, Any] = {"first": None, "cache": None}
    with iterator(case, directory, plan, batch, library) as it:
        found["first"] = asdict(read_for(iter(it), plan.seconds, READ_BEFORE, plan.starting))
    if case.cached:
        with iterator(case, directory, plan, batch, library, cache="memory") as it:
            found["cache"] = asdict(read_for(iter(it), plan.seconds, before=len(it)))
    return found


# All runs


def turns(names: Sequence[str], rounds: int) -> list[str]:
    """Return the order of the runs: those that others are compared with stand between them."""
    order = random.Random(1)
    runs = []
    for _ in range(rounds):
        for base in dict.fromkeys(CASES[name].base for name in names):
            members = [name for name in names if CASES[name].base == base != name]
            order.shuffle(members)
            for number, name in enumerate(members):
                runs += [base, name] if number % _BETWEEN_BASES == 0 else [name]
            runs.append(base)
    return runs


def measure_all(names: Sequence[str], plan: Plan, with_keras: bool = False) -> dict[str, Any]:
    """Measure cases in turns; a case that fails is left out of later rounds."""
    folders = {size: _folder(size, plan) for size in {CASES[name].size for name in names}}
    runs: list[dict[str, Any]] = []
    keras: dict[str, Any] = {}
    failures: dict[str, str] = {}
    order = [(name, "imageloom") for name in turns(names, plan.rounds)]
    if with_keras:
        order += [(name, "keras") for name in names if CASES[name].in_keras and CASES[name].cached]
    for name, library in tqdm(order, desc="Options", unit="run"):
        label = name if library == "imageloom" else f"{name}, Keras"
        if label in failures:
            continue
        command = [sys.executable, "-W", "ignore", __file__, "--one", name, "--maker", library]
        command += ["--directory", folders[CASES[name].size], "--plan", json.dumps(asdict(plan))]
        try:
            run = result_of(command, environment={"TF_CPP_MIN_LOG_LEVEL": "3"})
        except RunFailed as failure:
            failures[label] = str(failure)
            tqdm.write(f"{label} FAILED: {failure}")
            continue
        if library == "keras":
            keras[name] = run["first"]
        else:
            runs.append({"case": name, **run})
    return {"plan": asdict(plan), "runs": runs, "keras": keras, "failures": failures}


def _folder(size: tuple[int, int], plan: Plan) -> str:
    """Write photographs: fewer large ones, which take as much longer."""
    pixels = size[0] * size[1] / (USUAL_SIZE[0] * USUAL_SIZE[1])
    width, height = (side // plan.smaller for side in size)
    return photographs(max(16, round(plan.images / pixels)), (width, height))


# Results


def _rate(epoch: str) -> Callable[[Run], float | None]:
    return lambda run: run[epoch] and run[epoch]["images_per_second"]


def _rate_by_cpu(epoch: str) -> Callable[[Run], float | None]:
    def rate(run: Run) -> float | None:
        # The system counts in hundredths of a second, so that a short run may have taken none.
        cpu = run[epoch] and run[epoch]["cpu_ms_per_image"]
        return 1000 / cpu if cpu else None

    return rate


def ratios(record: Mapping[str, Any]) -> dict[str, float]:
    """Return the shares of plain, in the first epoch and from the cache."""
    found = {}
    for epoch, word in (("first", ""), ("cache", ", cache")):
        for name, share in shares(record["runs"], _BASE_OF, _rate(epoch)).items():
            found[name + word] = share
    return found


_BASE_OF = {name: case.base for name, case in CASES.items() if name != case.base}


def table(record: Mapping[str, Any]) -> str:
    """Return rates and shares as a table."""
    runs, keras = record["runs"], record["keras"]
    columns = [
        shares(runs, _BASE_OF, rate(epoch))
        for epoch in ("first", "cache")
        for rate in (_rate, _rate_by_cpu)
    ]
    rows = [
        ("option", "first epoch", "share", "by CPU time", "from cache", "share", "by CPU time", "Keras")
    ]

    def median(name: str, epoch: str) -> str:
        rates = [_rate(epoch)(run) for run in runs if run["case"] == name]
        there = [rate for rate in rates if rate is not None]
        return f"{statistics.median(there):,.0f}" if there else ""

    for name in CASES:
        if not any(run["case"] == name for run in runs):
            continue
        texts = [f"{column[name]:.2f}" if name in column else "" for column in columns]
        cells = (name, median(name, "first"), *texts[:2], median(name, "cache"), *texts[2:])
        rows.append((*cells, f"{keras[name]['images_per_second']:.0f}" if name in keras else ""))
    return "\n".join(
        [markdown(rows), *(f"FAILED: {n}: {why}" for n, why in record["failures"].items())]
    )


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="What each option of the generator costs.")
    parser.add_argument("--only", nargs="+", metavar="WORD", help="words in names of cases")
    parser.add_argument("--images", type=int, help="photographs of 500x375 (default: 512)")
    parser.add_argument("--seconds", type=float, help="of each measurement (default: 2)")
    parser.add_argument("--rounds", type=int, help="runs of each case (default: 3)")
    parser.add_argument("--keras", action="store_true", help="measure Keras' generator, too")
    parser.add_argument("--tiny", action="store_true", help="everything small")
    parser.add_argument("--results", type=Path, help="folder of options.json")
    parser.add_argument("--one", choices=CASES, help=argparse.SUPPRESS)
    parser.add_argument("--maker", help=argparse.SUPPRESS)
    parser.add_argument("--directory", help=argparse.SUPPRESS)
    parser.add_argument("--plan", type=json.loads, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.only and not chosen(options.only):
        parser.error(f"no case has such a name; there are: {', '.join(CASES)}")
    return options


def chosen(words: Sequence[str] | None) -> list[str]:
    """Return the cases with one of the words in their name, and those they are compared with."""
    named = [name for name in CASES if not words or any(word in name for word in words)]
    needed = {CASES[name].base for name in named}
    return [name for name in CASES if name in named or name in needed]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and save the results; the status is 0 unless everything failed."""
    options = _parse(arguments)
    if options.one:
        plan = Plan(**options.plan)
        tell(measure(CASES[options.one], options.directory, plan, options.maker))
        return 0
    usual = asdict(TINY if options.tiny else Plan())
    given = {name: getattr(options, name) for name in ("images", "seconds", "rounds")}
    plan = Plan(**usual | {name: value for name, value in given.items() if value is not None})
    record = measure_all(chosen(options.only), plan, options.keras)
    print(table(record))
    if not record["runs"]:
        return 1
    if options.results or not (options.only or options.tiny):
        folder = options.results or RESULTS
        print(f"Written: {keep('options', record | {'ratios': ratios(record)}, folder)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
