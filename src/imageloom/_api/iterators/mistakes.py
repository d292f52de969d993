"""Arguments of a wrong type, arguments that are swapped, and advice for both.

All of this is checked before anything is read. The checks cost some microseconds: programs call `flow`
for each chunk of their data.
"""

from __future__ import annotations

import os
from collections.abc import Hashable, Iterable
from typing import Any

import numpy as np

from imageloom._api.array_likes import check_images, check_rows, is_frame
from imageloom._api.iterators.plans import check_batch_shape
from imageloom._checks.paths import check_path
from imageloom._checks.values import in_words
from imageloom._errors import ArgumentTypeError, InvalidArgumentError, MissingColumnError
from imageloom._sources.base import LABEL_MODES

__all__ = [
    "check_arrays",
    "check_column_names",
    "check_folder",
    "check_table",
    "checked_batch_shape",
    "checked_class_counts",
    "checked_classes",
]


def check_arrays(x: Any, y: Any, sample_weight: Any) -> None:
    """Checks the arrays of `flow`, except for their shapes.

    Raises:
        ArgumentTypeError: one of them is something else.
        InvalidArgumentError: the images and the targets are swapped.
    """
    check_images(x, ", or a tuple (images, further inputs)")
    check_rows("y", y)
    check_rows("sample_weight", sample_weight)
    if isinstance(x, np.ndarray) and isinstance(y, np.ndarray) and x.ndim < 3 and y.ndim == 4:
        raise InvalidArgumentError(
            f"`x` must be the images and `y` the targets; received shapes {x.shape} and {y.shape}, "
            "which seem to be swapped."
        )


def check_folder(directory: Any, target_size: Any) -> str:
    """Returns the folder of `flow_from_directory` as a string.

    Raises:
        ArgumentTypeError: it is no path.
    """
    if isinstance(directory, (str, os.PathLike)):
        return check_path("directory", directory)
    advice = ", a folder with a sub-folder for each class"
    if isinstance(target_size, (str, os.PathLike)):
        raise ArgumentTypeError(
            f"`directory` must be a path{advice}; received {in_words(directory)}. `directory` and "
            f"`target_size` are swapped: the first argument is {in_words(target_size)}."
        )
    if is_frame(directory):
        raise ArgumentTypeError(
            f"`directory` must be a path{advice}; received {in_words(directory)}. For the files that a "
            "table names, use flow_from_dataframe."
        )
    return check_path("directory", directory, advice)


def check_table(dataframe: Any, directory: Any) -> None:
    """Checks the first two arguments of `flow_from_dataframe`.

    Raises:
        ArgumentTypeError: they are no table and no path, or are swapped.
    """
    if not is_frame(dataframe):
        what = f"`dataframe` must be a pandas DataFrame; received {in_words(dataframe)}."
        raise ArgumentTypeError(f"{what} {_table_advice(dataframe, directory)}".strip())
    if directory is not None:
        check_path("directory", directory, ", the folder that file names are relative to, or None")


def _table_advice(dataframe: Any, directory: Any) -> str:
    if is_frame(directory):
        return "`dataframe` and `directory` are swapped: the table is the first argument."
    if isinstance(dataframe, (str, os.PathLike)):
        return f"Read it first, for example with pandas.read_csv({os.fspath(dataframe)!r})."
    if hasattr(dataframe, "to_pandas"):
        return "Pass dataframe.to_pandas()."
    if hasattr(dataframe, "to_frame"):
        return "A Series is a single column: pass the whole table."
    if isinstance(dataframe, (dict, list, np.ndarray)):
        return "Pass pandas.DataFrame(...) of it, with named columns."
    return ""


