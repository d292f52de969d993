"""Writes images into rows of a batch, also in half precision.

NumPy converts to float16 one number after the other, which takes as long as the warp of the image.
OpenCV uses the processor's instructions for it, with the same bits.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from imageloom._imaging.opencv import HAS_MORE_DEPTHS, cv2

__all__ = ["write_row"]


def write_row(x: NDArray[Any], row: NDArray[Any]) -> None:
    """Writes an image into a row of its shape and of any dtype, cutting off what does not fit."""
    if (
        HAS_MORE_DEPTHS
        and row.dtype == np.float16
        and x.dtype == np.float32
        and x.size
        and x.flags.c_contiguous
        and row.flags.c_contiguous
    ):
        nothing: Any = 0.0  # which OpenCV takes, whatever its types say
        lines = row.reshape(len(row), -1)
        cv2.add(x.reshape(len(x), -1), nothing, dst=lines, dtype=cv2.CV_16F)
    else:
        np.copyto(row, x, casting="unsafe")
