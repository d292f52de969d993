"""The samples that a division gives to a subset, for each kind of data set."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imageloom._errors import ArgumentTypeError, InvalidArgumentError
from imageloom._pipeline.recipe import SampleName
from imageloom._sources.columns import missing_column
from imageloom._sources.mistakes import Mistake
from imageloom._sources.splitting import Classes, Division, group_keys, keys_of_names
from imageloom._sources.words import counted

__all__ = ["divided_array", "divided_classes", "divided_frame", "with_groups"]

_COLUMN: Final = "groups of the split"


def divided_classes(
    division: Division,
    directory: str,
    root: str,
    names: Sequence[str],
    parts: Sequence[Sequence[SampleName]],
) -> tuple[list[list[SampleName]], list[Mistake]]:
    """The files of a subset, class by class, and what cannot be meant in it.

    Args:
        division: which samples the subset has.
        directory: the folder, as the user named it.
        root: the folder that files are relative to.
        names: the classes.
        parts: all files of each class.

    Raises:
        ArgumentTypeError: `groups` is not a function.
        InvalidArgumentError: the function does not return a group.
    """
    files = [file for part in parts for file in part]
    class_of = np.repeat(np.arange(len(names)), [len(part) for part in parts])
    keys = _keys_of_files(division, files, root, "flow_from_directory")
    rows = division.rows(keys, [(names[number],) for number in class_of.tolist()])
    found: list[list[SampleName]] = [[] for _ in names]
    for row in rows.tolist():
        found[class_of[row]].append(files[row])
    lost = [name for name, part, kept in zip(names, parts, found, strict=True) if part and not kept]
    where = f"of {directory!r}"
    return found, _lost(division, lost, sum(1 for part in parts if part), where)


def with_groups(division: Division, frame: Any) -> tuple[Division, Any]:
    """The frame with a column for the group of each row, which stays with it when others are dropped.

    Raises:
        InvalidArgumentError: there are more or fewer groups than rows.
    """
    groups = division.groups
    if not isinstance(groups, tuple):
        return division, frame
    _check_count(groups, len(frame), "row")
    return dataclasses.replace(division, groups=_COLUMN), frame.assign(**{_COLUMN: groups})


def divided_frame(
    division: Division, frame: Any, root: str, x_col: str, y_col: Any, class_mode: str | None
) -> tuple[NDArray[np.int64], list[Mistake]]:
    """The numbers of the rows that a subset has, and what cannot be meant in it.

    Args:
        division: which samples the subset has.
        frame: the rows of both subsets.
        root: the folder that files are relative to.
        x_col: the column of the files.
        y_col: the column of the targets, or several.
        class_mode: the kind of targets.

    Raises:
        MissingColumnError: the column of the groups does not exist.
        ArgumentTypeError: `groups` is neither a column nor a function.
        InvalidArgumentError: a row has no group, or the samples have no classes to stratify by.
    """
    files = frame[x_col].tolist()
    if isinstance(division.groups, str):
        if division.groups not in frame.columns:
            raise missing_column("groups", division.groups, list(frame.columns))
        keys = group_keys(frame[division.groups].tolist(), frame.index)
    else:
        keys = _keys_of_files(division, files, root, "flow_from_dataframe")
    labelled = class_mode in ("categorical", "binary", "sparse")
    classes = _classes_of_rows(frame, y_col, class_mode) if division.by_class or labelled else None
    rows = division.rows(keys, classes if division.by_class else None)
    kept = {name for row in rows.tolist() for name in classes[row]} if classes else set()
    known = {name for names in classes or () for name in names}
    lost = sorted(map(_class_name, known - kept)) if labelled else []
    if len(files) and not len(rows):
        return rows, _empty(division, len(files))
    return rows, _lost(division, lost, len(known), f"of y_col={y_col!r}")


def divided_array(
    division: Division, images: int, y: NDArray[Any] | None
) -> tuple[NDArray[np.int64], list[Mistake]]:
    """The numbers of the rows that a subset has, and what cannot be meant in it.

    Args:
        division: which samples the subset has.
        images: the number of images.
        y: the targets, or None.

    Raises:
        ArgumentTypeError: `groups` is not an array.
        InvalidArgumentError: it has another length, an image has no group, or the targets are no
            classes to stratify by.
    """
    groups = division.groups
    if groups is None:
        keys = list(map(str, range(images)))
    else:
        if isinstance(groups, str) or callable(groups):
            raise _wrong_groups(groups, "flow", "an array with the group of each image")
        _check_count(groups, images, "image")
        keys = group_keys(groups)
    rows = division.rows(keys, _classes_of_targets(y) if division.by_class else None)
    return rows, _empty(division, images) if images and not len(rows) else []


def _check_count(groups: Sequence[Any], count: int, noun: str) -> None:
    if len(groups) != count:
        raise InvalidArgumentError(
            f"`groups` must have the group of each {noun}: there are {counted(count, noun)}, and it "
            f"has {counted(len(groups), 'entry', 'entries')}."
        )


def _keys_of_files(
    division: Division, files: Sequence[SampleName], root: str, method: str
) -> list[str]:
    if division.groups is None:
        return keys_of_names(files, root)
    if not callable(division.groups):
        column = "the name of a column, or " if method == "flow_from_dataframe" else ""
        raise _wrong_groups(division.groups, method, f"{column}a function of the file name")
    values = []
    for name in files:
        file = name if isinstance(name, str) else name[0]
        try:
            values.append(division.groups(file))
        except Exception as error:
            error.add_note(f"`groups` was called with the file name {file!r}.")
            raise
    return group_keys(values, files)


def _wrong_groups(groups: Any, method: str, allowed: str) -> ArgumentTypeError:
    if isinstance(groups, str):
        received = f"the name {groups!r}"
    else:
        received = "a function" if callable(groups) else f"a list of {len(groups):,} groups"
    return ArgumentTypeError(f"`groups` must be {allowed}, for {method}; received {received}.")


def _classes_of_rows(frame: Any, y_col: Any, class_mode: str | None) -> Classes:
    """The classes of each row; with several columns, a class is a column with a value."""
    columns = y_col if isinstance(y_col, list) else [y_col]
    if class_mode == "image" or not all(column in frame.columns for column in columns):
        what = "names masks" if class_mode == "image" else "is no column of the data frame"
        raise _without_classes(f"y_col={y_col!r} {what}")
    found = [_discrete(frame[column].tolist(), f"y_col={column!r}") for column in columns]
    if len(found) == 1:
        return found[0]
    return [
        tuple((column, name) for column, names in zip(columns, row, strict=True) for name in names)
        for row in zip(*found, strict=True)
    ]


def _discrete(values: Sequence[Any], what: str) -> list[tuple[Hashable, ...]]:
    """The classes of single targets: texts, whole numbers, or lists of those.

    Raises:
        InvalidArgumentError: there are others.
    """
    classes = [tuple(value) if isinstance(value, (list, tuple)) else (value,) for value in values]
    for row in classes:
        for name in row:
            if not isinstance(name, (str, bool, int, np.integer)) and not _is_whole(name):
                raise _without_classes(f"{what} has {name!r}")
    return classes


def _is_whole(value: Any) -> bool:
    return isinstance(value, (float, np.floating)) and float(value).is_integer()


def _classes_of_targets(y: NDArray[Any] | None) -> Classes:
    """The classes of targets that are class numbers, names, or rows of zeros and ones."""
    if y is None:
        raise _without_classes("`y` is None, or has boxes or points")
    if y.ndim == 2 and y.shape[1] > 1:
        if y.dtype.kind not in "biuf" or not np.all((y == 0) | (y == 1)):
            raise _without_classes("`y` has rows with other values than 0 and 1")
        return [tuple(np.flatnonzero(row).tolist()) for row in y]
    if y.ndim > 2 or y.size != len(y):
        raise _without_classes(f"`y` has the shape {y.shape}")
    return _discrete(y.reshape(-1).tolist(), "`y`")


def _without_classes(why: str) -> InvalidArgumentError:
    return InvalidArgumentError(
        f'split="stratified" needs samples with classes, but {why}. Pass split="random", which does '
        "not look at targets."
    )


def _class_name(name: Hashable) -> str:
    return name if isinstance(name, str) else repr(name)


def _lost(division: Division, lost: Sequence[str], classes: int, where: str) -> list[Mistake]:
    """Says which classes have no samples in the subset; what chance decides is left to it."""
    if not lost or division.way != "sorted":
        return []
    more = f", nor for {len(lost) - 1} more of {counted(classes, 'class', 'classes')}"
    text = (
        f"No images found for the class {lost[0]!r} in the {division.subset} subset {where}"
        f"{more if len(lost) > 1 else ''}: the split ({division.in_words()}) has all of its images in "
        'the other subset. Pass split="stratified".'
    )
    return [Mistake("empty-in-subset", text)]


def _empty(division: Division, samples: int) -> list[Mistake]:
    text = (
        f"The {division.subset} subset has no images: the split ({division.in_words()}) has all "
        f"{counted(samples, 'image')} in the other subset. It needs at least two images, "
        "or groups; with a random split, another split_seed may do."
    )
    return [Mistake("empty-in-subset", text)]
