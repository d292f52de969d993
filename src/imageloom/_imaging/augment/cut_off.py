"""The bytes of a warped image whose fractions are cut off, as exact arithmetic has them.

OpenCV's warp in float32 is off by some thousandths of a grey level. Where the fraction of a value is
cut off next, a value that is almost whole could so lose a whole level. Those values, one in a thousand,
are computed again in float64. Which ones they are follows from the bytes of the image with the error
added and taken off, so that most of the work is done on bytes.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imageloom._imaging.augment.grid import nearest, outside, positions_of
from imageloom._imaging.opencv import cv2

__all__ = ["cut_off"]

Floats = NDArray[np.float64]

_ERROR: Final = 2**-12  # of the blending of bytes in float32
_ERROR_OF_POSITION: Final = 2**-19  # for each pixel of the longer side; larger ones are rare
_ROUNDING: Final = 2**-15  # of whole values, which the warp computes almost exactly
_STEPS, _SHIFTS, _DUST = 16, 120, 1e-6  # parts of a pixel, and what sines leave of a zero


def cut_off(
    warped: NDArray[np.float32],
    x: NDArray[Any],
    matrix: Floats,
    offset: Floats,
    *,
    fill_mode: str,
    cval: float,
) -> NDArray[np.uint8]:
    """Returns the bytes of an image whose values are all in 0..255.

    Args:
        warped: the image (height, width, channels) after the warp.
        x: the image before it.
        matrix: maps output to input positions.
        offset: likewise.
        fill_mode: how the image is continued beyond its border.
        cval: the value beyond the border, with the fill mode "constant".
    """
    error = _ERROR + _ERROR_OF_POSITION * max(x.shape[:2])
    pixels, near = _pixels(warped, error, 0.0 if _is_regular(matrix, offset) else _ROUNDING)
    if not len(near):
        return pixels
    height, width, channels = x.shape
    pixel, channel = np.divmod(near, channels)
    row, column = positions_of(matrix, offset, *np.divmod(pixel, width))
    exact = _blended(x, row, column, channel, fill_mode)
    if fill_mode == "constant":
        exact[outside(row, column, height, width)] = cval
    pixels.reshape(-1)[near] = exact.astype(x.dtype).astype(np.uint8)  # SciPy's result has that dtype
    return pixels


def _is_regular(matrix: Floats, offset: Floats) -> bool:
    """Whether all positions are simple fractions, as after a turn by 90 degrees or a shift by 2.4.

    Then many values are whole, give or take the last bit, without lying in an area of one colour.
    """
    parts = np.concatenate([matrix.ravel() * _STEPS, offset * _SHIFTS])
    return bool(np.abs(parts - np.rint(parts)).max() < _DUST)


def _pixels(
    warped: NDArray[np.float32], error: float, rounding: float
) -> tuple[NDArray[np.uint8], NDArray[np.intp]]:
    """The bytes, and the places of those that are uncertain.

    Uncertain values have an error that may carry them across a whole number. Whole values do not,
    because they lie in areas of one colour, which may be large.
    """
    pixels = _shifted(warped, rounding)
    uncertain = _shifted(warped, error) != pixels
    uncertain |= _shifted(warped, -error) != _shifted(warped, -rounding)
    return pixels, np.flatnonzero(uncertain)


def _shifted(warped: NDArray[np.float32], shift: float) -> NDArray[np.uint8]:
    """The bytes of values to which a small number is added; 1 instead of those below 0."""
    rounded: Any = cv2.convertScaleAbs(warped, beta=shift - 0.5)  # to the nearest whole number
    return rounded.reshape(warped.shape)  # type: ignore[no-any-return]


def _blended(
    x: NDArray[Any], row: Floats, column: Floats, channel: NDArray[np.intp], fill_mode: str
) -> Floats:
    """Values at positions between pixels, bilinear and in SciPy's order of additions."""
    height, width, channels = x.shape
    stored = x.reshape(-1)
    upper, left = np.floor(row), np.floor(column)
    down, right = row - upper, column - left
    above, below = (nearest(r, height, fill_mode) * width for r in (upper, upper + 1))
    before, after = (nearest(c, width, fill_mode) for c in (left, left + 1))
    blended = np.zeros(len(row))
    for r, row_share in ((above, 1 - down), (below, down)):
        for c, column_share in ((before, 1 - right), (after, right)):
            blended += stored[(r + c) * channels + channel] * row_share * column_share
    return blended
