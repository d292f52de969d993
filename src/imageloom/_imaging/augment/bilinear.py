"""OpenCV's exact bilinear warp, and the kinds of images for which it is exact."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imageloom._imaging.opencv import cv2

__all__ = [
    "BORDERS",
    "EXACT_CHANNELS",
    "MAX_SIDE",
    "constant_image",
    "opencv_matrix",
    "warp_bilinear",
]

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
_SINGLE: Final = np.dtype(np.float32)
_FLAGS: Final = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP


def opencv_matrix(matrix: NDArray[np.float64], offset: NDArray[np.float64]) -> NDArray[np.float64]:
    """Converts matrices of (row, column) to OpenCV's (..., 2, 3), with the column first."""
    linear = np.empty((*offset.shape, 3))
    linear[..., :2], linear[..., 2] = matrix[..., ::-1, ::-1], offset[..., ::-1]
    return linear


@lru_cache(maxsize=2)
def constant_image(
    shape: tuple[int, ...], value: float, dtype: np.dtype[Any] = _SINGLE
) -> NDArray[Any]:
    """An image of one value, which must not be written to; bytes have no fraction."""
    return np.full(shape, value, dtype)


def warp_bilinear(
    x: NDArray[Any],
    linear: NDArray[np.float64],
    border: int,
    cval: float = 0.0,
    *,
    factor: float | None = None,
    out: NDArray[Any] | None = None,
) -> NDArray[Any]:
    """Warps an image with 1, 3 or 4 channels.

    OpenCV warps four channels in half the time of three, with the same bits. So three channels are
    warped as four, where they stay in the processor's cache.

    Args:
        x: the image, uint8 or float32.
        linear: the matrix from `opencv_matrix`.
        border: a value of `BORDERS`.
        cval: the value beyond the border, with a constant border.
        factor: what the pixels are multiplied by before; None for nothing.
        out: a contiguous array of the image's shape for the result: float32, or uint8, for which
            fractions are cut off; None for a new one of float32.
    """
    height, width, channels = x.shape
    pads = channels == 3 and _FEW <= height * width <= _MANY
    source = cv2.cvtColor(x, cv2.COLOR_RGB2RGBA) if pads else x
    single = source.astype(np.float32, copy=False)
    if factor is not None:
        single = np.multiply(single, factor, out=None if single is x else single)
    direct = not pads and out is not None and out.dtype == np.float32
    warped: Any = cv2.warpAffine(
        single,
        linear,
        (width, height),
        dst=out if direct else None,
        flags=_FLAGS,
        borderMode=border,
        borderValue=(float(cval),) * 4,  # OpenCV takes none of NumPy's numbers
    )
    if out is not None and out.dtype == np.uint8:
        warped = warped.astype(np.uint8)
    if pads:
        return cv2.cvtColor(warped, cv2.COLOR_RGBA2RGB, dst=out)
    warped = warped.reshape(x.shape)
    if out is None or direct:
        return warped  # type: ignore[no-any-return]
    np.copyto(out, warped)
    return out
