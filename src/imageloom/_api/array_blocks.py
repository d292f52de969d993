"""Reads an array that does not lie in memory block by block, for `fit`."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imageloom._pipeline.rows import ImageRows
from imageloom._storage.stored_arrays import StoredArray

__all__ = ["blocks_of", "scaled"]

_NBYTES: Final = 16 * 2**20  # of a block


def blocks_of(x: Any, dtype: str, factor: float, rounds: int) -> Iterator[NDArray[Any]]:
    """The images of a memory-mapped or stored array in blocks, `rounds` times from its start.

    Args:
        x: the array (n, ...).
        dtype: the dtype of the blocks.
        factor: what the values are multiplied by.
        rounds: how often all images come.
    """
    row_nbytes = max(1, math.prod(x.shape[1:]) * np.dtype(dtype).itemsize)
    count = max(1, _NBYTES // row_nbytes)
    read = _read_rows(x) if isinstance(x, np.memmap) else _read_slice(x)
    for _ in range(rounds):
        for first in range(0, x.shape[0], count):
            block = read(first, min(first + count, x.shape[0]))
            yield scaled(np.array(block, dtype=dtype), factor)


def _read_rows(x: np.memmap[Any, Any]) -> Callable[[int, int], NDArray[Any]]:
    rows = ImageRows(x)  # reads, so that the file does not fill the memory
    return lambda first, end: np.stack([rows[n] for n in range(first, end)])


def _read_slice(x: Any) -> Callable[[int, int], NDArray[Any]]:
    stored = x if isinstance(x, StoredArray) else StoredArray(x)
    return lambda first, end: np.asarray(stored[first:end])


def scaled(images: NDArray[Any], factor: float) -> NDArray[Any]:
    """The images, which are multiplied in place unless the factor is 1."""
    if factor != 1:
        images *= factor
    return images
