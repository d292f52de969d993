"""Positions on the pixel grid, equal to the last bit to those of SciPy 1.16 and newer.

Matrices and offsets map output positions (row, column) to input positions.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["nearest", "outside", "outside_of_grid", "pixel_at", "positions", "positions_of"]

Floats = NDArray[np.float64]

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


def outside_of_grid(matrix: Floats, offset: Floats, height: int, width: int) -> NDArray[np.bool_]:
    """`outside` of all `positions`, (height, width), without computing them.

    In each output row, the pixels that are not outside are neighbours. Where they begin and end follows
    from a division; next to a whole number, the position itself decides.
    """
    steps = np.abs(matrix[:, 1])
    if np.any((steps != 0) & (steps < _SLOW)):
        return outside(*positions(matrix, offset, height, width), height, width)
    rows = np.arange(height)
    first, end = np.zeros(height), np.full(height, float(width))
    for axis, last in ((0, height - 1), (1, width - 1)):
        start, step = offset[axis] + rows * matrix[axis, 0], matrix[axis, 1]
        if step == 0:
            end[(start < 0) | (start > last)] = 0
            continue
        borders = (0.0, float(last)) if step > 0 else (float(last), 0.0)
        first = np.maximum(first, _column(start, step, borders[0], last, begins=True))
        end = np.minimum(end, _column(start, step, borders[1], last, begins=False) + 1)
    dtype: Any = np.int16 if width < _SHORT else np.int32
    columns: NDArray[Any] = np.arange(width, dtype=dtype)
    ends: NDArray[Any] = np.clip([first, end], 0, width).astype(dtype)[..., None]
    beyond: NDArray[np.bool_] = columns < ends[0]
    beyond |= columns >= ends[1]
    return beyond


def _column(start: Floats, step: float, border: float, last: int, *, begins: bool) -> Floats:
    """The first or the last column whose position is not beyond a border, for each row."""
    column = (border - start) / step
    whole = np.rint(column)
    found = np.ceil(column) if begins else np.floor(column)
    (close,) = np.nonzero(np.abs(column - whole) < _CLOSE)
    if len(close):
        position = start[close] + whole[close] * step
        beyond = (position < 0) | (position > last)
        found[close] = whole[close] + (beyond if begins else -1.0 * beyond)
    return found


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
