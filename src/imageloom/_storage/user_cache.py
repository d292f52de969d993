"""Files that save work in later runs, in the cache directory of the user.

That directory is the one that the environment variable `IMAGELOOM_CACHE_DIR` names or, without it, the
one that the system has for such files. Whatever is in it may be deleted at any time. Where it cannot be
written, for example without a home, nothing is kept; that costs time and is never an error.

Nobody deletes such files by hand, and many programs use data folders that live for minutes. So a
folder of the cache keeps a limited number of files, and those that were unused for longest go first.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from imageloom._storage.atomic import DRAFT_PREFIX, is_old_draft, replace_file

__all__ = ["MOST_BYTES", "MOST_FILES", "cache_folder", "keep", "kept_files", "note_use"]

MOST_FILES: Final = 100
MOST_BYTES: Final = 500 * 10**6
_VARIABLE: Final = "IMAGELOOM_CACHE_DIR"
_DAY: Final = 86_400.0


def cache_folder(name: str) -> Path | None:
    """Returns a folder in the user's cache directory; None if there is no such directory.

    Nothing is created.
    """
    import platformdirs

    try:
        if chosen := os.environ.get(_VARIABLE):
            return Path(os.path.abspath(os.path.expanduser(chosen)), name)
        place = platformdirs.user_cache_path("imageloom")
    except (OSError, RuntimeError, ValueError):
        return None
    # Without a home, the path would begin with a folder named "~" in the current one.
    return place / name if place.is_absolute() else None


def keep(path: Path, content: bytes) -> None:
    """Writes a file in one step, and drops others if there are too many; an error is no matter."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, content, follow_link=False)
        _drop_unused(path)
    except OSError:
        pass


def note_use(path: Path) -> None:
    """Notes that a file of the cache is still of use, at most once a day."""
    with suppress(OSError):
        if time.time() - path.stat().st_mtime > _DAY:
            os.utime(path)


def kept_files(folder: Path) -> list[tuple[Path, os.stat_result]]:
    """Returns the files in a folder of the cache, those that were used last first."""
    found = []
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            with suppress(OSError):  # another program may have dropped it
                if entry.is_file(follow_symlinks=False):
                    found.append((Path(entry.path), entry.stat(follow_symlinks=False)))
    return sorted(found, key=lambda file: file[1].st_mtime, reverse=True)


def _drop_unused(newest: Path) -> None:
    """Deletes what exceeds the limits, but not the newest file, and what killed programs have left."""
    count, nbytes = 1, newest.stat().st_size
    for path, status in kept_files(newest.parent):
        if path == newest:
            continue
        if path.name.startswith(DRAFT_PREFIX):
            too_much = is_old_draft(path.name, status.st_mtime)
        else:
            count += 1
            nbytes += status.st_size
            too_much = count > MOST_FILES or nbytes > MOST_BYTES
        if too_much:
            with suppress(OSError):
                path.unlink()
