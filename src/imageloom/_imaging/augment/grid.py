"""Positions on the pixel grid, equal to the last bit to those of SciPy 1.16 and newer.

Matrices and offsets map output positions (row, column) to input positions.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Within",
    "columns_within",
    "nearest",
    "outside",
    "outside_of_grid",
    "pixel_at",
    "positions",
    "positions_of",
]

Floats = NDArray[np.float64]
Within = NDArray[Any]  # whole numbers, see `columns_within`

_CLOSE: Final = 1e-6  # of a column, where the error of a division may decide
_SHORT: Final = 2**15  # columns, whose numbers are compared in a quarter of the time
_SLOW: Final = 1e-5  # of a pixel for each column; the error is larger if it is less


def positions(matrix: Floats, offset: Floats, height: int, width: int) -> tuple[Floats, Floats]:
    """The input rows and columns of all output pixels, each (height, width)."""
    return positions_of(matrix, offset, np.arange(height)[:, None], np.arange(width)[None, :])


def positions_of(
    matrix: Floats, offset: Floats, rows: NDArray[np.intp], columns: NDArray[np.intp]
) -> tuple[Floats, Floats]:
    """The input rows and columns of some output pixels, summed as in SciPy."""
    return (
        offset[0] + rows * matrix[0, 0] + columns * matrix[0, 1],
        offset[1] + rows * matrix[1, 0] + columns * matrix[1, 1],
    )


def outside(row: Floats, column: Floats, height: int, width: int) -> NDArray[np.bool_]:
    """Whether positions lie beyond the centres of the border pixels."""
    return (row < 0) | (row > height - 1) | (column < 0) | (column > width - 1)


def outside_of_grid(
    matrix: Floats, offset: Floats, height: int, width: int, within: Within | None = None
) -> NDArray[np.bool_]:
    """`outside` of all `positions`, (height, width), without computing them.

    Args:
        matrix: maps output to input positions.
        offset: likewise.
        height: height of the image.
        width: its width.
        within: the `columns_within` of this matrix and offset, if they are known already.
    """
    if within is None:
        (within,) = columns_within(matrix[None], offset[None], height, width)
    columns: NDArray[Any] = np.arange(width, dtype=within.dtype)
    beyond: NDArray[np.bool_] = columns < within[0, :, None]
    beyond |= columns > within[1, :, None]
    return beyond


def columns_within(matrices: Floats, offsets: Floats, height: int, width: int) -> Within:
    """The first and the last column of each output row that is not `outside`, for several images.

    Those between them are not outside either. Where they begin and end follows from a division; next to
    a whole number, the position itself decides.

    Args:
        matrices: (n, 2, 2), map output to input positions.
        offsets: (n, 2), likewise.
        height: height of the images.
        width: their width.

    Returns:
        Whole numbers (n, 2, height). In a row without such columns, the first is behind the last.
    """
    steps = matrices[:, :, 1] + 0.0  # a zero has no sign then
    low, high = np.zeros(2), np.array([height - 1.0, width - 1.0])
    entered = np.where(steps >= 0, low, high)
    # The last columns are found as the first ones of a count to the left: they have other signs.
    borders = np.stack((entered, high - entered), axis=1)[..., None]
    signed = np.stack((steps, -steps), axis=1)[..., None]
    starts = offsets[:, None, :, None] + np.arange(height) * matrices[:, None, :, :1]
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        # Without a step, they are infinitely far away; or not a number, if the row is on the border.
        columns = (borders - starts) / signed
        whole = np.rint(columns)
        close = np.abs(columns - whole) < _CLOSE
    found = np.ceil(columns)
    if close.any():
        image, end, axis, row = np.nonzero(close)
        position = starts[image, 0, axis, row] + whole[close] * signed[image, end, axis, 0]
        found[close] = whole[close] + ((position < 0) | (position > high[axis]))
    dtype: Any = np.int16 if width < _SHORT else np.int32
    # What is not a number does not limit anything.
    least, most = np.array([[[0], [1 - width]], [[width], [1]]])
    ends: Within = np.fmin(np.fmax(np.fmax.reduce(found, axis=2), least), most).astype(dtype)
    np.negative(ends[:, 1], out=ends[:, 1])
    for slow in np.flatnonzero(((steps != 0) & (np.abs(steps) < _SLOW)).any(axis=1)):
        inside = ~outside(*positions(matrices[slow], offsets[slow], height, width), height, width)
        ends[slow, 0] = np.where(inside.any(axis=1), inside.argmax(axis=1), width)
        ends[slow, 1] = width - 1 - inside[:, ::-1].argmax(axis=1)
    return ends


def nearest(position: Floats, size: int, fill_mode: str) -> NDArray[np.intp]:
    """The index of the pixel at a position, where the fill mode continues the image.

    Positions are folded back into the image before they are rounded, because a reflection reverses the
    rounding of halves.
    """
    if fill_mode in ("wrap", "grid-wrap"):
        below = position + size * (np.trunc((-1 - position) / size) + 1)
        above = position - size * np.trunc(position / size)
        return _rounded(_folded(position, below, above, size)) % size
    if fill_mode in ("reflect", "grid-mirror"):
        below, above = _within(position, 2 * size)
        below = np.where(below < -size, below + 2 * size, -below - 1)
        above = np.where(above >= size, 2 * size - above - 1, above)
    elif fill_mode == "mirror" and size > 1:
        period = 2 * size - 2
        below, above = _within(position, period)
        below = np.where(below <= 1 - size, below + period, -below)
        above = np.where(above >= size, period - above, above)
        index = _rounded(_folded(position, below, above, size))
        return np.where(index >= size, period - index, index)
    else:
        return _rounded(np.clip(position, 0, size - 1))
    return np.clip(_rounded(_folded(position, below, above, size)), 0, size - 1)


def pixel_at(index: NDArray[np.intp], size: int, fill_mode: str) -> NDArray[np.intp]:
    """`nearest` for whole positions, in whole numbers."""
    if fill_mode in ("wrap", "grid-wrap"):
        return index % size
    if fill_mode in ("reflect", "grid-mirror"):
        index = index % (2 * size)
        return np.minimum(index, 2 * size - 1 - index)
    if fill_mode == "mirror":
        index = index % max(2 * size - 2, 1)
        return np.minimum(index, 2 * size - 2 - index)
    return np.minimum(np.maximum(index, 0), size - 1)


def _within(position: Floats, period: int) -> tuple[Floats, Floats]:
    """The equivalent positions in the period below zero, and in the period above it."""
    return (
        period * np.trunc(-position / period) + position,
        position - period * np.trunc(position / period),
    )


def _folded(position: Floats, below: Any, above: Any, size: int) -> Floats:
    return np.where(position < 0, below, np.where(position > size - 1, above, position))


def _rounded(position: Floats) -> NDArray[np.intp]:
    return np.floor(position + 0.5).astype(np.intp)
