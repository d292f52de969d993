"""Lists the files of a class folder in Keras' order, and tells whether they have changed since.

The folders of a class are sorted by path, and the files of each folder by name. The modification time
of a folder changes when a file is added to it or removed from it. Programs that unpack archives set it
to what the archive says, but not the time of that change, which is compared as well. Because the clocks
of file systems are coarse, a listing does not count as current if a folder had changed just before it
was listed.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from imageloom._storage.links import is_loop
from imageloom._storage.refusals import check_it_says_something, is_folder, telling
from imageloom._warnings import Code, warn_user

__all__ = [
    "WHITE_LIST_FORMATS",
    "ClassListing",
    "Fingerprint",
    "LeftOut",
    "left_out",
    "list_class",
    "subfolders",
]

WHITE_LIST_FORMATS: Final = ("png", "jpg", "jpeg", "bmp", "ppm", "tif", "tiff")
_SECOND: Final = 10**9
_FINE_CLOCK: Final = _SECOND // 20  # the kernel's ticks are up to 10 ms long
_COARSE_CLOCK: Final = 2 * _SECOND  # the resolution of FAT file systems
_OF_THE_SYSTEM: Final = ("thumbs.db", "desktop.ini")
_SUFFIXES_COUNTED: Final = 20  # a suffix may be a number, and then each file has another one
LeftOut = Mapping[str, tuple[int, str]]
"""Files that are not read: how many of each suffix, and the first of them."""
Fingerprint = tuple[int, int, int]
"""Of a folder: when it was modified, its inode, and when one of these was changed; in nanoseconds."""


@dataclass(frozen=True, slots=True)
class ClassListing:
    """The files of one class.

    Attributes:
        files: paths relative to the folder of the data set, which start with the class.
        folders: the fingerprint of every folder of the class, by its path relative to the folder of the
            data set.
        follow_links: whether links to folders were followed.
        listed_at: the time when the listing began, in nanoseconds.
        has_tiff: whether a name ends with ".tiff"; Keras warns of such files.
        stamps: the stamps of remote files (see `_storage.stamps`).
        left_out: the other files, by suffix.
    """

    files: list[str]
    folders: dict[str, Fingerprint]
    follow_links: bool
    listed_at: int
    has_tiff: bool
    stamps: Mapping[str, str] = field(default_factory=dict)
    left_out: LeftOut = field(default_factory=dict)

    def is_current(self, root: str, *, follow_links: bool) -> bool:
        """Whether listing the class again would certainly give the same files."""
        if self.follow_links != follow_links or not self.folders:
            return False
        for folder, fingerprint in self.folders.items():
            modified, *_ = fingerprint
            coarse = modified % _SECOND == 0
            if modified + (_COARSE_CLOCK if coarse else _FINE_CLOCK) > self.listed_at:
                return False
            if _fingerprint(os.path.join(root, folder)) != fingerprint:
                return False
        return True


def list_class(
    root: str,
    name: str,
    *,
    follow_links: bool,
    formats: tuple[str, ...] = WHITE_LIST_FORMATS,
    arrays_instead: bool = True,
) -> ClassListing:
    """Lists the image files of one class of the data set in `root`; `formats` are their suffixes.

    With `arrays_instead`, a class without any image file consists of its `.npy` files. A class without
    a folder is empty. What may not be read is left out, as in Keras.

    Raises:
        StorageError: The system could not list a folder: it was too busy, or the disk fails.
    """
    listed_at = time.time_ns()
    folders: dict[str, Fingerprint] = {}
    images: list[str] = []
    arrays: list[str] = []
    others: list[str] = []
    top = os.path.join(root, name)
    errors: list[OSError] = []  # warned of after the walk, when no frame of `os` is on the stack
    for folder, files in sorted(_walk(top, errors, follow_links=follow_links)):
        prefix = name + folder[len(top) :]
        fingerprint = _fingerprint(folder)
        if fingerprint is not None:
            folders[prefix] = fingerprint
        files.sort()
        before = len(images)
        images += [os.path.join(prefix, f) for f in files if f.lower().endswith(formats)]
        if not images and arrays_instead:
            arrays += [os.path.join(prefix, f) for f in files if f.lower().endswith(".npy")]
        if len(images) - before < len(files):
            others += [os.path.join(prefix, f) for f in files if not f.lower().endswith(formats)]
    for error in errors:
        check_it_says_something(error, f"Could not list the folder {error.filename!r}")
        _warn_of_unlisted(error)
    return ClassListing(
        files=images or arrays,
        folders=folders,
        follow_links=follow_links,
        listed_at=listed_at,
        has_tiff=any(f.lower().endswith(".tiff") for f in images),
        left_out=left_out(others, arrays_are_read=bool(arrays and not images)),
    )


def left_out(names: Iterable[str], *, arrays_are_read: bool = False) -> LeftOut:
    """Counts files that are not read, by suffix; those that systems hide or make count for nothing."""
    found: dict[str, tuple[int, str]] = {}
    for name in names:
        base = name.rpartition(os.sep)[2].rpartition("/")[2].lower()
        suffix = os.path.splitext(base)[1]
        if base.startswith(".") or base in _OF_THE_SYSTEM or (arrays_are_read and suffix == ".npy"):
            continue
        if suffix in found or len(found) < _SUFFIXES_COUNTED:
            count, first = found.get(suffix, (0, name))
            found[suffix] = count + 1, first
    return found


def _walk(top: str, errors: list[OSError], *, follow_links: bool) -> Iterator[tuple[str, list[str]]]:
    """Yields each folder with the names of its files, and passes over links to folders around them.

    (`os.walk` would follow it until the path is too long, and list the same files forty times.)
    """
    around: dict[str, tuple[str, ...]] = {top: (os.path.realpath(top),)}  # see `is_loop`
    for folder, folders, files in os.walk(top, onerror=errors.append, followlinks=follow_links):
        yield folder, files
        if follow_links:
            *before, here = around.pop(folder)
            for name in tuple(folders):
                path = os.path.join(folder, name)
                if not os.path.islink(path):
                    around[path] = (*before, os.path.join(here, name))
                elif is_loop(target := os.path.realpath(path), (*before, here), os.sep):
                    folders.remove(name)
                else:
                    around[path] = (*before, here, target)


def subfolders(folder: str | os.PathLike[str]) -> list[str]:
    """The names of all sub-folders, sorted.

    Raises:
        MissingDirectoryError: There is no such folder.
        StorageError: The system cannot list it.
    """
    with (
        telling(f"Could not list the folder {os.fspath(folder)!r}"),
        os.scandir(folder) as entries,
    ):
        return sorted(entry.name for entry in entries if is_folder(entry))


def _warn_of_unlisted(error: OSError) -> None:
    """Warns of a folder that cannot be listed; for a class without a folder, the caller warns."""
    if not isinstance(error, FileNotFoundError):
        warn_user(
            f"The folder {error.filename!r} cannot be listed ({error.strerror}). Its images are left "
            "out.",
            code=Code.UNLISTED_FOLDER,
        )


def _fingerprint(folder: str) -> Fingerprint | None:
    try:
        status = os.stat(folder)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ino, status.st_ctime_ns
