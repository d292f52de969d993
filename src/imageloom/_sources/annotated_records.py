"""Boxes and points in the columns of a table of encoded images, or beside the images of shards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from imageloom._checks.coordinates import CoordinateOptions
from imageloom._errors import ArgumentTypeError
from imageloom._sources.annotations import (
    Annotations,
    check_columns,
    read_boxes,
    read_points,
)

__all__ = ["read_annotations"]


def read_annotations(
    options: CoordinateOptions,
    columns: Mapping[str, Sequence[Any]],
    names: Sequence[str],
    classes: Sequence[Any] | None,
    label_names: Sequence[str] | None,
) -> Annotations:
    """The boxes or points of all records.

    Args:
        options: the format.
        columns: the values of each column of `y_col`, in its order.
        names: the name of each record, for errors.
        classes: the names of the classes to keep; None for all.
        label_names: the names of the classes, if the table has numbers and knows the names.

    Raises:
        InvalidArgumentError, ArgumentTypeError: the columns hold something else.
    """
    check_columns(list(columns), boxes=options.is_boxes)
    values = list(columns.values())
    if not options.is_boxes:
        if len(values) == 1:
            return read_points(options, values[0], names)
        points = _numbers(columns, len(values)).reshape(len(names), -1, 2)
        return read_points(options, points, names)
    return read_boxes(
        options,
        values[0] if len(values) < 4 else _numbers(columns, 4),
        values[-1] if len(values) in (2, 5) else None,
        owners=range(len(names)),
        names=names,
        classes=classes,
        label_names=label_names,
    )


def _numbers(columns: Mapping[str, Sequence[Any]], count: int) -> Any:
    """The first columns side by side; NaN where there is nothing."""
    chosen = list(columns)[:count]
    try:
        return np.stack([np.asarray(columns[name], np.float64) for name in chosen], axis=1)
    except (TypeError, ValueError):
        raise ArgumentTypeError(
            f"The columns {', '.join(map(repr, chosen))} must be numbers, one coordinate each."
        ) from None
