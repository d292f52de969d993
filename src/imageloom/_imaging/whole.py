"""Statistics of all elements of an image, in float64 and with fewer passes than NumPy's."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from imageloom._imaging.opencv import cv2

__all__ = ["deviation", "mean"]


def mean(x: NDArray[Any]) -> Any:
    """The mean, in the image's dtype."""
    if not _suits_opencv(x):
        return np.mean(x)
    return np.float32(cv2.sumElems(_lines(x))[0] / x.size)


def deviation(x: NDArray[Any]) -> Any:
    """The standard deviation, in the image's dtype."""
    if not _suits_opencv(x):
        return np.std(x)
    lines = _lines(x)
    squares = cv2.norm(lines, cv2.NORM_L2SQR) / x.size
    return np.float32(max(0.0, squares - (cv2.sumElems(lines)[0] / x.size) ** 2) ** 0.5)


def _suits_opencv(x: NDArray[Any]) -> bool:
    return x.dtype == np.float32 and x.flags.c_contiguous and x.size > 0


def _lines(x: NDArray[Any]) -> NDArray[Any]:
    return x.reshape(len(x), -1)
