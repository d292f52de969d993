"""Keeps decoded, resized pixels for later epochs, shared by all workers.

::

    pixels    uint8 rows (samples, height, width, channels), the pixels before any hook
    marks     one number a row: 0 while the row is empty, then its checksum

A row is written first and marked afterwards, so that whoever is killed when, an unmarked row counts as
empty; every process checks a row against its mark once before it believes it, so that even a torn page
after a power failure is only decoded again. Two writers of one row write the same bytes.

The rows lie in memory that is given back with the iterator, or in a directory: then `<name>.npy` is a
flat array that NumPy opens, `<name>.marks` the marks, and `<name>.json` says of which files, read how,
by which libraries. If any of that has changed, the files are made anew.
"""

from __future__ import annotations

import errno
import hashlib
import json
import math
import mmap
import os
import shutil
import threading
import weakref
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, Final, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from imageloom._errors import InvalidArgumentError
from imageloom._options import COLOUR_CHANNELS, ReadOptions
from imageloom._storage.atomic import replacing
from imageloom._storage.places import is_url
from imageloom._storage.stamps import stamps_of

__all__ = ["CachePlan", "DecodeAlways", "KeptPixels", "PixelStore", "open_store", "plan_cache"]

_FORMAT: Final = "imageloom-cache"
_VERSION: Final = 1
_LIBRARIES: Final = ("pillow", "simplejpeg", "kornia-rs", "cykooz-resizer")
_SHARE_OF_DISK: Final = 0.5
_SHARE_OF_MEMORY: Final = 0.25
_MARK: Final = np.dtype(np.uint32)
Pixels = NDArray[np.uint8]


class PixelStore(Protocol):
    """Pixels by sample number."""

    def pixels(self, sample: int, decode: Callable[[], NDArray[Any]]) -> NDArray[Any]:
        """The pixels of a sample, decoded if they are not at hand; possibly read-only."""
        ...

    def holds(self, sample: int) -> bool:
        """Whether the pixels of a sample seem to be at hand."""
        ...


class DecodeAlways:
    """The store that keeps nothing."""

    def pixels(self, sample: int, decode: Callable[[], NDArray[Any]]) -> NDArray[Any]:
        """Decodes."""
        del sample
        return decode()

    def holds(self, sample: int) -> bool:
        """Nothing."""
        del sample
        return False


@dataclass(frozen=True, slots=True)
class CachePlan:
    """What is kept, and where.

    Attributes:
        rows: images that are kept, the first of the data set; the others are decoded each time.
        row_shape: (height, width, channels).
        path: of the files in a directory, without suffix; None for memory.
        inode: of the pixels' file; if another has taken its place meanwhile, it is not this plan's.
    """

    rows: int
    row_shape: tuple[int, int, int]
    path: str | None = None
    inode: int = -1

    @property
    def row_nbytes(self) -> int:
        """Bytes of one image."""
        return math.prod(self.row_shape)

    @property
    def nbytes(self) -> int:
        """Bytes of all rows and their marks."""
        return self.rows * (self.row_nbytes + _MARK.itemsize)


class KeptPixels:
    """A store over shared rows, in one process.

    Attributes:
        hits: images that were at hand.
    """

    def __init__(
        self, pixels: Pixels, marks: NDArray[np.uint32], put: Callable[[int, Pixels, int], None]
    ) -> None:
        """`put` writes a row, then its mark."""
        self.hits = 0
        self._pixels = pixels
        self._marks = marks
        self._put = put
        self._trusted = np.zeros(len(marks), dtype=bool)
        self._full = False

    def pixels(self, sample: int, decode: Callable[[], NDArray[Any]]) -> NDArray[Any]:
        """A row that is there, or else what `decode` gives, which is kept if it fits."""
        if sample >= len(self._marks):
            return decode()
        mark, row = int(self._marks[sample]), cast(Pixels, self._pixels[sample])
        if mark and (self._trusted[sample] or _checksum(row) == mark):
            self._trusted[sample] = True
            self.hits += 1
            return row
        image = decode()
        if not self._full and image.dtype == np.uint8 and image.shape == row.shape:
            self._keep(sample, np.ascontiguousarray(image))
        return image

    def holds(self, sample: int) -> bool:
        """Whether the row is marked, which it may be wrongly."""
        return sample < len(self._marks) and bool(self._marks[sample])

    def _keep(self, sample: int, image: Pixels) -> None:
        try:
            self._put(sample, image, _checksum(image))
        except OSError:  # the disk is full: what is there stays good
            self._full = True


def _checksum(row: Pixels) -> int:
    return zlib.crc32(row.data) or 1