def check_column_names(x_col: Any, y_col: Any, weight_col: Any, class_mode: str | None) -> None:
    """Checks that columns are named, each argument with as many of them as it may name.

    Raises:
        ArgumentTypeError: something else is given, such as a list, or the column itself.
        MissingColumnError: None is given.
    """
    _check_column("x_col", x_col)
    if weight_col is not None:
        _check_column("weight_col", weight_col, " or None")
    if class_mode in (None, "input"):
        return  # nobody reads `y_col`
    if class_mode in LABEL_MODES:
        _check_column("y_col", y_col, also=f', for class_mode="{class_mode}"')
    elif class_mode == "multi_output" and not isinstance(y_col, list):
        raise ArgumentTypeError(
            f'If class_mode="multi_output", y_col must be a list of columns. Received '
            f"{in_words(y_col)}."
        )
    else:
        for column in y_col if isinstance(y_col, list) else [y_col]:
            _check_column("y_col", column, also=" or a list of them")


def _check_column(name: str, column: Any, also: str = "") -> None:
    if isinstance(column, (str, int, tuple)) and not isinstance(column, bool):
        return
    whole = getattr(column, "name", None)
    advice = ""
    if hasattr(column, "iloc") and isinstance(whole, str):
        advice = f" Pass its name, {whole!r}."
    elif isinstance(column, list) and len(column) == 1 and isinstance(column[0], str):
        advice = f" Pass {column[0]!r}."
    elif isinstance(column, list) and name == "y_col":
        advice = ' Several columns are for class_mode="raw", "multi_output" and "image".'
    if column is None or advice or not isinstance(column, Hashable) or isinstance(column, bool):
        kind = MissingColumnError if column is None else ArgumentTypeError  # a KeyError in Keras
        raise kind(f"`{name}` must name a single column{also}; received {in_words(column)}.{advice}")


def checked_classes(classes: Any, class_mode: str | None, *, folders: bool) -> list[Any] | None:
    """The names of classes as a list; None for all classes.

    Raises:
        ArgumentTypeError: `classes` is a single name, no list, or a list of other things than names.
    """
    if classes is None:
        return None
    what = "folder names" if folders else "class names"
    if isinstance(classes, (str, bytes)):
        raise ArgumentTypeError(
            f"`classes` must be a list of {what}, or None for all; received the string {classes!r}. "
            f"Pass [{classes!r}]."
        )
    if not isinstance(classes, Iterable):
        raise ArgumentTypeError(
            f"`classes` must be a list of {what}, or None for all; received {in_words(classes)}."
        )
    names = list(classes)
    wrong = [name for name in names if not isinstance(name, (str, os.PathLike))]
    if wrong and (folders or class_mode in ("binary", "sparse")):
        raise ArgumentTypeError(
            f"`classes` must be a list of {what}, which are strings; received {in_words(names)}. Pass "
            f"{in_words([str(name) for name in names])}."
        )
    return names


def checked_batch_shape(shape: Any) -> tuple[Any, ...] | None:
    """The argument `batch_shape` as a tuple.

    Raises:
        InvalidArgumentError: a number is not allowed.
        ArgumentTypeError: it has other items than whole numbers and, for the batch size, None.
    """
    if shape is None:
        return None
    items = shape.tolist() if isinstance(shape, np.ndarray) else shape
    if not isinstance(items, (tuple, list)) or not all(
        isinstance(side, (int, np.integer)) or (side is None and place == 0)
        for place, side in enumerate(items)
    ):
        raise ArgumentTypeError(
            "`batch_shape` must be the batch size and the shape of an image, such as (32, 96, 96, 3), "
            f"or None; received {in_words(shape)}."
        )
    check_batch_shape(items)
    return tuple(items)


def checked_class_counts(counts: Any) -> Any:
    """The dictionary that `class_counts` is, or None.

    Raises:
        ArgumentTypeError: it is no dictionary.
    """
    if counts is not None and not (hasattr(counts, "update") and hasattr(counts, "keys")):
        raise ArgumentTypeError(
            "`class_counts` must be a dictionary, which is updated, or None; received "
            f"{in_words(counts)}."
        )
    return counts
