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
# If the file has become a pipe since it was looked at, opening it must not wait for a writer.
_NO_WAIT: Final = getattr(os, "O_NONBLOCK", 0)


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
        with open(path, "rb", opener=_opened) as file:
            status = os.fstat(file.fileno())
            _check_kind(status.st_mode, name)
            check_size(status.st_size, largest, name)
            return file.read()
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


def _opened(path: str, flags: int) -> int:
    return os.open(path, flags | _NO_WAIT)


def _check_kind(mode: int, name: str) -> None:
    if not stat.S_ISREG(mode):
        kind = _KINDS.get(stat.S_IFMT(mode), "no plain file")
        raise BadImageError(f"{name!r} is {kind}, not an image file.")
