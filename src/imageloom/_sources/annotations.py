"""Reads boxes and points out of columns and arrays, in the forms that people have them in.

All boxes of a data set are read into flat arrays, with the number of the sample that each belongs to,
because tables of boxes have a row for each of millions.
"""

from __future__ import annotations

import ast
import dataclasses
import numbers
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imageloom._checks.coordinates import CoordinateOptions, is_relative
from imageloom._checks.values import in_words
from imageloom._errors import ArgumentTypeError, InvalidArgumentError
from imageloom._pipeline.annotation import Annotation
from imageloom._sources.base import values_digest

__all__ = ["Annotations", "check_columns", "grouped", "read_boxes", "read_points", "targets_of"]

Floats = NDArray[np.float64]

_BOX_KEYS: Final = ("boxes", "bbox", "bboxes")
_LABEL_KEYS: Final = ("labels", "classes", "label", "category", "categories", "category_id")

_NO_BOX: Final = -1  # the label of rows that only fill an array
_FAR: Final = 2  # times a side, beyond which no share of it was meant


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Annotations:
    """The boxes or points of a data set.

    Attributes:
        options: how they are given, with the number that a row of a batch has room for.
        samples: those of each sample.
        class_indices: the number of each class by its name; empty if classes are given as numbers.
    """

    options: CoordinateOptions
    samples: NDArray[np.object_]
    class_indices: dict[str, int] = dataclasses.field(default_factory=dict)

    def taken(self, part: Any) -> Annotations:
        """Those of some samples, with room for as many as all of them need."""
        return dataclasses.replace(self, samples=self.samples[part])

    def of(self, indices: NDArray[np.int64]) -> tuple[Annotation, ...]:
        """Those of some samples."""
        return tuple(self.samples[indices])

    def fingerprint(self) -> dict[str, Any]:
        """The values and how they are handed out, as plain JSON."""
        lengths = [len(sample.labels) for sample in self.samples]
        parts = [
            part for one in self.samples for part in (one.coordinates.tobytes(), one.labels.tobytes())
        ]
        return {
            "coordinates": values_digest(lengths, b"".join(parts), self.class_indices),
            "coordinate_options": dataclasses.asdict(self.options),
        }

    def class_name(self, index: int) -> str:
        """The names of the classes of a sample's boxes; "" without names."""
        there = set(self.samples[index].labels.tolist())
        return ", ".join(name for name, number in self.class_indices.items() if number in there)


def targets_of(options: CoordinateOptions, arrays: Sequence[Any]) -> Any:
    """The targets of a batch, of the arrays that were computed."""
    return {"boxes": arrays[0], "labels": arrays[1]} if options.is_boxes else arrays[0]


def read_boxes(
    options: CoordinateOptions,
    values: Sequence[Any],
    labels: Sequence[Any] | None,
    *,
    owners: Sequence[int],
    names: Sequence[str],
    classes: Sequence[str] | None = None,
    label_names: Sequence[str] | None = None,
) -> Annotations:
    """Reads the boxes of a data set.

    Args:
        options: how they are given.
        values: for each entry, one box, several, or none (None, NaN or an empty list); or a dictionary
            of `boxes` and `labels`, or `bbox` and `category`; or a list of such dictionaries, one for
            each box; or such a thing as a string, as in CSV files.
        labels: for each entry, the class of its boxes, or a list of them; None for one class.
        owners: the number of the sample that each entry belongs to.
        names: the name of each sample, for errors.
        classes: the names of the classes to keep, in this order; None for all, sorted.
        label_names: the names of all classes, if labels are their numbers, and `classes` are names.

    Raises:
        InvalidArgumentError, ArgumentTypeError: something else is given, or boxes of another format.
    """
    boxes: list[Floats] = []
    flat_labels: list[Any] = []
    counts: list[int] = []
    for number, value in enumerate(values):
        name = names[owners[number]]
        entry = _read_text(value)
        given = None if labels is None else _read_text(labels[number])
        entry, given = _parts_of(entry, given, name)
        found = _rows_of(entry, 4, f"The boxes of {name}", "four numbers each")
        boxes.append(found)
        counts.append(len(found))
        flat_labels += _labels_of(given, len(found), name, is_given=given is not None)
    flat = np.concatenate([np.empty((0, 4)), *boxes])
    owner = np.repeat(np.asarray(owners, np.int64), counts)
    if label_names is not None:
        flat_labels = [_named(label, label_names) for label in flat_labels]
        classes = label_names if classes is None else classes
    class_numbers, indices = _class_numbers(flat_labels, classes)
    kept = class_numbers != _NO_BOX
    flat, owner, class_numbers = flat[kept], owner[kept], class_numbers[kept]
    _check_boxes(flat, owner, names, options)
    samples = _by_owner(flat, class_numbers, owner, len(names))
    most = max((len(sample.labels) for sample in samples), default=0)
    if options.count is not None and most > options.count:
        first = next(i for i, sample in enumerate(samples) if len(sample.labels) > options.count)
        raise InvalidArgumentError(
            f"`max_boxes` is {options.count}, but {names[first]} has "
            f"{len(samples[first].labels)} boxes, and others have up to {most}: pass "
            f"max_boxes={most}, or leave out boxes."
        )
    count = options.count or max(1, most)
    return Annotations(dataclasses.replace(options, count=count), samples, indices)


