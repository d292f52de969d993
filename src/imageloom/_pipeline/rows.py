"""Images that are the rows of an array, and how workers access them.

An array in memory is not sent to workers. Instead, the rows of each batch are copied into the
batch's slot of shared memory. A `numpy.memmap` is not copied at all: a pickled `ImageRows` contains
the name of the file and the place in it, and opens the file again, read-only.

A mapped file that has become shorter is a signal that ends the program, so the rows of a memmap are
read from its file instead. Where that is not possible (the file has been deleted, the changes belong
to this process alone, a row is scattered over the file), the size of the file is compared first.
"""

from __future__ import annotations

import math
import mmap
import os
import weakref
from contextlib import ExitStack
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imageloom._errors import BadImageError, MissingImageError
from imageloom._pipeline.shortage import memory_told
from imageloom._storage.parts import FileParts
from imageloom._storage.refusals import close_quietly, refused

__all__ = ["ImageRows", "check_mapped"]

_PAGE: Final = 4096
_SAMPLED_PAGES: Final = 16
_SCATTERED: Final = 4  # a row that takes so many times its size in the file is not read, but mapped
_SHARED_MODES: Final = ("r", "r+", "w+")  # "c" keeps its changes to this process


class ImageRows:
    """The rows of an array. A pickle of it contains no pixels.

    Attributes:
        shape: The shape of the array, with the rows that count.
        dtype: The dtype of the array, in NumPy's short notation.
        picks: Which rows of it count, in this order, if not all of them do; else None.
    """

    def __init__(self, array: NDArray[Any], picks: NDArray[np.int64] | None = None) -> None:
        """Keeps a reference to the array, not a copy; `picks` are its rows that count, or None."""
        self._array: NDArray[Any] | None = array
        self.picks = picks
        self._whole_shape: tuple[int, ...] = array.shape
        self.shape = array.shape if picks is None else (len(picks), *array.shape[1:])
        self.dtype = array.dtype.str
        self._place = _place_in_file(array)
        self._is_mapped = _mapping_of(array)[0] is not None
        self._parts: FileParts | None = None

    @property
    def array(self) -> NDArray[Any]:
        """The array itself; a copy of the rows that count, unless all of them do.

        Raises:
            BadImageError: The file of a memmap has become too short.
        """
        return self._whole() if self.picks is None else self._whole()[self.picks]

    def _whole(self) -> NDArray[Any]:
        if self._array is None:
            self._array = self._reopen()
        if self._is_mapped:
            check_mapped(self._array, name=self._place and self._place[0])
        return self._array

    @property
    def reopens(self) -> bool:
        """Whether a copy of this object in another process can open the file of the array."""
        return self._place is not None

    def __getitem__(self, index: int) -> NDArray[Any]:
        """Returns one row, which may be read-only.

        Raises:
            MissingImageError: The file of a memmap is no longer there.
            StorageError: The system refuses to open or to read it.
            BadImageError: It has become too short.
        """
        if self.picks is not None:
            index = int(self.picks[index])
        row = self._read(index)
        if row is None:
            row = self._whole()[index]
            if self._is_mapped:
                row = row.copy()  # before anybody makes the file shorter
        return row

    def some(self, indices: NDArray[np.int64]) -> NDArray[Any]:
        """Returns a copy of some rows."""
        whole: NDArray[Any] = self._whole()
        return whole[indices if self.picks is None else self.picks[indices]]

    def copy_rows(self, indices: NDArray[np.int64], out: NDArray[Any]) -> None:
        """Copies some rows into `out`, which has the dtype of this array."""
        assert self._array is not None
        if self.picks is not None:
            indices = self.picks[indices]
        # With mode="raise" NumPy would use a buffer. The indices come from this library, so they
        # fit.
        np.take(self._whole(), indices, axis=0, out=out, mode="clip")

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_array": None, "_parts": None}

    def _read(self, index: int) -> NDArray[Any] | None:
        """Reads a row from the file of a memmap; returns None if it has to be taken from the array."""
        if self._place is None:
            return None
        path, _, offset, strides = self._place
        ends = [stride * (count - 1) for stride, count in zip(strides[1:], self.shape[1:], strict=True)]
        before = -sum(end for end in ends if end < 0)
        dtype = np.dtype(self.dtype)
        span = before + sum(end for end in ends if end > 0) + dtype.itemsize
        if min(self.shape) == 0 or span > _SCATTERED * dtype.itemsize * math.prod(self.shape[1:]):
            return None
        parts = self._opened()
        if parts is None:
            return None
        content = np.empty(span, np.uint8)
        try:
            whole = parts.read(offset + index * strides[0] - before, content)
        except OSError as error:
            raise refused(error, f"Could not read row {index} from {path!r}") from error
        if not whole:
            raise _too_short(path)
        row: NDArray[Any] = np.ndarray(
            self.shape[1:], dtype, buffer=content.data, offset=before, strides=strides[1:]
        )
        row.flags.writeable = False
        return row

    def _opened(self) -> FileParts | None:
        """Opens the file; returns None if only the mapping of this process still has it."""
        if self._parts is None:
            try:
                self._parts = self._open()
            except OSError:  # that of another file included
                if self._array is None:
                    raise
                self._place = None
        return self._parts

    def _open(self) -> FileParts:
        assert self._place is not None, "the rows of an array in memory are sent with each batch"
        path, inode, *_ = self._place
        with ExitStack() as opened:
            try:
                file = opened.enter_context(open(path, "rb", buffering=0))
                found = os.fstat(file.fileno()).st_ino
            except OSError as error:
                raise _not_opened(path, error) from error
            if found != inode:
                raise MissingImageError(
                    f"{path!r} is no longer the file that the memmap was created from, because it has "
                    "been replaced. Create the memmap and the iterator again."
                )
            opened.pop_all()  # it stays open as long as the parts
        parts = FileParts(file)
        weakref.finalize(parts, close_quietly, file)
        return parts

    def _reopen(self) -> NDArray[Any]:
        """Maps the file again."""
        parts = self._parts or self._open()
        assert self._place is not None
        path, _, offset, strides = self._place
        try:
            memory = mmap.mmap(parts.file.fileno(), 0, access=mmap.ACCESS_READ)
        except OSError as error:
            raise _not_opened(path, error) from error
        try:
            return np.ndarray(
                self._whole_shape, self.dtype, buffer=memory, offset=offset, strides=strides
            )
        except (TypeError, ValueError) as error:  # the buffer is too small
            raise _too_short(path) from error


