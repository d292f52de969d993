"""Random but repeatable options for generators and for `flow_from_directory`."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

from pictures import CLASSES

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