def _parts_of(entry: Any, labels: Any, name: str) -> tuple[Any, Any]:
    """The boxes and the labels of an entry, which may be a dictionary of them, or a list of such."""
    if isinstance(entry, (list, tuple, np.ndarray)) and len(entry) and isinstance(entry[0], Mapping):
        keys = list(entry[0])
        entry = {key: [one.get(key) for one in entry] for key in keys}
    if not isinstance(entry, Mapping):
        return entry, labels
    boxes = next((entry[key] for key in _BOX_KEYS if key in entry), None)
    if boxes is None:
        raise ArgumentTypeError(
            f'The annotation of {name} must have a key "boxes" (or "bbox"); its keys are '
            f"{', '.join(map(repr, entry))}."
        )
    return boxes, next((entry[key] for key in _LABEL_KEYS if key in entry), labels)


def _named(label: Any, names: Sequence[str]) -> Any:
    number = None if isinstance(label, str) else _whole(label)
    return names[number] if number is not None and 0 <= number < len(names) else label


def read_points(options: CoordinateOptions, values: Sequence[Any], names: Sequence[str]) -> Annotations:
    """Reads the points of a data set, as many for each sample.

    Args:
        options: how they are given.
        values: for each sample, points (x, y), or (x, y, visibility), where 0 is not visible. NaN is
            not visible, either.
        names: the name of each sample, for errors.

    Raises:
        InvalidArgumentError, ArgumentTypeError: something else is given, or another number of points.
    """
    samples = np.empty(len(names), object)
    count: int | None = None
    for number, (value, name) in enumerate(zip(values, names, strict=True)):
        what = f"The points of {name}"
        points = _rows_of(
            _read_text(value), (2, 3), what, "(x, y) or (x, y, visibility) each", nan=True
        )
        if count is None:
            count = len(points)
        if len(points) != count:
            raise InvalidArgumentError(
                f"{what} are {len(points)}, but {names[0]} has {count}. Each image needs the same "
                "number of points in the same order; give those that it does not have as NaN."
            )
        lost = np.asarray(np.isnan(points).any(axis=1))
        visible = ~lost
        if points.shape[1] == 3:
            visible &= points[:, 2] > 0
        places = np.where(lost[:, None], 0.0, points[:, :2])
        if is_relative(options.form) and np.any(np.abs(places) > _FAR):
            raise _not_relative("keypoint_format", what, places[np.abs(places).max(axis=1).argmax()])
        samples[number] = Annotation(places, visible.astype(np.int32))
    return Annotations(dataclasses.replace(options, count=count or 0), samples)


