"""Reading contact sheets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imageloom import DirectoryIterator, ImageDataGenerator

Pixels = NDArray[Any]


ACCENT = (180, 83, 42)  # the frame of originals


FAINT = (111, 111, 111)  # and that of versions


SIZE = (120, 240)  # shown as it is


def frames(sheet: Image.Image, colour: tuple[int, int, int], size: tuple[int, int]) -> list[Pixels]:
    """What lies in the frames of a colour, for pictures of (height, width), row by row."""
    pixels = np.asarray(sheet)
    edge = np.all(pixels == colour, axis=2)
    height, width = size
    found = []
    for row, column in np.argwhere(edge):
        box = edge[row : row + height + 2, column : column + width + 2]
        if box.shape != (height + 2, width + 2):
            continue
        if box[0].all() and box[-1].all() and box[:, 0].all() and box[:, -1].all():
            found.append(pixels[row + 1 : row + 1 + height, column + 1 : column + 1 + width])
    return found


def one_file(file: Path, **options: Any) -> Callable[..., DirectoryIterator]:
    """Makes iterators over one file alone."""

    def flow(generator: ImageDataGenerator, **more: Any) -> DirectoryIterator:
        return generator.flow_from_directory(
            file.parent.parent,
            classes=[file.parent.name],
            list_valid_filenames_in_directory_function=lambda search_class, **_: (
                search_class,
                [f"{search_class}/{file.name}"],
            ),
            **options,
            **more,
        )

    return flow
