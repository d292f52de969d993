"""What a composition of another library is given of a sample, and what it returns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Convention", "SampleParts"]

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]


@dataclass(slots=True, kw_only=True)
class SampleParts:
    """A sample, or what became of it.

    Attributes:
        image: (height, width, channels).
        masks: (height, width, 1) each.
        boxes: (n, 4), in the format of the convention; None without boxes.
        points: (n, 2), pixels in the format of the convention; None without points.
        labels: The class of each box.
        numbers: Which of the boxes or points that were given these are.
        applied: The names of the steps, as far as they are known.
    """

    image: NDArray[Any]
    masks: Sequence[NDArray[Any]] = ()
    boxes: Floats | None = None
    points: Floats | None = None
    labels: NDArray[np.int32] = field(default_factory=lambda: np.empty(0, np.int32))
    numbers: Numbers = field(default_factory=lambda: np.empty(0, np.int64))
    applied: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Convention:
    """How the compositions of a library are called.

    Attributes:
        package: Its name.
        call: Calls a composition.
        box_format: The format of boxes that a composition wants, by the names of Keras; None if it
            takes none as it was made.
        point_format: The format of points, `"xy"` or `"yx"`; likewise.
        advice: What to pass for one that takes boxes, and one that takes points.
        draws_from: The generators of the process that its steps draw from.
    """

    package: str
    call: Callable[[Any, SampleParts], SampleParts]
    box_format: Callable[[Any], str | None]
    point_format: Callable[[Any], str | None]
    advice: tuple[str, str]
    draws_from: Sequence[str] = ()
