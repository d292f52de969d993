"""The operations of `rand_augment` that change colours, on float32 images with values of 0..255.

A fourth channel, which is the opacity, stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imageloom._imaging.augment.steps.colours import GREY, coloured_part
from imageloom._imaging.augment.steps.remap import by_channels
from imageloom._imaging.opencv import cv2

__all__ = ["RECOLOURS"]

Pixels = NDArray[np.float32]
Channels = NDArray[np.floating[Any]]
_LEVELS: Final = 256
_SMOOTHING: Final = np.array([[1, 1, 1], [1, 5, 1], [1, 1, 1]], np.float32) / 13
_UNCHANGED: Final = np.array([[0, 0, 0], [0, 1, 0], [0, 0, 0]], np.float32)


def _of_colours(function: Callable[..., Pixels], *, clips: bool = True) -> Callable[..., Pixels]:
    """Makes a function that leaves a fourth channel as it is, and clips the others to 0..255.

    Without `clips`, the function does so itself. It must not return its argument.
    """

    def recoloured(x: Pixels, numbers: Sequence[float]) -> Pixels:
        found = function(np.ascontiguousarray(x), *numbers)
        return found.clip(0, 255, out=found) if clips else found

    def recolour(x: Pixels, *numbers: float) -> Pixels:
        if x.shape[2] != 4:
            return recoloured(x, numbers)
        return np.concatenate((recoloured(x[..., :3], numbers), x[..., 3:]), axis=2)

    return recolour


def _linear(x: Pixels, factors: Channels, additions: Channels) -> Pixels:
    """Multiplies the channels, each by a factor, and adds a number to each.

    OpenCV takes a tenth of NumPy's time for that, but for four channels at most.
    """
    if x.shape[2] > 4:
        return x * np.float32(factors) + np.float32(additions)
    found: Any = cv2.transform(x, np.column_stack((np.diag(factors), additions)))
    return found.reshape(x.shape)  # type: ignore[no-any-return]


def _brightness(x: Pixels, factor: float) -> Pixels:
    return x + np.float32(255 * factor)


def _degeneration(x: Pixels, factor: float) -> Pixels:
    colours = coloured_part(x, "`rand_augment`")
    if colours is None:
        return x.copy()
    # What remains of each colour, and a share of the grey.
    found: Any = cv2.transform(colours, (1 - factor) * np.eye(3) + factor * GREY)
    return found  # type: ignore[no-any-return]


def _contrast(x: Pixels, factor: float) -> Pixels:
    sums = [*cv2.sumElems(x)][: x.shape[2]] if x.shape[2] <= 4 else x.sum((0, 1), np.float64)
    means = np.array(sums) / (x.shape[0] * x.shape[1])
    return _linear(x, np.full_like(means, factor), means * (1 - factor))


def _sharpness(x: Pixels, factor: float) -> Pixels:
    # A step from the image to the smooth one, or beyond.
    step = 1 - 2 * factor
    kernel = step * _SMOOTHING + (1 - step) * _UNCHANGED

    def sharpened(part: Pixels) -> Any:
        return cv2.filter2D(part, -1, kernel, borderType=cv2.BORDER_CONSTANT)

    return by_channels(sharpened, x)


def _posterization(x: Pixels, bits: int) -> Pixels:
    levels = x.clip(0, 255).astype(np.uint8)
    levels &= np.uint8(256 - 2 ** (8 - bits))
    return levels.astype(np.float32)


def _solarization(x: Pixels, addition: float, threshold: float) -> Pixels:
    brighter = x + np.float32(addition)
    brighter.clip(0, 255, out=brighter)
    lines = brighter.reshape(len(x), -1)
    # OpenCV wants the last value that stays, and takes the differences in the time of one comparison.
    last = float(np.nextafter(np.float32(threshold), np.float32(-np.inf)))
    _, turned = cv2.threshold(lines, last, 255, cv2.THRESH_BINARY)
    cv2.absdiff(lines, turned, dst=lines)
    return brighter


def _auto_contrast(x: Pixels) -> Pixels:
    lines = x.reshape(len(x), -1)
    low = lines.min(axis=0).reshape(x.shape[1:]).min(axis=0)
    high = lines.max(axis=0).reshape(x.shape[1:]).max(axis=0)
    flat = low == high
    scale = np.float32(255) / np.where(flat, 1, high - low)
    # One after the other, because whole numbers remain whole then.
    from_zero = _linear(x, np.ones_like(low), np.where(flat, 0, -low))
    return _linear(from_zero, np.where(flat, 1, scale), np.zeros_like(low))


def _equalization(x: Pixels) -> Pixels:
    clipped = x.clip(0, 255)
    levels = clipped.astype(np.uint8)
    parts: list[Any] = []
    for channel in range(x.shape[2]):
        part: Any = cv2.extractChannel(levels, channel)
        table = _equalizing_table(part)
        parts.append(clipped[..., channel].copy() if table is None else cv2.LUT(part, table))
    equalized: Any = cv2.merge(parts)
    return equalized.reshape(x.shape)  # type: ignore[no-any-return]


def _equalizing_table(levels: NDArray[np.uint8]) -> Pixels | None:
    """The new value of each level; None if there is only one level."""
    counted: Any = cv2.calcHist([levels], [0], None, [_LEVELS], [0, _LEVELS])
    below: NDArray[np.int64] = counted.reshape(-1).astype(np.int64).cumsum()
    lowest = below[np.flatnonzero(below)[0]]
    if lowest == below[-1]:
        return None
    table: Pixels = np.rint((below - lowest) * 255 / (below[-1] - lowest)).astype(np.float32)
    return table.clip(0, 255)


RECOLOURS: Final[dict[str, Callable[..., Pixels]]] = {
    "random_brightness": _of_colours(_brightness),
    "random_color_degeneration": _of_colours(_degeneration),
    "random_contrast": _of_colours(_contrast),
    "random_sharpness": _of_colours(_sharpness),
    "random_posterization": _of_colours(_posterization, clips=False),
    "solarization": _of_colours(_solarization, clips=False),
    "auto_contrast": _of_colours(_auto_contrast),
    "equalization": _of_colours(_equalization, clips=False),
}
