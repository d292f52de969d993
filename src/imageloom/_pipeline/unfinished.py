"""What a worker writes of an image that a device will finish: its pixels, and what was drawn for it.

::

    geometry (2, 2 * (height + width))    whole numbers | fractions, each of four terms:
                                          of the input row, by output row and by output column;
                                          of the input column, likewise
    colours (3,)                          channel shift, brightness, contrast; not a number for none

The input position of a pixel is the sum of two terms. They are computed here, in 64 bits, which many
devices do not have. Flips are part of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imageloom._imaging.augment.affine import Affine, affine_matrix, is_identity
from imageloom._options import TransformOptions

__all__ = ["write_drawn"]

_COLOURS: Final = ("channel_shift_intensity", "brightness", "contrast")
_FAR: Final = 2.0**22  # float32 has all whole numbers up to four times this


def write_drawn(
    params: Mapping[str, Any],
    affine: Affine | None,
    options: TransformOptions | None,
    size: tuple[int, int],
    geometry: NDArray[np.float32],
    colours: NDArray[np.float32],
) -> None:
    """Writes what was drawn for an image.

    Args:
        params: as `draw_transform` returns them; empty for none.
        affine: the matrix and offset of these parameters, if they are known already.
        options: says which geometry it is; None if nothing was drawn.
        size: height and width of the image.
        geometry: receives the positions.
        colours: receives the parameters of the colours.
    """
    height, width = size
    rows, columns = np.arange(height, dtype=float), np.arange(width, dtype=float)
    if params.get("flip_vertical"):
        rows = rows[::-1]
    if params.get("flip_horizontal"):
        columns = columns[::-1]
    if options is None or is_identity(params):
        terms = np.concatenate((rows, np.zeros(width), np.zeros(height), columns))
    else:
        matrix, offset = affine or affine_matrix(
            params, height, width, corrected=options.corrected_geometry
        )
        terms = np.concatenate(
            (
                offset[0] + rows * matrix[0, 0],
                columns * matrix[0, 1],
                offset[1] + rows * matrix[1, 0],
                columns * matrix[1, 1],
            )
        )
    whole = np.floor(np.clip(np.nan_to_num(terms), -_FAR, _FAR))
    geometry[0], geometry[1] = whole, np.clip(terms - whole, 0, 1)
    for number, name in enumerate(_COLOURS):
        value = params.get(name)
        colours[number] = np.nan if value is None else value
