"""Boxes and points of the samples of a batch, which follow the pixels of their image.

Each sample goes through the same steps as its image: its coordinates are those of the file, are resized
with it, moved by its transform, and clipped to it at the end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imageloom._checks.coordinates import CoordinateOptions
from imageloom._imaging.augment.affine import Affine
from imageloom._imaging.augment.coordinates import (
    HALF,
    boxes_as_given,
    corners_of,
    edges_of,
    enclosing,
    points_as_given,
    positions_of_points,
    visible_shares,
)
from imageloom._imaging.augment.outlines import outlines_moved, points_moved
from imageloom._imaging.augment.steps.points import crop_points
from imageloom._imaging.decode import resized_part
from imageloom._options import ReadOptions, TransformOptions
from imageloom._pipeline.annotation import Annotation

__all__ = ["SampleCoordinates"]

Floats = NDArray[np.float64]
Size = tuple[int, int]  # height, width

_ROUNDED: Final = 1e-6  # of a share


class SampleCoordinates:
    """The boxes or points of one sample, while its image is computed.

    Attributes:
        positions: The corners of each box (n, k, 2), which is a convex polygon, or the points
            (n, 1, 2), in the pixels of the image as it is at the moment (see
            `_imaging.augment.coordinates`).
        numbers: Which of the sample's boxes or points these are.
        shares: The share of each box that was visible when it was last clipped, 1 before; of a point
            that was outside then, 0.
    """

    def __init__(self, options: CoordinateOptions, annotation: Annotation, size: Size) -> None:
        """Takes the coordinates of an image of this size."""
        self._options = options
        self._labels = annotation.labels
        given, form = annotation.coordinates, options.form
        if options.is_boxes:
            self.positions = corners_of(edges_of(given, form, size))
        else:
            self.positions = positions_of_points(given, form, size)[:, None]
        self.numbers = np.arange(len(given))
        self.shares = np.ones(len(given))

    @property
    def is_boxes(self) -> bool:
        """Whether these are boxes; else they are points."""
        return self._options.is_boxes

    @property
    def labels(self) -> NDArray[np.int32]:
        """The class of each box, or whether each point was visible in the file."""
        return self._labels[self.numbers]

    def resize(self, read: ReadOptions, before: Size, after: Size) -> None:
        """Follows an image that was read from a file."""
        if before == after:
            return
        left, upper, right, lower = resized_part(read, before, after)
        part = np.array((right - left, lower - upper), np.float64)
        self.positions = (self.positions - (left, upper)) * (after[1], after[0]) / part

    def clip(self, size: Size) -> None:
        """Forgets what is outside of the image, of which no later step brings anything back."""
        if self.is_boxes:
            self.clipped(size)
        else:
            self.shares = self.shares * self.visible_points(size)

    def crop(self, window: Mapping[str, Any]) -> None:
        """Follows a random crop, whose parameters these are."""
        points = crop_points(self.positions.reshape(-1, 2) - HALF, window) + HALF
        self.positions = points.reshape(self.positions.shape)
        self.clip(window["size"])

    def transform(
        self, params: Mapping[str, Any], options: TransformOptions, size: Size, affine: Affine | None
    ) -> None:
        """Follows a transform."""
        move = outlines_moved if self.is_boxes else points_moved
        self.positions, shares = move(self.positions, params, options, size, affine)
        self.shares = self.shares * shares

    def clipped(self, size: Size) -> Floats:
        """The edges (n, 4) of the boxes that are visible enough; the others are forgotten."""
        shares = self.shares * visible_shares(self.positions, size)
        kept = (shares > 0) & (shares >= self._options.min_visibility - _ROUNDED)
        edges = enclosing(self.positions[kept], size)
        self.keep(kept, corners_of(edges))
        self.shares = shares[kept]
        return edges

    def keep(self, kept: NDArray[Any], positions: Floats) -> None:
        """Goes on with some of them, which have moved to these positions."""
        self.numbers, self.shares = self.numbers[kept], self.shares[kept]
        self.positions = positions

    def visible_points(self, size: Size) -> NDArray[np.bool_]:
        """Which points are within the image, and were visible in the file."""
        points = self.positions[:, 0]
        with np.errstate(invalid="ignore"):  # of points that are nowhere
            inside = ((points >= 0) & (points < (size[1], size[0]))).all(axis=1)
        return np.asarray(inside & (self.labels != 0) & (self.shares > 0))

    def write(self, rows: Sequence[NDArray[Any]], size: Size) -> None:
        """Writes the sample's rows of the batch; `size` is that of the finished image."""
        if self.is_boxes:
            self._write_boxes(rows[0], rows[1], size)
        else:
            self._write_points(rows[0], size)

    def _write_boxes(self, boxes: NDArray[Any], labels: NDArray[Any], size: Size) -> None:
        edges = self.clipped(size)
        boxes[...], labels[...] = 0, -1  # as Keras fills what is left
        boxes[: len(edges)] = boxes_as_given(edges, self._options.form, size)
        labels[: len(edges)] = self.labels

    def _write_points(self, row: NDArray[Any], size: Size) -> None:
        visible = self.visible_points(size)
        limits = np.nextafter((size[1], size[0]), 0)
        points = np.clip(np.nan_to_num(self.positions[:, 0]), 0, limits)
        row[...] = 0
        row[self.numbers, :2] = points_as_given(points, self._options.form, size)
        row[self.numbers, 2] = visible
