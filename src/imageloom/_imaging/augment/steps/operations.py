"""The operations of `rand_augment` that change colours, on float32 images with values of 0..255.

A fourth channel, which is the opacity, stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imageloom._imaging.augment.steps.colours import coloured_part, grey_part
from imageloom._imaging.augment.steps.remap import by_channels
from imageloom._imaging.opencv import cv2

__all__ = ["RECOLOURS"]

Pixels = NDArray[np.float32]
_LEVELS: Final = 256
_SMOOTHING: Final = np.array([[1, 1, 1], [1, 5, 1], [1, 1, 1]], np.float32) / 13


def _of_colours(function: Callable[..., Pixels]) -> Callable[..., Pixels]:
    """Makes a function that leaves a fourth channel as it is, and clips the others to 0..255."""

    def recolour(x: Pixels, *numbers: float) -> Pixels:
        if x.shape[2] != 4:
            return np.clip(function(x, *numbers), 0, 255)
        colours = np.clip(function(np.ascontiguousarray(x[..., :3]), *numbers), 0, 255)
        return np.concatenate((colours, x[..., 3:]), axis=2)

    return recolour


def _brightness(x: Pixels, factor: float) -> Pixels:
    return x + np.float32(255 * factor)


def _degeneration(x: Pixels, factor: float) -> Pixels:
    colours = coloured_part(x, "`rand_augment`")
    return x if colours is None else x + np.float32(factor) * (grey_part(x) - x)


def _channels(x: Pixels) -> Iterator[Any]:
    """Each channel as an image of its own, which OpenCV measures in a tenth of NumPy's time."""
    for channel in range(x.shape[2]):
        yield cv2.extractChannel(x, channel)


def _contrast(x: Pixels, factor: float) -> Pixels:
    mean = np.array([cv2.mean(channel)[0] for channel in _channels(x)], np.float32)
    found: Pixels = (x - mean) * np.float32(factor) + mean
    return found


def _sharpness(x: Pixels, factor: float) -> Pixels:
    def smoothed(part: Pixels) -> Any:
        return cv2.filter2D(part, -1, _SMOOTHING, borderType=cv2.BORDER_CONSTANT)

    return x + np.float32(1 - 2 * factor) * (by_channels(smoothed, x) - x)


def _posterization(x: Pixels, bits: int) -> Pixels:
    shift = 8 - bits
    return (np.clip(x, 0, 255).astype(np.uint8) >> shift << shift).astype(np.float32)


def _solarization(x: Pixels, addition: float, threshold: float) -> Pixels:
    brighter = np.clip(x + np.float32(addition), 0, 255)
    found: Pixels = np.where(brighter < np.float32(threshold), brighter, 255 - brighter)
    return found


def _auto_contrast(x: Pixels) -> Pixels:
    bounds = [cv2.minMaxLoc(channel)[:2] for channel in _channels(x)]
    low, high = np.array(bounds, np.float32).T
    flat = low == high
    scale = np.float32(255) / np.where(flat, 1, high - low)
    stretched: Pixels = np.where(flat, x, (x - low) * scale)
    return stretched


def _equalization(x: Pixels) -> Pixels:
    return np.stack([_equalized(channel) for channel in _channels(np.clip(x, 0, 255))], axis=-1)


def _equalized(channel: Pixels) -> Pixels:
    levels = channel.astype(np.uint8)
    counted: Any = cv2.calcHist([levels], [0], None, [_LEVELS], [0, _LEVELS])
    counts = counted.reshape(-1).astype(np.int64)
    if np.count_nonzero(counts) <= 1:
        return channel
    below = counts.cumsum()
    lowest = below[np.flatnonzero(counts)[0]]
    table = np.rint((below - lowest) * 255 / (below[-1] - lowest)).clip(0, 255)
    equalized: Any = cv2.LUT(levels, table.astype(np.float32))
    return equalized.reshape(channel.shape)  # type: ignore[no-any-return]


RECOLOURS: Final[dict[str, Callable[..., Pixels]]] = {
    "random_brightness": _of_colours(_brightness),
    "random_color_degeneration": _of_colours(_degeneration),
    "random_contrast": _of_colours(_contrast),
    "random_sharpness": _of_colours(_sharpness),
    "random_posterization": _of_colours(_posterization),
    "solarization": _of_colours(_solarization),
    "auto_contrast": _of_colours(_auto_contrast),
    "equalization": _of_colours(_equalization),
}
