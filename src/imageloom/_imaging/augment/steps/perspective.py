"""Moves the corners of an image, as Keras' `RandomPerspective`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imageloom._imaging.augment.steps.chance import happens
from imageloom._imaging.augment.steps.remap import by_channels, pick_at
from imageloom._imaging.opencv import cv2
from imageloom._options.steps import Perspective

__all__ = ["change_perspective", "draw_perspective", "perspective_matrix"]


def draw_perspective(rng: np.random.Generator, options: Perspective) -> list[list[float]] | None:
    """Draws by which share of its own x and y each corner moves.

    Returns:
        Two numbers for the corners at the upper left, upper right, lower left and lower right; None if
        nothing moves. Keras multiplies the coordinates of the corners, so that zeros stay.
    """
    if not happens(rng, options.factor):
        return None
    moves: list[list[float]] = rng.uniform(-0.5 * options.scale, 0.5 * options.scale, (4, 2)).tolist()
    return moves


def perspective_matrix(
    moves: Sequence[Sequence[float]], height: int, width: int
) -> NDArray[np.float64]:
    """The matrix (3, 3) from positions (x, y, 1) of the result to those of the image."""
    corners = np.array([[0, 0], [width - 1, 0], [0, height - 1], [width - 1, height - 1]], float)
    moved = corners * (1 + np.asarray(moves))
    rows = []
    for (x, y), (u, v) in zip(moved, corners, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
    try:
        solved = np.linalg.solve(np.array(rows), corners.reshape(-1))
    except np.linalg.LinAlgError:  # an image of one row or column has no corners
        return np.eye(3)
    return np.append(solved, 1.0).reshape(3, 3)


def change_perspective(
    x: NDArray[Any], moves: Sequence[Sequence[float]], *, fill_value: float, nearest: bool
) -> NDArray[Any]:
    """Moves the corners of an image (height, width, channels); it is constant beyond its border."""
    height, width = x.shape[:2]
    matrix = perspective_matrix(moves, height, width)
    if nearest:
        columns, rows = _places(matrix, height, width)
        return pick_at(x, columns, rows, fill_mode="constant", fill_value=fill_value)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    fill = (fill_value,) * 4

    def warped(part: NDArray[Any]) -> Any:
        return cv2.warpPerspective(part, matrix, (width, height), flags=flags, borderValue=fill)

    return by_channels(warped, x)


def _places(
    matrix: NDArray[np.float64], height: int, width: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Columns and rows (height, width) that the pixels of the result are read at."""
    x, y = np.arange(width), np.arange(height)[:, None]
    across, down, depth = (row[0] * x + row[1] * y + row[2] for row in matrix)
    depth = np.where(depth == 0, np.finfo(float).tiny, depth)
    limit = 2.0**30  # far outside, but an integer
    return np.clip(across / depth, -limit, limit), np.clip(down / depth, -limit, limit)
