"""The random affine step: one matrix, one warp.

Coordinates: Keras builds its matrix with x first and y second and maps *output* to *input*
positions. `affine_matrix` returns it in (row, column) order, as `scipy.ndimage` takes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from imageloom.errors import MissingDependencyError

__all__ = ["affine_matrix", "is_identity", "warp"]

Image = NDArray[Any]

# What OpenCV and SciPy call each fill mode. Every documentation draws Keras' 'wrap' as what SciPy
# calls 'grid-wrap'.
_FILL_MODES: Final[dict[str, tuple[int, str]]] = {
    "nearest": (cv2.BORDER_REPLICATE, "nearest"),
    "reflect": (cv2.BORDER_REFLECT, "reflect"),
    "wrap": (cv2.BORDER_WRAP, "grid-wrap"),
    "constant": (cv2.BORDER_CONSTANT, "constant"),
    "mirror": (cv2.BORDER_REFLECT_101, "mirror"),
    "grid-wrap": (cv2.BORDER_WRAP, "grid-wrap"),
    "grid-mirror": (cv2.BORDER_REFLECT, "grid-mirror"),
    "grid-constant": (cv2.BORDER_CONSTANT, "grid-constant"),
}
_OPENCV_MAX_SIDE: Final = 2**15 - 1
_OPENCV_MAX_CHANNELS: Final = 4
_WARP_FLAGS: Final = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP


def is_identity(params: Mapping[str, Any]) -> bool:
    """Whether a transform leaves the geometry alone (flips are not its business)."""
    return bool(
        params.get("theta", 0) == 0
        and params.get("tx", 0) == 0
        and params.get("ty", 0) == 0
        and params.get("shear", 0) == 0
        and params.get("zx", 1) == 1
        and params.get("zy", 1) == 1
    )


def affine_matrix(
    params: Mapping[str, Any], height: int, width: int, *, corrected: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The matrix (2, 2) and offset (2,) that map an output to an input position, (row, column).

    Rotation, shift, shear and zoom are multiplied in this order, then moved to the centre.
    With `corrected=False` the centre's coordinates are exchanged for non-square images, as in
    Keras; the order of the floating-point operations is Keras' too, because at angles such as
    90 degrees the last bit decides which border pixels count as outside.
    """
    theta, shear = np.deg2rad(params.get("theta", 0)), np.deg2rad(params.get("shear", 0))
    factors = []
    if theta != 0:
        cos, sin = np.cos(theta), np.sin(theta)
        factors.append(np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]]))
    if params.get("tx", 0) != 0 or params.get("ty", 0) != 0:
        factors.append(np.array([[1, 0, params.get("tx", 0)], [0, 1, params.get("ty", 0)], [0, 0, 1]]))
    if shear != 0:
        factors.append(np.array([[1, -np.sin(shear), 0], [0, np.cos(shear), 0], [0, 0, 1]]))
    if params.get("zx", 1) != 1 or params.get("zy", 1) != 1:
        factors.append(np.array([[params.get("zx", 1), 0, 0], [0, params.get("zy", 1), 0], [0, 0, 1]]))
    matrix = factors[0] if factors else np.eye(3)
    for factor in factors[1:]:
        matrix = np.dot(matrix, factor)

    centre_x, centre_y = height / 2 - 0.5, width / 2 - 0.5
    if corrected:
        centre_x, centre_y = centre_y, centre_x
    there = np.array([[1, 0, centre_x], [0, 1, centre_y], [0, 0, 1]])
    back = np.array([[1, 0, -centre_x], [0, 1, -centre_y], [0, 0, 1]])
    matrix = np.dot(np.dot(there, matrix), back)
    return matrix[1::-1, 1::-1], matrix[1::-1, 2]


