"""Where the points of an image go under the steps that move pixels.

Positions are those of pixel centres: (0, 0) is the centre of the upper left pixel. A point may end
outside the image.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imageloom._imaging.augment.affine import Affine
from imageloom._imaging.augment.steps.elastic import displacements
from imageloom._imaging.augment.steps.perspective import perspective_matrix
from imageloom._imaging.augment.steps.rand_augment import affine_of
from imageloom._imaging.augment.steps.remap import read_at

__all__ = ["crop_points", "move_elastically", "move_points", "moves_of", "project", "through"]

Points = NDArray[np.float64]
_ITERATIONS: Final = 30  # of the search for the place that an elastic transform has moved


def crop_points(points: Points, window: Mapping[str, Any]) -> Points:
    """Where points (n, 2) of x and y go when a window is cut out and resized.

    Args:
        points: positions in the image as it was read, in pixels.
        window: the parameters of the random crop.

    Returns:
        Positions in the result, (n, 2); a part of a pixel stays the same part of the resized pixel.
    """
    height, width = window["size"]
    corner = np.array([window["left"], window["top"]], float)
    factors = np.array([width / window["width"], height / window["height"]])
    moved: Points = (np.asarray(points, float) + 0.5 - corner) * factors - 0.5
    return moved


def move_points(points: Points, params: Mapping[str, Any], height: int, width: int) -> Points:
    """Where points go by perspective, elastic transform and `rand_augment`, in this order.

    These steps follow Keras' geometry (rotation, shifts, shear, zoom, flips), and precede nothing that
    moves pixels.

    Args:
        points: positions (n, 2) of x and y in an image of this size, in pixels.
        params: the parameters of the transform; others of them are ignored.
        height: height of the image, in pixels.
        width: width of the image, in pixels.

    Returns:
        The positions in the result, (n, 2). Where an elastic transform shows a point several times,
        it is one of these places; beyond the border, the displacements are those at the border.
    """
    points = np.asarray(points, float).reshape(-1, 2)
    for move in moves_of(params, height, width):
        points = move(points)
    return points


def moves_of(params: Mapping[str, Any], height: int, width: int) -> list[Callable[[Points], Points]]:
    """What moves points in `move_points`, step by step; arguments as there.

    Each step cuts off what is beyond the border of the image, and the next one brings nothing back.
    """
    moves: list[Callable[[Points], Points]] = []
    size: dict[str, Any] = {"height": height, "width": width}
    if params.get("perspective") is not None:
        moves.append(partial(_projected, moves=params["perspective"], **size))
    if params.get("elastic") is not None:
        moves.append(partial(move_elastically, params=params["elastic"], **size))
    for operation in params.get("rand_augment") or ():
        affine = affine_of(operation, height, width)
        if affine is not None:
            moves.append(partial(through, affine=affine))
    return moves


def _projected(points: Points, *, moves: Any, height: int, width: int) -> Points:
    matrix = np.asarray(np.linalg.inv(perspective_matrix(moves, height, width)), np.float64)
    return project(points, matrix)


def project(points: Points, matrix: NDArray[np.float64]) -> Points:
    """Where a matrix (3, 3) takes points (n, 2)."""
    moved = np.column_stack((points, np.ones(len(points)))) @ matrix.T
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(moved[:, :2] / moved[:, 2:])


def through(points: Points, *, affine: Affine) -> Points:
    """Where points go by an affine step, whose matrix takes (row, column) the other way."""
    matrix, offset = affine
    swapped = np.linalg.solve(matrix, (points[:, ::-1] - offset).T).T
    return np.asarray(swapped[:, ::-1], float)


def move_elastically(points: Points, *, params: Mapping[str, Any], height: int, width: int) -> Points:
    """Searches the places that are read where the points are.

    The place p of the result shows what was at p + d(p). So p is the fixed point of q - d(p), which is
    found because d changes slowly.
    """
    if not len(points):
        return points
    fields = np.stack(displacements(params, height, width), axis=-1)
    places = points.copy()
    for _ in range(_ITERATIONS):
        columns, rows = places.T.astype(np.float32)[:, None]
        found = read_at(fields, columns, rows, fill_mode="nearest")[0]
        places = (places + points - found) / 2  # halfway, so that it does not swing
    return places
