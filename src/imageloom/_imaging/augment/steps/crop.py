"""Cuts a window out of an image and gives it the size of the batch.

A window of the batch's size is cut as by Keras' `RandomCrop`: out of a smaller image, the largest
window with the same aspect ratio, from its centre. A window of a drawn area and aspect ratio is that of
torchvision's `RandomResizedCrop`, which draws ten times before it takes the centre.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imageloom._imaging.pillow_resize import resize_as_pillow, resizes
from imageloom._imaging.simd_resize import resize_bilinear
from imageloom._options.steps import Crop

__all__ = ["crop", "crop_mask", "draw_crop"]

_TRIES: Final = 10
_PILLOW_CHANNELS: Final = (1, 3, 4)


def draw_crop(
    rng: np.random.Generator, options: Crop, shape: tuple[int, int], size: tuple[int, int]
) -> dict[str, Any]:
    """Draws a window.

    Args:
        rng: the image's stream for this step.
        options: what is drawn.
        shape: (height, width) of the image.
        size: (height, width) that the window gets.

    Returns:
        top, left, height and width of the window, and the size.
    """
    if options.scale is None:
        window = _of_the_size(rng, shape, size)
    else:
        window = _of_an_area(rng, options.scale, options.ratio, shape)
    return {**dict(zip(("top", "left", "height", "width"), window, strict=True)), "size": [*size]}


def _of_the_size(
    rng: np.random.Generator, shape: tuple[int, int], size: tuple[int, int]
) -> tuple[int, int, int, int]:
    (rows, columns), (height, width) = shape, size
    down, right = rng.random(), rng.random()
    if rows >= height and columns >= width:
        return int(down * (rows - height + 1)), int(right * (columns - width + 1)), height, width
    fitting = max(min(rows, int(columns * height / width)), 1)
    across = max(min(columns, int(rows * width / height)), 1)
    return (rows - fitting) // 2, (columns - across) // 2, fitting, across


def _of_an_area(
    rng: np.random.Generator,
    scale: tuple[float, float],
    ratio: tuple[float, float],
    shape: tuple[int, int],
) -> tuple[int, int, int, int]:
    rows, columns = shape
    for _ in range(_TRIES):
        area = rows * columns * rng.uniform(*scale)
        aspect = math.exp(rng.uniform(math.log(ratio[0]), math.log(ratio[1])))
        width, height = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if 0 < width <= columns and 0 < height <= rows:
            top = int(rng.integers(0, rows - height + 1))
            left = int(rng.integers(0, columns - width + 1))
            return top, left, height, width
    width, height = columns, rows
    if columns / rows < ratio[0]:
        height = max(1, round(columns / ratio[0]))
    elif columns / rows > ratio[1]:
        width = max(1, round(rows * ratio[1]))
    return (rows - height) // 2, (columns - width) // 2, height, width


def crop(
    x: NDArray[Any],
    params: Mapping[str, Any],
    *,
    interpolation: str = "bilinear",
    exact: bool = False,
) -> NDArray[Any]:
    """Cuts the window out of an image (height, width, channels) and resizes it.

    Args:
        x: the image.
        params: the window, as `draw_crop` returns it.
        interpolation: how it is resized, as for files.
        exact: always resize bytes with Pillow, for steps that enlarge a difference of a grey level.
    """
    top, left = params["top"], params["left"]
    window = x[top : top + params["height"], left : left + params["width"]]
    height, width = params["size"]
    if window.shape[:2] == (height, width):
        return window
    if interpolation == "nearest":
        return window[_nearest(window.shape[0], height)[:, None], _nearest(window.shape[1], width)]
    if x.dtype == np.uint8 and resizes(window.shape[2], interpolation):
        return resize_as_pillow(window, (height, width), interpolation)
    if interpolation == "bilinear" and x.dtype == np.uint8 and not exact:
        resized = resize_bilinear(window, (height, width))
        if resized is not None:
            return resized
    return _by_pillow(window, (width, height), Image.Resampling[interpolation.upper()])


def crop_mask(x: NDArray[Any], params: Mapping[str, Any], shape: tuple[int, int]) -> NDArray[Any]:
    """Cuts the same window out of a mask, of an image with this (height, width).

    A mask of another size is brought to that of its image first. Every value stays one of the mask's.
    """
    if x.shape[:2] != shape:
        x = x[_nearest(x.shape[0], shape[0])[:, None], _nearest(x.shape[1], shape[1])]
    return crop(x, params, interpolation="nearest")


def _nearest(before: int, after: int) -> NDArray[np.intp]:
    """The pixel that each pixel of the result is, as Pillow chooses it."""
    step = before / after
    steps = np.full(after, step)
    steps[0] = step / 2
    places: NDArray[np.intp] = np.add.accumulate(steps).astype(np.intp)  # in turn, as Pillow adds them
    return np.minimum(places, before - 1)


def _by_pillow(x: NDArray[Any], size: tuple[int, int], method: Image.Resampling) -> NDArray[Any]:
    if x.dtype == np.uint8 and x.shape[2] in _PILLOW_CHANNELS:
        image = Image.fromarray(x[..., 0] if x.shape[2] == 1 else x)
        resized = np.asarray(image.resize(size, method))
        return resized if resized.ndim == 3 else resized[..., None]
    single = np.ascontiguousarray(x.astype(np.float32).transpose(2, 0, 1))
    channels = [np.asarray(Image.fromarray(one).resize(size, method)) for one in single]
    resized = np.stack(channels, axis=-1)
    if x.dtype.kind not in "iu":
        return resized.astype(x.dtype, copy=False)
    limits = np.iinfo(x.dtype)
    rounded: NDArray[Any] = np.clip(np.rint(resized), limits.min, limits.max).astype(x.dtype)
    return rounded