def warp(
    x: Image,
    matrix: NDArray[np.float64],
    offset: NDArray[np.float64],
    *,
    fill_mode: str = "nearest",
    cval: float = 0.0,
    order: int = 1,
) -> Image:
    """Resamples an image (height, width, channels); integer images come back rounded.

    Order 1 is OpenCV's bilinear warp, which agrees with SciPy's to 0.005 of a grey level for
    values up to 255; order 0 picks pixels; higher orders are SciPy's splines.

    Raises:
        MissingDependencyError: an order above 1 without SciPy.
    """
    border, scipy_mode = _FILL_MODES[fill_mode]
    if order == 0:
        return _pick(x, matrix, offset, fill_mode, cval)
    height, width, channels = x.shape
    if order > 1 or channels > _OPENCV_MAX_CHANNELS or max(height, width) > _OPENCV_MAX_SIDE:
        return _spline(x, matrix, offset, scipy_mode, cval, order)
    working = np.float32 if x.dtype.itemsize <= 2 or x.dtype == np.float32 else np.float64
    source = x.astype(working, copy=False)
    linear = np.array(
        [[matrix[1, 1], matrix[1, 0], offset[1]], [matrix[0, 1], matrix[0, 0], offset[0]]]
    )
    warped: Image = cv2.warpAffine(
        source,  # type: ignore[arg-type]  # of one of the two floating dtypes
        linear,
        (width, height),
        flags=_WARP_FLAGS,
        borderMode=border,
        borderValue=(cval, cval, cval, cval),
    ).reshape(x.shape)
    if fill_mode == "constant":
        # OpenCV blends the outermost ring with cval; SciPy calls every point beyond it outside.
        warped[_outside(matrix, offset, height, width)] = cval
    return _as_dtype(warped, x.dtype)


def _positions(
    matrix: NDArray[np.float64], offset: NDArray[np.float64], height: int, width: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Input row and column of every output pixel, each (height, width), summed in SciPy's order."""
    rows, columns = np.arange(height)[:, None], np.arange(width)[None, :]
    return (
        rows * matrix[0, 0] + columns * matrix[0, 1] + offset[0],
        rows * matrix[1, 0] + columns * matrix[1, 1] + offset[1],
    )


def _outside(
    matrix: NDArray[np.float64], offset: NDArray[np.float64], height: int, width: int
) -> NDArray[np.bool_]:
    row, column = _positions(matrix, offset, height, width)
    return (row < 0) | (row > height - 1) | (column < 0) | (column > width - 1)


def _pick(
    x: Image, matrix: NDArray[np.float64], offset: NDArray[np.float64], fill_mode: str, cval: float
) -> Image:
    """Nearest-neighbour resampling, every fill mode, any number of channels and any dtype."""
    height, width = x.shape[:2]
    row, column = _positions(matrix, offset, height, width)
    nearest_row = _fold(np.floor(row + 0.5).astype(np.intp), height, fill_mode)
    nearest_column = _fold(np.floor(column + 0.5).astype(np.intp), width, fill_mode)
    picked = x[nearest_row, nearest_column]
    if fill_mode == "constant":
        picked[_outside(matrix, offset, height, width)] = cval
    elif fill_mode == "grid-constant":
        gone = (row < -0.5) | (row >= height - 0.5) | (column < -0.5) | (column >= width - 0.5)
        picked[gone] = cval
    return picked


def _fold(index: NDArray[np.intp], size: int, fill_mode: str) -> NDArray[np.intp]:
    """Brings indices from anywhere into 0..size-1, as the fill mode continues the picture."""
    if fill_mode in ("wrap", "grid-wrap"):
        return index % size
    if fill_mode in ("reflect", "grid-mirror"):
        index = index % (2 * size)
        return np.minimum(index, 2 * size - 1 - index)
    if fill_mode == "mirror" and size > 1:
        index = index % (2 * size - 2)
        return np.minimum(index, 2 * size - 2 - index)
    return np.clip(index, 0, size - 1)


def _spline(
    x: Image,
    matrix: NDArray[np.float64],
    offset: NDArray[np.float64],
    mode: str,
    cval: float,
    order: int,
) -> Image:
    try:
        from scipy import ndimage
    except ImportError as error:
        raise MissingDependencyError(
            f"interpolation_order={order} is computed by SciPy, which is not installed: "
            "pip install 'imageloom[splines]', or use interpolation_order 0 or 1."
        ) from error
    channels = [
        ndimage.affine_transform(x[..., c], matrix, offset=offset, order=order, mode=mode, cval=cval)
        for c in range(x.shape[2])
    ]
    return np.stack(channels, axis=-1)


def _as_dtype(warped: Image, dtype: np.dtype[Any]) -> Image:
    if np.issubdtype(dtype, np.integer):
        return np.rint(warped).astype(dtype)
    return warped.astype(dtype, copy=False)
