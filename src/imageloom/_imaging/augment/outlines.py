"""Moves the outlines of boxes step by step, and cuts off what each step loses beyond the border.

An outline is a convex polygon, of which the smallest upright box is taken in the end. Straight lines
stay straight in all steps but the elastic transform. There, the outline is that of the pixels which are
read out of the box, so that it holds all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imageloom._imaging.augment.affine import Affine
from imageloom._imaging.augment.coordinates import HALF, moved_by_geometry
from imageloom._imaging.augment.polygons import (
    area_of,
    cut_to_frame,
    cut_where,
    signed_area_of,
    stacked,
    visible_share,
)
from imageloom._imaging.augment.steps.elastic import displacements
from imageloom._imaging.augment.steps.perspective import perspective_matrix
from imageloom._imaging.augment.steps.points import move_elastically, moves_of, project, through
from imageloom._imaging.augment.steps.rand_augment import affine_of
from imageloom._imaging.opencv import cv2
from imageloom._options import TransformOptions

__all__ = ["outlines_moved", "points_moved"]

Floats = NDArray[np.float64]
Size = tuple[int, int]  # height, width
Seen = tuple[Floats, float]  # a polygon, and which share of the one before it is there

_HORIZON: Final = 1e-6  # as a share of the largest distance from it; what is nearer is far outside


def points_moved(
    positions: Floats,
    params: Mapping[str, Any],
    options: TransformOptions,
    size: Size,
    affine: Affine | None = None,
) -> tuple[Floats, Floats]:
    """Moves points (n, 1, 2), as `moved`, and says which of them no step has lost.

    Returns:
        The new positions, and for each point 1 if it has stayed within the image before the last step,
        else 0.
    """
    found = moved_by_geometry(positions, params, options, size, affine)[:, 0]
    seen = np.ones(len(found), bool)
    for move in moves_of(params, *size):
        with np.errstate(invalid="ignore"):  # of points that are nowhere
            seen &= ((found >= 0) & (found <= (size[1], size[0]))).all(axis=1)
            found = move(found - HALF) + HALF
    return found[:, None], seen.astype(np.float64)


def outlines_moved(
    outlines: Floats,
    params: Mapping[str, Any],
    options: TransformOptions,
    size: Size,
    affine: Affine | None = None,
) -> tuple[Floats, Floats]:
    """Moves outlines (n, k, 2) of boxes; arguments as of `moved`.

    Returns:
        The new outlines, of which k may be another, and the share of each that has not been lost
        before the last step.
    """
    found = moved_by_geometry(outlines, params, options, size, affine)
    shares = np.ones(len(found))
    steps = _steps(params, size)
    if not steps or not len(found):
        return found, shares
    limits = np.array((size[1], size[0]), np.float64)
    polygons = [_cut(polygon, limits) for polygon in found]
    for step in steps:
        shares = shares * [share for _, share in polygons]
        polygons = [step(polygon, limits) for polygon, _ in polygons]
    shares = shares * [share for _, share in polygons]
    return stacked([polygon for polygon, _ in polygons]), shares


def _steps(params: Mapping[str, Any], size: Size) -> list[Any]:
    """Functions of a polygon and the limits, which return what is seen of it after a step."""
    steps: list[Any] = []
    if params.get("perspective") is not None:
        steps.append(_Projection(perspective_matrix(params["perspective"], *size)))
    if params.get("elastic") is not None:
        steps.append(_Distortion(params["elastic"], size))
    for operation in params.get("rand_augment") or ():
        found = affine_of(operation, *size)
        if found is not None:
            steps.append(_Warp(found))
    return steps


def _cut(polygon: Floats, limits: Floats) -> Seen:
    if not np.isfinite(polygon).all():
        return np.zeros((1, 2)), 0.0
    part = cut_to_frame(polygon, limits)
    return part, visible_share(part, polygon)


class _Warp:
    """An operation of `rand_augment`."""

    def __init__(self, affine: Affine) -> None:
        self._affine = affine

    def __call__(self, polygon: Floats, limits: Floats) -> Seen:
        return _cut(through(polygon - HALF, affine=self._affine) + HALF, limits)


class _Projection:
    """A change of perspective."""

    def __init__(self, matrix: Floats) -> None:
        """Takes the matrix from positions of the result to those of the image."""
        self._back = matrix
        self._there = np.asarray(np.linalg.inv(matrix), np.float64)

    def __call__(self, polygon: Floats, limits: Floats) -> Seen:
        """Projects what is before the horizon, and what is behind it, which is seen as well."""
        pixels = polygon - HALF
        depth = pixels @ self._there[2, :2] + self._there[2, 2]
        near = _HORIZON * np.abs(depth).max()
        sides = [(pixels, depth)] if (depth > near).all() else [(pixels, depth), (pixels, -depth)]
        parts, area = [], 0.0
        for side, distance in sides:
            part = project(cut_where(side, distance - near), self._there) + HALF
            part = cut_to_frame(part, limits)
            if len(part) > 2:
                parts.append(part)
                area += area_of(project(part - HALF, self._back))
        if not parts:
            return np.zeros((1, 2)), 0.0
        whole = area_of(polygon)
        share = min(1.0, area / whole) if whole > 0 else 0.0
        return parts[0] if len(parts) == 1 else _hull(np.concatenate(parts)), share


class _Distortion:
    """An elastic transform."""

    def __init__(self, params: Mapping[str, Any], size: Size) -> None:
        """Computes where each pixel of the result is read, and of a margin around it."""
        across, down = displacements(params, *size)
        self._params, self._size = params, size
        self._margin = margin = int(np.ceil(max(np.abs(across).max(), np.abs(down).max())))
        around = np.arange(-margin, max(size) + margin)
        self._x = np.pad(across, margin, mode="edge") + (around[: size[1] + 2 * margin] + HALF)
        self._y = np.pad(down, margin, mode="edge") + (around[: size[0] + 2 * margin, None] + HALF)

    def __call__(self, polygon: Floats, limits: Floats) -> Seen:
        """The hull of the pixels that are read within a polygon."""
        if area_of(polygon) == 0:
            return np.zeros((1, 2)), 0.0
        read = self._read_within(polygon)
        count = np.count_nonzero(read)
        if not count:  # smaller than a pixel
            height, width = self._size
            places = move_elastically(polygon - HALF, params=self._params, height=height, width=width)
            return _cut(_hull(places + HALF), limits)
        margin, (height, width) = self._margin, self._size
        inside = read[margin : margin + height, margin : margin + width]
        share = np.count_nonzero(inside) / count
        return (_hull(_cells(inside)), share) if share else (np.zeros((1, 2)), 0.0)

    def _read_within(self, polygon: Floats) -> NDArray[np.bool_]:
        low, high = polygon.min(axis=0), polygon.max(axis=0)
        found = (self._x >= low[0]) & (self._x <= high[0]) & (self._y >= low[1]) & (self._y <= high[1])
        x, y = self._x[found], self._y[found]
        edges = np.roll(polygon, -1, axis=0) - polygon
        turns = np.sign(signed_area_of(polygon))
        within = np.ones(len(x), bool)
        for (left, top), (across, down) in zip(polygon, edges, strict=True):
            within &= turns * (across * (y - top) - down * (x - left)) >= 0
        found[found] = within
        return np.asarray(found)


def _cells(pixels: NDArray[np.bool_]) -> Floats:
    """The corners of the first and the last pixel of each row."""
    rows = np.flatnonzero(pixels.any(axis=1))
    first = pixels[rows].argmax(axis=1)
    end = pixels.shape[1] - pixels[rows, ::-1].argmax(axis=1)
    corners = [np.stack((x, y), axis=1) for x in (first, end) for y in (rows, rows + 1)]
    return np.concatenate(corners).astype(np.float64)


def _hull(points: Floats) -> Floats:
    return cv2.convexHull(points.astype(np.float32))[:, 0].astype(np.float64)
