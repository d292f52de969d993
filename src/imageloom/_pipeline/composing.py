"""Calls a composition of another library with a whole sample: image, masks, and boxes or points."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imageloom._adapters.compositions.parts import SampleParts
from imageloom._imaging.augment.coordinates import (
    boxes_as_given,
    corners_of,
    edges_of,
    points_as_given,
    positions_of_points,
)
from imageloom._pipeline.compositions import Composition, as_bytes
from imageloom._pipeline.coordinates import SampleCoordinates

__all__ = ["SampleMasks", "compose"]

_POINTS = "xy"


class SampleMasks:
    """The masks of one sample, where a composition has to have them beside the image.

    Attributes:
        pixels: (height, width, 1) each.
    """

    def __init__(self, pixels: Sequence[NDArray[Any]]) -> None:
        """Takes the masks as they were read."""
        self.pixels = list(pixels)
        self._is_moved = False

    def move(self, as_image_was: Callable[[NDArray[Any]], NDArray[Any]]) -> None:
        """Applies the geometry of their image, once."""
        if not self._is_moved:
            self.pixels = [as_image_was(mask) for mask in self.pixels]
        self._is_moved = True


def compose(
    composition: Composition,
    x: NDArray[Any],
    masks: SampleMasks | None,
    coordinates: SampleCoordinates | None,
    *,
    of_bytes: bool,
) -> tuple[Any, list[str]]:
    """Calls a composition; the masks and the coordinates become what it has made of them.

    Args:
        composition: the composition, seeded.
        x: the image (height, width, channels).
        masks: those of the sample; None without.
        coordinates: the boxes or points of the sample; None without.
        of_bytes: whether the image was stored as bytes, and is given as such.

    Returns:
        The image, and the names of the steps that were applied.
    """
    parts = SampleParts(image=as_bytes(x) if of_bytes and x.dtype != np.uint8 else x)
    if masks is not None:
        parts.masks = masks.pixels
    if coordinates is not None:
        _give(coordinates, composition, parts)
    found = composition(parts)
    if masks is not None:
        masks.pixels = list(found.masks)
    if coordinates is not None:
        _take(coordinates, composition, found)
    image = np.asarray(found.image)
    if image.dtype == np.uint8 and x.dtype != np.uint8:
        image = image.astype(x.dtype)
    return image, composition.words(found.applied)


def _give(coordinates: SampleCoordinates, composition: Composition, parts: SampleParts) -> None:
    size = parts.image.shape[:2]
    if coordinates.is_boxes:
        edges = coordinates.clipped(size)
        parts.boxes = boxes_as_given(edges, composition.box_format() or "xyxy", size)
        parts.labels = coordinates.labels
    else:
        visible = coordinates.visible_points(size)
        coordinates.keep(visible, coordinates.positions[visible])
        form = composition.point_format() or _POINTS
        parts.points = points_as_given(coordinates.positions[:, 0], form, size)
    parts.numbers = np.arange(len(coordinates.numbers))


def _take(coordinates: SampleCoordinates, composition: Composition, found: SampleParts) -> None:
    size = found.image.shape[:2]
    if found.boxes is not None:
        edges = edges_of(found.boxes, composition.box_format() or "xyxy", size)
        coordinates.keep(found.numbers, corners_of(edges))
    elif found.points is not None:
        form = composition.point_format() or _POINTS
        positions = positions_of_points(found.points, form, size)
        coordinates.keep(found.numbers, positions[:, None])