def _read_text(value: Any) -> Any:
    """The value, or what a string such as "[[1, 2, 3, 4]]" in a CSV file stands for."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    if text[:1] not in ("[", "(", "{"):
        return value
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return value


def _is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and np.isnan(value))


def _rows_of(
    value: Any, columns: int | tuple[int, ...], what: str, words: str, *, nan: bool = False
) -> Floats:
    """The rows of numbers that a value stands for; none for what is missing."""
    allowed = columns if isinstance(columns, tuple) else (columns,)
    if _is_missing(value):
        return np.empty((0, allowed[0]))
    try:
        rows = np.asarray(value, np.float64)
    except (TypeError, ValueError):
        rows = np.empty(0)
        if not (isinstance(value, Sequence) and len(value) == 0):
            raise ArgumentTypeError(
                f"{what} must be lists of numbers, {words}; received {in_words(value)}."
            ) from None
    if rows.size == 0:
        return np.empty((0, allowed[0]))
    if rows.ndim == 1 and len(rows) in allowed:
        rows = rows[None]
    if rows.ndim != 2 or rows.shape[1] not in allowed:
        raise InvalidArgumentError(
            f"{what} must be rows of {words}; received an array of shape {rows.shape}."
        )
    if nan:
        return rows
    missing = np.isnan(rows)
    if missing.any():  # a row of a table for an image without boxes
        rows = rows[~missing.all(axis=1)]
        if np.isnan(rows).any():
            raise InvalidArgumentError(f"{what} have NaN among their numbers: {rows.tolist()}.")
    return rows


def _labels_of(given: Any, count: int, name: str, *, is_given: bool) -> list[Any]:
    if not is_given:
        return [0] * count
    if isinstance(given, (str, numbers.Number)) or _is_missing(given):
        return [given] * count
    found = given.tolist() if isinstance(given, np.ndarray) else list(given)
    if len(found) != count:
        raise InvalidArgumentError(
            f"{name} has {count} boxes but {len(found)} labels. Each box needs one label."
        )
    return found


def _class_numbers(
    labels: list[Any], classes: Sequence[str] | None
) -> tuple[NDArray[np.int32], dict[str, int]]:
    """The number of each label; -1 for those that are left out, and the numbers of named classes."""
    there = set(labels)
    if all(isinstance(label, str) for label in there) and there:
        names = sorted(there) if classes is None else list(dict.fromkeys(classes))
        indices = {name: number for number, name in enumerate(names)}
        return np.array([indices.get(label, _NO_BOX) for label in labels], np.int32), indices
    wrong = [
        label
        for label in there
        if isinstance(label, (bool, str))
        or not isinstance(label, numbers.Real)
        or label != _whole(label)
    ]
    if wrong:
        raise ArgumentTypeError(
            "Labels of boxes must be whole numbers, or all of them names; received "
            f"{in_words(wrong[0])}."
        )
    return np.array(labels, np.float64).astype(np.int32), {}


def _whole(label: Any) -> int | None:
    """The label as a whole number; None if it is none."""
    try:
        return int(label)
    except (ValueError, OverflowError):
        return None


def _check_boxes(boxes: Floats, owner: Any, names: Sequence[str], options: CoordinateOptions) -> None:
    """Raises for what cannot be boxes of this format."""
    form = options.form

    def first(where: NDArray[np.bool_]) -> str:
        row = int(np.flatnonzero(where)[0])
        return f"{names[int(owner[row])]} has {boxes[row].tolist()}"

    bad = np.asarray(~np.isfinite(boxes).all(axis=1))
    if bad.any():
        raise InvalidArgumentError(f"Boxes must be finite numbers, but {first(bad)}.")
    sides = boxes[:, 2:] - boxes[:, :2] if form.endswith(("xyxy", "yxyx")) else boxes[:, 2:]
    bad = np.asarray((sides < 0).any(axis=1))
    if bad.any():
        other = "xywh" if form.endswith(("xyxy", "yxyx")) else "xyxy"
        raise InvalidArgumentError(
            f'In bounding_box_format="{form}", a box with a negative width or height cannot be meant, '
            f'but {first(bad)}. Did you mean "{"rel_" if is_relative(form) else ""}{other}"?'
        )
    if is_relative(form):
        bad = np.asarray((np.abs(boxes) > _FAR).any(axis=1))
        if bad.any():
            where = f"The boxes of {names[int(owner[int(np.flatnonzero(bad)[0])])]}"
            raise _not_relative("bounding_box_format", where, boxes[int(np.flatnonzero(bad)[0])])
    elif len(boxes) and np.all((boxes >= 0) & (boxes <= 1)) and np.any(boxes != np.rint(boxes)):
        raise InvalidArgumentError(
            f'bounding_box_format="{form}" counts in pixels, but all coordinates are in 0..1, as in '
            f"{boxes[0].tolist()}: pass a relative format, such as "
            f'bounding_box_format="rel_{form.removeprefix("center_")}".'
        )


def _not_relative(argument: str, what: str, row: Floats) -> InvalidArgumentError:
    return InvalidArgumentError(
        f"A relative `{argument}` counts in shares of the image's sides, but {what} are in pixels: "
        f"{row.tolist()}. Pass the format without `rel_`."
    )


def _by_owner(
    boxes: Floats, labels: NDArray[np.int32], owner: NDArray[np.int64], count: int
) -> NDArray[np.object_]:
    """The boxes of each sample, in the order in which they were given."""
    order = np.argsort(owner, kind="stable")
    borders = np.searchsorted(owner[order], np.arange(count + 1))
    boxes, labels = boxes[order], labels[order]
    samples = np.empty(count, object)
    for number, (first, end) in enumerate(pairwise(borders.tolist())):
        samples[number] = Annotation(boxes[first:end], labels[first:end])
    return samples


def check_columns(columns: Sequence[str], *, boxes: bool) -> None:
    """Raises unless so many columns are those of boxes, or of points.

    Raises:
        InvalidArgumentError: there are more or fewer.
    """
    if boxes and len(columns) not in (1, 2, 4, 5):
        raise InvalidArgumentError(
            'With class_mode="boxes", `y_col` is a column of boxes, a list of the columns of boxes and '
            "of labels, or a list of the four columns of the coordinates and, fifth, that of labels; "
            f"received {len(columns)} columns."
        )
    if not boxes and len(columns) != 1 and len(columns) % 2:
        raise InvalidArgumentError(
            'With class_mode="keypoints", `y_col` is a column of points, or a list of columns in '
            f'pairs, such as ["x1", "y1", "x2", "y2"]; received {len(columns)} columns.'
        )


def grouped(names: Iterable[str]) -> tuple[list[int], list[int]]:
    """For rows of a table, the number of each row's file, and the first row of each file."""
    numbers_of: dict[str, int] = {}
    owners: list[int] = []
    firsts: list[int] = []
    for row, name in enumerate(names):
        number = numbers_of.setdefault(name, len(numbers_of))
        if number == len(firsts):
            firsts.append(row)
        owners.append(number)
    return owners, firsts
