"""Photographs, and copies of them as they get into data sets by mistake."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

Pixels = NDArray[np.uint8]

NAMES: Final = (
    "astronaut", "brick", "camera", "chelsea", "coffee", "coins", "grass", "gravel", "moon", "page",
    "retina", "rocket",
)  # fmt: skip
SIZE: Final = (400, 300)


@cache
def whole_photograph(name: str) -> Image.Image:
    """A photograph of scikit-image, 400 x 300 pixels."""
    data: Any = import_module("skimage.data")
    return Image.fromarray(getattr(data, name)()).convert("RGB").resize(SIZE)


def encoded(image: Image.Image, **options: Any) -> Image.Image:
    """The image after it was saved as a JPEG file."""
    file = io.BytesIO()
    image.save(file, "JPEG", **options)
    return Image.open(file)


def cropped(image: Image.Image, share: float) -> Image.Image:
    """The image without a share of its width and of its height."""
    left, upper = (round(side * share / 2) for side in image.size)
    return image.crop((left, upper, image.width - left, image.height - upper))


COPIES: Final[dict[str, Callable[[Image.Image], Image.Image]]] = {
    "quality 30": lambda image: encoded(image, quality=30),
    "quality 75": lambda image: encoded(image, quality=75),
    "half the size": lambda image: image.resize((200, 150)),
    "a thumbnail": lambda image: image.resize((64, 48)),
    "enlarged": lambda image: image.resize((700, 525), Image.Resampling.BICUBIC),
    "squeezed": lambda image: image.resize((224, 224)),
    "brighter": lambda image: image.point([min(255, round(1.2 * level)) for level in range(256)] * 3),
    "darker": lambda image: image.point([round(0.6 * level) for level in range(256)] * 3),
    "grey": lambda image: image.convert("L"),
    "softer": lambda image: image.filter(ImageFilter.GaussianBlur(1)),
}
