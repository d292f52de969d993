"""The affine step of a random transform: its matrix, and the warp.

The matrix maps *output* positions to *input* positions. Keras builds it with x first and y second;
`affine_matrices` returns it in (row, column) order, as `scipy.ndimage` expects it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imageloom._errors import MissingDependencyError
from imageloom._imaging.augment.bilinear import (
    BORDERS,
    EXACT_CHANNELS,
    MAX_SIDE,
    constant_image,
    opencv_matrix,
    warp_bilinear,
)
from imageloom._imaging.augment.grid import Within, nearest, outside, outside_of_grid, positions
from imageloom._imaging.augment.warp_bytes import warp_bytes, warps_bytes

__all__ = ["Affine", "affine_matrices", "affine_matrix", "is_identity", "warp"]
from imageloom._imaging.opencv import cv2

Image = NDArray[Any]
Floats = NDArray[np.float64]
Affine = tuple[Floats, Floats]  # matrix and offset

# SciPy's names of the fill modes. The picture of 'wrap' in Keras' documentation shows what SciPy calls
# 'grid-wrap'.
_SCIPY_MODES: Final[dict[str, str]] = {
    "nearest": "nearest",
    "reflect": "reflect",
    "wrap": "grid-wrap",
    "constant": "constant",
    "mirror": "mirror",
    "grid-wrap": "grid-wrap",
    "grid-mirror": "grid-mirror",
    "grid-constant": "grid-constant",
}
_IDENTITY: Final = np.eye(3)
_COLOURS: Final = 3  # channels


def is_identity(params: Mapping[str, Any]) -> Any:
    """Whether a transform does not move pixels, apart from flips.

    If the parameters are columns for several images, so is the result.
    """
    turn = (params.get("theta", 0) == 0) & (params.get("shear", 0) == 0)
    shift = (params.get("tx", 0) == 0) & (params.get("ty", 0) == 0)
    return turn & shift & (params.get("zx", 1) == 1) & (params.get("zy", 1) == 1)


def affine_matrix(params: Mapping[str, Any], height: int, width: int, *, corrected: bool) -> Affine:
    """The matrix (2, 2) and offset (2,) that map an output position (row, column) to an input position.

    The bits are those of `affine_matrices`, whose arguments it has, in a third of the time: a batch may
    be one small image. As in Keras, factors that are the identity are left out.
    """
    factors: list[tuple[tuple[Any, Any, Any], ...]] = []
    if (theta := params.get("theta", 0)) != 0:
        angle = np.deg2rad(np.float64(theta))
        cos, sin = np.cos(angle), np.sin(angle)
        factors.append(((cos, -sin, 0.0), (sin, cos, 0.0), (0.0, 0.0, 1.0)))
    tx, ty = params.get("tx", 0), params.get("ty", 0)
    if tx != 0 or ty != 0:
        factors.append(((1.0, 0.0, tx), (0.0, 1.0, ty), (0.0, 0.0, 1.0)))
    if (shear := params.get("shear", 0)) != 0:
        angle = np.deg2rad(np.float64(shear))
        factors.append(((1.0, -np.sin(angle), 0.0), (0.0, np.cos(angle), 0.0), (0.0, 0.0, 1.0)))
    zx, zy = params.get("zx", 1), params.get("zy", 1)
    if zx != 1 or zy != 1:
        factors.append(((zx, 0.0, 0.0), (0.0, zy, 0.0), (0.0, 0.0, 1.0)))
    matrix: Floats | None = None
    for factor in factors:
        found = np.array(factor, np.float64)
        matrix = found if matrix is None else matrix @ found
    there, back = _centring(height, width, corrected=corrected)
    matrix = there @ (_IDENTITY if matrix is None else matrix) @ back
    return matrix[1::-1, 1::-1], matrix[1::-1, 2]


@lru_cache(maxsize=16)
def _centring(height: int, width: int, *, corrected: bool) -> tuple[Floats, Floats]:
    """The matrices (3, 3) that move the centre of an image to the origin, last, and back, first."""
    centre_x, centre_y = height / 2 - 0.5, width / 2 - 0.5
    if corrected:
        centre_x, centre_y = centre_y, centre_x
    there, back = _IDENTITY.copy(), _IDENTITY.copy()
    there[:2, 2], back[:2, 2] = (centre_x, centre_y), (-centre_x, -centre_y)
    return there, back


def affine_matrices(
    params: Mapping[str, Any], images: int, height: int, width: int, *, corrected: bool
) -> Affine:
    """The matrices (n, 2, 2) and offsets (n, 2) of several images of one size.

    Rotation, shift, shear and zoom are multiplied in this order, and then moved to the centre. The
    order of the floating-point operations is Keras', because at angles such as 90 degrees the last bit
    decides which border pixels count as outside. (Keras leaves out factors that are the identity;
    multiplying by them changes no bit.)

    Args:
        params: keys as in `default_transform`; values are columns of n numbers, or one number for all.
        images: the number n of images.
        height: the height of the images.
        width: their width.
        corrected: without it, the coordinates of the centre are exchanged as in Keras, which matters
            for images that are not square.
    """
    theta, shear = (np.deg2rad(np.float64(params.get(key, 0))) for key in ("theta", "shear"))
    factors = np.empty((4, images, 3, 3))
    factors[...] = _IDENTITY
    turn, shift, slant, zoom = factors
    turn[:, 0, 0] = turn[:, 1, 1] = np.cos(theta)
    turn[:, 1, 0] = np.sin(theta)
    turn[:, 0, 1] = -turn[:, 1, 0]
    shift[:, 0, 2], shift[:, 1, 2] = params.get("tx", 0), params.get("ty", 0)
    slant[:, 0, 1], slant[:, 1, 1] = -np.sin(shear), np.cos(shear)
    zoom[:, 0, 0], zoom[:, 1, 1] = params.get("zx", 1), params.get("zy", 1)

    there, back = _centring(height, width, corrected=corrected)
    matrix = there @ (turn @ shift @ slant @ zoom) @ back
    return matrix[:, 1::-1, 1::-1], matrix[:, 1::-1, 2]


def warp(
    x: Image,
    matrix: NDArray[np.float64],
    offset: NDArray[np.float64],
    *,
    fill_mode: str = "nearest",
    cval: float = 0.0,
    order: int = 1,
    as_floats: bool = False,
    within: Within | None = None,
) -> Image:
    """Resamples an image (height, width, channels); the values of integer images are rounded.

    Args:
        x: the image.
        matrix: maps output to input positions, as `affine_matrix` returns it.
        offset: likewise.
        fill_mode: how the image is continued beyond its border.
        cval: the value beyond the border, with the fill mode "constant".
        order: the interpolation order. Order 0 picks the nearest pixel. Order 1 is OpenCV's bilinear
            warp in float32, which agrees with SciPy's to 0.005 grey levels for values up to 255. Higher
            orders are SciPy's splines.
        as_floats: whether bytes stand for float32, in which the result is; or in bytes, if it has no
            fractions.
        within: what is not beyond a constant border, as `columns_within` returns it, if it is known.

    Raises:
        MissingDependencyError: The order is above 1, and SciPy is not installed.
    """
    height, width, channels = x.shape
    blends = order == 1 and max(height, width) <= MAX_SIDE
    if as_floats and not blends and not (order == 0 and cval in range(256)):
        x = x.astype(np.float32)
    if order == 0:
        return _pick(x, matrix, offset, fill_mode, cval)
    if not blends:
        return _spline(x, matrix, offset, _SCIPY_MODES[fill_mode], cval, order)
    linear, border = opencv_matrix(matrix, offset), BORDERS[fill_mode]
    source = x if x.dtype == np.uint8 else x.astype(np.float32, copy=False)
    warped: Image
    if x.dtype == np.uint8 and not as_floats and warps_bytes(x, fill_mode):
        warped = np.empty_like(x, order="C")
        warp_bytes(x, linear, fill_mode, warped, rounds=True)
        cval = float(_as_dtype(np.array(cval), x.dtype))
    elif channels in EXACT_CHANNELS:
        warped = warp_bilinear(source, linear, border, cval)
    else:
        parts = [warp_bilinear(source[..., c, None], linear, border, cval) for c in range(channels)]
        warped = np.concatenate(parts, axis=-1)
    if fill_mode == "constant":
        # OpenCV blends the border pixels with cval; for SciPy every position beyond their centres is
        # outside.
        cv2.copyTo(
            constant_image(warped.shape, cval, warped.dtype),
            outside_of_grid(matrix, offset, height, width, within).view(np.uint8),
            warped,
        )
    if as_floats or warped.dtype == x.dtype:
        return warped
    blends_bytes = x.dtype == np.uint8 and "constant" not in fill_mode
    return _as_dtype(warped, x.dtype, in_range=blends_bytes)


def _pick(
    x: Image, matrix: NDArray[np.float64], offset: NDArray[np.float64], fill_mode: str, cval: float
) -> Image:
    """Resamples by picking the nearest pixel, for any number of channels and any dtype."""
    height, width = x.shape[:2]
    row, column = positions(matrix, offset, height, width)
    place = nearest(row, height, fill_mode)
    place *= width
    place += nearest(column, width, fill_mode)
    picked = _taken(x, place)
    if fill_mode == "constant":
        picked[outside(row, column, height, width)] = _as_dtype(np.array(cval), x.dtype)
    elif fill_mode == "grid-constant":
        gone = (row < -0.5) | (row >= height - 0.5) | (column < -0.5) | (column >= width - 0.5)
        picked[gone] = _as_dtype(np.array(cval), x.dtype)
    return picked


def _taken(x: Image, place: NDArray[np.intp]) -> Image:
    """The pixels at places, which count the pixels of an image row by row."""
    if x.dtype == np.uint8 and x.shape[2] == _COLOURS and x.size:
        # Words of four bytes are taken in a tenth of the time of three bytes.
        words = cv2.cvtColor(x, cv2.COLOR_RGB2RGBA).view(np.uint32).reshape(-1).take(place)
        return cv2.cvtColor(words[..., None].view(np.uint8), cv2.COLOR_RGBA2RGB)
    return x.reshape(-1, x.shape[2]).take(place, axis=0)


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
            f"interpolation_order={order} needs SciPy, which is not installed. Install it with "
            "pip install 'imageloom[splines]', or use interpolation_order 0 or 1."
        ) from error
    channels = [
        ndimage.affine_transform(x[..., c], matrix, offset=offset, order=order, mode=mode, cval=cval)
        for c in range(x.shape[2])
    ]
    return np.stack(channels, axis=-1)


def _as_dtype(warped: Image, dtype: np.dtype[Any], *, in_range: bool = False) -> Image:
    """Converts to a dtype; for integers it rounds halves away from zero and clips, as SciPy does.

    Values `in_range` are of the dtype's range and not negative, so that there is nothing to clip.
    """
    if dtype.kind not in "iu":
        return warped.astype(dtype, copy=False)
    if in_range:
        return (warped + np.float32(0.5)).astype(dtype)
    rounded = np.trunc(warped + np.copysign(0.5, warped))
    limits = np.iinfo(dtype)
    saturated: Image = np.clip(rounded, limits.min, limits.max).astype(dtype)
    return saturated
