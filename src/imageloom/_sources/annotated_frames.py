"""Boxes and points in the columns of a data frame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from imageloom._checks.coordinates import CoordinateOptions
from imageloom._errors import ArgumentTypeError, InvalidArgumentError
from imageloom._sources.annotations import Annotations, check_columns, grouped, read_boxes, read_points

__all__ = ["ROW", "annotated"]

ROW: Final = "row of its annotation"  # a column that remembers which rows are left


def annotated(
    frame: Any,
    x_col: str,
    y_col: Any,
    weight_col: str | None,
    classes: Sequence[str] | None,
    options: CoordinateOptions,
) -> tuple[Any, Annotations]:
    """A table with one row for each image, and the boxes or points of each row.

    Args:
        frame: the table. Boxes may be in several rows for each image, and points may not.
        x_col: the column of files.
        y_col: the column, or the columns, of boxes or points.
        weight_col: the column of weights, or None.
        classes: the names of the classes to keep; None for all.
        options: the format.

    Returns:
        The table, with a column `ROW` that says which of the annotations belongs to each row.

    Raises:
        InvalidArgumentError, ArgumentTypeError: the columns hold something else.
    """
    files = [str(name) for name in frame[x_col].tolist()]
    if not options.is_boxes:
        names = [repr(name) for name in files]
        return _numbered(frame), read_points(options, _points(frame, y_col), names)
    owners, firsts = grouped(files)
    values, labels = _boxes(frame, y_col)
    found = read_boxes(
        options,
        values,
        labels,
        owners=owners,
        names=[repr(files[row]) for row in firsts],
        classes=classes,
    )
    if weight_col:
        _check_weights(frame[weight_col].to_numpy(), files, owners, firsts)
    return _numbered(frame.iloc[firsts]), found


def _numbered(frame: Any) -> Any:
    return frame.assign(**{ROW: np.arange(len(frame))})


def _boxes(frame: Any, y_col: Any) -> tuple[Sequence[Any], Sequence[Any] | None]:
    """Boxes and labels of each row of the table."""
    columns = y_col if isinstance(y_col, list) else [y_col]
    check_columns(columns, boxes=True)
    labels = frame[columns[-1]].tolist() if len(columns) in (2, 5) else None
    if len(columns) < 4:
        return frame[columns[0]].tolist(), labels
    return _numbers(frame, columns[:4]), labels


def _points(frame: Any, y_col: Any) -> Sequence[Any]:
    columns = y_col if isinstance(y_col, list) else [y_col]
    check_columns(columns, boxes=False)
    if len(columns) == 1:
        return frame[columns[0]].tolist()  # type: ignore[no-any-return]
    return _numbers(frame, columns).reshape(len(frame), -1, 2)  # type: ignore[no-any-return]


def _numbers(frame: Any, columns: list[str]) -> Any:
    try:
        return frame[columns].to_numpy(np.float64)
    except (TypeError, ValueError):
        raise ArgumentTypeError(
            f"The columns {', '.join(map(repr, columns))} must be numbers, one coordinate each."
        ) from None


def _check_weights(
    weights: Any, files: Sequence[str], owners: Sequence[int], firsts: Sequence[int]
) -> None:
    differ = np.flatnonzero(weights != weights[np.array(firsts, int)[np.array(owners, int)]])
    if len(differ):
        raise InvalidArgumentError(
            f"A sample is an image, which needs one weight, but the rows of {files[differ[0]]!r} have "
            "different ones."
        )
