"""Colours that tell classes and labels apart. A class has the same colour in every sheet."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from typing import Final

__all__ = ["Colour", "distinct_colour", "label_colours"]

Colour = tuple[int, int, int]

_MOST_LABELS: Final = 64  # masks with more numbers are measurements, such as depth or probability
# Distinct for colour-blind readers, too: Okabe and Ito, "Color Universal Design", 2008.
_FIRST: Final[tuple[Colour, ...]] = (
    (230, 159, 0),
    (86, 180, 233),
    (0, 158, 115),
    (240, 228, 66),
    (0, 114, 178),
    (213, 94, 0),
    (204, 121, 167),
)
_GOLDEN: Final = 0.618034  # of the circle of hues, from one colour to the next


def distinct_colour(number: int) -> Colour:
    """The colour of a class or label, by its number from 0 on."""
    if number < len(_FIRST):
        return _FIRST[number]
    value = (0.85, 0.6, 0.4)[number % 3]
    red, green, blue = colorsys.hsv_to_rgb(number * _GOLDEN % 1, 0.85, value)
    return round(255 * red), round(255 * green), round(255 * blue)


def label_colours(labels: Sequence[float]) -> dict[float, Colour] | None:
    """The colour of each number but 0 of a mask; None if they are measurements and not labels.

    Args:
        labels: all numbers in the masks of one kind, sorted.
    """
    if len(labels) > _MOST_LABELS or any(label != int(label) for label in labels):
        return None
    shown = [label for label in labels if label != 0]
    if shown and shown[0] >= 1 and shown[-1] <= _MOST_LABELS:
        return {label: distinct_colour(int(label) - 1) for label in shown}
    return {label: distinct_colour(place) for place, label in enumerate(shown)}
