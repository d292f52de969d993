"""Images with masks, for the tests of `class_mode="image"`; a pytest plugin (see conftest.py)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from PIL import Image

from imageloom import ImageDataGenerator

SIDE = 32
SAMPLES = 6
GEOMETRY: dict[str, Any] = {
    "rotation_range": 40,
    "width_shift_range": 0.2,
    "height_shift_range": 0.2,
    "shear_range": 15,
    "zoom_range": 0.3,
    "horizontal_flip": True,
    "vertical_flip": True,
}
COLOURS: dict[str, Any] = {
    "brightness_range": (0.5, 1.5),
    "contrast_range": (0.5, 1.5),
    "channel_shift_range": 40,
    "noise": ["gauss"],
}
Pixels = NDArray[Any]


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """Grey images that are their own masks, and palette images of three labels."""
    folder = tmp_path_factory.mktemp("pairs")
    rows = []
    for i in range(SAMPLES):
        rng = np.random.default_rng(i)
        levels = np.kron(rng.integers(0, 256, (4, 4)), np.ones((8, 8))).astype(np.uint8)
        Image.fromarray(levels).save(folder / f"image{i}.png")
        palette = Image.fromarray(levels % 3, mode="P")
        palette.putpalette([200, 0, 0, 0, 200, 0, 0, 0, 200])
        palette.save(folder / f"labels{i}.png")
        rows.append({name: str(folder / f"{name}{i}.png") for name in ("image", "labels")})
    return pd.DataFrame(rows)


def open_frame(frame: pd.DataFrame, generator: ImageDataGenerator, **options: Any) -> Any:
    usual: dict[str, Any] = {
        "x_col": "image",
        "y_col": "image",
        "class_mode": "image",
        "target_size": (SIDE, SIDE),
        "color_mode": "grayscale",
        "batch_size": 4,
        "seed": 5,
    }
    return generator.flow_from_dataframe(frame, **(usual | options))


def serial(**options: Any) -> ImageDataGenerator:
    return ImageDataGenerator(executor="serial", **options)


def beside(pairs: pd.DataFrame, mask: Path) -> pd.DataFrame:
    """The images, all with the same mask."""
    return pairs[["image"]].assign(labels=str(mask))
