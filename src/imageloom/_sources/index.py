r"""The index of a data set: a file with its listing, so that it need not be listed again.

The data folder stays as it is. The file lies in the user's cache directory, and its name is a digest of
the folder's real path. It contains only data::

    {"format": "imageloom-index", "version": 4, "folder": "/data/pets", "checksum": 123}\n
    [{"name": "cats", "folders": ..., ...}, ...]\n
    cats/001.jpg \0 cats/002.jpg \0 ... dogs/001.jpg \0 ...

The checksum covers what follows the first line. A class is read from the index if none of its folders
has changed. Otherwise the class is listed again, and the index is replaced in one step. An index is
ignored if it is damaged, belongs to another folder, has another version, or names files outside its
classes. No error about an index reaches the user, because the folder can always be listed instead.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from imageloom._sources.listing import ClassListing, Fingerprint, LeftOut, list_class
from imageloom._sources.remote_listing import list_remote_classes
from imageloom._storage.urls import is_url
from imageloom._storage.user_cache import cache_folder, keep, kept_files, note_use

__all__ = [
    "EARLIER_NAME",
    "UNREADABLE",
    "KeptIndex",
    "all_inside",
    "folders_of",
    "index_folder",
    "index_path",
    "kept_indexes",
    "left_out_of",
    "list_classes",
]

EARLIER_NAME: Final = ".imageloom-index"  # what earlier versions wrote into the data folder
_FORMAT: Final = "imageloom-index"
_VERSION: Final = 4
_OWN_NAME: Final = re.compile("[0-9a-f]{32}")
_LONGEST_HEADER: Final = 100_000  # bytes; a path has 4096 characters at most
# What reading bytes of any kind may raise.
UNREADABLE: Final = (
    OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class KeptIndex:
    """An index in the user's cache directory.

    Attributes:
        path: its file.
        folder: the data folder; None if the file is damaged or of another version.
        nbytes: the size of the file.
        used: when it was last used, to the day, in seconds since 1970.
    """

    path: Path
    folder: str | None
    nbytes: int
    used: float


def list_classes(root: str, names: Sequence[str], *, follow_links: bool) -> list[ClassListing]:
    """The files of some classes of the data set in `root`, from its index as far as possible.

    A remote data set has no index, because its folders have no modification times that would tell
    whether they have changed.
    """
    if is_url(root):
        return list_remote_classes(root, names, follow_links=follow_links)
    path = index_path(root)
    known = {} if path is None else _read(path, os.path.realpath(root))
    listings: dict[str, ClassListing] = {}
    for name in names:
        listing = known.get(name)
        if listing is not None and listing.is_current(root, follow_links=follow_links):
            listings[name] = listing
    missing = [name for name in dict.fromkeys(names) if name not in listings]
    for name in missing:
        listings[name] = list_class(root, name, follow_links=follow_links)
    if path is not None and missing:
        others = {n: known[n] for n in known if os.path.isdir(os.path.join(root, n))}
        listed = {n: listing for n, listing in listings.items() if listing.folders}
        keep(path, _content(os.path.realpath(root), {**others, **listed}))
    elif path is not None and listings:
        note_use(path)
    return [listings[name] for name in names]


def index_folder() -> Path | None:
    """The folder of all indexes; None if the user has no cache directory."""
    return cache_folder("index")


def index_path(root: str) -> Path | None:
    """The place of the index of a data folder; None if there is none."""
    folder, root = index_folder(), os.path.realpath(root)
    # A data folder in which the cache directory lies, such as a home, stays as it is, too.
    if folder is None or Path(os.path.realpath(folder)).is_relative_to(root):
        return None
    return folder / hashlib.sha256(os.fsencode(root)).hexdigest()[:32]


def kept_indexes() -> list[KeptIndex]:
    """All indexes in the user's cache directory, those that were used last first."""
    folder = index_folder()
    files = [] if folder is None else kept_files(folder)
    return [
        KeptIndex(path, _folder_of(path), status.st_size, status.st_mtime)
        for path, status in files
        if _OWN_NAME.fullmatch(path.name)
    ]


