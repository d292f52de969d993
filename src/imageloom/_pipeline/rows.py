"""Images that are the rows of an array, and how workers access them.

An array in memory is not sent to workers. Instead, the rows of each batch are copied into the
batch's slot of shared memory. A `numpy.memmap` is not copied at all: a pickled `ImageRows` contains
the name of the file and the place in it, and opens the file again, read-only.
"""

from __future__ import annotations

import mmap
import os
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imageloom._errors import MissingImageError

__all__ = ["ImageRows"]

_PAGE: Final = 4096
_SAMPLED_PAGES: Final = 16
_SHARED_MODES: Final = ("r", "r+", "w+")  # "c" keeps its changes to this process


class ImageRows:
    """The rows of an array. A pickle of it contains no pixels.

    Attributes:
        shape: The shape of the whole array.
        dtype: The dtype of the array, in NumPy's short notation.
    """

    def __init__(self, array: NDArray[Any]) -> None:
        """Keeps a reference to the array, not a copy."""
        self._array: NDArray[Any] | None = array
        self.shape: tuple[int, ...] = array.shape
        self.dtype = array.dtype.str
        self._place = _place_in_file(array)

    @property
    def array(self) -> NDArray[Any]:
        """The whole array."""
        if self._array is None:
            self._array = self._reopen()
        return self._array

    @property
    def reopens(self) -> bool:
        """Whether a copy of this object in another process can open the file of the array."""
        return self._place is not None

    def __getitem__(self, index: int) -> NDArray[Any]:
        """Returns one row, which may be read-only.

        Raises:
            MissingImageError, OSError: The file of a memmap is no longer there.
        """
        row: NDArray[Any] = self.array[index]
        return row

    def copy_rows(self, indices: NDArray[np.int64], out: NDArray[Any]) -> None:
        """Copies some rows into `out`, which has the dtype of this array."""
        assert self._array is not None
        # With mode="raise" NumPy would use a buffer. The indices come from this library, so they
        # fit.
        np.take(self._array, indices, axis=0, out=out, mode="clip")

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_array": None}

    def _reopen(self) -> NDArray[Any]:
        assert self._place is not None, "the rows of an array in memory are sent with each batch"
        path, inode, offset, strides = self._place
        with open(path, "rb") as file:
            if os.fstat(file.fileno()).st_ino != inode:
                raise MissingImageError(
                    f"{path!r} is no longer the file that the memmap was created from, because it has "
                    "been replaced. Create the memmap and the iterator again."
                )
            memory = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        return np.ndarray(self.shape, self.dtype, buffer=memory, offset=offset, strides=strides)


def _place_in_file(array: NDArray[Any]) -> tuple[str, int, int, tuple[int, ...]] | None:
    """Returns where the elements of a memmap, or of a view of one, are in its file; else None.

    Returns:
        The path, its inode, the offset of the first element and the strides.
    """
    if not isinstance(array, np.memmap) or array.mode not in _SHARED_MODES:
        return None
    mapping = _mapping_of(array)
    filename = array.filename
    if mapping is None or filename is None or not os.path.isfile(filename):
        return None
    # `array.offset` is the offset of the memmap that a view was taken of. The mapping itself starts
    # at the last page border before it.
    start = array.offset - array.offset % mmap.ALLOCATIONGRANULARITY
    base = np.frombuffer(mapping, np.uint8).__array_interface__["data"][0]
    address = array.__array_interface__["data"][0]
    if not base <= address < base + len(mapping):
        return None  # the result of arithmetic, for which NumPy returns a memmap too
    inode = _inode_if_same(filename, mapping, start)
    if inode is None:
        return None
    return os.path.abspath(filename), inode, start + address - base, array.strides


def _mapping_of(array: NDArray[Any]) -> mmap.mmap | None:
    """Returns the mapping of a memmap or of a view of one; None for arrays in memory."""
    base: object = array
    while isinstance(base, np.ndarray):
        base = base.base
    return base if isinstance(base, mmap.mmap) else None


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
