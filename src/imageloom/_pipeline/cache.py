"""Caches decoded, resized pixels for later epochs; all workers share the cache.

::

    pixels    uint8 rows (samples, height, width, channels), the pixels before any hook
    marks     one number for each row: 0 while the row is empty, then its checksum

A process writes a row first and its mark afterwards. If it is killed in between, the row counts as
empty. Every process compares a row with its mark once before it uses the row, so even a page that
was lost in a power failure is only decoded again. Two processes that write the same row write the
same bytes.

The rows are in memory that is released with the iterator, or in a directory. There, `<name>.npy` is
a flat array that NumPy can open, `<name>.marks` contains the marks, and `<name>.json` the files, the
read options, what the program has changed in Pillow, and the versions of the libraries. If any of
these change, the files are created anew (see `cache_files`).
"""

from __future__ import annotations

import errno
import math
import mmap
import os
import threading
import weakref
import zlib
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import IO, Any, Final, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from imageloom._imaging.pillow_settings import loads_truncated

__all__ = ["MARK", "CachePlan", "CachedPixels", "DecodeAlways", "PixelStore", "open_store"]

MARK: Final = np.dtype(np.uint32)
Pixels = NDArray[np.uint8]


class PixelStore(Protocol):
    """Returns pixels by the number of the image."""

    def pixels(self, sample: int, decode: Callable[[], NDArray[Any]]) -> NDArray[Any]:
        """Returns the pixels of an image, maybe read-only; calls `decode` if they are not cached."""
        ...

    def holds(self, sample: int) -> bool:
        """Whether `pixels` will probably not have to decode the image."""
        ...


class DecodeAlways:
    """A store that caches nothing."""

    def pixels(self, sample: int, decode: Callable[[], NDArray[Any]]) -> NDArray[Any]:
        """Decodes the image."""
        del sample
        return decode()

    def holds(self, sample: int) -> bool:
        """Returns False."""
        del sample
        return False


@dataclass(frozen=True, slots=True)
class CachePlan:
    """Which images are cached, and where.

    Attributes:
        rows: How many images are cached, from the first one of the data set; the others are decoded
            each time.
        row_shape: The shape of an image, (height, width, channels).
        path: The path of the files in a directory, without suffix; None for memory.
        inode: The inode of the pixels' file. A file with another inode was created for another
            plan.
        truncated: Whether Pillow reads files that end too early. While it is otherwise, the cache is
            not used.
    """

    rows: int
    row_shape: tuple[int, int, int]
    path: str | None = None
    inode: int = -1
    truncated: bool = False

    @property
    def row_nbytes(self) -> int:
        """The size of one image."""
        return math.prod(self.row_shape)

    @property
    def nbytes(self) -> int:
        """The size of all rows and their marks."""
        return self.rows * (self.row_nbytes + MARK.itemsize)


class CachedPixels:
    """A store over the shared rows, in one process."""

    def __init__(
        self,
        plan: CachePlan,
        pixels: Pixels,
        marks: NDArray[np.uint32],
        put: Callable[[int, Pixels, int], None],
    ) -> None:
        """`put` writes a row and then its mark."""
        self._truncated = plan.truncated
        self._pixels = pixels
        self._marks = marks
        self._put = put
        self._trusted = np.zeros(len(marks), dtype=bool)
        self._full = False

    def pixels(self, sample: int, decode: Callable[[], NDArray[Any]]) -> NDArray[Any]:
        """Returns a cached row, or the image that `decode` returns, which is cached if it fits."""
        if sample >= len(self._marks) or loads_truncated() != self._truncated:
            return decode()
        mark, row = int(self._marks[sample]), cast(Pixels, self._pixels[sample])
        if mark and (self._trusted[sample] or _checksum(row) == mark):
            self._trusted[sample] = True
            return row
        image = decode()
        if not self._full and image.dtype == np.uint8 and image.shape == row.shape:
            self._keep(sample, np.ascontiguousarray(image))
        return image

    def holds(self, sample: int) -> bool:
        """Whether the row is marked; its content may still be wrong."""
        return sample < len(self._marks) and bool(self._marks[sample])

    def _keep(self, sample: int, image: Pixels) -> None:
        try:
            self._put(sample, image, _checksum(image))
        except OSError:  # the disk is full; the rows that were written before remain usable
            self._full = True


