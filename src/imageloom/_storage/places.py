"""Files and folders by URL, through fsspec; requests about many files are made in threads.

Local paths are read without fsspec, which is imported for the first URL.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from imageloom._errors import InvalidArgumentError, MissingDirectoryError
from imageloom._locks import Lock
from imageloom._storage.access import (
    connect,
    has_coroutines,
    reads_by_opening,
    storage_errors,
    storage_key,
)
from imageloom._storage.archive_index import Index, Member
from imageloom._storage.archives import ARCHIVES, check_is_plain, read_index
from imageloom._storage.urls import is_url, split, split_at_path

__all__ = [
    "Entry",
    "Place",
    "concurrently",
    "find_files",
    "folder_exists",
    "forget_listings",
    "list_folder",
    "members_of",
    "place_of",
    "relative",
    "size_in",
    "stamp_of",
]

_KEPT: Final = 4096  # places of each thread, and indexes of archives
_CONCURRENT: Final = 32  # requests at once to a file system that is not asynchronous
# The fields by which file systems describe the content of a file, the most reliable ones first.
_STAMP_FIELDS: Final = (
    "ETag", "etag", "md5Hash", "md5", "blob_id", "sha", "crc32c", "mtime", "LastModified",
    "last_modified", "updated", "modified", "created",
)  # fmt: skip
_T = TypeVar("_T")
_R = TypeVar("_R")
_index_locks: Final[dict[tuple[Any, ...], Lock]] = {}
_indexes: Final[dict[tuple[Any, ...], Index]] = {}
_by_thread: Final = threading.local()


@dataclass(frozen=True, slots=True)
class Place:
    """A folder of a file system, for use by one thread.

    Attributes:
        fs: the file system; for a folder in an archive, the file system that contains the archive.
        prefix: the path of the folder in `fs`, or in the archive, without the slash at its end.
        archive: the path of the archive in `fs`; "" for a folder that lies in no archive.
        kind: the kind of the archive, "zip" or "tar".
        key: identifies the archive among all that this process reads.
    """

    fs: Any
    prefix: str
    archive: str = ""
    kind: str = ""
    key: tuple[Any, ...] = ()

    @property
    def shared(self) -> bool:
        """Whether the file system is asynchronous; all threads use the same one then."""
        return has_coroutines(self.fs) and not reads_by_opening(self.fs)

    def path(self, name: str) -> str:
        """The path of a file of this folder, in the file system or in the archive."""
        return f"{self.prefix}/{name}" if self.prefix or not self.archive else name

    def index(self, *, fresh: bool = False) -> Index:
        """The index of the archive, which each process reads once.

        Args:
            fresh: look whether the archive has changed, and if so read its index again.
        """
        with _index_locks.setdefault(self.key, Lock()):
            index = _indexes.get(self.key)
            if index is None or fresh:
                self.fs.invalidate_cache()
                info = self.fs.info(self.archive)
                check_is_plain(self.kind, self.archive, info)
                stamp = stamp_of(info)
                if index is None or index.stamp != stamp:
                    index = read_index(self.kind, self.fs, self.archive, stamp)
                    _remember(_indexes, self.key, index, _KEPT)
            return index


def place_of(folder: str) -> Place:
    """The place of a folder's URL; finding it opens no connection.

    Each thread has its own places, because file systems that are not asynchronous may not be safe to
    share between threads.
    """
    key = (folder, storage_key())
    known: dict[Any, Place] = _by_thread.__dict__.setdefault("places", {})
    if key not in known:
        _remember(known, key, _open_place(folder), _KEPT)
    return known[key]


def _remember(known: dict[Any, Any], key: Any, value: Any, limit: int) -> None:
    """Adds a value to a dictionary and removes its oldest values, so that it keeps `limit` at most."""
    while len(known) >= limit:
        del known[next(iter(known))]
    known[key] = value


def _open_place(folder: str) -> Place:
    before, path, after = split_at_path(folder)
    kind = before.removesuffix("://")
    if kind not in ARCHIVES:
        fs, prefix = _connect(folder)
        further = len(path) - len(path.rstrip("/")) - 1 if path.strip("/") else 0
        return Place(fs, prefix.rstrip("/") + "/" * further)
    if not after:
        raise InvalidArgumentError(
            f"The URL {folder!r} names no archive. Write the folder in the archive first and the "
            f"archive's path or URL after it: {kind}://folder/inside::path/or/URL.{kind}."
        )
    inner = after.removeprefix("::")
    fs, archive = _connect(inner)
    return Place(fs, path.strip("/"), archive, kind, (inner, storage_key()[2]))


def _connect(url: str) -> tuple[Any, str]:
    try:
        return connect(url)
    except ValueError as error:
        raise InvalidArgumentError(f"The URL {url!r} cannot be read: {error}") from error


def folder_exists(url: str) -> bool:
    """Whether a URL names an existing folder.

    Raises:
        StorageError: The storage cannot be reached, or refuses the request.
    """
    try:
        with storage_errors(url, MissingDirectoryError):
            place = place_of(url)
            if place.archive:
                return place.index(fresh=True).folder(place.prefix) is not None
            place.fs.invalidate_cache()
            if place.fs.info(place.prefix)["type"] == "directory":
                return True
            return bool(place.fs.isdir(place.prefix))  # a web page with links counts as a folder
    except MissingDirectoryError:
        return False


def list_folder(url: str) -> tuple[list[str], list[str]]:
    """The names of the sub-folders and of the files that lie directly in a folder, each sorted."""
    with storage_errors(url, MissingDirectoryError):
        place = place_of(url)
        if place.archive:
            return place.index().directly_in(place.prefix)
        place.fs.invalidate_cache()
        entries = place.fs.ls(place.prefix, detail=True)
        names: dict[bool, set[str]] = {True: set(), False: set()}
        for entry in entries:
            name = relative(entry["name"].rstrip("/"), place.prefix)
            if name and "/" not in name:
                names[_is_folder(place.fs, entry)].add(name)
        return sorted(names[True]), sorted(names[False] - names[True])


def _is_folder(fs: Any, entry: Mapping[str, Any]) -> bool:
    return entry["type"] == "directory" or bool(entry.get("islink") and fs.isdir(entry["name"]))


def relative(path: str, folder: str) -> str:
    """A path relative to a folder; "" for one that does not lie below it.

    A web page may link to any page. Not all file systems give all paths a slash at the beginning.
    """
    prefix = f"{folder}/".removeprefix("/")
    path = path.removeprefix("/")
    return path[len(prefix) :] if path.startswith(prefix) else ""


Entry = tuple[str, str]  # the path of a file relative to a folder, and the stamp of the file


def find_files(url: str, *, follow_links: bool) -> list[Entry]:
    """All files below a folder, in no particular order; a folder that does not exist has no files.

    `follow_links` says whether links to folders are followed, which only archives have.
    """
    with storage_errors(url, MissingDirectoryError):
        place = place_of(url)
        if place.archive:
            return place.index().below(place.prefix, follow_links=follow_links)
        if not place.shared:
            place.fs.invalidate_cache()
        try:
            found = place.fs.find(place.prefix, detail=True)
        except FileNotFoundError:
            return []
        if not place.shared:
            place.fs.invalidate_cache()
        files = ((relative(path, place.prefix), info) for path, info in found.items())
        return [(name, stamp_of(info)) for name, info in files if name]


def forget_listings(url: str) -> None:
    """Frees the memory in which a file system keeps the folders that it has listed.

    No other thread may list the same file system meanwhile.
    """
    with storage_errors(url, MissingDirectoryError):
        place_of(url).fs.invalidate_cache()


def stamp_of(info: Mapping[str, Any]) -> str:
    """The stamp of a file (see `stamps`), made of what its file system reports about it."""
    content = next((info[key] for key in _STAMP_FIELDS if info.get(key) is not None), "")
    return f"{info.get('size')} {content}"


def size_in(stamp: str) -> int:
    """The size that a stamp tells; 0 if it does not."""
    size = stamp.partition(" ")[0]
    return int(size) if size.isdecimal() else 0


def concurrently(function: Callable[[_T], _R], items: Sequence[_T]) -> list[_R]:
    """Calls a function for all items in several threads; returns the results in the items' order."""
    if len(items) < 2:
        return [function(item) for item in items]
    with ThreadPoolExecutor(min(_CONCURRENT, len(items)), "storage") as pool:
        return list(pool.map(function, items))


def members_of(root: str, names: Iterable[str]) -> dict[str, Member]:
    """The positions of files in their archives; files that lie in no archive are left out."""
    members: dict[str, Member] = {}
    for name in names:
        folder, last = (root, name) if not is_url(name) else split(name)
        if not is_url(folder) or os.path.isabs(last):
            continue
        with storage_errors(folder, MissingDirectoryError):
            place = place_of(folder)
            member = place.index().member(place.path(last)) if place.archive else None
        if member is not None:
            members[name] = member
    return members
