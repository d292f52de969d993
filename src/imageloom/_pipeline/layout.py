"""The arrays of a batch, and where they lie in the memory that holds them."""

from __future__ import annotations

import math
import mmap
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["BatchLayout", "private_arrays"]

_PAGE: Final = 4096
_ALIGNMENT: Final = 64  # of every array: JAX takes others only as a copy
_CELL_NBYTES: Final = 64


@dataclass(frozen=True, slots=True)
class BatchLayout:
    """The arrays of a batch and where they lie within a slot.

    Attributes:
        rows: samples of a full batch.
        row_shape: shape of one image.
        dtype: dtype of the images.
        copies: number of arrays of this shape.
        mask_dtypes: dtypes of the arrays behind them, with rows of `mask_shape`.
        mask_shape: shape of one mask.
        raw_shape: shape of one row of input that the parent lays into the slot; None for none.
        raw_dtype: its dtype.
    """

    rows: int
    row_shape: tuple[int, ...]
    dtype: str
    copies: int = 1
    raw_shape: tuple[int, ...] | None = None
    raw_dtype: str = "uint8"
    mask_dtypes: tuple[str, ...] = ()
    mask_shape: tuple[int, ...] = ()

    @property
    def row_kinds(self) -> tuple[tuple[tuple[int, ...], str], ...]:
        """Shape and dtype of a row of each array."""
        masks = [(self.mask_shape, dtype) for dtype in self.mask_dtypes]
        return (*[(self.row_shape, self.dtype)] * self.copies, *masks)

    def _array_nbytes(self, row_shape: tuple[int, ...], dtype: str) -> int:
        nbytes = self.rows * math.prod(row_shape) * np.dtype(dtype).itemsize
        return -(-nbytes // _ALIGNMENT) * _ALIGNMENT

    @property
    def nbytes(self) -> int:
        """Bytes of a slot, a whole number of pages."""
        used = self._raw_offset
        if self.raw_shape is not None:
            used += self.rows * math.prod(self.raw_shape) * np.dtype(self.raw_dtype).itemsize
        return -(-(used + _CELL_NBYTES) // _PAGE) * _PAGE

    def sample_cell(self, buffer: mmap.mmap, offset: int) -> NDArray[np.int64]:
        """Where a worker writes which sample it is at, at the very end of the slot."""
        return np.ndarray((1,), np.int64, buffer=buffer, offset=offset + self.nbytes - _CELL_NBYTES)

    @property
    def _raw_offset(self) -> int:
        return sum(self._array_nbytes(*kind) for kind in self.row_kinds)

    def arrays(self, buffer: mmap.mmap, offset: int, rows: int) -> tuple[NDArray[Any], ...]:
        """Arrays of the first `rows` samples over a buffer.

        Each is made on the buffer itself: a finalizer on such an array fires when it, all its views
        and all DLPack consumers are gone.
        """
        arrays = []
        for row_shape, dtype in self.row_kinds:
            arrays.append(np.ndarray((rows, *row_shape), dtype, buffer=buffer, offset=offset))
            offset += self._array_nbytes(row_shape, dtype)
        return tuple(arrays)

    def raw_rows(self, buffer: mmap.mmap, offset: int, rows: int) -> NDArray[Any] | None:
        """The input rows of the first `rows` samples, if there are any."""
        if self.raw_shape is None:
            return None
        shape = (rows, *self.raw_shape)
        return np.ndarray(shape, self.raw_dtype, buffer=buffer, offset=offset + self._raw_offset)


def private_arrays(layout: BatchLayout, rows: int) -> tuple[NDArray[Any], ...]:
    """Fresh arrays of a batch that no other process needs to see, aligned as in a slot."""
    return tuple(_aligned((rows, *row_shape), dtype) for row_shape, dtype in layout.row_kinds)


def _aligned(shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
    memory = np.empty(math.prod(shape) * np.dtype(dtype).itemsize + _ALIGNMENT, np.uint8)
    return np.ndarray(shape, dtype, buffer=memory.data, offset=-memory.ctypes.data % _ALIGNMENT)
