"""OpenCV's exact bilinear warp, and the kinds of images for which it is exact."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imageloom._imaging.opencv import cv2

__all__ = ["BORDERS", "EXACT_CHANNELS", "MAX_SIDE", "opencv_matrix", "warp_bilinear"]

# OpenCV 5 warps images with these numbers of channels exactly, if they are uint8 or float32. For two
# channels, or for float64, it still uses its old method, which rounds positions.
EXACT_CHANNELS: Final = (1, 3, 4)
MAX_SIDE: Final = 2**15 - 1
# OpenCV's names of the fill modes; for 'wrap' see `affine`.
BORDERS: Final[dict[str, int]] = {
    "nearest": cv2.BORDER_REPLICATE,
    "reflect": cv2.BORDER_REFLECT,
    "wrap": cv2.BORDER_WRAP,
    "constant": cv2.BORDER_CONSTANT,
    "mirror": cv2.BORDER_REFLECT_101,
    "grid-wrap": cv2.BORDER_WRAP,
    "grid-mirror": cv2.BORDER_REFLECT,
    "grid-constant": cv2.BORDER_CONSTANT,
}
_FEW: Final = 2**11  # pixels; below, a further call takes longer than it saves
_MANY: Final = 2**16  # pixels, of 1 MiB; beyond, memory takes as long as the warp
_FLAGS: Final = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP


def opencv_matrix(matrix: NDArray[np.float64], offset: NDArray[np.float64]) -> NDArray[np.float64]:
    """Converts matrices of (row, column) to OpenCV's (..., 2, 3), with the column first."""
    linear = np.empty((*offset.shape, 3))
    linear[..., :2], linear[..., 2] = matrix[..., ::-1, ::-1], offset[..., ::-1]
    return linear


def warp_bilinear(
    x: NDArray[Any],
    linear: NDArray[np.float64],
    border: int,
    cval: float = 0.0,
    out: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """Warps an image with 1, 3 or 4 channels.

    OpenCV warps four channels in half the time of three, with the same bits. So three channels are
    warped as four, where they stay in the processor's cache.

    Args:
        x: the image, float32.
        linear: the matrix from `opencv_matrix`.
        border: a value of `BORDERS`.
        cval: the value beyond the border, with a constant border.
        out: a contiguous array of the image's shape for the result; None for a new one.
    """
    height, width, channels = x.shape
    if channels == 3 and _FEW <= height * width <= _MANY:
        padded = _warped(cv2.cvtColor(x, cv2.COLOR_RGB2RGBA), linear, border, cval, None)
        warped: Any = cv2.cvtColor(padded, cv2.COLOR_RGBA2RGB, dst=out)
        return warped  # type: ignore[no-any-return]
    return _warped(x, linear, border, cval, out).reshape(x.shape)


def _warped(
    x: NDArray[Any],
    linear: NDArray[np.float64],
    border: int,
    cval: float,
    out: NDArray[np.float32] | None,
) -> NDArray[np.float32]:
    warped: Any = cv2.warpAffine(
        x,
        linear,
        (x.shape[1], x.shape[0]),
        dst=out,
        flags=_FLAGS,
        borderMode=border,
        borderValue=(cval, cval, cval, cval),
    )
    return warped  # type: ignore[no-any-return]