def open_store(plan: CachePlan | None, memory: mmap.mmap | None = None) -> PixelStore:
    """The store of a plan, in this process; `memory` is what several processes share."""
    if plan is None or plan.rows == 0:
        return DecodeAlways()
    if plan.path is None:
        return _in_memory(plan, mmap.mmap(-1, plan.nbytes) if memory is None else memory)
    try:
        return _in_directory(plan)
    except OSError:  # somebody has taken the files away, which is their right
        return DecodeAlways()


def _in_memory(plan: CachePlan, memory: mmap.mmap) -> KeptPixels:
    """The store over memory of `plan.nbytes`, zeros at first, that several processes may share."""
    shape = (plan.rows, *plan.row_shape)
    pixels: Pixels = np.ndarray(shape, np.uint8, buffer=memory, offset=plan.rows * _MARK.itemsize)
    marks: NDArray[np.uint32] = np.ndarray((plan.rows,), _MARK, buffer=memory)

    def put(sample: int, image: Pixels, mark: int) -> None:
        pixels[sample] = image
        marks[sample] = mark

    return KeptPixels(pixels, marks, put)


def _in_directory(plan: CachePlan) -> PixelStore:
    with ExitStack() as files:
        pixels_file = files.enter_context(_open_file(f"{plan.path}.npy"))
        marks_file = files.enter_context(_open_file(f"{plan.path}.marks"))
        status, marks_status = (os.fstat(file.fileno()) for file in (pixels_file, marks_file))
        header = status.st_size - plan.rows * plan.row_nbytes
        if (
            status.st_ino != plan.inode
            or header < 0
            or marks_status.st_size != plan.rows * _MARK.itemsize
        ):
            return DecodeAlways()  # another program has made them anew, for its own purpose
        mapped = mmap.mmap(pixels_file.fileno(), 0, access=mmap.ACCESS_READ)
        mapped_marks = mmap.mmap(marks_file.fileno(), 0, access=mmap.ACCESS_READ)
        kept_open = files.pop_all()
    pixels: Pixels = np.ndarray((plan.rows, *plan.row_shape), np.uint8, buffer=mapped, offset=header)
    marks: NDArray[np.uint32] = np.ndarray((plan.rows,), _MARK, buffer=mapped_marks)
    writer = _Writer(pixels_file, marks_file, header, plan.row_nbytes)
    weakref.finalize(writer, kept_open.close)
    return KeptPixels(pixels, marks, writer.put)


def _open_file(path: str) -> IO[bytes]:
    """Open for writing, or, where somebody else has filled it for us, for reading."""
    try:
        return open(path, "r+b", buffering=0)
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise
        return open(path, "rb", buffering=0)


class _Writer:
    """Writes with `write`, not through the mapping: a full disk is then an error and no signal."""

    def __init__(self, pixels: IO[bytes], marks: IO[bytes], header: int, row_nbytes: int) -> None:
        self._pixels = pixels
        self._marks = marks
        self._header = header
        self._row_nbytes = row_nbytes
        self._lock = threading.Lock()

    def put(self, sample: int, image: Pixels, mark: int) -> None:
        with self._lock:
            _write_at(self._pixels, self._header + sample * self._row_nbytes, image.tobytes())
            _write_at(self._marks, sample * _MARK.itemsize, _MARK.type(mark).tobytes())


def _write_at(file: IO[bytes], offset: int, content: bytes) -> None:
    file.seek(offset)
    if file.write(content) != len(content):
        raise OSError("only a part of a row could be written")


