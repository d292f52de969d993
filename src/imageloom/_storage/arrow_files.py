"""Tables in Arrow files, as data sets of Hugging Face are kept on a disk, and where a table lies.

The files are mapped into memory and read with pyarrow; the package `datasets` is not needed.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np

from imageloom._errors import InvalidArgumentError, MissingDependencyError, MissingFileError
from imageloom._storage.urls import absolute, is_url

__all__ = [
    "ArrowFiles",
    "are_arrow_files",
    "check_is_file",
    "class_names_in",
    "files_of",
    "pyarrow_for",
    "saved_files",
]

_SUFFIXES: Final = (".arrow", ".feather")
_SAVED: Final = "state.json"  # names the files in a folder that `save_to_disk` has written


class ArrowFiles:
    """The rows of some Arrow files one after the other, of Arrow's format for files or for streams."""

    def __init__(self, paths: Sequence[str]) -> None:
        """Opens the files.

        Raises:
            MissingFileError: There is no such file.
            InvalidArgumentError: A file is no Arrow file, or has a URL.
            MissingDependencyError: pyarrow is not installed.
        """
        self._open(paths)

    def _open(self, paths: Sequence[str]) -> None:
        self._paths = list(paths)
        self._tables = [_read(path) for path in self._paths]
        self._starts = np.cumsum([0, *(table.num_rows for table in self._tables)])
        self.columns: Sequence[str] = list(self._tables[0].column_names)

    def __getstate__(self) -> list[str]:
        return self._paths

    def __setstate__(self, paths: list[str]) -> None:
        self._open(paths)

    def __len__(self) -> int:
        return int(self._starts[-1])

    def column(self, name: str) -> list[Any]:
        """All values of a column."""
        return [value for table in self._tables for value in table.column(name).to_pylist()]

    def value(self, row: int, name: str) -> Any:
        """One value."""
        place = int(np.searchsorted(self._starts, row, side="right")) - 1
        return self._tables[place].column(name)[row - int(self._starts[place])].as_py()

    def class_names(self, name: str) -> Sequence[str] | None:
        """The names of the classes whose numbers a column has, if the files have them."""
        return class_names_in(self._tables[0].schema, name)


def _read(path: str) -> Any:
    if is_url(path):
        raise InvalidArgumentError(
            f"{path!r} is an Arrow file, which is mapped into memory, so it must lie on this machine: "
            "copy it, or write the table as a Parquet file, which may have a URL."
        )
    check_is_file(path)
    pyarrow = pyarrow_for(path)
    try:
        with pyarrow.memory_map(path) as file:
            try:
                return pyarrow.ipc.open_file(file).read_all()
            except pyarrow.ArrowInvalid:
                file.seek(0)
                return pyarrow.ipc.open_stream(file).read_all()
    except (pyarrow.ArrowException, OSError) as error:
        raise InvalidArgumentError(f"{path!r} cannot be read as an Arrow file: {error}") from error


def check_is_file(path: str) -> None:
    """Raises MissingFileError if there is no such file on this machine."""
    if not os.path.isfile(path):
        raise MissingFileError(f"There is no file {path!r}.")


def pyarrow_for(path: str) -> Any:
    """pyarrow, with what reads Arrow and Parquet files.

    Raises:
        MissingDependencyError: It is not installed; the error names the file.
    """
    try:
        import pyarrow
        import pyarrow.ipc
        import pyarrow.parquet
    except ImportError as error:
        raise MissingDependencyError(
            f"Reading {path!r} needs pyarrow, which is not installed. Install it with "
            'pip install "imageloom[arrow]".'
        ) from error
    return pyarrow


def are_arrow_files(paths: Sequence[str]) -> bool:
    """Whether the suffixes of some files are those of Arrow files."""
    return all(path.lower().endswith(_SUFFIXES) for path in paths)


def saved_files(folder: str) -> list[str]:
    """The Arrow files of a data set that `save_to_disk` of Hugging Face has written, in their order.

    Raises:
        InvalidArgumentError: The folder has no such data set, or several, or one in another order.
    """
    try:
        with open(os.path.join(folder, _SAVED), encoding="utf-8") as file:
            about = json.load(file)
        names = [os.path.basename(each["filename"]) for each in about["_data_files"]]
        reordered = bool(about.get("_indices_data_files") or about.get("_indices_files"))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidArgumentError(
            f"The folder {folder!r} is no data set that `save_to_disk` has written: it has no file "
            f"{_SAVED!r} that names Arrow files. Of a dictionary of data sets, name the folder of one "
            "of them. Of a folder of images, use flow_from_directory."
        ) from error
    if reordered or not names:
        raise InvalidArgumentError(
            f"The folder {folder!r} has a data set in another order than its files, or without any: "
            "save it again with `flatten_indices()` and `save_to_disk`."
        )
    return [os.path.join(folder, name) for name in names]


def files_of(table: Any) -> tuple[list[str], int | None] | None:
    """The files that a table of `flow_from_table` lies in; None if only the program has it.

    Returns:
        Absolute paths or URLs, in order, and the number of rows of a data set of Hugging Face, which
        may be a part of its files.
    """
    given = [table] if isinstance(table, (str, os.PathLike)) else table
    if isinstance(given, (list, tuple)):
        if not given or not all(isinstance(path, (str, os.PathLike)) for path in given):
            return None
        paths = [absolute(os.fspath(path)) for path in given]
        if len(paths) == 1 and not is_url(paths[0]) and os.path.isdir(paths[0]):
            paths = saved_files(paths[0])
        return paths, None
    cached = getattr(table, "cache_files", None)
    # Without indices, the rows are in the order of the files.
    if not cached or not isinstance(cached, list) or getattr(table, "_indices", None) is not None:
        return None
    paths = [os.path.abspath(each["filename"]) for each in cached]
    if not are_arrow_files(paths) or not {*table.column_names} <= {*_columns_in(paths[0])}:
        return None
    return paths, len(table)


def _columns_in(path: str) -> list[str]:
    """The columns of a file of Hugging Face, by which renamed ones are recognised; none if damaged."""
    pyarrow = pyarrow_for(path)
    with contextlib.suppress(pyarrow.ArrowException, OSError), pyarrow.memory_map(path) as file:
        return list(pyarrow.ipc.open_stream(file).schema.names)
    return []


def class_names_in(schema: Any, name: str) -> Sequence[str] | None:
    """The names of the classes of a column, as Hugging Face writes them into the schemas of tables."""
    metadata = getattr(schema, "metadata", None)
    if not isinstance(metadata, Mapping) or b"huggingface" not in metadata:
        return None
    try:
        feature = json.loads(metadata[b"huggingface"])["info"]["features"][name]
    except (ValueError, KeyError, TypeError):
        return None
    return next(_class_labels(feature), None)


def _class_labels(feature: Any) -> Iterator[list[str]]:
    """The names of each `ClassLabel` in the description of a feature."""
    if isinstance(feature, Mapping):
        names = feature.get("names")
        if feature.get("_type") == "ClassLabel" and isinstance(names, list):
            yield [str(each) for each in names]
            return
        feature = list(feature.values())
    if isinstance(feature, list):
        for part in feature:
            yield from _class_labels(part)
