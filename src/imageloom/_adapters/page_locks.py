"""Locks the memory of batches in place, so that a GPU copies from it while the program goes on.

The slots of worker processes are used again and again, so each is locked once, when the first batch in
it is moved. The arrays of a slot begin at its start, which is that of a page.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

import numpy as np

__all__ = ["PageLocks"]


class PageLocks:
    """The locked slots of one mapping.

    They are unlocked when another mapping takes its place, and by `release`. Until then, they keep the
    mapping alive: its addresses must not be given to something else while they are locked.
    """

    def __init__(self, runtime: Any, forget_error: Callable[[], object]) -> None:
        """Locks nothing yet.

        Args:
            runtime: has the functions `cudaHostRegister` and `cudaHostUnregister`.
            forget_error: called when CUDA has refused, because its next function would report that.
        """
        self._runtime = runtime
        self._forget_error = forget_error
        self._memory: mmap.mmap | None = None
        self._locked: dict[int, int] = {}  # the sizes of the locked regions, by address
        self._works = True

    def lock(self, arrays: Iterable[np.ndarray[Any, Any]]) -> bool:
        """Locks the slot that holds these arrays of a batch; returns whether it is locked."""
        mapped = [(array, memory) for array in arrays if (memory := _mapping(array)) is not None]
        if not mapped or not self._works:
            return False
        memory, inside = mapped[0][1], [array for array, _ in mapped]
        if memory is not self._memory:
            self.release()
            self._memory = memory
        first = min(array.ctypes.data for array in inside)
        start = first - first % mmap.PAGESIZE
        end = max(array.ctypes.data + array.nbytes for array in inside)
        return self._lock(start, -(-(end - start) // mmap.PAGESIZE) * mmap.PAGESIZE)

    def _lock(self, start: int, nbytes: int) -> bool:
        locked = self._locked.get(start, 0)
        if nbytes <= locked:
            return True
        if locked:  # by a batch with fewer samples, whose copy has ended
            self._unlock(start)
        # A limit of locked memory, a sandbox or another driver may refuse; it will do so again.
        try:
            self._works = int(self._runtime.cudaHostRegister(start, nbytes, 0)) == 0
        except (RuntimeError, TypeError, ValueError):
            self._works = False
        if self._works:
            self._locked[start] = nbytes
        else:
            with suppress(RuntimeError):
                self._forget_error()
        return self._works

    def _unlock(self, start: int) -> None:
        del self._locked[start]
        with suppress(RuntimeError):  # the device has gone
            self._runtime.cudaHostUnregister(start)

    def release(self) -> None:
        """Unlocks everything; nothing may be copied from there any more."""
        for start in tuple(self._locked):
            self._unlock(start)
        self._memory = None


def _mapping(array: np.ndarray[Any, Any]) -> mmap.mmap | None:
    memory: Any = array.base  # for NumPy's annotations, it is another array
    return memory if isinstance(memory, mmap.mmap) else None
