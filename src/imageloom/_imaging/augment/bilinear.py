"""OpenCV's exact bilinear warp, and the forms of image it is exact for."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imageloom._imaging.opencv import cv2

__all__ = ["BORDERS", "EXACT_CHANNELS", "MAX_SIDE", "opencv_matrix", "warp_bilinear"]

# Only for these, and only for uint8 and float32, does OpenCV 5 take its exact path; two channels or
# float64 still go the old way, which quantises positions.
EXACT_CHANNELS: Final = (1, 3, 4)
MAX_SIDE: Final = 2**15 - 1
# By fill mode. Every documentation draws Keras' 'wrap' as what SciPy calls 'grid-wrap'.
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
_FLAGS: Final = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP


def opencv_matrix(matrix: NDArray[np.float64], offset: NDArray[np.float64]) -> NDArray[np.float64]:
    """(row, column) coordinates as OpenCV takes them: (..., 2, 3), with the column first."""
    linear = np.empty((*offset.shape, 3))
    linear[..., :2], linear[..., 2] = matrix[..., ::-1, ::-1], offset[..., ::-1]
    return linear


def warp_bilinear(
    x: NDArray[np.float32],
    linear: NDArray[np.float64],
    border: int,
    cval: float = 0.0,
    out: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """Warps an image with 1, 3 or 4 channels; into `out` if given, contiguous and of its shape."""
    warped: Any = cv2.warpAffine(
        x,
        linear,
        (x.shape[1], x.shape[0]),
        dst=out,
        flags=_FLAGS,
        borderMode=border,
        borderValue=(cval, cval, cval, cval),
    )
    return warped.reshape(x.shape)  # type: ignore[no-any-return]
