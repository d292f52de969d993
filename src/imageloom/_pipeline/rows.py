"""Images that lie in an array, one a row, and how a worker gets at them.

An array in memory stays where it is: of each batch, the raw rows alone are copied into the batch's own
slot of shared memory. A `numpy.memmap` is not copied at all: a pickled `ImageRows` carries the file's
name and place, and opens it again, read-only.
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
    """Rows of an array, of which pickling takes along no pixels.

    Attributes:
        shape: of the whole array.
        dtype: of the array, in NumPy's short notation.
        reopens: whether a copy in another process has access to the pixels.
    """

    def __init__(self, array: NDArray[Any]) -> None:
        """Refers to the array; copies nothing."""
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
        """Whether a copy of this object in another process can read the rows by itself."""
        return self._place is not None

    def __getitem__(self, index: int) -> NDArray[Any]:
        """One row, possibly read-only.

        Raises:
            MissingImageError, OSError: the file of a memmap is no longer there.
        """
        return self.array[index]  # type: ignore[no-any-return]

    def copy_rows(self, indices: NDArray[np.int64], out: NDArray[Any]) -> None:
        """Copies some rows into `out`, which has this array's dtype."""
        assert self._array is not None
        # With mode="raise" NumPy would go through a buffer of its own; the indices are ours.
        np.take(self._array, indices, axis=0, out=out, mode="clip")

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_array": None}

    def _reopen(self) -> NDArray[Any]:
        assert self._place is not None, "rows of an array in memory come with the batch"
        path, inode, offset, strides = self._place
        with open(path, "rb") as file:
            if os.fstat(file.fileno()).st_ino != inode:
                raise MissingImageError(
                    f"{path!r} is no longer the file that the memmap was made of; it was replaced."
                )
            memory = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        return np.ndarray(self.shape, self.dtype, buffer=memory, offset=offset, strides=strides)


def _place_in_file(array: NDArray[Any]) -> tuple[str, int, int, tuple[int, ...]] | None:
    """File, inode, offset of the first element and strides of a memmap or a view of one; else None."""
    if not isinstance(array, np.memmap) or array.mode not in _SHARED_MODES:
        return None
    mapping = getattr(array, "_mmap", None)
    filename = array.filename
    if mapping is None or filename is None or not os.path.isfile(filename):
        return None
    # `array.offset` is the offset of the memmap that a view was cut out of. The mapping itself starts
    # at the last page border before it.
    start = array.offset - array.offset % mmap.ALLOCATIONGRANULARITY
    base = np.frombuffer(mapping, np.uint8).__array_interface__["data"][0]
    address = array.__array_interface__["data"][0]
    if not base <= address < base + len(mapping):
        return None  # the result of some arithmetic, which NumPy still calls a memmap
    inode = _inode_if_same(filename, mapping, start)
    if inode is None:
        return None
    return os.path.abspath(filename), inode, start + address - base, array.strides


def _inode_if_same(filename: str, mapping: mmap.mmap, start: int) -> int | None:
    """The inode of a file if it still is what is mapped, going by samples of its content."""
    try:
        with open(filename, "rb") as file:
            for place in np.linspace(0, max(0, len(mapping) - _PAGE), _SAMPLED_PAGES).astype(int):
                file.seek(start + place)
                if file.read(_PAGE) != mapping[place : place + _PAGE]:
                    return None
            return os.fstat(file.fileno()).st_ino
    except OSError:
        return None
