"""The arguments of `class_mode="boxes"` and `"keypoints"`, as a record."""

from __future__ import annotations

import numbers
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from imageloom._checks.values import check_choice, in_words
from imageloom._errors import ArgumentTypeError, InvalidArgumentError

__all__ = ["BOX_FORMATS", "COORDINATE_MODES", "KEYPOINT_FORMATS", "CoordinateOptions", "is_relative"]

COORDINATE_MODES: Final = ("boxes", "keypoints")
# The names that Keras' layers know.
BOX_FORMATS: Final = (
    "xyxy",
    "yxyx",
    "xywh",
    "center_xywh",
    "center_yxhw",
    "rel_xyxy",
    "rel_yxyx",
    "rel_xywh",
    "rel_center_xywh",
)
KEYPOINT_FORMATS: Final = ("xy", "yx", "rel_xy", "rel_yx")


@dataclass(frozen=True, slots=True, kw_only=True)
class CoordinateOptions:
    """How the coordinates of boxes or points are given, and how they are handed out.

    Attributes:
        kind: `"boxes"` or `"keypoints"`.
        form: The format of the coordinates, in which they are handed out as well.
        count: How many boxes or points each row of a batch has room for.
        min_visibility: The share of a box that has to be visible; others are left out.
    """

    kind: str
    form: str
    count: int | None = None
    min_visibility: float = 0.0

    @classmethod
    def checked(
        cls,
        kind: str,
        *,
        bounding_box_format: Any,
        keypoint_format: Any,
        max_boxes: Any,
        min_visibility: Any,
    ) -> CoordinateOptions:
        """Checks the arguments of a flow method.

        Raises:
            InvalidArgumentError, ArgumentTypeError: a value that is not allowed.
        """
        boxes = kind == "boxes"
        of_boxes = _checked_format("bounding_box_format", bounding_box_format, BOX_FORMATS)
        of_points = _checked_format("keypoint_format", keypoint_format, KEYPOINT_FORMATS)
        if max_boxes is not None:
            _check_count(max_boxes)
        is_number = isinstance(min_visibility, numbers.Real) and not isinstance(min_visibility, bool)
        if not is_number:
            raise ArgumentTypeError(
                f"`min_visibility` must be a share in 0..1; received {in_words(min_visibility)}."
            )
        if not 0 <= min_visibility <= 1:
            raise InvalidArgumentError(
                f"`min_visibility` is the share of a box that has to be visible, in 0..1; received "
                f"{min_visibility!r}."
            )
        return cls(
            kind=kind,
            form=of_boxes if boxes else of_points,
            count=int(max_boxes) if boxes and max_boxes is not None else None,
            min_visibility=float(min_visibility),
        )

    @property
    def is_boxes(self) -> bool:
        """Whether these are boxes; else they are points."""
        return self.kind == "boxes"

    @property
    def row_kinds(self) -> tuple[tuple[tuple[int, ...], str], ...]:
        """The shape and the dtype of a row of each array in a batch."""
        count = self.count or 0
        if self.is_boxes:
            return ((count, 4), "float32"), ((count,), "int32")
        return (((count, 3), "float32"),)


def is_relative(form: str) -> bool:
    """Whether coordinates of a format are shares of the image's sides."""
    return form.startswith("rel_")


def _checked_format(name: str, form: Any, allowed: Sequence[str]) -> str:
    lowered = form.lower() if isinstance(form, str) else form  # as Keras reads it
    check_choice(name, lowered, allowed)
    return str(lowered)


def _check_count(count: Any) -> None:
    if isinstance(count, bool) or not isinstance(count, numbers.Integral):
        raise ArgumentTypeError(
            f"`max_boxes` must be a whole number, or None for the most boxes of an image; received "
            f"{in_words(count)}."
        )
    if count < 1:
        raise InvalidArgumentError(f"`max_boxes` must be at least 1; received {count!r}.")
