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

from imageloom.augment.grid import nearest, outside, positions
from imageloom.errors import MissingDependencyError

__all__ = ["affine_matrix", "is_identity", "warp"]

Image = NDArray[Any]
Floats = NDArray[np.float64]

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
# Only for these, and only for uint8 and float32, does OpenCV 5 take its exact path; two channels or
# float64 still go the old way, which quantises positions.
_OPENCV_EXACT_CHANNELS: Final = (1, 3, 4)
_HAIR: Final = 2**-8  # no error of the float32 warp was seen above this
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
    settle_near_whole: bool = False,
) -> Image:
    """Resamples an image (height, width, channels); integer images come back rounded.

    Order 1 is OpenCV's bilinear warp in float32, which agrees with SciPy's to 0.005 of a grey level
    for values up to 255; order 0 picks pixels; higher orders are SciPy's splines.

    Float32 may put values that are whole a hair below; where the next step cuts fractions off that
    is a grey level. With `settle_near_whole` such values are computed again, in float64.

    Raises:
        MissingDependencyError: an order above 1 without SciPy.
    """
    border, scipy_mode = _FILL_MODES[fill_mode]
    if order == 0:
        return _pick(x, matrix, offset, fill_mode, cval)
    height, width, channels = x.shape
    if order > 1 or max(height, width) > _OPENCV_MAX_SIDE:
        return _spline(x, matrix, offset, scipy_mode, cval, order)
    linear = np.array(
        [[matrix[1, 1], matrix[1, 0], offset[1]], [matrix[0, 1], matrix[0, 0], offset[0]]]
    )
    source = x.astype(np.float32, copy=False)
    if channels in _OPENCV_EXACT_CHANNELS:
        warped = _warp_linear(source, linear, border, cval)
    else:
        parts = [_warp_linear(source[..., c], linear, border, cval) for c in range(channels)]
        warped = np.stack(parts, axis=-1)
    if fill_mode == "constant" or settle_near_whole:
        row, column = positions(matrix, offset, height, width)
        if fill_mode == "constant":
            # OpenCV blends the outermost ring with cval; SciPy calls every point beyond it outside.
            warped[outside(row, column, height, width)] = cval
        if settle_near_whole and fill_mode != "grid-constant":
            _settle_near_whole(warped, x, row, column, fill_mode)
    return _as_dtype(warped, x.dtype)


def _warp_linear(
    x: NDArray[np.float32], linear: NDArray[np.float64], border: int, cval: float
) -> NDArray[np.float32]:
    warped: Any = cv2.warpAffine(
        x,
        linear,
        (x.shape[1], x.shape[0]),
        flags=_WARP_FLAGS,
        borderMode=border,
        borderValue=(cval, cval, cval, cval),
    )
    return warped.reshape(x.shape)  # type: ignore[no-any-return]


def _settle_near_whole(
    warped: NDArray[np.float32], x: Image, row: Floats, column: Floats, fill_mode: str
) -> None:
    """Computes again, in float64 and in place, the values that lie within a hair of whole numbers."""
    whole = np.rint(warped)
    # Black and white areas cannot have come from beyond their value, and are large.
    unsettled = (warped != whole) | ((whole != 0) & (whole != 255))
    near: NDArray[np.bool_] = np.any((np.abs(warped - whole) < _HAIR) & unsettled, axis=2)
    if fill_mode == "constant":
        near &= ~outside(row, column, *x.shape[:2])
    rows, columns = row[near], column[near]
    upper, left = np.floor(rows), np.floor(columns)
    down, right = (rows - upper)[:, None], (columns - left)[:, None]
    blended = np.zeros((len(rows), x.shape[2]))
    above, below = (nearest(r, x.shape[0], fill_mode) for r in (upper, upper + 1))
    before, after = (nearest(c, x.shape[1], fill_mode) for c in (left, left + 1))
    for r, row_share in ((above, 1 - down), (below, down)):
        for c, column_share in ((before, 1 - right), (after, right)):
            blended += x[r, c] * row_share * column_share
    warped[near] = blended


def _pick(
    x: Image, matrix: NDArray[np.float64], offset: NDArray[np.float64], fill_mode: str, cval: float
) -> Image:
    """Nearest-neighbour resampling, every fill mode, any number of channels and any dtype."""
    height, width = x.shape[:2]
    row, column = positions(matrix, offset, height, width)
    picked = x[nearest(row, height, fill_mode), nearest(column, width, fill_mode)]
    fill = _as_dtype(np.array(cval), x.dtype)
    if fill_mode == "constant":
        picked[outside(row, column, height, width)] = fill
    elif fill_mode == "grid-constant":
        gone = (row < -0.5) | (row >= height - 0.5) | (column < -0.5) | (column >= width - 0.5)
        picked[gone] = fill
    return picked


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
    """Rounds halves away from zero and saturates, as SciPy does on its way to integers."""
    if dtype.kind not in "iu":
        return warped.astype(dtype, copy=False)
    rounded = np.trunc(warped + np.copysign(0.5, warped))
    limits = np.iinfo(dtype)
    saturated: Image = np.clip(rounded, limits.min, limits.max).astype(dtype)
    return saturated
