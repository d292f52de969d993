"""What cannot be meant in targets: missing values, changed class numbers, subsets that differ.

The functions look at the columns of a data frame and at arrays alike.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imageloom._checks.values import as_dtype
from imageloom._sources.mistakes import Mistake
from imageloom._sources.words import counted

__all__ = ["changed_labels", "lost_classes", "missing_in", "missing_values", "row_name", "sorted_rows"]

_ALWAYS_KEPT: Final = 128  # every dtype has the whole numbers below it
_LARGEST: Final = 2**22  # values; of more, rows from everywhere are looked at
_MISSING_TYPES: Final = ("NAType", "NaTType", "NoneType")
_FEW_ROWS: Final = 4  # of each class, on average; numbers that occur less often are quantities
_UNLIKELY: Final = 0.02
_MOST_COLUMNS: Final = 64


# Missing values


def missing_values(what: str, values: Any, rows: Sequence[Any] | None = None) -> Mistake | None:
    """Says which targets or weights are missing or infinite, such as NaN; None if there are none.

    Args:
        what: the argument, and the column if there are several, for the text.
        values: an array with a row for each sample.
        rows: the names of the rows; by default their numbers.
    """
    if values is None:
        return None
    values = np.asarray(values)
    if values.ndim == 0 or not values.size:
        return None
    step = -(-values.size // _LARGEST)
    bad = _is_missing(values[::step])
    if not bad.any():
        return None
    place = int(bad.argmax())
    value = _first_missing(values[place * step])
    count = counted(int(bad.sum()), "row")
    row = place * step if rows is None else rows[place * step]
    return Mistake(
        "missing-values",
        f"{what} has missing or infinite values in {count}{' of those looked at' if step > 1 else ''}, "
        f"the first in row {row_name(row)}, which has {value}. They make the loss NaN: drop the rows, "
        "or replace the values.",
    )


def row_name(row: Any) -> str:
    """The name of a row as the user knows it: a plain number, or a text in quotes."""
    return repr(row.item() if isinstance(row, np.generic) else row)


def _is_missing(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Which rows have a value that is missing or infinite."""
    if values.dtype.kind in "fc":
        bad = ~np.isfinite(values)
    elif values.dtype.kind in "mM":
        bad = np.isnat(values)
    elif values.dtype.kind == "O":
        found = (bool(missing_in(value)) for value in values.reshape(-1))
        bad = np.fromiter(found, bool, values.size).reshape(values.shape)
    else:
        return np.zeros(len(values), bool)
    return np.asarray(bad.reshape(len(values), -1).any(axis=1))


def missing_in(value: Any) -> list[Any]:
    """The value, or its parts, that are missing."""
    if type(value).__name__ in _MISSING_TYPES:
        return [value]
    if isinstance(value, (float, np.floating)):
        return [] if math.isfinite(value) else [value]
    if isinstance(value, np.ndarray):
        return [value[bad][0]] if (bad := _elements_missing(value)).any() else []
    if isinstance(value, (list, tuple)):
        return [part for parts in map(missing_in, value) for part in parts]
    return []


def _elements_missing(values: NDArray[Any]) -> NDArray[np.bool_]:
    return ~np.isfinite(values) if values.dtype.kind in "fc" else np.zeros(values.shape, bool)


def _first_missing(row: Any) -> str:
    """The value of a row that is missing, as a text."""
    found = missing_in(row)
    if not found and isinstance(row, np.ndarray):
        found = [value for value in row.reshape(-1).tolist() if missing_in(value)]
    value = found[0] if found else row
    return str(value)


# Class numbers


def changed_labels(
    class_indices: Mapping[str, int], class_mode: str | None, dtype: Any
) -> list[Mistake]:
    """Says which class numbers a dtype does not keep: uint8 turns 299 into 43, as in Keras.

    Args:
        class_indices: the number of each class by its name.
        class_mode: only `"sparse"` and `"binary"` have class numbers as targets.
        dtype: the dtype of the targets, which is the iterator's.
    """
    if class_mode not in ("binary", "sparse") or len(class_indices) <= _ALWAYS_KEPT:
        return []
    kind = as_dtype(dtype)
    numbers = np.fromiter(class_indices.values(), np.int64, len(class_indices))
    with np.errstate(all="ignore"):  # float16 makes infinity of large ones
        found = numbers.astype(kind).astype(np.float64)
    changed = found != numbers
    if not changed.any():
        return []
    name, number = list(class_indices.items())[int(changed.nonzero()[0][-1])]
    return [
        Mistake(
            "changed-labels",
            f'dtype="{kind.name}" changes {counted(int(changed.sum()), "label")} of the '
            f'{len(class_indices):,} classes of class_mode="{class_mode}", as in Keras: that of '
            f'{name!r} is {number}, and batches have {found[changed][-1]:g}. Pass dtype="float32", or '
            'class_mode="categorical", whose targets are zeros and ones.',
        )
    ]


# Subsets


