"""Tables with a column of encoded images: Arrow, Parquet, Hugging Face, pandas, and lists of records.

An image is the bytes of a file, or a record of them as Hugging Face writes it ({"bytes", "path"}). No
library of tables is imported unless one of its tables, or a Parquet file, is given.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from imageloom._errors import (
    ArgumentTypeError,
    BadImageError,
    ImageLoomError,
    InvalidArgumentError,
    MissingFileError,
    StorageError,
)
from imageloom._locks import Lock
from imageloom._storage.access import connect, present_access, storage_errors, use_access
from imageloom._storage.arrow_files import (
    ArrowFiles,
    are_arrow_files,
    check_is_file,
    class_names_in,
    pyarrow_for,
    saved_files,
)
from imageloom._storage.local import read_file
from imageloom._storage.reopening import pickled_if_small
from imageloom._storage.urls import absolute, is_url

__all__ = ["EncodedImages", "Table", "table_of"]

_GROUPS_KEPT: Final = 4  # of the row groups of Parquet files, by each process
_ALLOWED: Final = (
    "a pyarrow.Table, a data set of Hugging Face with a length, a pandas DataFrame, a list of "
    "dictionaries, the path or URL of a Parquet file, the path of an Arrow file, a list of such, or a "
    "folder that `save_to_disk` has written"
)


class Table(Protocol):
    """A table with named columns."""

    def __len__(self) -> int:
        """The number of rows."""
        ...

    @property
    def columns(self) -> Sequence[str]:
        """The names of the columns."""
        ...

    def column(self, name: str) -> list[Any]:
        """All values of a column, as plain objects."""
        ...

    def value(self, row: int, name: str) -> Any:
        """One value, as a plain object."""
        ...

    def class_names(self, name: str) -> Sequence[str] | None:
        """The names of the classes whose numbers a column has, if the table knows them."""
        ...


class _Base:
    def class_names(self, name: str) -> Sequence[str] | None:
        del name
        return None


class _ArrowTable(_Base):
    def __init__(self, table: Any) -> None:
        self._table = table
        self.columns: Sequence[str] = list(table.column_names)

    def __len__(self) -> int:
        return int(self._table.num_rows)

    def column(self, name: str) -> list[Any]:
        found: list[Any] = self._table.column(name).to_pylist()
        return found

    def value(self, row: int, name: str) -> Any:
        return self._table.column(name)[row].as_py()

    def class_names(self, name: str) -> Sequence[str] | None:
        return class_names_in(self._table.schema, name)


class _HuggingFace(_Base):
    """A data set of the package `datasets`, read in the format that does not decode images."""

    def __init__(self, dataset: Any) -> None:
        self._dataset = dataset
        self.columns: Sequence[str] = list(dataset.column_names)

    def __len__(self) -> int:
        return len(self._dataset)

    def _arrow(self, name: str) -> Any:
        return self._dataset.select_columns([name]).with_format("arrow")

    def column(self, name: str) -> list[Any]:
        found: list[Any] = self._arrow(name)[:].column(name).to_pylist() if len(self) else []
        return found

    def value(self, row: int, name: str) -> Any:
        return self._arrow(name)[row : row + 1].column(name)[0].as_py()

    def class_names(self, name: str) -> Sequence[str] | None:
        features = getattr(self._dataset, "features", None) or {}
        return _names_within(features.get(name))


def _names_within(feature: Any) -> Sequence[str] | None:
    """The names of the classes of a `ClassLabel`, which may be part of another feature."""
    names = getattr(feature, "names", None)
    if names is not None:
        return list(names)
    inner = getattr(feature, "feature", None)  # of a list
    parts = feature if isinstance(feature, list) else [inner]
    if isinstance(feature, Mapping):
        parts = list(feature.values())
    found = (_names_within(part) for part in parts if part is not None)
    return next((names for names in found if names is not None), None)


class _Parquet(_Base):
    """Parquet files, also by URL, of which each process keeps some row groups."""

    def __init__(self, paths: Sequence[str]) -> None:
        self._paths = list(paths)
        self._access = present_access() if any(map(is_url, paths)) else None
        self._starts = [0]  # the first row of each row group
        self._groups: list[tuple[int, int]] = []  # the file, and the number in it
        self._files: dict[int, Any] = {}
        self._kept: OrderedDict[tuple[int, str], Any] = OrderedDict()
        for place in range(len(self._paths)):
            metadata = self._file(place).metadata
            for group in range(metadata.num_row_groups):
                self._groups.append((place, group))
                self._starts.append(self._starts[-1] + metadata.row_group(group).num_rows)
        self.columns: Sequence[str] = list(self._file(0).schema_arrow.names)

    def __len__(self) -> int:
        return self._starts[-1]

    def __getstate__(self) -> dict[str, Any]:
        if any(path.startswith("memory:") for path in self._paths):
            raise TypeError("Only this process has the files of its memory.")
        return {**vars(self), "_files": {}, "_kept": OrderedDict()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if self._access is not None:
            use_access(self._access)

    def _file(self, place: int) -> Any:
        if place not in self._files:
            self._files[place] = _parquet_file(self._paths[place])
        return self._files[place]

    def _read(self, place: int, read: Callable[[Any], Any]) -> Any:
        """Reads of a file; one by URL is opened again after its storage has failed."""
        if not is_url(self._paths[place]):
            return read(self._file(place))
        try:
            with storage_errors(self._paths[place], MissingFileError):
                return read(self._file(place))
        except StorageError:
            self._files.pop(place, None)
            raise

    def _group(self, number: int, name: str) -> Any:
        found = self._kept.pop((number, name), None)
        if found is None:
            place, group = self._groups[number]
            found = self._read(place, lambda file: file.read_row_group(group, columns=[name]))
            found = found.column(name)
            while len(self._kept) >= _GROUPS_KEPT:
                self._kept.popitem(last=False)
        self._kept[number, name] = found
        return found

    def column(self, name: str) -> list[Any]:
        files = [
            self._read(place, lambda file: file.read(columns=[name]))
            for place in range(len(self._paths))
        ]
        return [value for file in files for value in file.column(name).to_pylist()]

    def value(self, row: int, name: str) -> Any:
        number = int(np.searchsorted(self._starts, row, side="right")) - 1
        return self._group(number, name)[row - self._starts[number]].as_py()

    def class_names(self, name: str) -> Sequence[str] | None:
        return class_names_in(self._file(0).schema_arrow, name)


def _parquet_file(path: str) -> Any:
    parquet = pyarrow_for(path).parquet
    if is_url(path):
        with storage_errors(path, MissingFileError):
            fs, inner = connect(path)
            if not fs.isfile(inner):
                raise MissingFileError(f"There is no file {path!r}.")
            return _opened(lambda: parquet.ParquetFile(fs.open(inner, "rb"), pre_buffer=True), path)
    check_is_file(path)
    return _opened(lambda: parquet.ParquetFile(path, memory_map=True), path)


def _opened(open_file: Callable[[], Any], path: str) -> Any:
    try:
        return open_file()
    except (MemoryError, ImageLoomError, OSError):
        raise
    except Exception as error:  # pyarrow's errors are of many classes
        raise InvalidArgumentError(f"{path!r} cannot be read as a Parquet file: {error}") from error


class _Frame(_Base):
    def __init__(self, frame: Any) -> None:
        self._frame = frame
        self.columns: Sequence[str] = list(frame.columns)

    def __len__(self) -> int:
        return len(self._frame)

    def column(self, name: str) -> list[Any]:
        found: list[Any] = self._frame[name].tolist()
        return found

    def value(self, row: int, name: str) -> Any:
        return self._frame[name].iloc[row]


class _Records(_Base):
    """A sequence of dictionaries."""

    def __init__(self, records: Any) -> None:
        self._records = records
        first = records[0] if len(records) else {}
        self.columns: Sequence[str] = list(first)

    def __len__(self) -> int:
        return len(self._records)

    def column(self, name: str) -> list[Any]:
        return [self.value(row, name) for row in range(len(self))]

    def value(self, row: int, name: str) -> Any:
        return self._records[row].get(name)


def table_of(table: Any) -> Table:
    """The table that an argument of a flow method is.

    Raises:
        ArgumentTypeError: It is none, or one that can only be read from its start to its end.
        InvalidArgumentError, MissingFileError: A file does not exist, or is damaged.
        MissingDependencyError: It is a file, and pyarrow is not installed.
    """
    if isinstance(table, (str, os.PathLike)):
        return _table_in([absolute(os.fspath(table))])
    if isinstance(table, (list, tuple)) and table and isinstance(table[0], (str, os.PathLike)):
        return _table_in([absolute(os.fspath(path)) for path in table])
    if hasattr(table, "column_names") and hasattr(table, "num_rows") and hasattr(table, "schema"):
        return _ArrowTable(table)
    if hasattr(table, "keys") and hasattr(table, "column_names"):
        raise ArgumentTypeError(
            "`table` is a dictionary of data sets: pass one of them, such as "
            f"table[{_first_key(table)}]."
        )
    if hasattr(table, "with_format") and hasattr(table, "column_names"):
        if not hasattr(type(table), "__len__"):
            raise ArgumentTypeError(
                "`table` is a data set that is read from its start to its end, without a length, so "
                "that it cannot be shuffled or resumed: load it without streaming=True."
            )
        return _HuggingFace(table)
    if hasattr(table, "iloc") and hasattr(table, "columns"):
        return _Frame(table)
    is_sequence = hasattr(table, "__len__") and hasattr(table, "__getitem__")
    is_sequence = is_sequence and not isinstance(table, (bytes, Mapping))
    if is_sequence and (len(table) == 0 or isinstance(table[0], Mapping)):
        return _Records(table)
    raise ArgumentTypeError(f"`table` must be {_ALLOWED}; received a {type(table).__name__}.")


def _table_in(paths: Sequence[str]) -> Table:
    if len(paths) == 1 and not is_url(paths[0]) and os.path.isdir(paths[0]):
        return ArrowFiles(saved_files(paths[0]))
    return ArrowFiles(paths) if are_arrow_files(paths) else _Parquet(paths)


def _first_key(table: Any) -> str:
    return repr(next(iter(table.keys()), "train"))


class EncodedImages:
    """The images of some rows of a table.

    Attributes:
        reopens: Whether a copy of this object in another process can open the table.
    """

    def __init__(self, table: Table, column: str, rows: NDArray[np.int64]) -> None:
        """Reads nothing; `rows` are the rows of the table, in the order of the samples."""
        self._table: Table | None = table
        self._place = pickled_if_small(table)
        self._column = column
        self.rows = rows
        self._lock = Lock()
        self.reopens = self._place is not None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_table": None, "_lock": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._lock = Lock()

    def content(self, sample: int) -> bytes:
        """The bytes of the image of a sample.

        Raises:
            BadImageError: The table has none there.
            MissingImageError: The table names a file that does not exist.
        """
        row = int(self.rows[sample])
        try:
            with self._lock:
                if self._table is None:
                    assert self._place is not None, "the images travel with each task"
                    self._table = self._place.open()
                value = self._table.value(row, self._column)
        except (ImageLoomError, MemoryError, Warning):
            raise
        except Exception as error:  # each library raises errors of its own
            raise BadImageError(
                f"Row {row} of the table cannot be read: {type(error).__name__}: {error}"
            ) from error
        return _encoded(value, row, self._column)


def _encoded(value: Any, row: int, column: str) -> bytes:
    if isinstance(value, Mapping):
        content, path = value.get("bytes"), value.get("path")
        if content is None and isinstance(path, str) and path:
            return read_file(path, None)
        value = content
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    what = "nothing" if value is None else f"a {type(value).__name__}"
    raise BadImageError(
        f"Row {row} of the table has {what} in the column {column!r}, where the bytes of an image file "
        'are expected, or a record {"bytes": ..., "path": ...}.'
    )
