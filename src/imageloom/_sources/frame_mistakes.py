"""What cannot be meant in a data frame: its columns, its labels, and the rows that are left out."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from itertools import islice
from typing import Any

import numpy as np

from imageloom._errors import ArgumentTypeError, InvalidArgumentError
from imageloom._sources.mistakes import Mistake
from imageloom._sources.target_mistakes import (
    lost_classes,
    missing_in,
    missing_values,
    row_name,
    sorted_rows,
)
from imageloom._sources.words import counted

__all__ = [
    "check_one_column",
    "check_strings",
    "labels_outside_classes",
    "masks_as_classes",
    "several_labels",
    "subset_mistakes",
    "target_mistakes",
]


def check_one_column(frame: Any, column: Any, argument: str) -> None:
    """Refuses a name that several columns have, of which Keras would take their names for labels.

    Raises:
        InvalidArgumentError: it is such a name.
    """
    found = frame[column]
    if getattr(found, "ndim", 1) > 1:
        count = found.shape[1] if found.ndim == 2 else 2
        raise InvalidArgumentError(
            f"The data frame has {count} columns with the name {column!r} ({argument}), so it is not "
            "clear which one is meant: rename one of them, or keep the first of each name with "
            "frame.loc[:, ~frame.columns.duplicated()]."
        )


def check_strings(frame: Any, column: Any, rule: str, *, lists: bool = False) -> None:
    """Refuses a column with values that are no strings, and names the first of them.

    Args:
        frame: the data frame.
        column: the name of the column.
        rule: what the values must be, as a sentence.
        lists: whether lists and tuples are allowed, too.

    Raises:
        ArgumentTypeError: there is such a value.
    """
    allowed = (str, list, tuple) if lists else str
    values = frame[column].tolist()
    wrong = [place for place, value in enumerate(values) if not _is_allowed(value, allowed)]
    if not wrong:
        return
    value, row = values[wrong[0]], row_name(_rows(frame)[wrong[0]])
    verb = "is" if len(wrong) == 1 else "are"
    begin = (
        f"{rule} {counted(len(wrong), 'value')} {verb} not, the first in row {row}, which has {value!r}"
    )
    if missing_in(value):
        raise ArgumentTypeError(
            f"{begin}. A missing value has no class and no file: drop such rows, with "
            f"frame.dropna(subset=[{column!r}]) for example."
        )
    raise ArgumentTypeError(
        f"{begin} ({type(value).__name__}): convert them with frame[{column!r}].astype(str)"
        f"{_suffix_for(rule)}."
    )


def _is_allowed(value: Any, allowed: type | tuple[type, ...]) -> bool:
    if not isinstance(value, allowed):
        return False
    return isinstance(value, str) or not missing_in(value)


def _suffix_for(rule: str) -> str:
    return ' + ".jpg", for example, if they are numbers of files' if "x_col" in rule else ""


def _rows(frame: Any) -> Sequence[Any]:
    rows: Sequence[Any] = frame.index
    return rows


def masks_as_classes(labels: Sequence[Any], column: Any, suffixes: Sequence[str]) -> list[Mistake]:
    """Whether the labels are names of image files, such as masks."""
    endings = tuple(f".{suffix}" for suffix in (*suffixes, "webp", "gif", "npy"))
    if not len(labels) or not all(isinstance(x, str) and x.lower().endswith(endings) for x in labels):
        return []
    text = (
        f"All {len(labels):,} labels in y_col={column!r} name image files, for example {labels[0]!r}, "
        'so each of them is a class of its own: pass class_mode="image" if they are masks.'
    )
    return [Mistake("masks-as-classes", text)]


def labels_outside_classes(
    frame: Any, column: Any, classes: Sequence[str], there: Sequence[bool]
) -> list[Mistake]:
    """The rows that `classes` leaves out, and the classes that no row has.

    Args:
        frame: the data frame.
        column: the column of the labels.
        classes: the classes that the user named.
        there: which rows have one of them.
    """
    labels = frame[column].tolist()
    found = {name for label in labels for name in ([label] if isinstance(label, str) else label)}
    strange = [name for name in dict.fromkeys(classes) if name not in found]
    parts = []
    if strange and labels:
        near = get_close_matches(str(strange[0]), map(str, found - set(classes)), n=1)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        of = counted(len(set(classes)), "class", "classes")
        verb = "has" if len(strange) == 1 else "have"
        parts.append(
            f"{len(strange)} of {of} in `classes` {verb} no rows, for example {strange[0]!r}{hint}"
        )
    dropped = [place for place, known in enumerate(there) if not known]
    if dropped:
        row = row_name(_rows(frame)[dropped[0]])
        parts.append(
            f"{len(dropped):,} of {counted(len(labels), 'row')} "
            f"{'is' if len(dropped) == 1 else 'are'} left out, because `classes` has none of "
            f"their labels, for example row {row} with {labels[dropped[0]]!r}"
        )
    if not parts:
        return []
    text = f"{'; '.join(parts)}. Add the labels to `classes`, correct them, or drop the rows before."
    return [Mistake("rows-left-out" if dropped else "missing-class", text)]


def several_labels(names: Sequence[str], labels: Sequence[Any], rows: Sequence[Any]) -> list[Mistake]:
    """Files that are in several rows with different labels."""
    if len(set(names)) == len(names):
        return []
    first: dict[str, int] = {}
    found: dict[str, tuple[int, int]] = {}
    for place, name in enumerate(names):
        before = first.setdefault(name, place)
        if _label_set(labels[before]) != _label_set(labels[place]):
            found.setdefault(name, (before, place))
    if not found:
        return []
    name, (one, other) = next(iter(found.items()))
    text = (
        f"{counted(len(found), 'file')} {'is' if len(found) == 1 else 'are'} in several rows with "
        f"different labels, for example {name!r} with {labels[one]!r} in row {row_name(rows[one])} and "
        f"with {labels[other]!r} in row {row_name(rows[other])}: keep one row a file, with a list of "
        "its classes if it has several."
    )
    return [Mistake("same-file", text)]


def _label_set(label: Any) -> frozenset[Any]:
    return frozenset((label,) if isinstance(label, str) else label)


def subset_mistakes(
    frame: Any, columns: Sequence[Any], split: tuple[float, float] | None, *, classes: bool
) -> list[Mistake]:
    """Whether the two subsets have different classes or targets.

    Args:
        frame: the rows of both subsets.
        columns: the columns of the targets.
        split: the part of the rows that the subset has, as two fractions; None for all.
        classes: whether the targets are classes.
    """
    if split is None or not len(frame):
        return []
    fraction = split[1] if split[0] == 0 else split[0]
    border = int(fraction * len(frame))
    if border == 0 and split[0] == 0:
        text = (
            f"The validation subset has no rows, because validation_split={fraction:g} takes none of "
            f"{counted(len(frame), 'row')}: take a larger share."
        )
        return [Mistake("empty-in-subset", text)]
    rows = None if classes or len(columns) < 2 else _classes_of_columns(frame, columns)
    if rows is not None:
        found = lost_classes(rows, border, "`y_col`", always=all(len(row) == 1 for row in rows))
        return [] if found is None else [found]
    mistakes = (
        lost_classes(frame[column].tolist(), border, f"y_col={column!r}")
        if classes
        else sorted_rows(_plain_values(frame[column]), border, f"y_col={column!r}")
        for column in columns
    )
    return list(islice((mistake for mistake in mistakes if mistake is not None), 1))


def _plain_values(column: Any) -> Any:
    values = np.asarray(column.to_numpy())
    if values.dtype.kind == "O" and values.size and not isinstance(values[0], str):
        try:
            return np.array(values.tolist())
        except ValueError:  # of different lengths
            return values
    return values


def _classes_of_columns(frame: Any, columns: Sequence[Any]) -> list[tuple[Any, ...]] | None:
    """The columns with a one of each row, if there are only zeros and ones; else None."""
    values = frame[list(columns)].to_numpy()
    if values.dtype.kind not in "biuf" or not np.all((values == 0) | (values == 1)):
        return None
    return [tuple(columns[place] for place in np.flatnonzero(row).tolist()) for row in values]


def target_mistakes(frame: Any, columns: Sequence[Any], argument: str) -> list[Mistake]:
    """Missing values in columns of targets or weights."""
    found = (
        missing_values(f"{argument}={column!r}", frame[column].to_numpy(), _rows(frame))
        for column in columns
    )
    return [mistake for mistake in found if mistake is not None]
