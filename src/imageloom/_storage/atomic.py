"""Local files that appear whole or not at all: readers find the old file or the new one.

The new content is written to a draft, a hidden file in the same folder, because a file can only be
renamed in one step within its file system. The draft is removed if anything goes wrong, Ctrl-C
included; only a process that is killed leaves it behind. A new file gets the permissions of any file
that the process makes.

The drafts of killed programs go when one of their folder's later writers calls `drop_drafts`.
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

__all__ = [
    "DRAFT_PREFIX",
    "drop_drafts",
    "is_old_draft",
    "old_drafts",
    "replace_file",
    "replacing",
]

_DAY: Final = 86_400.0  # no draft takes so long
DRAFT_PREFIX: Final = ".imageloom-draft-"

# Windows refuses to rename over a file that another program reads, a virus scanner for example.
_RENAMING_SECONDS: Final = 2.0 if os.name == "nt" else 0.0


@contextmanager
def replacing(
    path: str | os.PathLike[str], *, durable: bool = False, follow_link: bool = True
) -> Iterator[Path]:
    """Lends the path of a draft, which takes the place of `path` at the end if all went well.

    The draft has the suffix of `path`, from which many writers choose the format. It does not exist
    yet: open it with mode "x".

    Args:
        path: the file to write or to replace.
        durable: whether the content must have reached the disk before the old file is given up. Files
            that can be made again do without, because it takes some milliseconds.
        follow_link: whether, where `path` is a symbolic link, the file that it points to is replaced;
            else the link itself is replaced by the new file.

    Raises:
        OSError: the draft cannot be made, or not be put in place. It names `path` and not the draft.
    """
    target = Path(os.path.realpath(path) if follow_link else path)
    # Not made of the target's name, which may be as long as the file system allows.
    draft = target.with_name(f"{DRAFT_PREFIX}{uuid.uuid4().hex}{target.suffix}")
    try:
        yield draft
        if durable:
            _flush_file(draft)
        _rename(draft, target)
    except BaseException as error:
        with suppress(OSError):
            draft.unlink()
        if isinstance(error, OSError) and error.filename in (draft, str(draft)):
            raise OSError(error.errno, error.strerror, os.fspath(path)) from error
        raise
    if durable:
        _flush_folder(target.parent)


def replace_file(
    path: str | os.PathLike[str], content: bytes, *, durable: bool = False, follow_link: bool = True
) -> None:
    """Writes a file in one step; arguments and errors are those of `replacing`."""
    with replacing(path, durable=durable, follow_link=follow_link) as draft:
        try:
            with open(draft, "xb") as file:
                file.write(content)
        except OSError as error:
            if error.filename is None:  # a full disk
                error.filename = str(draft)
            raise


def is_old_draft(name: str, modified: float) -> bool:
    """Whether a file with this name and modification time is what a killed program has left."""
    return name.startswith(DRAFT_PREFIX) and time.time() - modified > _DAY


def old_drafts(folder: str | os.PathLike[str]) -> list[Path]:
    """Returns the drafts in a folder that killed programs have left."""
    found = []
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            with suppress(OSError):  # another program may be as quick
                if is_old_draft(entry.name, entry.stat(follow_symlinks=False).st_mtime):
                    found.append(Path(entry.path))
    return found


def drop_drafts(folder: str | os.PathLike[str]) -> None:
    """Deletes the drafts in a folder that killed programs have left; an error is no matter."""
    for draft in old_drafts(folder):
        with suppress(OSError):
            draft.unlink()


def _rename(draft: Path, target: Path) -> None:
    give_up = time.monotonic() + _RENAMING_SECONDS
    while True:
        try:
            os.replace(draft, target)
            return
        except PermissionError:
            if time.monotonic() >= give_up:
                raise
        time.sleep(0.01)


def _flush_file(path: Path) -> None:
    with open(path, "r+b") as file:  # Windows flushes only what is open for writing
        os.fsync(file.fileno())


def _flush_folder(folder: Path) -> None:
    """Makes the renaming durable, where folders can be opened; the content is safe by now."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
