"""Caches decoded, resized pixels for later epochs; all workers share the cache.

::

    pixels    uint8 rows (samples, height, width, channels), the pixels before any hook
    marks     one number for each row: 0 while the row is empty, then its checksum

A process writes a row first and its mark afterwards. If it is killed in between, the row counts as
empty. Every process compares a row with its mark once before it uses the row, so even a page that
was lost in a power failure is only decoded again. In memory, it can only happen that a processor shows
the mark to another one before it shows all of the row, for which a sum of words is enough: it takes a
quarter of the time of a CRC. Two processes that write the same row write the same bytes.

The rows are in memory that is released with the iterator, and that does not grow any more once memory
becomes scarce, or in a directory, whose files are read and
written and never mapped: with a mapping, a full file system or a file that somebody makes shorter would
be a signal that ends the program, and not an error. There, `<name>.npy` is
a flat array that NumPy can open, `<name>.marks` contains the marks, and `<name>.json` the files, the
read options, what the program has changed in Pillow, and the versions of the libraries. If any of
these change, the files are created anew (see `cache_files`).
"""

from __future__ import annotations

import errno
import math
import mmap
import os
import weakref
import zlib
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import IO, Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from imageloom._imaging.pillow_settings import loads_truncated
from imageloom._locks import Lock
from imageloom._machine import free_memory
from imageloom._pipeline.cache_promises import MARK, note_memory
from imageloom._storage.in_use import hold
from imageloom._storage.parts import FileParts

__all__ = ["MARK", "CachePlan", "CachedPixels", "DecodeAlways", "PixelStore", "open_store"]

_LEFT_FREE: Final = 64 * 2**20  # bytes that a cache in memory does not take, whatever it was promised
_WORD: Final = np.dtype(np.uint64)
_CHECKED_NBYTES: Final = 16 * 2**20  # of rows, after which it asks what is free
Pixels = NDArray[np.uint8]


class PixelStore(Protocol):
    """Returns pixels by the number of the image.

    Attributes:
        sizes: The (height, width) of images in their files, of those that somebody has asked for.
    """

    sizes: dict[int, tuple[int, int]]

    def pixels(self, sample: int, decode: Callable[[], NDArray[Any]]) -> NDArray[Any]:
        """Returns the pixels of an image, maybe read-only; calls `decode` if they are not cached."""
        ...

    def holds(self, sample: int) -> bool:
        """Whether `pixels` will probably not have to decode the image."""
        ...


class DecodeAlways:
    """A store that caches nothing."""

    def __init__(self) -> None:
        self.sizes: dict[int, tuple[int, int]] = {}

    def pixels(self, sample: int, decode: Callable[[], NDArray[Any]]) -> NDArray[Any]:
        """Decodes the image."""
        del sample
        return decode()

    def holds(self, sample: int) -> bool:
        """Returns False."""
        del sample
        return False


@dataclass(frozen=True, slots=True, weakref_slot=True)
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


class _Rows(Protocol):
    """Where the rows and marks are."""

    def mark(self, sample: int) -> int:
        """Returns the mark of a row."""
        ...

    def row(self, sample: int) -> Pixels | None:
        """Returns a row; None if it cannot be read."""
        ...

    def put(self, sample: int, image: Pixels, mark: int) -> None:
        """Writes a row and then its mark."""
        ...

    def checksum(self, row: Pixels) -> int:
        """The mark of a row with this content, which is contiguous."""
        ...


class CachedPixels:
    """A store over the shared rows, in one process."""

    def __init__(self, plan: CachePlan, rows: _Rows) -> None:
        """`rows` are as many as the plan says."""
        self.sizes: dict[int, tuple[int, int]] = {}
        self._plan = plan
        self._rows = rows
        self._trusted = bytearray(plan.rows)
        self._full = False

    def pixels(self, sample: int, decode: Callable[[], NDArray[Any]]) -> NDArray[Any]:
        """Returns a cached row, or the image that `decode` returns, which is cached if it fits."""
        if sample >= self._plan.rows or loads_truncated() != self._plan.truncated:
            return decode()
        row = self._kept(sample)
        if row is not None:
            return row
        image = decode()
        if not self._full and image.dtype == np.uint8 and image.shape == self._plan.row_shape:
            self._keep(sample, np.ascontiguousarray(image))
        return image

    def holds(self, sample: int) -> bool:
        """Whether the row is marked; its content may still be wrong."""
        return sample < self._plan.rows and self._rows.mark(sample) != 0

    def _kept(self, sample: int) -> Pixels | None:
        mark = self._rows.mark(sample)
        row = self._rows.row(sample) if mark else None
        if row is None:
            return None
        if not self._trusted[sample]:
            if self._rows.checksum(row) != mark:
                return None
            self._trusted[sample] = True
        return row

    def _keep(self, sample: int, image: Pixels) -> None:
        try:
            self._rows.put(sample, image, self._rows.checksum(image))
        except OSError:  # there is no room; the rows that were written before remain usable
            self._full = True


