"""Boxes and points of an image, drawn over its picture."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from imageloom._checks.coordinates import CoordinateOptions
from imageloom._imaging.augment.coordinates import edges_of, positions_of_points
from imageloom._preview.colours import Colour, distinct_colour

__all__ = ["Marks", "draw_marks", "mark_keys", "marks_of"]

_HALO: Final = (0, 0, 0)  # around lines, which so are visible on any image
_RADIUS: Final = 4
_MOST_KEYS: Final = 12


@dataclass(frozen=True, slots=True)
class Marks:
    """The boxes or points of one image.

    Attributes:
        size: the (height, width) of the image.
        boxes: the edges (n, 4), as positions in the image.
        points: the positions (n, 2) of visible points.
        numbers: the class of each box, or the number of each point.
        names: the names of classes by their numbers.
    """

    size: tuple[int, int]
    boxes: NDArray[np.float64]
    points: NDArray[np.float64]
    numbers: NDArray[Any]
    names: Mapping[int, str] = field(default_factory=dict)


def marks_of(
    options: CoordinateOptions,
    rows: list[NDArray[Any]],
    size: tuple[int, int],
    class_indices: Mapping[str, int],
) -> Marks:
    """Reads the rows of a batch that belong to one image."""
    names = {number: name for name, number in class_indices.items()}
    if options.is_boxes:
        there = rows[1] >= 0
        edges = edges_of(rows[0][there], options.form, size)
        return Marks(size, edges, np.empty((0, 2)), rows[1][there], names)
    (numbers,) = np.nonzero(rows[0][:, 2])
    points = positions_of_points(rows[0][numbers, :2], options.form, size)
    return Marks(size, np.empty((0, 4)), points, numbers)


def draw_marks(shown: Image.Image, marks: Marks | None) -> Image.Image:
    """Draws boxes and points over a picture of their image, which may be enlarged or reduced."""
    if marks is None or not marks.numbers.size:
        return shown
    shown = shown.copy()
    pen = ImageDraw.Draw(shown)
    scale = np.array((shown.width / marks.size[1], shown.height / marks.size[0]))
    most = np.array((shown.width - 1, shown.height - 1))
    for edges, number in zip(marks.boxes, marks.numbers, strict=False):
        low, high = np.minimum(edges[:2] * scale, most), np.minimum(edges[2:] * scale, most)
        box = *map(float, low), *map(float, np.maximum(low, high))
        pen.rectangle(box, outline=_HALO, width=4)
        pen.rectangle(box, outline=distinct_colour(int(number)), width=2)
    for point, number in zip(marks.points, marks.numbers, strict=False):
        x, y = map(float, point * scale)
        box = x - _RADIUS, y - _RADIUS, x + _RADIUS, y + _RADIUS
        pen.ellipse(box, fill=distinct_colour(int(number)), outline=_HALO)
    return shown


def mark_keys(all_marks: Iterable[Marks | None]) -> list[tuple[str, Colour | None]]:
    """What the colours mean: names of classes, or numbers of classes and points."""
    found: dict[int, str] = {}
    words = ""
    for marks in all_marks:
        if marks is not None and marks.numbers.size:
            words = words or ("boxes:" if len(marks.boxes) else "points:")
            found |= {int(n): marks.names.get(int(n), str(int(n))) for n in marks.numbers}
    keys: list[tuple[str, Colour | None]] = [(words, None)] if found else []
    keys += [(found[number], distinct_colour(number)) for number in sorted(found)[:_MOST_KEYS]]
    if len(found) > _MOST_KEYS:
        keys.append((f"and {len(found) - _MOST_KEYS} more", None))
    return keys
