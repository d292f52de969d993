"""Cuts convex polygons, which are arrays (k, 2) of x and y; k may differ."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["area_of", "cut_to_frame", "cut_where", "signed_area_of", "stacked", "visible_share"]

Floats = NDArray[np.float64]


def area_of(polygon: Floats) -> float:
    """The area; NaN if a corner is."""
    return abs(signed_area_of(polygon))


def signed_area_of(polygon: Floats) -> float:
    """The area; negative if the corners follow each other the other way round."""
    x, y = polygon[:, 0], polygon[:, 1]
    return float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2


def cut_where(polygon: Floats, depth: Floats) -> Floats:
    """The part where a linear function is not negative (Sutherland and Hodgman, CACM 17(1), 1974).

    Args:
        polygon: the corners.
        depth: the values of the function at the corners, (k,).

    Returns:
        The corners of the part; a single one, which has no area, if there is no such part.
    """
    following, ahead = np.roll(polygon, -1, axis=0), np.roll(depth, -1)
    kept: list[Floats] = []
    for point, then, here, there in zip(polygon, following, depth, ahead, strict=True):
        if here >= 0:
            kept.append(point)
        if here * there < 0:
            kept.append(point + (then - point) * here / (here - there))
    return np.array(kept) if kept else np.zeros((1, 2))


def cut_to_frame(polygon: Floats, limits: Floats) -> Floats:
    """The part between 0 and the width and height."""
    for axis in (0, 1):
        for sign, limit in ((1.0, 0.0), (-1.0, -float(limits[axis]))):
            polygon = cut_where(polygon, sign * polygon[:, axis] - limit)
            if len(polygon) == 1:
                return polygon
    return polygon


def visible_share(part: Floats, whole: Floats) -> float:
    """The share of the area that a part of a polygon has; 0 for one that has no area."""
    area = area_of(whole)
    return min(1.0, area_of(part) / area) if area > 0 and np.isfinite(area) else 0.0


def stacked(polygons: Sequence[Floats]) -> Floats:
    """All of them in one array (n, k, 2), in which the last corner of some is repeated."""
    most = max((len(polygon) for polygon in polygons), default=4)
    rows = [np.pad(p, ((0, most - len(p)), (0, 0)), mode="edge") for p in polygons]
    return np.stack(rows) if rows else np.empty((0, most, 2))
