"""Images that are the rows of an array in a file or a store, of which each batch reads its own."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from imageloom._storage.stored_arrays import StoredArray

__all__ = ["StoredRows"]


class StoredRows:
    """The rows of a stored array, as `ImageRows` are those of an array in memory.

    Attributes:
        array: the array.
        shape: its shape.
        dtype: its dtype, in NumPy's short notation.
        picks: None, because the array has the rows that count, and no others.
    """

    picks: None = None

    def __init__(self, array: StoredArray) -> None:
        """Reads nothing."""
        self.array = array
        self.shape = array.shape
        self.dtype = array.dtype.str

    @property
    def reopens(self) -> bool:
        """Whether a copy of this object in another process can open the array."""
        return self.array.reopens

    def __getitem__(self, index: int) -> NDArray[Any]:
        """Reads one row.

        Raises:
            BadImageError: it cannot be read.
        """
        row: NDArray[Any] = self.array[index]
        return row

    def some(self, indices: NDArray[np.int64]) -> NDArray[Any]:
        """Reads some rows."""
        return self.array.read(indices)

    def batch(self, indices: NDArray[np.int64]) -> NDArray[Any]:
        """Reads the rows of a batch at once.

        Raises:
            BadImageError: one of them cannot be read.
        """
        return self.array.read(indices)

    def copy_rows(self, indices: NDArray[np.int64], out: NDArray[Any]) -> None:
        """Reads some rows into `out`, which has the dtype of the array.

        Raises:
            BadImageError: one of them cannot be read.
        """
        self.array.read(indices, out)