def _not_opened(path: str, error: OSError) -> OSError:
    if isinstance(error, FileNotFoundError):
        return MissingImageError(
            f"{path!r}, the file of the memmap, is no longer there. Put it back, or create the memmap "
            "and the iterator again."
        )
    return refused(error, f"Could not open {path!r}, the file of the memmap")


def check_mapped(*arrays: NDArray[Any] | None, name: str | None = None) -> None:
    """Raises an error if a file that one of the arrays maps has become too short.

    Args:
        *arrays: The arrays.
        name: The file, if the arrays are no `numpy.memmap`, which knows it.

    Raises:
        BadImageError: Reading the array would end the program.
    """
    for array in arrays:
        mapping, memmap = (None, None) if array is None else _mapping_of(array)
        start = 0 if memmap is None else _start_of(memmap)
        if mapping is not None and mapping.size() < start + len(mapping):
            if memmap is not None and memmap.filename is not None:
                name = os.path.abspath(memmap.filename)
            raise _too_short(name or "a mapped file")


def _too_short(path: str) -> BadImageError:
    return BadImageError(
        f"{path!r} is shorter than the memmap of it, because it has been changed. Write the file "
        "again, and create the memmap and the iterator again."
    )


def _start_of(array: np.memmap[Any, Any]) -> int:
    """Returns where the mapping of a memmap, or of a view of one, begins in its file.

    `array.offset` is the offset of the memmap that a view was taken of. The mapping itself starts at
    the last page border before it.
    """
    return array.offset - array.offset % mmap.ALLOCATIONGRANULARITY


@memory_told()
def _place_in_file(array: NDArray[Any]) -> tuple[str, int, int, tuple[int, ...]] | None:
    """Returns where the elements of a memmap, or of a view of one, are in its file; else None.

    Returns:
        The path, its inode, the offset of the first element and the strides.
    """
    if not isinstance(array, np.memmap) or array.mode not in _SHARED_MODES:
        return None
    mapping, _ = _mapping_of(array)
    filename = array.filename
    if mapping is None or filename is None or not os.path.isfile(filename):
        return None
    check_mapped(array)
    start = _start_of(array)
    base = np.frombuffer(mapping, np.uint8).__array_interface__["data"][0]
    address = array.__array_interface__["data"][0]
    if not base <= address < base + len(mapping):
        return None  # the result of arithmetic, for which NumPy returns a memmap too
    inode = _inode_if_same(filename, mapping, start)
    if inode is None:
        return None
    return os.path.abspath(filename), inode, start + address - base, array.strides


def _mapping_of(array: NDArray[Any]) -> tuple[mmap.mmap | None, np.memmap[Any, Any] | None]:
    """Returns the mapping that an array is a view of, and its memmap; None for arrays in memory."""
    base: object = array
    memmap = None
    while isinstance(base, np.ndarray):
        memmap = base if isinstance(base, np.memmap) else memmap
        base = base.base
    return (base, memmap) if isinstance(base, mmap.mmap) else (None, None)


def _inode_if_same(filename: str, mapping: mmap.mmap, start: int) -> int | None:
    """Returns the inode of a file if samples of its content are equal to what is mapped; else None."""
    try:
        with open(filename, "rb") as file:
            for place in np.linspace(0, max(0, len(mapping) - _PAGE), _SAMPLED_PAGES).astype(int):
                file.seek(start + place)
                if file.read(_PAGE) != mapping[place : place + _PAGE]:
                    return None
            return os.fstat(file.fileno()).st_ino
    except OSError:
        return None
