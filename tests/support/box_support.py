"""Images with boxes and points, and masks of the same shapes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from imageloom import ImageDataGenerator

GEOMETRY: dict[str, Any] = {
    "rotation_range": 40,
    "width_shift_range": 0.2,
    "height_shift_range": 0.1,
    "shear_range": 12,
    "zoom_range": 0.3,
    "horizontal_flip": True,
    "vertical_flip": True,
    "fill_mode": "constant",
}
SIZE = (48, 64)  # of batches; the files have others


def box_frame(folder: Path, images: int = 8) -> pd.DataFrame:
    """Pictures of one white rectangle each, which are their own masks, with further boxes on black."""
    rng = np.random.default_rng(0)
    rows = []
    for number in range(images):
        height, width = (int(side) for side in rng.integers(60, 110, 2))
        boxes = []
        for _ in range(number % 3 + 1):
            left, upper = (int(x) for x in rng.integers(4, 34, 2))
            wide, high = (int(x) for x in rng.integers(9, 20, 2))
            boxes.append([left, upper, left + wide, upper + high])
        pixels = np.zeros((height, width), np.uint8)
        left, upper, right, lower = boxes[0]
        pixels[upper:lower, left:right] = 255
        name = f"{number}.{'jpg' if number % 2 else 'png'}"
        Image.fromarray(pixels).save(folder / name, quality=100)
        Image.fromarray(pixels).save(folder / f"mask{number}.png")
        rows.append(
            {
                "filename": name,
                "mask": f"mask{number}.png",
                "size": (height, width),
                "boxes": boxes,
                "labels": ["cat", "dog", "cat"][: len(boxes)],
                "points": [(left, upper), (right - 1, lower - 1)],
            }
        )
    return pd.DataFrame(rows)


def boxes_of(frame: pd.DataFrame, folder: Path, generator: Any = None, **options: Any) -> Any:
    """An iterator over the frame, with boxes unless the options say otherwise."""
    usual: dict[str, Any] = {
        "y_col": ["boxes", "labels"],
        "class_mode": "boxes",
        "target_size": SIZE,
        "color_mode": "grayscale",
        "batch_size": 4,
        "shuffle": False,
        "seed": 3,
        "verbose": 0,
    }
    generator = generator or ImageDataGenerator(executor="serial")
    return generator.flow_from_dataframe(frame, str(folder), **(usual | options))


def extent(mask: NDArray[Any]) -> tuple[int, int, int, int] | None:
    """The left, upper, right and lower edges of what is not 0; None if all is 0."""
    rows, columns = np.nonzero(mask.reshape(mask.shape[:2]))
    if not len(rows):
        return None
    return columns.min(), rows.min(), columns.max() + 1, rows.max() + 1


def corrected(**options: Any) -> ImageDataGenerator:
    return ImageDataGenerator(**({"executor": "serial", "geometry": "corrected"} | options))