def lost_classes(
    classes: Sequence[Any], border: int, what: str, *, always: bool = True
) -> Mistake | None:
    """Says which classes one of the two subsets lacks; None if both have all of them.

    Args:
        classes: the class of each row, or a list of its classes.
        border: the validation subset has the rows before it.
        what: where the classes come from, for the text.
        always: whether it is worth a word even if rare classes lack by chance.
    """
    if not 0 < border < len(classes):
        return None
    first, rest = _names_in(classes[:border]), _names_in(classes[border:])
    lacking = first ^ rest
    if not lacking:
        return None
    if not always:
        rows = sum(bool(lacking.intersection(_several(row))) for row in classes)
        if _by_chance(rows, border, len(classes)):
            return None
    parts = []
    for subset, names in (("validation", rest - first), ("training", first - rest)):
        if names:
            example = min(names, key=str)
            parts.append(f"the {subset} subset lacks {len(names)}, for example {_plain(example)!r}")
    return Mistake(
        "subsets-differ",
        f"Of the {len(first | rest)} classes in {what}, {' and '.join(parts)}. The validation subset "
        f"is the first {counted(border, 'row')} of {len(classes):,}: shuffle the rows once before, "
        "with their targets.",
    )


def _several(row: Any) -> Collection[Any]:
    return row if isinstance(row, (list, tuple, set)) else (row,)


def _names_in(classes: Sequence[Any]) -> set[Any]:
    if any(isinstance(row, (list, tuple, set)) for row in classes):
        return {name for row in classes for name in _several(row)}
    return set(classes)


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _by_chance(lacking: int, border: int, rows: int) -> bool:
    """Whether shuffled rows might well leave that many on one side of the border."""
    kept = rows - lacking
    chances = (
        math.exp(_log_choices(kept, part) - _log_choices(rows, part))
        for part in (border, rows - border)
        if part <= kept
    )
    return sum(chances) > _UNLIKELY


def _log_choices(rows: int, taken: int) -> float:
    return math.lgamma(rows + 1) - math.lgamma(taken + 1) - math.lgamma(rows - taken + 1)


def sorted_rows(
    values: NDArray[Any], border: int, what: str, *, classes: bool = True
) -> Mistake | None:
    """Says that targets are in order, so that the subsets have others; None if they are not.

    Args:
        values: the targets: numbers or names, one or several for each row.
        border: the validation subset has the rows before it.
        what: where the targets come from, for the text.
        classes: whether targets that seem to be classes are looked at as such, or not at all.
    """
    rows = len(values)
    if not 0 < border < rows or values.ndim > 2:
        return None
    columns = values.reshape(rows, -1)
    if values.ndim == 2 and (several := _classes_of_rows(columns)) is not None:
        one_hot = all(len(row) == 1 for row in several)
        return lost_classes(several, border, what, always=one_hot) if classes else None
    if columns.shape[1] > _MOST_COLUMNS:
        return None
    for column in columns.T:
        mistake = _sorted_column(column, border, what, classes)
        if mistake is not None:
            return mistake
    return None


def _classes_of_rows(columns: NDArray[Any]) -> list[tuple[int, ...]] | None:
    """The classes of rows of zeros and ones; None if there are other values."""
    if columns.shape[1] < 2 or columns.dtype.kind not in "biuf":
        return None
    if not np.all((columns == 0) | (columns == 1)):
        return None
    return [tuple(np.flatnonzero(row).tolist()) for row in columns]


def _sorted_column(column: NDArray[Any], border: int, what: str, classes: bool) -> Mistake | None:
    if column.dtype.kind == "O":
        if not all(isinstance(value, str) for value in column):
            return None
        column = column.astype(str)
    if column.dtype.kind not in "biufU" or _is_missing(column).any():
        return None
    distinct, counts = np.unique(column, return_counts=True)
    if len(distinct) < 2:
        return None
    if column.dtype.kind == "U" or len(distinct) * _FEW_ROWS <= len(column):
        found = lost_classes(column.tolist(), border, what, always=False) if classes else None
        if found is not None or column.dtype.kind == "U" or not classes:
            return found
    numbers = column.astype(np.float64)
    first, rest = numbers[:border], numbers[border:]
    unlikely = -math.log(_UNLIKELY / 2)
    in_order = np.all(numbers[:-1] <= numbers[1:]) or np.all(numbers[:-1] >= numbers[1:])
    apart = first.max() < rest.min() or rest.max() < first.min()
    if not (in_order and _log_orders(counts) > unlikely) and not (
        apart and _log_choices(len(numbers), border) > unlikely
    ):
        return None
    return Mistake(
        "subsets-differ",
        f"The rows are sorted by {what}: the validation subset, the first {counted(border, 'row')} of "
        f"{len(numbers):,}, has {first.min():g} to {first.max():g}, and the training subset "
        f"{rest.min():g} to {rest.max():g}. Shuffle the rows once before, with their targets.",
    )


def _log_orders(counts: NDArray[np.int64]) -> float:
    """The logarithm of the number of different orders of values, each of which occurs so often."""
    return math.lgamma(int(counts.sum()) + 1) - sum(math.lgamma(int(n) + 1) for n in counts)
