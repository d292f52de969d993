"""Columns that a table does not have: the error names those that were probably meant."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from imageloom._checks.suggestions import as_words, nearest, similar
from imageloom._errors import MissingColumnError

__all__ = ["missing_column"]

_LISTED: Final = 8  # columns; a table may have hundreds
_SIMILAR: Final = 3
# Names of columns that mean the same, because the defaults of the arguments are "filename" and "class".
_SYNONYMS: Final = (
    {"filename", "file", "filenames", "file_name", "filepath", "path", "image", "images", "img", "id"}
    | {"image_id", "image_path", "image_name", "img_path", "photo"},
    {
        "class",
        "label",
        "labels",
        "classes",
        "category",
        "target",
        "class_name",
        "class_label",
        "species",
    }
    | {"diagnosis", "breed", "y"},
    {"weight", "weights", "sample_weight", "sample_weights", "weight_col"},
)


def missing_column(argument: str, column: Any, columns: Sequence[Any]) -> MissingColumnError:
    """The error for a column that is not there.

    Args:
        argument: the argument that names it.
        column: its name.
        columns: the names of the columns that are there.
    """
    found = f"The data frame has no column {column!r} ({argument})."
    meant = _meant(column, columns)
    if meant:
        remedy = as_words([f"{argument}={name!r}" for name in meant], "or")
        return MissingColumnError(f"{found} Did you mean {remedy}?")
    if not len(columns):
        return MissingColumnError(f"{found} It has no columns at all.")
    more = len(columns) - _LISTED
    listed = [repr(name) for name in columns[:_LISTED]] + ([f"{more} more"] if more > 0 else [])
    return MissingColumnError(
        f"{found} Its columns are {as_words(listed)}: pass one of them as `{argument}`."
    )


def _meant(column: Any, columns: Sequence[Any]) -> list[Any]:
    """The columns with the most similar name, or else those with a name of the same meaning."""
    other_type = [name for name in columns if str(name) == str(column)]
    if other_type:
        return other_type  # 0 and "0"
    names = [name for name in columns if isinstance(name, str)]
    if not isinstance(column, str):
        return []
    first = nearest(column, names)
    if first is not None:
        return list(dict.fromkeys([first, *similar(column, names, _SIMILAR)]))[:_SIMILAR]
    for words in _SYNONYMS:
        if column.lower() in words:
            return [name for name in names if name.strip().lower() in words][:_SIMILAR]
    return []
