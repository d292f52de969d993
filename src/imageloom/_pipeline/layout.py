"""The arrays of a batch, and their places in the memory that holds them."""

from __future__ import annotations

import itertools
import math
import mmap
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imageloom._checks.values import as_dtype
from imageloom._pipeline.shortage import memory_told

__all__ = ["BatchLayout", "private_arrays"]

_PAGE: Final = 4096
_ALIGNMENT: Final = 64  # of every array: JAX copies arrays with less
_PROGRESS_NBYTES: Final = 64


@dataclass(frozen=True)
class BatchLayout:
    """The arrays of a batch and their places within a slot.

    ::

        images, `copies` times | masks, one array for each dtype | boxes or points | drawn | input rows
        | progress

    Attributes:
        rows: The number of samples of a full batch.
        row_shape: The shape of one image.
        dtype: The dtype of the images.
        copies: The number of arrays of this shape.
        raw_shape: The shape of an input row that the parent copies into the slot; None for none.
        raw_dtype: The dtype of input rows.
        mask_dtypes: The dtypes of the arrays of masks, which follow the images.
        mask_shape: The shape of one mask.
        drawn: For how many images of a sample there are arrays with what was drawn for them, in pairs
            of geometry and colours (see `unfinished`), if a device finishes the images.
        coordinates: The shape and the dtype of a row of each array of boxes or points.
    """

    rows: int
    row_shape: tuple[int, ...]
    dtype: str
    copies: int = 1
    raw_shape: tuple[int, ...] | None = None
    raw_dtype: str = "uint8"
    mask_dtypes: tuple[str, ...] = ()
    mask_shape: tuple[int, ...] = ()
    drawn: int = 0
    coordinates: tuple[tuple[tuple[int, ...], str], ...] = ()

    @cached_property
    def row_kinds(self) -> tuple[tuple[tuple[int, ...], str], ...]:
        """The shape and the dtype of a row of each array."""
        masks = [(self.mask_shape, dtype) for dtype in self.mask_dtypes]
        found = (*[(self.row_shape, self.dtype)] * self.copies, *masks, *self.coordinates)
        if not self.drawn:
            return found
        height, width = self.row_shape[:2]
        pair = [((2, 2 * (height + width)), "float32"), ((3,), "float32")]
        return (*found, *pair * self.drawn)

    def _array_nbytes(self, row_shape: tuple[int, ...], dtype: str) -> int:
        nbytes = self.rows * math.prod(row_shape) * as_dtype(dtype).itemsize
        return -(-nbytes // _ALIGNMENT) * _ALIGNMENT

    @cached_property
    def nbytes(self) -> int:
        """The size of a slot, a whole number of pages."""
        used = self._raw_offset
        if self.raw_shape is not None:
            used += self.rows * math.prod(self.raw_shape) * np.dtype(self.raw_dtype).itemsize
        return -(-(used + _PROGRESS_NBYTES) // _PAGE) * _PAGE

    def progress(self, buffer: mmap.mmap, offset: int) -> NDArray[np.int64]:
        """One number at the end of a slot, in which a worker notes the sample that it is working on."""
        return np.ndarray((1,), np.int64, buffer=buffer, offset=offset + self.nbytes - _PROGRESS_NBYTES)

    @cached_property
    def _offsets(self) -> tuple[int, ...]:
        """Where each array begins, and where the last one ends."""
        return (0, *itertools.accumulate(self._array_nbytes(*kind) for kind in self.row_kinds))

    @property
    def _raw_offset(self) -> int:
        return self._offsets[-1]

    def arrays(self, buffer: mmap.mmap, offset: int, rows: int) -> tuple[NDArray[Any], ...]:
        """Returns the arrays of the first `rows` samples over a buffer.

        Each array refers to the buffer itself, so a finalizer on it runs when the array, all its
        views and all its DLPack consumers are gone.
        """
        return tuple(
            np.ndarray((rows, *row_shape), as_dtype(dtype), buffer=buffer, offset=offset + begin)
            for (row_shape, dtype), begin in zip(self.row_kinds, self._offsets, strict=False)
        )

    def raw_rows(self, buffer: mmap.mmap, offset: int, rows: int) -> NDArray[Any] | None:
        """Returns the input rows of the first `rows` samples; None if there are none."""
        if self.raw_shape is None:
            return None
        shape = (rows, *self.raw_shape)
        return np.ndarray(shape, self.raw_dtype, buffer=buffer, offset=offset + self._raw_offset)


def private_arrays(layout: BatchLayout, rows: int) -> tuple[NDArray[Any], ...]:
    """Allocates the arrays of a batch for this process alone, aligned as in a slot.

    Raises:
        BatchMemoryError: There is no memory for them.
    """
    with memory_told():
        return tuple(_aligned((rows, *row_shape), dtype) for row_shape, dtype in layout.row_kinds)


def _aligned(shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
    found = as_dtype(dtype)
    memory = np.empty(math.prod(shape) * found.itemsize + _ALIGNMENT, np.uint8)
    address: int = memory.__array_interface__["data"][0]
    return np.ndarray(shape, found, buffer=memory.data, offset=-address % _ALIGNMENT)
