"""Plans which decoded pixels are cached, and creates the files of a cache directory.

This runs once for each iterator, in the parent. The format of the files is described in `cache`.
"""

from __future__ import annotations

import errno
import hashlib
import json
import math
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from imageloom._checks.depth import channels_of
from imageloom._errors import InvalidArgumentError
from imageloom._imaging.kernels import kernels
from imageloom._imaging.pillow_settings import PillowSettings
from imageloom._options import ReadOptions
from imageloom._pipeline.cache import MARK, CachePlan
from imageloom._pipeline.cache_folder import FORMAT, generations, make_room, note_folder
from imageloom._storage.atomic import replacing
from imageloom._storage.in_use import hold_for
from imageloom._storage.stamps import stamps_of
from imageloom._storage.urls import is_url

__all__ = ["plan_cache"]

_VERSION: Final = 2
_NO_ROOM: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_LIBRARIES: Final = ("pillow", "simplejpeg", "isal", "kornia-rs", "cykooz-resizer")
_SHARE_OF_DISK: Final = 0.5
_SHARE_OF_MEMORY: Final = 0.25


def plan_cache(
    cache: str,
    limit: int | None,
    *,
    root: str,
    names: Sequence[str],
    stamps: Mapping[str, str],
    read: ReadOptions,
    pillow: PillowSettings | None,
    free_memory: Callable[[], int],
) -> CachePlan | None:
    """Plans the cache; creates the files of a directory, or finds those of an earlier run.

    Args:
        cache: `"memory"`, or a directory, which is created.
        limit: How many bytes may be cached; None for a share of what is free.
        root: The folder or URL that `names` are relative to.
        names: The files, in the order of the data set.
        stamps: The versions of remote files, as far as they are known already.
        read: How the files become pixels.
        pillow: What the program has changed in Pillow, which decodes them.
        free_memory: Returns how many bytes of memory are free.

    Returns:
        The plan; None if images are not resized to one size, so that none can be cached. Without room,
        it has no rows.

    Raises:
        InvalidArgumentError: The directory cannot be used. A read-only directory can be used if its
            files belong to this data set.
    """
    if read.interpolation is None or not names:
        return None
    truncated = pillow is not None and pillow.load_truncated
    row_shape = (*read.target_size, channels_of(read.color_mode))
    row = math.prod(row_shape) + MARK.itemsize
    if cache == "memory":
        allowed = int(_SHARE_OF_MEMORY * free_memory()) if limit is None else limit
        return CachePlan(min(len(names), allowed // row), row_shape, truncated=truncated)
    if is_url(cache):
        raise InvalidArgumentError(
            f"`cache` must be a directory on this machine, not a URL; received {cache!r}."
        )
    try:
        os.makedirs(cache, exist_ok=True)
        changes = [] if pillow is None else pillow.of_pixels
        files = _Files(
            os.path.join(os.path.abspath(cache), _name(root, names, read, changes)),
            row_shape,
            _description(root, names, stamps, read, changes),
        )
        plan = _in_directory(files, len(names), limit, truncated=truncated)
    except OSError as error:
        if error.errno in _NO_ROOM:
            return CachePlan(0, row_shape, truncated=truncated)
        raise InvalidArgumentError(
            f"`cache` {cache!r} cannot be used: {error}. Pass a directory that can be written, or "
            '"memory".'
        ) from error
    note_folder(os.path.abspath(cache))
    return plan


@dataclass(frozen=True, slots=True)
class _Files:
    """The files that a data set needs, without suffix, and what they must contain."""

    path: str
    row_shape: tuple[int, int, int]
    description: dict[str, Any]


def _in_directory(files: _Files, images: int, limit: int | None, *, truncated: bool) -> CachePlan:
    folder, own = os.path.split(files.path)
    row = math.prod(files.row_shape) + MARK.itemsize
    room, allowed = _room(Path(folder), own) if limit is None else (limit, limit)
    kept = _rows_of_earlier(files)
    # With a limit, the rows are as many as it allows. Otherwise the rows of an earlier run are used,
    # unless there is room for more.
    rows = min(images, allowed // row)
    if kept is not None and (kept == rows if limit is not None else kept >= rows > 0):
        plan = CachePlan(
            kept, files.row_shape, files.path, os.stat(f"{files.path}.npy").st_ino, truncated
        )
        with suppress(OSError):  # it may be read-only
            os.utime(f"{files.path}.json")
        hold_for(plan, f"{files.path}.npy")
        make_room(Path(folder), own, plan.nbytes, room)
        return plan
    make_room(Path(folder), own, rows * row, room)
    inode = _make_files(files, rows)
    plan = CachePlan(rows, files.row_shape, files.path, inode, truncated)
    hold_for(plan, f"{files.path}.npy")
    return plan


def _room(folder: Path, own: str) -> tuple[int, int]:
    """Returns how many bytes all files of a directory may take, and how many of one data set."""
    there = generations(folder)
    free = shutil.disk_usage(folder).free + sum(found.allocated for found in there)
    room = int(_SHARE_OF_DISK * free)
    others = sum(found.nbytes for found in there if found.path.name != own and found.in_use)
    return room, max(0, room - others)


def _name(root: str, names: Sequence[str], read: ReadOptions, changes: list[str]) -> str:
    what = "".join([repr(read), *changes])
    digest = hashlib.sha256(what.encode() + os.fsencode(root) + b"\0")
    for name in names:
        digest.update(os.fsencode(name) + b"\0")
    return digest.hexdigest()[:24]


def _versions(root: str, names: Sequence[str], known: Mapping[str, str]) -> Iterator[str]:
    """Yields a string for each file that changes with its content."""
    if is_url(root) or any(map(is_url, names)):
        known = stamps_of(root, names, known)
    for name in names:
        if name in known:
            yield known[name]
            continue
        try:
            status = os.stat(os.path.join(root, name))
            # Two files that have swapped their names may have the same size and time.
            yield f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns} {status.st_ino}"
        except (OSError, ValueError):
            yield "gone"


def _description(
    root: str,
    names: Sequence[str],
    stamps: Mapping[str, str],
    read: ReadOptions,
    changes: list[str],
) -> dict[str, Any]:
    """Returns everything that the pixels depend on, as JSON would return it."""
    digest = hashlib.sha256()
    for version in _versions(root, names, stamps):
        digest.update(f"{version}\n".encode())
    return {
        "format": FORMAT,
        "version": _VERSION,
        "root": root.encode(errors="surrogateescape").decode(errors="replace"),
        "files": digest.hexdigest(),
        "read": json.loads(json.dumps(asdict(read))),
        "pillow": changes,
        "libraries": {name: _version(name) for name in _LIBRARIES},
        "kernels": kernels is not None,  # which resize with Pillow's bits
    }


def _version(library: str) -> str | None:
    from importlib import metadata  # takes as long to import as this whole package

    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return None


def _rows_of_earlier(files: _Files) -> int | None:
    """Returns how many rows the files of an earlier run have; None if no files fit."""
    try:
        found = json.loads(Path(f"{files.path}.json").read_bytes())
        rows = found.pop("rows")
        if type(rows) is not int:
            return None
        with open(f"{files.path}.npy", "rb") as file:
            np.lib.format.read_magic(file)
            header = np.lib.format.read_array_header_1_0(file)
            size = file.tell() + rows * math.prod(files.row_shape)
            whole = os.fstat(file.fileno()).st_size == size
        whole = whole and os.path.getsize(f"{files.path}.marks") == rows * MARK.itemsize
    except Exception:  # damaged files may raise anything
        return None
    right = header == ((rows, *files.row_shape), False, np.dtype(np.uint8))
    return rows if whole and right and found == files.description else None


def _make_files(files: _Files, rows: int) -> int:
    """Creates empty files and returns the inode of the pixels' file.

    Each file appears complete, and the description appears last.
    """
    path = files.path
    with suppress(OSError):
        os.unlink(f"{path}.json")
    with (  # they take their places in the reverse order
        replacing(f"{path}.json", follow_link=False) as description_draft,
        replacing(f"{path}.marks", follow_link=False) as marks_draft,
        replacing(f"{path}.npy", follow_link=False) as pixels_draft,
    ):
        with open(pixels_draft, "xb") as file:
            header = {"descr": "|u1", "fortran_order": False, "shape": (rows, *files.row_shape)}
            np.lib.format.write_array_header_1_0(file, header)
            file.truncate(file.tell() + rows * math.prod(files.row_shape))
            inode = os.fstat(file.fileno()).st_ino
        with open(marks_draft, "xb") as file:
            file.truncate(rows * MARK.itemsize)
        content = json.dumps({**files.description, "rows": rows}, indent=1)
        description_draft.write_text(content, encoding="utf-8")
    return inode
