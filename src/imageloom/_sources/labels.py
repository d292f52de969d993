"""Class numbers out of the labels of records: names, numbers, or lists of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from imageloom._checks.values import in_words
from imageloom._errors import ArgumentTypeError, InvalidArgumentError

__all__ = ["ClassNumbers", "class_numbers_of"]


class ClassNumbers(NamedTuple):
    """The classes of some records.

    Attributes:
        numbers: the number of each class by its name.
        kept: which records have one of the classes.
        ids: the class number of each of those, int32, or a list of lists of them.
    """

    numbers: dict[str, int]
    kept: NDArray[np.int64]
    ids: Any


def class_numbers_of(
    labels: Sequence[Any],
    *,
    class_mode: str,
    classes: Sequence[Any] | None,
    names: Sequence[str] | None,
    column: str,
) -> ClassNumbers:
    """Finds the classes of records.

    Args:
        labels: the label of each record: a name, a whole number, or with class_mode "categorical" a
            list of them.
        class_mode: "categorical", "binary" or "sparse".
        classes: the classes to read, in the order of their numbers; None for all, sorted.
        names: the names of the classes 0, 1, ..., if labels are numbers that stand for them.
        column: where the labels come from, for errors.

    Raises:
        ArgumentTypeError: a record has no label, or one of another type.
        InvalidArgumentError: class_mode="binary" without exactly two classes.
    """
    several = any(isinstance(label, (list, tuple, np.ndarray)) for label in labels)
    if several and class_mode != "categorical":
        raise ArgumentTypeError(
            f'class_mode="{class_mode}" needs one label for each record, but some in {column!r} have a '
            'list: use class_mode="categorical".'
        )
    rows = [[*label] if isinstance(label, (list, tuple, np.ndarray)) else [label] for label in labels]
    for number, row in enumerate(rows):
        rows[number] = [_checked(label, number, column) for label in row]
    found: list[Any] = sorted({label for row in rows for label in row}, key=_order)
    if names is not None and all(isinstance(label, int) for label in found):
        if found and not 0 <= found[0] <= found[-1] < len(names):
            raise InvalidArgumentError(
                f"The labels in {column!r} are numbers of {len(names)} classes, but there are "
                f"{found[0]} to {found[-1]}."
            )
        words = dict(enumerate(names))
    else:
        words = {label: str(label) for label in found}
    order = list(dict.fromkeys(map(str, classes))) if classes else list(words.values())
    if class_mode == "binary" and len(order) != 2:
        raise InvalidArgumentError(
            f'If class_mode="binary" there must be 2 classes. {len(order)} class/es were found in '
            f"{column!r}."
        )
    numbers = {name: place for place, name in enumerate(order)}
    ids = [[numbers[words[label]] for label in row if words[label] in numbers] for row in rows]
    kept = np.array([place for place, row in enumerate(ids) if row or not rows[place]], np.int64)
    chosen: list[list[int]] = [ids[place] for place in kept.tolist()]
    if several:
        return ClassNumbers(numbers, kept, chosen)
    return ClassNumbers(numbers, kept, np.array([row[0] for row in chosen], np.int32))


def _checked(label: Any, number: int, column: str) -> Any:
    if isinstance(label, (np.integer, np.bool_)):
        label = label.item()
    if isinstance(label, float) and label.is_integer():
        label = int(label)
    if isinstance(label, (bool, int)):
        return int(label)
    if isinstance(label, str):
        return label
    raise ArgumentTypeError(
        f"Labels must be names or whole numbers; record {number} has {in_words(label)} in {column!r}. "
        'For other targets, use class_mode="raw".'
    )


def _order(label: Any) -> tuple[int, Any]:
    return (0, label) if isinstance(label, int) else (1, label)
