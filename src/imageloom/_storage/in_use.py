"""Says to other programs that a file is in use, so that they do not delete it to make room.

It is advice between programs of this library: a lock that ends with the program, however it ends.
Where there are no such locks, files count as unused. Windows refuses to delete open files itself.
"""

from __future__ import annotations

import sys
import weakref
from contextlib import suppress
from pathlib import Path
from typing import IO

from imageloom._storage.refusals import close_quietly

__all__ = ["hold", "hold_for", "is_held"]

if sys.platform == "win32":

    def hold(file: IO[bytes]) -> None:
        """Does nothing; an open file cannot be deleted."""
        del file

    def hold_for(owner: object, path: str) -> None:
        """Does nothing, because an open file would keep others from replacing it."""
        del owner, path

    def is_held(path: Path) -> bool:
        """Returns False; deleting it will fail if it is in use."""
        del path
        return False

else:
    import fcntl

    def hold(file: IO[bytes]) -> None:
        """Says that a file is in use until it is closed."""
        with suppress(OSError):  # network file systems may not have locks
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)

    def hold_for(owner: object, path: str) -> None:
        """Says that a file is in use until `owner` is gone."""
        with suppress(OSError):
            file = open(path, "rb", buffering=0)  # noqa: SIM115 - closed with its owner
            weakref.finalize(owner, close_quietly, file)
            hold(file)

    def is_held(path: Path) -> bool:
        """Whether a program, this one included, has said that it uses the file."""
        try:
            with path.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False