def _checksum(row: Pixels) -> int:
    return zlib.crc32(row.data) or 1


def open_store(plan: CachePlan | None, memory: mmap.mmap | None = None) -> PixelStore:
    """Opens the store of a plan in this process; `memory` is the memory that workers share."""
    if plan is None or plan.rows == 0:
        return DecodeAlways()
    if plan.path is None:
        return _in_memory(plan, mmap.mmap(-1, plan.nbytes) if memory is None else memory)
    try:
        return _in_directory(plan)
    except OSError:  # somebody has deleted the files
        return DecodeAlways()


def _in_memory(plan: CachePlan, memory: mmap.mmap) -> CachedPixels:
    """Opens the store over `plan.nbytes` of memory, which contains zeros at first."""
    shape = (plan.rows, *plan.row_shape)
    pixels: Pixels = np.ndarray(shape, np.uint8, buffer=memory, offset=plan.rows * MARK.itemsize)
    marks: NDArray[np.uint32] = np.ndarray((plan.rows,), MARK, buffer=memory)

    def put(sample: int, image: Pixels, mark: int) -> None:
        pixels[sample] = image
        marks[sample] = mark

    return CachedPixels(plan, pixels, marks, put)


def _in_directory(plan: CachePlan) -> PixelStore:
    with ExitStack() as files:
        pixels_file = files.enter_context(_open_file(f"{plan.path}.npy"))
        marks_file = files.enter_context(_open_file(f"{plan.path}.marks"))
        status, marks_status = (os.fstat(file.fileno()) for file in (pixels_file, marks_file))
        header = status.st_size - plan.rows * plan.row_nbytes
        if (
            status.st_ino != plan.inode
            or header < 0
            or marks_status.st_size != plan.rows * MARK.itemsize
        ):
            return DecodeAlways()  # another program has created them anew for another plan
        mapped = mmap.mmap(pixels_file.fileno(), 0, access=mmap.ACCESS_READ)
        mapped_marks = mmap.mmap(marks_file.fileno(), 0, access=mmap.ACCESS_READ)
        kept_open = files.pop_all()
    pixels: Pixels = np.ndarray((plan.rows, *plan.row_shape), np.uint8, buffer=mapped, offset=header)
    marks: NDArray[np.uint32] = np.ndarray((plan.rows,), MARK, buffer=mapped_marks)
    writer = _Writer(pixels_file, marks_file, header, plan.row_nbytes)
    weakref.finalize(writer, kept_open.close)
    return CachedPixels(plan, pixels, marks, writer.put)


def _open_file(path: str) -> IO[bytes]:
    """Opens a file for writing or, if it is read-only, for reading."""
    try:
        return open(path, "r+b", buffering=0)
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise
        return open(path, "rb", buffering=0)


class _Writer:
    """Writes with `write`: with the mapping, a full disk would be a signal and not an error."""

    def __init__(self, pixels: IO[bytes], marks: IO[bytes], header: int, row_nbytes: int) -> None:
        self._pixels = pixels
        self._marks = marks
        self._header = header
        self._row_nbytes = row_nbytes
        self._lock = threading.Lock()

    def put(self, sample: int, image: Pixels, mark: int) -> None:
        with self._lock:
            _write_at(self._pixels, self._header + sample * self._row_nbytes, image.tobytes())
            _write_at(self._marks, sample * MARK.itemsize, MARK.type(mark).tobytes())


def _write_at(file: IO[bytes], offset: int, content: bytes) -> None:
    file.seek(offset)
    if file.write(content) != len(content):
        raise OSError("could write only a part of a row")
