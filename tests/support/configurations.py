"""Random but repeatable options for generators and flows, and how batches are compared."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pictures import CLASSES, as_mode, photograph

GREY_LEVELS = 1.5
SHARE_BEYOND = 0.001
INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "hamming", "box", "lanczos")


@dataclass(frozen=True)
class Configuration:
    number: int
    generator: dict[str, Any]
    flow: dict[str, Any]


def configuration(number: int) -> Configuration:
    """Options that ours and Keras' take alike; the number says it all."""
    rng = random.Random(number)
    data_format = rng.choice(["channels_last", "channels_last", "channels_last", "channels_first"])
    generator = _transforms(rng)
    generator["data_format"] = data_format
    generator["dtype"] = rng.choice(["float32", "float32", "float64"])
    if data_format == "channels_first":  # there Keras' brightness raises
        generator.pop("brightness_range", None)
    flow = _flow(rng)
    if rng.random() < 0.5:
        generator["validation_split"] = rng.choice([0.34, 0.5, 0.6])
        flow["subset"] = rng.choice(["training", "validation", None])
    return Configuration(number, generator, flow)


def _transforms(rng: random.Random) -> dict[str, Any]:
    candidates: dict[str, list[Any]] = {
        "rotation_range": [8, 45.0, 90, 180],
        "width_shift_range": _SHIFTS,
        "height_shift_range": _SHIFTS,
        "shear_range": [4, 20.0, 45],
        "zoom_range": [0.15, 0.6, (0.5, 0.9), [1.0, 1.7], (1.1, 0.7), (1, 1)],
        "channel_shift_range": [12, 60.5],
        "horizontal_flip": [True],
        "vertical_flip": [True],
        "brightness_range": [(0.2, 0.9), [0.5, 1.0], (0.7, 1.6), (1.2, 2.5), (1.0, 1.0)],
        "interpolation_order": [0, 0, 3],
    }
    options = {name: rng.choice(some) for name, some in candidates.items() if rng.random() < 0.4}
    options["fill_mode"] = rng.choice(["constant", "nearest", "reflect", "wrap"])
    options["cval"] = rng.choice([0.0, 0, 90.5, 255])
    return options


_SHIFTS: list[Any] = [0.1, 0.35, 0.9, 1.0, 7.5, 1, 5, [0.05, 0.2], [-3, 4, 9], (0.5, 6.0)]


def _flow(rng: random.Random) -> dict[str, Any]:
    side = rng.choice([24, 33, 48, 80])
    flow: dict[str, Any] = {
        "target_size": rng.choice([(side, side), (side, rng.choice([20, 48, 71]))]),
        "color_mode": rng.choice(["rgb", "rgba", "grayscale"]),
        "class_mode": rng.choice(["categorical", "binary", "sparse", "input", None]),
        "batch_size": rng.choice([1, 4, 5, 7, 64]),
        "shuffle": rng.random() < 0.6,
        "seed": rng.choice([0, 1, rng.randrange(10_000), rng.randrange(2**31)]),
        "interpolation": rng.choice(INTERPOLATIONS),
        "keep_aspect_ratio": rng.random() < 0.4,
    }
    if rng.random() < 0.3:
        flow["classes"] = rng.sample(CLASSES, rng.randint(2, len(CLASSES)))
    return flow


# Arrays for `flow`


def array_configuration(number: int) -> Configuration:
    """Options for a generator, and arguments of `flow` with the arrays in them.

    Subsets come without weights: Keras does not cut those.
    """
    rng = random.Random(f"arrays {number}")
    generator = dict(configuration(number).generator)
    generator["dtype"] = rng.choice(["float32", "float32", "float64", "uint8"])
    count = rng.randint(8, 13)
    flow: dict[str, Any] = {
        "x": _images(rng, count, generator["data_format"]),
        "y": _targets(rng, count),
        "batch_size": rng.choice([1, 3, 4, 5, 64]),
        "shuffle": rng.random() < 0.6,
        "seed": rng.choice([0, 1, rng.randrange(10_000), rng.randrange(2**31)]),
    }
    if rng.random() < 0.5:
        wrap = rng.choice([tuple, list])
        flow["x"] = wrap([flow["x"], _further_inputs(rng, count)])
    if "validation_split" in generator and rng.random() < 0.8:
        flow["subset"] = rng.choice(["training", "validation"])
        flow["ignore_class_split"] = rng.random() < 0.5
    elif rng.random() < 0.5:
        weights = np.linspace(0.5, 2, count, dtype=rng.choice(["float32", "float64"]))
        flow["sample_weight"] = rng.choice([weights, weights.tolist()])
    return Configuration(number, generator, flow)


def _images(rng: random.Random, count: int, data_format: str) -> NDArray[Any]:
    height, width = rng.choice([(20, 20), (24, 24), (17, 30), (33, 21)])
    mode = rng.choice(["L", "RGB", "RGB", "RGBA"])
    pictures = [
        as_mode(photograph(CLASSES[i % 4], height, width, "RGB", i), mode) for i in range(count)
    ]
    images: NDArray[Any] = np.stack([np.array(p).reshape(height, width, -1) for p in pictures])
    dtype = rng.choice(["uint8", "float32", "float64", "int16"])
    # Fractions of grey levels, where the dtype can hold them.
    images = (images * 0.97 + 0.3).astype(dtype) if dtype.startswith("float") else images.astype(dtype)
    if data_format == "channels_last":
        return images
    moved = np.moveaxis(images, -1, 1)
    return rng.choice([moved, np.ascontiguousarray(moved)])


