"""Arrays that lie in files and stores: HDF5, zarr, and whatever else is read by slices.

Such an array is never read as a whole. Other processes open it again: an HDF5 data set by the name of
its file and its own, everything else by its pickle, if that is small, as that of a zarr array is. What
cannot be opened again, such as a file that is open for writing, is read by the program alone.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from imageloom._addresses import with_address
from imageloom._errors import BadImageError, ImageLoomError, InvalidArgumentError, MissingImageError
from imageloom._locks import Lock
from imageloom._storage.reopening import Place, pickled_if_small

__all__ = ["StoredArray", "is_stored"]

# Libraries whose arrays are in memory, or on a device: NumPy takes them as they are.
_IN_MEMORY: Final = frozenset(
    {"numpy", "torch", "tensorflow", "tf_keras", "keras", "jax", "jaxlib", "cupy", "mlx", "pandas"}
    | {"polars", "PIL", "scipy", "ray"}
)


def is_stored(value: Any) -> bool:
    """Whether a value is an array that is read by slices, and not one in memory."""
    if isinstance(value, StoredArray):
        return True
    kind = type(value)
    if isinstance(value, np.ndarray) or hasattr(kind, "__array_interface__"):
        return False
    if {base.__module__.partition(".")[0] for base in kind.__mro__} & _IN_MEMORY:
        return False
    shape = getattr(value, "shape", None)
    if not isinstance(shape, tuple) or not shape or not hasattr(kind, "__getitem__"):
        return False
    return all(isinstance(side, (int, np.integer)) for side in shape) and _dtype_of(value) is not None


@dataclass(frozen=True, slots=True)
class _InHdf5:
    """A data set of an HDF5 file, which is the same file as long as it has the inode."""

    path: str
    name: str
    inode: int

    def open(self) -> Any:
        import h5py

        if not os.path.isfile(self.path):
            raise MissingImageError(f"The file {self.path!r} does not exist any more.")
        if os.stat(self.path).st_ino != self.inode:
            raise MissingImageError(
                f"{self.path!r} is no longer the file that was given, because it has been replaced. "
                "Open it and make the iterator again."
            )
        return h5py.File(self.path, "r")[self.name]


class StoredArray:
    """Some rows of an array in a file or a store.

    Taking a slice, or several rows by an array of their numbers, reads nothing: it gives another
    `StoredArray`. A single row, `read` and `np.asarray` read.

    Attributes:
        shape: the shape, as of an array of NumPy.
        dtype: the dtype.
        ndim: the number of axes.
        reopens: whether a copy in another process can open the array.
        what: the array in words.
    """

    def __init__(self, array: Any, rows: range | NDArray[np.int64] | None = None) -> None:
        """Takes all rows of an array, or some of them.

        Raises:
            InvalidArgumentError: the file is closed.
        """
        self._whole: Any = array
        self.what = _in_words(array)
        if _is_hdf5(array) and not array:
            raise InvalidArgumentError(f"`x` is {self.what}, which is closed: open its file again.")
        self._rows = range(int(array.shape[0])) if rows is None else rows
        self._row_shape = tuple(int(side) for side in array.shape[1:])
        dtype = _dtype_of(array)
        assert dtype is not None
        self.dtype: np.dtype[Any] = dtype
        self._chunk = _rows_per_chunk(array)
        self._place = _place_of(array)
        self._pid = os.getpid()
        self._lock = Lock()

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape."""
        return (len(self._rows), *self._row_shape)

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return 1 + len(self._row_shape)

    @property
    def nbytes(self) -> int:
        """The size of all of it."""
        return int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize

    @property
    def reopens(self) -> bool:
        """Whether a copy in another process can open the array."""
        return self._place is not None

    def __len__(self) -> int:
        """The number of rows."""
        return len(self._rows)

    def __iter__(self) -> Iterator[NDArray[Any]]:
        """Yields one row after the other."""
        return (self[number] for number in range(len(self)))

    def __getitem__(self, key: Any) -> Any:
        """Returns a row, or the `StoredArray` of several rows."""
        if isinstance(key, (int, np.integer)):
            if not -len(self) <= key < len(self):
                raise with_address(
                    IndexError(f"{self.what} has {len(self)} rows; row {key} was asked for.")
                )
            return self.read(np.array([key % len(self)]))[0]
        if isinstance(key, slice):
            return self._of(self._rows[key])
        if isinstance(key, (list, np.ndarray)):
            return self._of(np.asarray(self._rows)[np.asarray(key)])
        return np.asarray(self)[key]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Reads all rows."""
        del copy
        found = self.read(np.arange(len(self)))
        return found if dtype is None else found.astype(dtype, copy=False)

    def __repr__(self) -> str:
        return f"<{self.shape[0]} rows of {self.what}, shape {self.shape}, dtype {self.dtype}>"

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_whole": None, "_lock": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._lock = Lock()

    def _of(self, rows: range | NDArray[np.int64]) -> Self:
        part = object.__new__(type(self))
        part.__dict__.update(self.__dict__)
        part._rows = rows
        return part

    def read(self, numbers: NDArray[np.int64], out: NDArray[Any] | None = None) -> NDArray[Any]:
        """Reads some rows, each once and in the order in which they lie in the file.

        Args:
            numbers: which rows, in any order and with any repetitions.
            out: where to write them; None for a new array.

        Raises:
            BadImageError: they cannot be read, or have another shape than the array says.
            MissingImageError: the file is no longer there.
        """
        places = np.asarray(self._rows, np.int64)[np.asarray(numbers, np.int64)]
        if out is None:
            out = np.empty((len(places), *self._row_shape), self.dtype)
        wanted, inverse = np.unique(places, return_inverse=True)
        with self._lock:  # HDF5 reads for one thread at a time, and other libraries may not be told
            for first, last in self._runs(wanted):
                part = self._slice(int(wanted[first]), int(wanted[last - 1]) + 1)
                inside = (inverse >= first) & (inverse < last)
                out[inside] = part[places[inside] - wanted[first]]
        return out

    def _runs(self, wanted: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
        """Yields what to read at once: rows that follow each other, or lie in the same chunk."""
        first = 0
        for place in range(1, len(wanted) + 1):
            if place < len(wanted):
                before, here = int(wanted[place - 1]), int(wanted[place])
                if here == before + 1 or here // self._chunk == before // self._chunk:
                    continue
            if place > first:
                yield first, place
            first = place

    def _slice(self, start: int, stop: int) -> NDArray[Any]:
        which = f"row {start}" if stop == start + 1 else f"rows {start} to {stop - 1}"
        try:
            part = np.asarray(self._opened()[start:stop])
        except (ImageLoomError, MemoryError, Warning):
            raise
        except Exception as error:  # each library raises errors of its own
            raise BadImageError(
                f"Could not read {which} of {self.what}: {type(error).__name__}: {error}"
            ) from error
        if part.shape != (stop - start, *self._row_shape):
            raise BadImageError(
                f"{which.capitalize()} of {self.what} have the shape {part.shape} instead of "
                f"{(stop - start, *self._row_shape)}."
            )
        return part

    def _opened(self) -> Any:
        """The array in this process."""
        is_open = self._whole is not None and not (_is_hdf5(self._whole) and not self._whole)
        if self._place is not None and (not is_open or self._pid != os.getpid()):
            self._whole, self._pid = self._place.open(), os.getpid()
        elif not is_open:
            raise BadImageError(
                f"{self.what} is closed, and cannot be opened again: keep its file open while batches "
                "are read."
            )
        return self._whole


def _dtype_of(array: Any) -> np.dtype[Any] | None:
    given = getattr(array, "dtype", None)
    for dtype in (given, getattr(given, "numpy_dtype", None)):
        try:
            if dtype is not None:
                found: np.dtype[Any] = np.dtype(dtype)
                return found
        except TypeError:
            continue
    return None


def _is_hdf5(array: Any) -> bool:
    return type(array).__module__.partition(".")[0] == "h5py"


def _in_words(array: Any) -> str:
    if _is_hdf5(array) and array:
        return f"{array.name!r} of {array.file.filename!r}"
    kind = type(array)
    store = getattr(array, "store_path", None) or getattr(array, "path", None)
    return f"a {kind.__module__.partition('.')[0]}.{kind.__name__}{f' in {store}' if store else ''}"


def _rows_per_chunk(array: Any) -> int:
    """How many rows are read together anyway."""
    chunks = getattr(array, "chunks", None)
    first = chunks[0] if isinstance(chunks, tuple) and chunks else 1
    return max(1, first) if isinstance(first, int) else 1


def _place_of(array: Any) -> Place | None:
    """Where another process finds an array; None if only this one has it."""
    if _is_hdf5(array):
        file = array.file
        path = os.path.abspath(os.fsdecode(file.filename))
        # A file that is written may not be complete, and HDF5 locks it.
        if file.mode != "r" or array.name is None or not os.path.isfile(path):
            return None
        return _InHdf5(path, array.name, os.stat(path).st_ino)
    return pickled_if_small(array)