def plan_cache(
    cache: str,
    limit: int | None,
    *,
    root: str,
    names: Sequence[str],
    stamps: Mapping[str, str],
    read: ReadOptions,
    free_memory: Callable[[], int],
) -> CachePlan | None:
    """What to keep of some files; makes the files of a directory, or finds those of an earlier run.

    Args:
        cache: `"memory"` or a directory, which is made.
        limit: bytes to keep at most; None for a share of what is free.
        root: the folder or URL that `names` are relative to.
        names: the files, in the order of the data set.
        stamps: what is known already of the versions of remote ones.
        read: how they become pixels.
        free_memory: tells how many bytes of memory are free.

    Returns:
        None where nothing can be kept, because images are not brought to one size.

    Raises:
        InvalidArgumentError: the directory cannot be used. One that can only be read can, if its files
            are those of this data set.
    """
    if read.interpolation is None or not names:
        return None
    row_shape = (*read.target_size, COLOUR_CHANNELS[read.color_mode])
    row = math.prod(row_shape) + _MARK.itemsize
    if cache == "memory":
        allowed = int(_SHARE_OF_MEMORY * free_memory()) if limit is None else limit
        return CachePlan(min(len(names), allowed // row), row_shape, None)
    if is_url(cache):
        raise InvalidArgumentError(f"`cache` is a directory of this machine, not a URL: {cache!r}.")
    try:
        os.makedirs(cache, exist_ok=True)
        allowed = int(_SHARE_OF_DISK * shutil.disk_usage(cache).free) if limit is None else limit
        description = _description(root, names, stamps, read)
        path = os.path.join(os.path.abspath(cache), _name(root, names, read))
        kept = _rows_of_earlier(path, description)
        # With a limit, exactly as many as it allows; else those of before, unless more have room.
        rows = min(len(names), allowed // row)
        if kept is not None and (kept == rows if limit is not None else kept >= rows > 0):
            return CachePlan(kept, row_shape, path, os.stat(f"{path}.npy").st_ino)
        return CachePlan(rows, row_shape, path, _make_files(path, rows, row_shape, description))
    except OSError as error:
        raise InvalidArgumentError(
            f"`cache` {cache!r} cannot be used: {error}. It is a directory that can be written, or "
            '"memory".'
        ) from error


def _name(root: str, names: Sequence[str], read: ReadOptions) -> str:
    digest = hashlib.sha256(repr(read).encode() + os.fsencode(root) + b"\0")
    for name in names:
        digest.update(os.fsencode(name) + b"\0")
    return digest.hexdigest()[:24]


def _versions(root: str, names: Sequence[str], known: Mapping[str, str]) -> Iterator[str]:
    """What tells the versions of files apart."""
    if is_url(root) or any(map(is_url, names)):
        known = stamps_of(root, names, known)
    for name in names:
        if name in known:
            yield known[name]
            continue
        try:
            status = os.stat(os.path.join(root, name))
            yield f"{status.st_size} {status.st_mtime_ns}"
        except (OSError, ValueError):
            yield "gone"


def _description(
    root: str, names: Sequence[str], stamps: Mapping[str, str], read: ReadOptions
) -> dict[str, Any]:
    """Everything that decides about the pixels, as JSON gives it back."""
    digest = hashlib.sha256()
    for version in _versions(root, names, stamps):
        digest.update(f"{version}\n".encode())
    return {
        "format": _FORMAT,
        "version": _VERSION,
        "root": root.encode(errors="surrogateescape").decode(errors="replace"),
        "files": digest.hexdigest(),
        "read": json.loads(json.dumps(asdict(read))),
        "libraries": {name: _version(name) for name in _LIBRARIES},
    }


def _version(library: str) -> str | None:
    from importlib import metadata  # takes as long to load as all of this package

    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return None


def _rows_of_earlier(path: str, description: dict[str, Any]) -> int | None:
    """How many rows the files of an earlier run have; None if there are none that fit."""
    try:
        found = json.loads(Path(f"{path}.json").read_bytes())
        rows = int(found.pop("rows"))
        with open(f"{path}.npy", "rb") as file:
            np.lib.format.read_magic(file)
            shape, _, dtype = np.lib.format.read_array_header_1_0(file)
            whole = os.fstat(file.fileno()).st_size == file.tell() + math.prod(shape)
        sizes = len(shape) == 4 and shape[0] == rows
        sizes = sizes and os.path.getsize(f"{path}.marks") == rows * _MARK.itemsize
    except Exception:  # whatever damaged files make the readers stumble over
        return None
    return rows if whole and sizes and dtype == np.uint8 and found == description else None


def _make_files(
    path: str, rows: int, row_shape: tuple[int, int, int], description: dict[str, Any]
) -> int:
    """Makes empty files and returns the inode of the pixels'; the description is put in place last."""
    with suppress(OSError):
        os.unlink(f"{path}.json")
    with (  # they take their places in the reverse order
        replacing(f"{path}.json", follow_link=False) as description_draft,
        replacing(f"{path}.marks", follow_link=False) as marks_draft,
        replacing(f"{path}.npy", follow_link=False) as pixels_draft,
    ):
        with open(pixels_draft, "xb") as file:
            header = {"descr": "|u1", "fortran_order": False, "shape": (rows, *row_shape)}
            np.lib.format.write_array_header_1_0(file, header)
            file.truncate(file.tell() + rows * math.prod(row_shape))
            inode = os.fstat(file.fileno()).st_ino
        with open(marks_draft, "xb") as file:
            file.truncate(rows * _MARK.itemsize)
        content = json.dumps({**description, "rows": rows}, indent=1)
        description_draft.write_text(content, encoding="utf-8")
    return inode
