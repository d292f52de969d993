"""Resizing with Pillow's filters and arithmetic, bit for bit, at six times its speed.

Pillow resizes bytes in two passes, one for each direction. In each of them a value is a sum of values
before, times weights in fractions of 2**22, and is rounded. The weights are computed here, as Pillow's
`Resample.c` does, and the sums by the kernels.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np
import PIL
from numpy.typing import NDArray

from imageloom._imaging.kernels import kernels

__all__ = ["begins_with_rows", "resize_as_pillow", "resizes"]

Bytes = NDArray[np.uint8]
Values = NDArray[np.float64]

_CHANNELS: Final = (1, 3)  # Pillow multiplies colours with their alpha first
_ONE: Final = 2**22
# Before version 13, Pillow always begins with the rows.
_CHOOSES_ORDER: Final = int(PIL.__version__.partition(".")[0]) >= 13


class _Filter(NamedTuple):
    """A filter.

    Attributes:
        reach: how far it reaches, in values before or after, whichever are larger.
        weights: those of values so far away.
    """

    reach: float
    weights: Callable[[Values], Values]


def _triangle(x: Values) -> Values:
    return np.maximum(1.0 - np.abs(x), 0.0)


def _box(x: Values) -> Values:
    return ((x > -0.5) & (x <= 0.5)).astype(np.float64)


def _sinc(x: Values) -> Values:
    scaled = np.where(x == 0, 1.0, x * math.pi)
    return np.where(x == 0, 1.0, np.sin(scaled) / scaled)


def _hamming(x: Values) -> Values:
    # Pillow's constants are of single precision.
    window = float(np.float32(0.54)) + float(np.float32(0.46)) * np.cos(np.abs(x) * math.pi)
    return np.where(np.abs(x) < 1, np.where(x == 0, 1.0, _sinc(np.abs(x)) * window), 0.0)


def _cubic(x: Values) -> Values:
    x = np.abs(x)
    near = ((-0.5 + 2.0) * x - (-0.5 + 3.0)) * x * x + 1
    far = (((x - 5) * x + 8) * x - 4) * -0.5
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))


def _lanczos(x: Values) -> Values:
    return np.where((x >= -3) & (x < 3), _sinc(x) * _sinc(x / 3), 0.0)


_FILTERS: Final = {
    "bilinear": _Filter(1.0, _triangle),
    "box": _Filter(0.5, _box),
    "hamming": _Filter(1.0, _hamming),
    "bicubic": _Filter(2.0, _cubic),
    "lanczos": _Filter(3.0, _lanczos),
}


def resizes(channels: int, interpolation: str | None) -> bool:
    """Whether `resize_as_pillow` resizes images with so many channels by this filter."""
    return kernels is not None and channels in _CHANNELS and interpolation in _FILTERS


def resize_as_pillow(
    pixels: Bytes, size: tuple[int, int], interpolation: str, part: tuple[float, float] | None = None
) -> Bytes:
    """Resizes an image (height, width, channels) for which `resizes` is true.

    Args:
        pixels: the image.
        size: the (height, width) of the result.
        interpolation: the filter.
        part: the (height, width) from the upper left corner that is resized; None for all.
    """
    rows, columns = pixels.shape[:2]
    height, width = size
    if part is None:
        if size == (rows, columns):
            return pixels
        part = float(rows), float(columns)
    pixels = np.ascontiguousarray(pixels)
    passes = [(False, width, part[1]), (True, height, part[0])]
    if not begins_with_rows(rows, columns, height, width):
        passes.reverse()
    for vertical, after, length in passes:
        pixels = _resized_side(pixels, vertical, after, length, interpolation)
    return pixels


def begins_with_rows(rows: int, columns: int, height: int, width: int) -> bool:
    """Whether Pillow makes the rows shorter first."""
    return not _CHOOSES_ORDER or height >= rows or rows - height <= 2 * (columns - width)


def _resized_side(pixels: Bytes, vertical: bool, after: int, part: float, interpolation: str) -> Bytes:
    rows, columns, channels = pixels.shape
    before = rows if vertical else columns
    if after == before == part:
        return pixels
    assert kernels is not None
    shape = (after, columns, channels) if vertical else (rows, after, channels)
    resized = np.empty(shape, np.uint8)
    windows = _windows(before, part, after, interpolation)
    kernels.resize(pixels, resized, rows, columns, channels, vertical, *windows)
    return resized


@functools.lru_cache(maxsize=256)
def _windows(
    before: int, part: float, after: int, interpolation: str
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Bounds (after, 2) and weights (after, most) for values to become others."""
    filter_ = _FILTERS[interpolation]
    scale = float(np.float32(part)) / after
    shrinking = max(scale, 1.0)
    reach = filter_.reach * shrinking
    most = math.ceil(reach) * 2 + 1
    centres = (np.arange(after) + 0.5) * scale
    first = np.maximum((centres - reach + 0.5).astype(np.int64), 0)
    end = np.minimum((centres + reach + 0.5).astype(np.int64), before)
    places = np.arange(most)
    weights = filter_.weights((places + first[:, None] - centres[:, None] + 0.5) * (1.0 / shrinking))
    weights[places >= (end - first)[:, None]] = 0
    sums = functools.reduce(np.add, weights.T)  # in Pillow's order
    weights = np.divide(weights, sums[:, None], out=weights, where=sums[:, None] != 0)
    whole = np.trunc(weights * _ONE + np.where(weights < 0, -0.5, 0.5)).astype(np.int32)
    return np.stack([first, end - first], axis=1).astype(np.int32), np.ascontiguousarray(whole)
