"""Reads parts of local files without mapping them.

A mapped file that becomes shorter, or whose file system is full when a hole of it is read, ends the
program with a bus error. Reading it says how many bytes there are.
"""

from __future__ import annotations

import os
from typing import IO, Any

from numpy.typing import NDArray

from imageloom._locks import Lock

__all__ = ["FileParts"]


class FileParts:
    """An open file of which several threads read parts.

    Attributes:
        file: the file, which must have no buffer.
        lock: whoever moves the position of the file holds it.
    """

    def __init__(self, file: IO[bytes]) -> None:
        """Reads from `file`, which the caller closes."""
        self.file = file
        self.lock = Lock()

    def read(self, offset: int, out: NDArray[Any]) -> bool:
        """Fills an array, which is contiguous, with the bytes from `offset` on.

        Returns:
            Whether the file has so many.

        Raises:
            OSError: it cannot be read.
        """
        left = out.data.cast("B") if out.size else memoryview(b"")
        while len(left):
            count = self._read_some(offset, left)
            if count == 0:
                return False
            offset, left = offset + count, left[count:]
        return True

    def _read_some(self, offset: int, out: Any) -> int:
        if hasattr(os, "preadv"):
            return os.preadv(self.file.fileno(), [out], offset)
        with self.lock:
            self.file.seek(offset)
            return int(self.file.readinto(out))  # type: ignore[attr-defined]