def _targets(rng: random.Random, count: int) -> Any:
    numbers = np.arange(count) % rng.choice([2, 2, 3, count])
    names = [f"class {number:02d}" for number in numbers]  # of one length, see the tests of `flow`
    kinds: list[Any] = [
        None, numbers, numbers.astype("int16"), np.eye(count, dtype="float32")[numbers],
        np.array(names), names, numbers / 4,
    ]  # fmt: skip
    return rng.choice(kinds)


def _further_inputs(rng: random.Random, count: int) -> Any:
    kinds: list[Any] = [
        np.arange(count), np.arange(count * 3, dtype="float16").reshape(count, 3),
        np.arange(count * 4, dtype="uint8").reshape(count, 2, 2),
        np.array([f"row {i}" for i in range(count)]),
    ]  # fmt: skip
    if rng.random() < 0.4:
        return rng.choice(kinds)
    return rng.sample(kinds, rng.randint(1, 3))


# Frames for `flow_from_dataframe`


def frame_configuration(number: int) -> Configuration:
    """Options for a generator, and arguments of `flow_from_dataframe` but for frame and folder."""
    rng = random.Random(f"frames {number}")
    base = configuration(number)
    flow = {name: value for name, value in base.flow.items() if name in _SHARED}
    if rng.random() < 0.5:  # then Keras' default is ours
        flow.pop("interpolation")
    flow["batch_size"] = rng.choice([1, 4, 7, 64])
    kind = rng.choice(list(FRAME_TARGETS))
    flow.update(FRAME_TARGETS[kind])
    if rng.random() < 0.4:
        flow["weight_col"] = rng.choice(["weight", "whole weight"])
    if kind in LABELLED and rng.random() < 0.5:
        names = rng.sample(CLASSES, rng.randint(2, len(CLASSES)))
        flow["classes"] = [*names, names[0], "unheard of"] if rng.random() < 0.5 else names
    if flow["class_mode"] == "binary":
        flow["classes"] = rng.sample(CLASSES, 2)
    flow["validate_filenames"] = rng.random() < 0.5
    return Configuration(number, base.generator, flow)


_SHARED = ("target_size", "color_mode", "shuffle", "seed", "subset", "interpolation")
FRAME_TARGETS: dict[str, dict[str, Any]] = {
    "categorical": {"class_mode": "categorical"},
    "several labels": {"class_mode": "categorical", "y_col": "labels"},
    "binary": {"class_mode": "binary"},
    "sparse": {"class_mode": "sparse", "y_col": "class"},
    "raw": {"class_mode": "raw", "y_col": "size"},
    "raw columns": {"class_mode": "raw", "y_col": ["size", "weight"]},
    "raw strings": {"class_mode": "raw", "y_col": ["class", "size"]},
    "multi_output": {"class_mode": "multi_output", "y_col": ["size", "class", "vector"]},
    "input": {"class_mode": "input"},
    "nothing": {"class_mode": None},
}
LABELLED = ("categorical", "several labels", "sparse")


# Comparison


@dataclass
class Agreement:
    """Compares batches of ours with Keras': pixels nearly all nearly alike, the rest exactly.

    Shares are counted over all batches that were added, as a single pixel of a small batch may well
    lie on the other side of an edge.
    """

    values: int = 0
    beyond: int = 0
    worst: float = 0.0

    def add(self, batch: Any, wanted: Any) -> None:
        """Compares what can be told now, and counts the pixels (arrays of rank 4)."""
        assert type(batch) is type(wanted), (type(batch), type(wanted))
        if isinstance(wanted, (tuple, list)):
            assert len(batch) == len(wanted), (len(batch), len(wanted))
            for part, reference in zip(batch, wanted, strict=True):
                self.add(part, reference)
            return
        assert batch.dtype == wanted.dtype, (batch.dtype, wanted.dtype)
        assert batch.shape == wanted.shape, (batch.shape, wanted.shape)
        if wanted.ndim != 4:
            np.testing.assert_array_equal(batch, wanted)
            return
        difference = np.abs(batch.astype(np.float64) - wanted)
        self.values += difference.size
        self.beyond += int(np.count_nonzero(difference > GREY_LEVELS))
        self.worst = max(self.worst, float(difference.max(initial=0)))

    def check(self, config: object = "") -> None:
        """Fails if too many pixels were off."""
        assert self.values, f"no pixels were compared; {config}"
        assert self.beyond <= SHARE_BEYOND * self.values, (
            f"{self.beyond} of {self.values} values are off, up to {self.worst:.2f}; {config}"
        )


TOLD = ("n", "samples", "filenames", "filepaths", "classes", "class_indices", "labels", "sample_weight",
        "directory", "class_mode", "split", "image_shape", "target_size", "interpolation")  # fmt: skip


def assert_same_attributes(iterator: Any, expected: Any) -> None:
    """Compares everything that Keras' iterators over files tell, and what they do not have."""
    assert len(iterator) == len(expected)
    for name in TOLD:
        assert hasattr(iterator, name) == hasattr(expected, name), name
        if not hasattr(expected, name):
            continue
        value, wanted = getattr(iterator, name), getattr(expected, name)
        if isinstance(wanted, np.ndarray):
            assert value.dtype == wanted.dtype, name
        np.testing.assert_equal(value, wanted, err_msg=name)
