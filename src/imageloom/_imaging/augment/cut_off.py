"""The bytes of a warped image whose fractions are cut off, as exact arithmetic has them.

OpenCV's warp in float32 is off by some thousandths of a grey level. Where the fraction of a value is
cut off next, a value that is almost whole could so lose a whole level. Where that matters, those
values, one in a thousand, are computed again in float64. Which ones they are follows from the bytes of
the image with the error added and taken off, so that most of the work is done on bytes.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imageloom._imaging.augment.grid import outside, pixel_at, positions_of
from imageloom._imaging.opencv import cv2

__all__ = ["cut_off", "is_regular"]

Floats = NDArray[np.float64]
Places = NDArray[np.intp]

_ERROR: Final = 2**-12  # of the blending of bytes in float32
_ERROR_OF_POSITION: Final = 2**-19  # for each pixel of the longer side; larger ones are rare
_ROUNDING: Final = 2**-15  # of whole values, which the warp computes almost exactly
_STEPS, _SHIFTS, _DUST = 16, 120, 1e-6  # parts of a pixel, and what sines leave of a zero
_QUARTERS: Final = 4
_NEAR: Final = 2**-6  # of a pixel, by which positions leave simple fractions in all of the image
_FEW: Final = 2**-7  # of all values; to look which of them are whole would take as long


def cut_off(
    warped: NDArray[np.float32],
    x: NDArray[Any],
    matrix: Floats,
    offset: Floats,
    *,
    fill_mode: str,
    cval: float,
    exact: bool = True,
) -> NDArray[np.uint8]:
    """Returns the bytes of an image whose values are all in 0..255.

    Args:
        warped: the image (height, width, channels) after the warp.
        x: the image before it.
        matrix: maps output to input positions.
        offset: likewise.
        fill_mode: how the image is continued beyond its border.
        cval: the value beyond the border, with the fill mode "constant".
        exact: whether almost whole values matter. Without it, less than one value in a thousand is off
            by a level in photographs of any size, and in images of up to 256 pixels whatever they show.
    """
    if not exact:  # whole values keep their level
        return _shifted(warped, 2 * _ROUNDING)
    error = _ERROR + _ERROR_OF_POSITION * max(x.shape[:2])
    pixels = _shifted(warped, error)
    uncertain = pixels != _shifted(warped, -error)
    if np.count_nonzero(uncertain) > _FEW * x.size and not is_regular(matrix, offset, x.shape[:2]):
        # Whole values lie in areas of one colour, which may be large, and they have no error.
        uncertain &= _shifted(warped, _ROUNDING) == _shifted(warped, -_ROUNDING)
    near = np.flatnonzero(uncertain)
    if not len(near):
        return pixels
    height, width, channels = x.shape
    pixel = near // channels
    line = pixel // width
    row, column = positions_of(matrix, offset, line, pixel - line * width)
    blended = _blended(x, row, column, near - pixel * channels, fill_mode)
    if fill_mode == "constant":
        blended[outside(row, column, height, width)] = cval
    # SciPy's result has the dtype of the image, for which bytes stand for here.
    dtype = np.float32 if x.dtype == np.uint8 else x.dtype
    pixels.reshape(-1)[near] = blended.astype(dtype).astype(np.uint8)
    return pixels


def is_regular(matrix: Floats, offset: Floats, size: tuple[int, int]) -> bool:
    """Whether many values may be whole, give or take a little, without lying in an area of one colour.

    That is so if all positions are simple fractions, as after a turn by 90 degrees or a shift by 2.4;
    and if rows or columns almost keep their places, as after a shear by a hundredth of a degree.
    """
    simple, almost = [], []
    for (of_rows, of_columns), shift in zip(matrix.tolist(), offset.tolist(), strict=True):
        steps = (_STEPS * of_rows, _STEPS * of_columns, _SHIFTS * shift)
        simple.append(all(abs(step - round(step)) < _DUST for step in steps))
        drifts = ((of_rows, max(size)), (of_columns, max(size)), (shift, 1))
        almost.append(
            all(abs(n - round(_QUARTERS * n) / _QUARTERS) * times < _NEAR for n, times in drifts)
        )
    return all(simple) or any(near and not exact for near, exact in zip(almost, simple, strict=True))


def _shifted(warped: NDArray[np.float32], shift: float) -> NDArray[np.uint8]:
    """The bytes of values to which a small number is added; 1 instead of those below 0."""
    rounded: Any = cv2.convertScaleAbs(warped, beta=shift - 0.5)  # to the nearest whole number
    return rounded.reshape(warped.shape)  # type: ignore[no-any-return]


def _blended(x: NDArray[Any], row: Floats, column: Floats, channel: Places, fill_mode: str) -> Floats:
    """Values at positions between pixels, bilinear and in SciPy's order of additions."""
    height, width, channels = x.shape
    upper, left = np.floor(row), np.floor(column)
    down, right = row - upper, column - left
    rows, columns = (np.array([first, first + 1], np.intp) for first in (upper, left))
    lines = pixel_at(rows, height, fill_mode) * (width * channels) + channel
    corners = lines[:, None] + pixel_at(columns, width, fill_mode) * channels
    parts = x.reshape(-1)[corners] * np.array([1 - down, down])[:, None]
    parts *= np.array([1 - right, right])
    blended: Floats = parts[0, 0] + parts[0, 1]
    blended += parts[1, 0]
    blended += parts[1, 1]
    return blended
