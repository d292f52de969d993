"""Moves boxes and points with the pixels of their image.

Positions are continuous: the first pixel reaches from 0 to 1, so that an image of width w reaches from
0 to w, as boxes do in Keras, torchvision and COCO. Points name pixels, as in albumentations and
torchvision: the point (0, 0) is the middle of the first pixel, at the position (0.5, 0.5). Arrays of
positions are (..., 2), x first.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imageloom._checks.coordinates import is_relative
from imageloom._imaging.augment.affine import Affine, affine_matrix, is_identity
from imageloom._imaging.augment.polygons import area_of, cut_to_frame
from imageloom._imaging.augment.steps.points import move_points
from imageloom._options import TransformOptions

__all__ = [
    "HALF",
    "boxes_as_given",
    "corners_of",
    "edges_of",
    "enclosing",
    "moved",
    "moved_by_geometry",
    "points_as_given",
    "positions_of_points",
    "visible_shares",
]

Floats = NDArray[np.float64]
Size = tuple[int, int]  # height, width

HALF: Final = 0.5  # from the border of a pixel to its middle


def edges_of(boxes: Floats, form: str, size: Size) -> Floats:
    """The left, upper, right and lower edges (n, 4) of boxes, as positions in an image of this size."""
    name = form.removeprefix("rel_")
    found = np.array(boxes, np.float64).reshape(-1, 4)
    if name in ("yxyx", "center_yxhw"):
        found = found[:, [1, 0, 3, 2]]
    if name in ("center_xywh", "center_yxhw"):
        found[:, :2] -= found[:, 2:] / 2
    if name in ("xywh", "center_xywh", "center_yxhw"):
        found[:, 2:] += found[:, :2]
    if is_relative(form):
        found *= (size[1], size[0], size[1], size[0])
    return found


def boxes_as_given(edges: Floats, form: str, size: Size) -> Floats:
    """The inverse of `edges_of`."""
    name = form.removeprefix("rel_")
    found = edges.copy()
    if is_relative(form):
        found /= (size[1], size[0], size[1], size[0])
    if name in ("xywh", "center_xywh", "center_yxhw"):
        found[:, 2:] -= found[:, :2]
    if name in ("center_xywh", "center_yxhw"):
        found[:, :2] += found[:, 2:] / 2
    return found[:, [1, 0, 3, 2]] if name in ("yxyx", "center_yxhw") else found


def positions_of_points(points: Floats, form: str, size: Size) -> Floats:
    """The positions (n, 2) of points in an image of this size."""
    found = np.array(points, np.float64).reshape(-1, 2)
    if form.endswith("yx"):
        found = found[:, ::-1]
    return found * (size[1], size[0]) if is_relative(form) else found + HALF


def points_as_given(positions: Floats, form: str, size: Size) -> Floats:
    """The inverse of `positions_of_points`."""
    found = positions / (size[1], size[0]) if is_relative(form) else positions - HALF
    return found[:, ::-1] if form.endswith("yx") else found


def corners_of(edges: Floats) -> Floats:
    """The corners (n, 4, 2) of boxes, in the order in which one walks around them."""
    return edges[:, [0, 1, 2, 1, 2, 3, 0, 3]].reshape(-1, 4, 2)


def moved(
    positions: Floats,
    params: Mapping[str, Any],
    options: TransformOptions,
    size: Size,
    affine: Affine | None = None,
) -> Floats:
    """Where a transform moves positions (..., 2) to, which may be outside of the image.

    A transform says where each pixel of its result is read, so this is its inverse. Where the fill mode
    repeats the image beyond its border, the positions stay with the original.

    Args:
        positions: the positions.
        params: keys as in `default_transform`.
        options: only the geometry is used.
        size: the (height, width) of the image.
        affine: the matrix and offset of these parameters, if they are known already.

    Returns:
        The new positions; NaN for an image that is nothing but one of its lines.
    """
    found = moved_by_geometry(positions, params, options, size, affine)
    points = move_points(found.reshape(-1, 2) - HALF, params, *size) + HALF
    return points.reshape(found.shape)


def moved_by_geometry(
    positions: Floats,
    params: Mapping[str, Any],
    options: TransformOptions,
    size: Size,
    affine: Affine | None = None,
) -> Floats:
    """Where rotation, shifts, shear, zoom and flips move positions; arguments as of `moved`."""
    height, width = size
    found = positions
    if not is_identity(params):
        matrix, offset = affine or affine_matrix(
            params, height, width, corrected=options.corrected_geometry
        )
        found = _through(found, matrix, offset)
    for axis, side, name in ((0, width, "flip_horizontal"), (1, height, "flip_vertical")):
        if params.get(name):
            found = found.copy()
            found[..., axis] = side - found[..., axis]
    return found


def _through(positions: Floats, matrix: Floats, offset: Floats) -> Floats:
    """Positions after a warp whose matrix maps output pixels (row, column) to input pixels."""
    if np.linalg.det(matrix) == 0:
        return np.full_like(positions, np.nan)
    pixels = positions[..., ::-1] - HALF - offset
    return np.asarray((pixels @ np.linalg.inv(matrix).T)[..., ::-1] + HALF)


def enclosing(corners: Floats, size: Size) -> Floats:
    """The edges (n, 4) of the smallest upright boxes around what is seen of convex polygons (n, k, 2).

    A corner outside of the image does not count, but the points where the border cuts the polygon.
    """
    limits = np.array((size[1], size[0]), np.float64)
    low, high = corners.min(axis=1), corners.max(axis=1)
    for number in np.flatnonzero(((low < 0) | (high > limits)).any(axis=1)):
        part = cut_to_frame(corners[number], limits)
        if len(part) > 1:
            low[number], high[number] = part.min(axis=0), part.max(axis=0)
    return np.concatenate([np.clip(low, 0, limits), np.clip(high, 0, limits)], axis=1)


def visible_shares(corners: Floats, size: Size) -> Floats:
    """The share of the area of each convex polygon (n, k, 2) that is within the image."""
    limits = np.array((size[1], size[0]), np.float64)
    shares = np.zeros(len(corners))
    inside = ((corners >= 0) & (corners <= limits)).all(axis=(1, 2))
    outside = np.asarray((corners <= 0).all(axis=1) | (corners >= limits).all(axis=1))
    beyond = np.asarray(outside.any(axis=1))
    finite = np.isfinite(corners).all(axis=(1, 2))
    whole = np.array([area_of(polygon) for polygon in corners])
    shares[inside & (whole > 0)] = 1
    for number in np.flatnonzero(finite & ~inside & ~beyond & (whole > 0)):
        shares[number] = area_of(cut_to_frame(corners[number], limits)) / whole[number]
    return np.minimum(shares, 1)
