"""Statistics of all elements of an image, in float64 and with fewer passes than NumPy's."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imageloom._imaging.opencv import cv2

__all__ = ["centre_and_divide", "deviation", "mean"]

_FLAT: Final = 1e-3  # of the mean; a smaller deviation is not seen next to rounding


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


def centre_and_divide(x: NDArray[Any], out: NDArray[Any], factor: float, epsilon: float) -> bool:
    """Multiplies an image, subtracts its mean and divides by its deviation: at once.

    Args:
        x: the image.
        out: an array of its shape for the result; it may be `x`.
        factor: what the image is multiplied by before.
        epsilon: what is added to the deviation.

    Returns:
        Whether it was done. It is not for images that OpenCV does not take, nor for those of almost one
        value, for which rounding in float32 would show.
    """
    if not (_suits_opencv(x) and _suits_opencv(out)):
        return False
    lines = _lines(x)
    mean_before = cv2.sumElems(lines)[0] / x.size
    squares = cv2.norm(lines, cv2.NORM_L2SQR) / x.size
    spread = max(0.0, squares - mean_before**2) ** 0.5
    if not spread > _FLAT * abs(mean_before):
        return False
    by = factor / (abs(factor) * spread + epsilon)
    # OpenCV's way to multiply and add in one pass is a sum in which the other image has no weight.
    cv2.addWeighted(lines, by, lines, 0.0, -by * mean_before, dst=_lines(out))
    return True


def _suits_opencv(x: NDArray[Any]) -> bool:
    return x.dtype == np.float32 and x.flags.c_contiguous and x.size > 0


def _lines(x: NDArray[Any]) -> NDArray[Any]:
    return x.reshape(len(x), -1)
