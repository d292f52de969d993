"""Reads local files, of which only plain ones are read: a pipe, for example, would never end."""

from __future__ import annotations

import os
import stat
from typing import Final

from imageloom._errors import BadImageError, MissingImageError
from imageloom._storage.refusals import NOT_OF_THE_FILE, refused

__all__ = ["check_size", "read_file"]

_KINDS: Final = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
_LEAST: Final = 2**14  # bytes that are asked for at once
# If the file has become a pipe since it was looked at, opening it must not wait for a writer.
_FLAGS: Final = (
    os.O_RDONLY
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
    | getattr(os, "O_NOINHERIT", 0)
)


def read_file(path: str | bytes | os.PathLike[str], largest: int | None) -> bytes:
    """Returns the content of a file of at most `largest` bytes; None is no limit.

    Raises:
        MissingImageError: the file does not exist.
        BadImageError: it is no plain file, it is larger, or it cannot be read.
        StorageError: the program has too many open files, or no memory.
    """
    name = os.fsdecode(path)
    try:
        _check_kind(os.stat(path).st_mode, name)  # before it is opened, which wakes some devices
        return _content(path, largest, name)
    except BadImageError:
        raise
    except FileNotFoundError as error:
        raise MissingImageError(f"The image file {name!r} does not exist.") from error
    except OSError as error:
        if error.errno in NOT_OF_THE_FILE:
            raise refused(error, f"Could not read the image file {name!r}") from error
        raise BadImageError(f"The image file {name!r} cannot be read: {error}") from error


def check_size(nbytes: int, largest: int | None, name: str) -> None:
    """Refuses a file that is larger than `largest` bytes.

    Raises:
        BadImageError: it is.
    """
    if largest is not None and nbytes > largest:
        raise BadImageError(
            f"The image file {name!r} has {nbytes:,} bytes; at most {largest:,} are read. If you trust "
            "the file, raise PIL.Image.MAX_IMAGE_PIXELS, from which this limit follows."
        )


def _content(path: str | bytes | os.PathLike[str], largest: int | None, name: str) -> bytes:
    """Opens and reads a file, with half of the system calls that a file object makes."""
    file = os.open(path, _FLAGS)
    try:
        status = os.fstat(file)
        _check_kind(status.st_mode, name)
        check_size(status.st_size, largest, name)
        parts, left = [], status.st_size + 1
        while part := os.read(file, max(_LEAST, left)):  # it may grow while it is read
            parts.append(part)
            left -= len(part)
    finally:
        os.close(file)
    return b"".join(parts)


def _check_kind(mode: int, name: str) -> None:
    if not stat.S_ISREG(mode):
        kind = _KINDS.get(stat.S_IFMT(mode), "no plain file")
        raise BadImageError(f"{name!r} is {kind}, not an image file.")
