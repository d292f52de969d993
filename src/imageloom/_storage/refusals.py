"""What the system refuses to this program: too many open files, no memory, a disk that fails.

It says nothing about a single file, so none is replaced because of it, and it may be otherwise when the
program tries again.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final, Protocol

from imageloom._errors import ImageLoomError, MissingDirectoryError, StorageError

__all__ = [
    "NOT_OF_THE_FILE",
    "check_it_says_something",
    "close_quietly",
    "is_file",
    "is_folder",
    "refused",
    "telling",
]

# These say nothing about the file that the call was for.
NOT_OF_THE_FILE: Final = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EINTR)
# These do not say that a file or a folder is not there, or not for this program.
_SAYS_NOTHING: Final = (*NOT_OF_THE_FILE, errno.EIO, errno.ESTALE, errno.ETIMEDOUT)


def refused(error: OSError, what: str) -> StorageError:
    """The error to raise for one of the system, with the same `errno`; `what` is a clause."""
    if error.errno is None:
        return StorageError(f"{what}: {error}")
    return StorageError(error.errno, f"{what}: {error.strerror}")


def check_it_says_something(error: OSError, what: str) -> None:
    """Does nothing if an error says that a file or a folder is missing, or may not be read.

    Keras leaves out what is missing. What only could not be looked at must not be left out as well:
    the program would go on with other data.

    Raises:
        StorageError: The error says nothing of that kind.
    """
    if error.errno in _SAYS_NOTHING:
        raise refused(error, what) from error


def is_file(path: str) -> bool:
    """Whether there is a plain file.

    Raises:
        StorageError: The system could not say so.
    """
    try:
        return stat.S_ISREG(os.stat(path).st_mode)
    except ValueError:  # a name that no file can have
        return False
    except OSError as error:
        check_it_says_something(error, f"Could not look for the file {path!r}")
        return False


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether an entry of a folder is a folder or a link to one; links in a circle lead to none.

    Raises:
        StorageError: The system could not say so.
    """
    try:
        return entry.is_dir()
    except OSError as error:
        check_it_says_something(error, f"Could not look for the folder {entry.path!r}")
        return False


@contextmanager
def telling(what: str) -> Iterator[None]:
    """Raises an error that says what could not be done, where the system has refused it.

    Raises:
        MissingDirectoryError: The folder of a file does not exist.
        StorageError: Anything else.
    """
    try:
        yield
    except ImageLoomError:
        raise
    except FileNotFoundError as error:
        text = f"{what}: {error.strerror}"
        raise MissingDirectoryError(error.errno, text, error.filename) from error
    except OSError as error:
        raise refused(error, what) from error


class _Closable(Protocol):
    def close(self) -> object: ...


def close_quietly(file: _Closable) -> None:
    """Closes a file of which nothing is lost if the system says that closing it has failed."""
    with suppress(OSError):
        file.close()