def _folder_of(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            folder = _header(file.readline(_LONGEST_HEADER))["folder"]
    except UNREADABLE:
        return None
    return folder if isinstance(folder, str) else None


def _header(line: bytes) -> dict[str, Any]:
    header: dict[str, Any] = json.loads(line)
    if (header["format"], header["version"]) != (_FORMAT, _VERSION):
        raise ValueError("this is no index, or one of another version")
    return header


def _checksum(content: bytes) -> int:
    """Finds damage, not malice, which would take several times as long for a million names."""
    return zlib.crc32(content)


def _read(path: Path, folder: str) -> dict[str, ClassListing]:
    """Reads the index of a folder; returns nothing if the file is not certainly what was written."""
    try:
        line, content = path.read_bytes().split(b"\n", 1)
        header = _header(line)
        if header["folder"] != folder or header["checksum"] != _checksum(content):
            return {}
        classes, body = content.split(b"\n", 1)
        text = os.fsdecode(body)
        listings, start = {}, 0
        for entry in json.loads(classes):
            name, length = entry["name"], entry["length"]
            files = _names(text[start : start + length], name, entry["count"])
            listings[name] = ClassListing(
                files=files,
                folders=folders_of(entry["folders"], name),
                follow_links=bool(entry["follow_links"]),
                listed_at=int(entry["listed_at"]),
                has_tiff=bool(entry["has_tiff"]),
                left_out=left_out_of(entry["left_out"]),
            )
            start += length
        if start != len(text):
            return {}  # the file is incomplete, or too long
    except UNREADABLE:
        return {}
    return listings


def _names(part: str, class_name: str, count: int) -> list[str]:
    names = part.split("\0") if part else []
    if len(names) != count or not all_inside(part, class_name, count):
        raise ValueError(f"the index of the class {class_name!r} is damaged")
    return names


def all_inside(joined: str, class_name: str, count: int) -> bool:
    """Whether all paths lie in the folder of a class.

    Args:
        joined: the paths, with NUL characters between them.
        class_name: the folder.
        count: the number of paths.
    """
    prefix = os.path.join(class_name, "")
    if not joined:
        return count == 0
    starting = joined.startswith(prefix) + joined.count("\0" + prefix)
    upwards = f"{os.sep}..{os.sep}"
    if 2 * os.sep in joined and 2 * os.sep not in prefix:  # behind a colon, this would be a URL
        return False
    return starting == count and joined.count(upwards) == count * prefix.count(upwards)


def folders_of(described: Any, class_name: str) -> dict[str, Fingerprint]:
    """Checks the folders of a class as a file describes them.

    Raises:
        ValueError, TypeError, AttributeError: they are not the class's folder and some beneath it.
    """
    folders = {folder: (time, inode, changed) for folder, (time, inode, changed) in described.items()}
    numbers = all(type(number) is int for found in folders.values() for number in found)
    beneath = [folder for folder in folders if folder != class_name]
    if not numbers or len(beneath) == len(folders) > 0:
        raise ValueError(f"the folders of the class {class_name!r} are damaged")
    if not all_inside("\0".join(beneath), class_name, len(beneath)):
        raise ValueError(f"the class {class_name!r} has folders elsewhere")
    return folders


def left_out_of(described: Any) -> LeftOut:
    """Checks the files that are not read, as a file describes them.

    Raises:
        ValueError, TypeError, AttributeError: they are no numbers and names by suffix.
    """
    found: dict[str, tuple[int, str]] = {suffix: (n, first) for suffix, (n, first) in described.items()}
    if not all(type(n) is int and isinstance(first, str) for n, first in found.values()):
        raise ValueError("the files that are not read are damaged")
    return found


def _content(folder: str, listings: dict[str, ClassListing]) -> bytes:
    parts, classes = [], []
    for name, listing in listings.items():
        part = "\0".join(listing.files)
        parts.append(part)
        entry: dict[str, Any] = {
            "name": name,
            "count": len(listing.files),
            "length": len(part),
            "folders": listing.folders,
            "follow_links": listing.follow_links,
            "listed_at": listing.listed_at,
            "has_tiff": listing.has_tiff,
            "left_out": listing.left_out,
        }
        classes.append(entry)
    content = json.dumps(classes).encode() + b"\n" + os.fsencode("".join(parts))
    header = {
        "format": _FORMAT,
        "version": _VERSION,
        "folder": folder,
        "checksum": _checksum(content),
    }
    return json.dumps(header).encode() + b"\n" + content