def open_store(plan: CachePlan | None, memory: mmap.mmap | None = None) -> PixelStore:
    """Opens the store of a plan in this process; `memory` is the memory that workers share."""
    if plan is None or plan.rows == 0:
        return DecodeAlways()
    try:
        if plan.path is not None:
            return _in_directory(plan)
        memory = mmap.mmap(-1, plan.nbytes) if memory is None else memory
        note_memory(plan, memory)
        return CachedPixels(plan, _MemoryRows(plan, memory))
    except (OSError, MemoryError):  # somebody has deleted the files, or there is no memory
        return DecodeAlways()


class _MemoryRows:
    """Rows in `plan.nbytes` of memory, which contains zeros at first."""

    def __init__(self, plan: CachePlan, memory: mmap.mmap) -> None:
        shape = (plan.rows, *plan.row_shape)
        self._marks: NDArray[np.uint32] = np.ndarray((plan.rows,), MARK, buffer=memory)
        self._pixels: Pixels = np.ndarray(shape, np.uint8, buffer=memory, offset=self._marks.nbytes)
        self._unchecked = 0

    def mark(self, sample: int) -> int:
        return int(self._marks[sample])

    def row(self, sample: int) -> Pixels | None:
        row: Pixels = self._pixels[sample]
        return row

    def put(self, sample: int, image: Pixels, mark: int) -> None:
        # What was free when the iterator was opened, the model may have taken meanwhile. The system
        # gives memory when it is first used, and kills a process where there is none.
        self._unchecked += image.nbytes
        if self._unchecked > _CHECKED_NBYTES:
            if free_memory() < _LEFT_FREE:
                raise OSError(errno.ENOMEM, "memory has become scarce")
            self._unchecked = 0
        self._pixels[sample] = image
        self._marks[sample] = mark

    def checksum(self, row: Pixels) -> int:
        flat = row.reshape(-1)
        rest = flat.size % _WORD.itemsize
        words = flat[: flat.size - rest].view(_WORD)
        last = int.from_bytes(flat[flat.size - rest :].tobytes(), "little")
        total = int(np.add.reduce(words)) + last
        return (total ^ total >> 32) % 2**32 or 1


def _in_directory(plan: CachePlan) -> PixelStore:
    with ExitStack() as files:
        pixels = files.enter_context(_open_file(f"{plan.path}.npy"))
        marks = files.enter_context(_open_file(f"{plan.path}.marks"))
        status, marks_status = (os.fstat(file.fileno()) for file in (pixels, marks))
        header = status.st_size - plan.rows * plan.row_nbytes
        if (
            status.st_ino != plan.inode
            or header < 0
            or marks_status.st_size != plan.rows * MARK.itemsize
        ):
            return DecodeAlways()  # another program has created them anew for another plan
        hold(pixels)
        kept_open = files.pop_all()
    rows = _FileRows(plan, FileParts(pixels), FileParts(marks), header)
    weakref.finalize(rows, _close_all, kept_open)
    return CachedPixels(plan, rows)


def _close_all(files: ExitStack) -> None:
    with suppress(OSError):  # what was lost, if anything, has another checksum
        files.close()


def _open_file(path: str) -> IO[bytes]:
    """Opens a file for writing or, if it is read-only, for reading."""
    try:
        return open(path, "r+b", buffering=0)
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise
        return open(path, "rb", buffering=0)


class _FileRows:
    """Rows in the files of a directory.

    If somebody has made the pixels' file shorter, a write would make it long again, with holes for the
    other rows. So such a file is neither read nor written any more.
    """

    def __init__(self, plan: CachePlan, pixels: FileParts, marks: FileParts, header: int) -> None:
        self._plan = plan
        self._pixels = pixels
        self._marks = marks
        self._header = header
        self._size = header + plan.rows * plan.row_nbytes
        self._writing = Lock()

    def mark(self, sample: int) -> int:
        found = np.zeros(1, MARK)
        return int(found[0]) if _was_read(self._marks, sample * MARK.itemsize, found) else 0

    def row(self, sample: int) -> Pixels | None:
        found: Pixels = np.empty(self._plan.row_shape, np.uint8)
        if self._is_whole() and _was_read(self._pixels, self._place(sample), found):
            return found
        return None

    def put(self, sample: int, image: Pixels, mark: int) -> None:
        with self._writing:
            if not self._is_whole():
                raise OSError("the file of the pixels has become shorter")
            for parts, offset, content in (
                (self._pixels, self._place(sample), image.tobytes()),
                (self._marks, sample * MARK.itemsize, MARK.type(mark).tobytes()),
            ):
                with parts.lock:
                    _write_at(parts.file, offset, content)

    def checksum(self, row: Pixels) -> int:
        return zlib.crc32(row.data) or 1

    def _is_whole(self) -> bool:
        try:
            return os.fstat(self._pixels.file.fileno()).st_size == self._size
        except OSError:
            return False

    def _place(self, sample: int) -> int:
        return self._header + sample * self._plan.row_nbytes


def _was_read(parts: FileParts, offset: int, out: NDArray[Any]) -> bool:
    """Fills an array; returns False if the file has become shorter, or if its disk fails."""
    try:
        return parts.read(offset, out)
    except OSError:
        return False


def _write_at(file: IO[bytes], offset: int, content: bytes) -> None:
    file.seek(offset)
    if file.write(content) != len(content):
        raise OSError("could write only a part of a row")
