"""The images and masks of a data set as they are stored: decoded and resized, before any hook."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imageloom._imaging.decode import read_pixels, read_stored
from imageloom._options import ReadOptions
from imageloom._pipeline.reading import channels_last
from imageloom._pipeline.recipe import BatchSpec, Recipe
from imageloom._sources.base import SampleSource

__all__ = [
    "clipped_share",
    "names_of",
    "stored_image",
    "stored_masks",
    "stored_sample",
]

Pixels = NDArray[Any]


def stored_image(
    recipe: Recipe, source: SampleSource, index: int, part: int = 0, *, small: bool = False
) -> Pixels:
    """Returns one image after decoding and resizing, before any hook, (height, width, channels).

    Args:
        recipe: the recipe of the iterator's batches.
        source: the data set.
        index: number of the sample.
        part: number of the image within the sample.
        small: whether to decode at a reduced scale where possible.

    Raises:
        BadImageError: the file cannot be read.
    """
    if recipe.rows is not None:
        return channels_last(np.asarray(recipe.rows[index]), recipe)
    read = recipe.read
    assert read is not None
    name = names_of(source, index)[part]
    read = dataclasses.replace(read, scaled=True) if small else read
    if recipe.records is not None:
        return read_pixels(name, read, recipe.records.content(index))
    pixels = read_stored(source.root, name, read)
    if name.lower().endswith(".npy"):
        pixels = channels_last(pixels, recipe)
    return pixels if pixels.ndim == 3 else pixels[:, :, None]


def stored_sample(
    recipe: Recipe, source: SampleSource, index: int
) -> tuple[list[tuple[str, Pixels]], list[Pixels]]:
    """Returns the name and the image of each part of a sample as stored, and its masks.

    Raises:
        BadImageError: a file cannot be read.
    """
    names = names_of(source, index)
    images = [stored_image(recipe, source, index, part) for part in range(recipe.images)]
    return list(zip(names, images, strict=True)), stored_masks(recipe, source, index)


def stored_masks(recipe: Recipe, source: SampleSource, index: int) -> list[Pixels]:
    """Returns the masks of a sample after decoding and resizing, (height, width, 1) each.

    Raises:
        BadImageError: a file cannot be read.
    """
    if not recipe.masks:
        return []
    assert recipe.read is not None
    read: ReadOptions = recipe.read.for_masks()
    (files,) = source.task(BatchSpec(0, 0, np.array([index], dtype=np.int64), 0, 0)).masks
    if recipe.mask_records:
        contents = [records.content(index) for records in recipe.mask_records]
        return [read_pixels(*pair) for pair in zip(files, [read] * len(files), contents, strict=True)]
    return [read_stored(source.root, file, read) for file in files]


def clipped_share(recipe: Recipe, source: SampleSource, name: str, image: Pixels) -> float:
    """The share of pixels that lose their value because a file of 16 bits is read as colours."""
    may_have_16_bits = name.lower().endswith((".png", ".tif", ".tiff", ".ppm"))
    if recipe.read is None or recipe.read.color_mode == "grayscale" or not may_have_16_bits:
        return 0.0
    if image.size == 0 or image.max() < 255:
        return 0.0
    grey = dataclasses.replace(recipe.read, color_mode="grayscale", interpolation=None)
    return float(np.mean(read_stored(source.root, name, grey) > 255))


def names_of(source: SampleSource, index: int) -> tuple[str, ...]:
    """The names of the files of a sample, or the number of its row."""
    if not source.filenames:
        return (f"image {index}",)
    name = source.filenames[index]
    return (name,) if isinstance(name, str) else name
