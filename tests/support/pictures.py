"""Image files for the tests, made of photographs that scikit-image's wheel brings along."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]

# class -> one entry a file: name, (height, width), stored mode, options for saving
_FILES: dict[str, list[tuple[str, tuple[int, int], str, dict[str, Any]]]] = {
    "chelsea": [
        ("a.jpg", (61, 90), "RGB", {"quality": 90}),
        ("b.jpeg", (120, 75), "RGB", {"quality": 60, "subsampling": 2}),
        ("c.jpg", (48, 48), "RGB", {"quality": 95, "subsampling": 0}),
        ("d.jpg", (33, 130), "RGB", {"quality": 80, "progressive": True}),
        ("e.png", (70, 70), "RGBA", {}),
        ("nested/a.png", (52, 100), "RGB", {}),
        ("nested/z.jpg", (100, 52), "RGB", {"quality": 85}),
    ],
    "coffee": [
        ("one.png", (64, 96), "RGBA", {}),
        ("two.png", (96, 64), "P", {}),
        ("three.bmp", (50, 50), "RGB", {}),
        ("four.jpg", (80, 120), "CMYK", {"quality": 90}),
        ("five.JPG", (41, 67), "RGB", {"quality": 70}),
    ],
    "coins": [
        ("10.png", (75, 55), "L", {}),
        ("2.png", (48, 48), "L", {}),
        ("3.jpg", (58, 110), "L", {"quality": 90}),
    ],
    "rocket": [
        ("p1.png", (85, 60), "P", {"transparency": 3}),
        ("p2.png", (66, 66), "P", {}),
        ("q.jpg", (110, 140), "RGB", {"quality": 75}),
        ("r.jpg", (24, 37), "RGB", {"quality": 90}),
    ],
}
CLASSES = tuple(_FILES)
FILE_COUNT = sum(len(files) for files in _FILES.values())


@cache
def _whole(name: str) -> Image.Image:
    data: Any = import_module("skimage.data")
    return Image.fromarray(getattr(data, name)()).convert("RGB")


@cache
def photograph(name: str, height: int, width: int, mode: str = "RGB", variant: int = 0) -> Pixels:
    """A crop of a photograph, resampled to (height, width); variants differ in the crop."""
    whole = _whole(name)
    rng = np.random.default_rng((height, width, variant))
    scale = min(whole.width / width, whole.height / height) * rng.uniform(0.5, 1)
    left = rng.uniform(0, whole.width - width * scale)
    upper = rng.uniform(0, whole.height - height * scale)
    box = (left, upper, left + width * scale, upper + height * scale)
    crop = whole.resize((width, height), Image.Resampling.LANCZOS, box=box)
    return np.array(crop.convert(mode))


def as_mode(pixels: Pixels, mode: str) -> Image.Image:
    """The photograph as an image of a stored mode; an alpha channel gets a gradient."""
    image = Image.fromarray(pixels)
    if mode == "P":
        return image.quantize(32)
    image = image.convert(mode)
    if mode == "RGBA":
        ramp = np.linspace(0, 255, image.width).astype(np.uint8)
        image.putalpha(Image.fromarray(np.tile(ramp, (image.height, 1))))
    return image


def write_class_folder(root: Path) -> Path:
    """Files of many kinds and sizes, one sub-folder per photograph; returns `root`."""
    for variant, (name, files) in enumerate(_FILES.items()):
        for file, (height, width), mode, options in files:
            path = root / name / file
            path.parent.mkdir(parents=True, exist_ok=True)
            image = as_mode(photograph(name, height, width, "RGB", variant), mode)
            image.save(path, **options)
    return root
