"""Plans which decoded pixels are cached, and creates the files of a cache directory.

This runs once for each iterator, in the parent. The format of the files is described in `cache`.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np

from imageloom._errors import InvalidArgumentError
from imageloom._imaging.pillow_settings import PillowSettings
from imageloom._options import COLOUR_CHANNELS, ReadOptions
from imageloom._pipeline.cache import MARK, CachePlan
from imageloom._storage.atomic import replacing
from imageloom._storage.stamps import stamps_of
from imageloom._storage.urls import is_url

__all__ = ["plan_cache"]

_FORMAT: Final = "imageloom-cache"
_VERSION: Final = 1
_LIBRARIES: Final = ("pillow", "simplejpeg", "kornia-rs", "cykooz-resizer")
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
        The plan; None if images are not resized to one size, so that none can be cached.

    Raises:
        InvalidArgumentError: The directory cannot be used. A read-only directory can be used if its
            files belong to this data set.
    """
    if read.interpolation is None or not names:
        return None
    truncated = pillow is not None and pillow.load_truncated
    row_shape = (*read.target_size, COLOUR_CHANNELS[read.color_mode])
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
        allowed = int(_SHARE_OF_DISK * shutil.disk_usage(cache).free) if limit is None else limit
        changes = [] if pillow is None else pillow.of_pixels
        description = _description(root, names, stamps, read, changes)
        path = os.path.join(os.path.abspath(cache), _name(root, names, read, changes))
        kept = _rows_of_earlier(path, description)
        # With a limit, the rows are as many as it allows. Otherwise the rows of an earlier run are
        # used, unless there is room for more.
        rows = min(len(names), allowed // row)
        if kept is not None and (kept == rows if limit is not None else kept >= rows > 0):
            return CachePlan(kept, row_shape, path, os.stat(f"{path}.npy").st_ino, truncated)
        inode = _make_files(path, rows, row_shape, description)
        return CachePlan(rows, row_shape, path, inode, truncated)
    except OSError as error:
        raise InvalidArgumentError(
            f"`cache` {cache!r} cannot be used: {error}. Pass a directory that can be written, or "
            '"memory".'
        ) from error


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
            yield f"{status.st_size} {status.st_mtime_ns}"
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
        "format": _FORMAT,
        "version": _VERSION,
        "root": root.encode(errors="surrogateescape").decode(errors="replace"),
        "files": digest.hexdigest(),
        "read": json.loads(json.dumps(asdict(read))),
        "pillow": changes,
        "libraries": {name: _version(name) for name in _LIBRARIES},
    }


def _version(library: str) -> str | None:
    from importlib import metadata  # takes as long to import as this whole package

    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return None


def _rows_of_earlier(path: str, description: dict[str, Any]) -> int | None:
    """Returns how many rows the files of an earlier run have; None if no files fit."""
    try:
        found = json.loads(Path(f"{path}.json").read_bytes())
        rows = int(found.pop("rows"))
        with open(f"{path}.npy", "rb") as file:
            np.lib.format.read_magic(file)
            shape, _, dtype = np.lib.format.read_array_header_1_0(file)
            whole = os.fstat(file.fileno()).st_size == file.tell() + math.prod(shape)
        sizes = len(shape) == 4 and shape[0] == rows
        sizes = sizes and os.path.getsize(f"{path}.marks") == rows * MARK.itemsize
    except Exception:  # damaged files may raise anything
        return None
    return rows if whole and sizes and dtype == np.uint8 and found == description else None


def _make_files(
    path: str, rows: int, row_shape: tuple[int, int, int], description: dict[str, Any]
) -> int:
    """Creates empty files and returns the inode of the pixels' file.

    Each file appears complete, and the description appears last.
    """
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
            file.truncate(rows * MARK.itemsize)
        content = json.dumps({**description, "rows": rows}, indent=1)
        description_draft.write_text(content, encoding="utf-8")
    return inode
