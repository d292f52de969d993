"""Files and folders by URL, through fsspec; requests about many files are made in threads.

Local paths are read without fsspec, which is imported for the first URL. A URL may be a chain of links,
as `zip://photos::s3://bucket/data.zip` is; the path of a folder stands in the first link that contains
"://".

Errors fall into two kinds. A file that does not exist raises a `MissingImageError`, and the batch may
replace that file by another one. A storage that cannot be reached, or that refuses a request, raises a
`StorageError`, because no other file would do better.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from imageloom._errors import (
    BadImageError,
    ImageLoomError,
    InvalidArgumentError,
    MissingDependencyError,
    MissingDirectoryError,
    MissingImageError,
    StorageError,
)
from imageloom._storage.archives import ARCHIVES, Index, Member, read_index

__all__ = [
    "Entry",
    "Place",
    "absolute",
    "concurrently",
    "find_files",
    "folder_exists",
    "forget_listings",
    "fsspec_options",
    "is_url",
    "join",
    "last_part",
    "list_folders",
    "members_of",
    "place_of",
    "protocols",
    "split",
    "stamp_of",
    "storage_errors",
    "use_fsspec_options",
]

# At least two letters, because a single letter is a drive of Windows.
_SCHEME: Final = r"[A-Za-z][A-Za-z0-9+.\-]+"
_URL: Final = re.compile(rf"(?:{_SCHEME}::)*({_SCHEME})://")
_KEPT: Final = 4096  # places of each thread, and indexes of archives
_CONCURRENT: Final = 32  # requests at once to a file system that is not asynchronous
# The fields by which file systems describe the content of a file, the most reliable ones first.
_STAMP_FIELDS: Final = (
    "ETag", "etag", "md5Hash", "md5", "blob_id", "sha", "crc32c", "mtime", "LastModified",
    "last_modified", "updated", "modified", "created",
)  # fmt: skip
_T = TypeVar("_T")
_R = TypeVar("_R")
_index_locks: Final[dict[tuple[Any, ...], threading.Lock]] = {}
_indexes: Final[dict[tuple[Any, ...], Index]] = {}
_by_thread: Final = threading.local()


def is_url(path: object) -> bool:
    """Whether a path is a URL, or a chain of URLs."""
    return isinstance(path, str) and ":" in path and _URL.match(path) is not None


def protocols(paths: Iterable[str]) -> frozenset[str]:
    """The protocols of all links of the URLs among some paths."""
    found: set[str] = set()
    for path in paths:
        if is_url(path):
            found.update(
                scheme for link in path.split("::") if "/" not in (scheme := link.split("://")[0])
            )
    return frozenset(found)


def join(root: str, name: str) -> str:
    """The path or URL of a file in a folder; an absolute name, or a URL, is returned as it is."""
    if is_url(name) or not is_url(root) or os.path.isabs(name):
        return os.path.join(root, name) if not is_url(name) else name
    before, path, after = _split_at_path(root)
    return f"{before}{path.rstrip('/')}{'/' if path else ''}{name}{after}"


def split(url: str) -> tuple[str, str]:
    """Splits the URL of a file into the URL of its folder and the name of the file."""
    before, path, after = _split_at_path(url)
    folder, slash, name = path.rpartition("/")
    return f"{before}{folder or slash}{after}", name


def last_part(path: str) -> str:
    """A local path as it is, or the file name of a URL; its suffix tells the format of the file."""
    if not is_url(path):
        return path
    if path.startswith(("http://", "https://")):
        path = path.partition("?")[0]
    return split(path)[1]


def absolute(path: str) -> str:
    """Makes a path or URL independent of the working directory."""
    if not is_url(path):
        return os.path.abspath(path)
    *links, last = path.split("::")
    if "://" not in last:
        last = os.path.abspath(last)
    return "::".join([*links, last])


def _split_at_path(url: str) -> tuple[str, str, str]:
    """Splits a URL into the part before its path, the path, and the links after it."""
    links = url.split("::")
    first = next(i for i, link in enumerate(links) if "://" in link)
    scheme, path = links[first].split("://", 1)
    before = "::".join([*links[:first], scheme]) + "://"
    return before, path, "".join(f"::{link}" for link in links[first + 1 :])


# Options of fsspec, which workers take over from the process that started them


def fsspec_options() -> dict[str, Any]:
    """The global options of fsspec in this process, for workers to use."""
    conf = _fsspec().config.conf
    return {key: dict(value) if isinstance(value, dict) else value for key, value in conf.items()}


def use_fsspec_options(options: Mapping[str, Any]) -> None:
    """Sets the global options of fsspec to those of another process."""
    if options:
        _fsspec().config.conf.update(options)


def _fsspec() -> Any:
    try:
        import fsspec
        import fsspec.config
    except ImportError as error:
        raise MissingDependencyError(
            "Reading files by URL needs fsspec, which is not installed. Install it with "
            'pip install "imageloom[remote]", and with it the package that fsspec needs for the '
            "protocol (s3fs, gcsfs, huggingface_hub, ...)."
        ) from error
    return fsspec


# Errors


@contextmanager
def storage_errors(url: str, missing: type[ImageLoomError] = MissingImageError) -> Iterator[None]:
    """Translates the errors of file systems into errors of this library, which name the URL.

    The original errors lose their tracebacks. Libraries of file systems often keep their errors in
    reference cycles; with a traceback, a cycle would keep the memory of the current batch alive until
    the garbage collector runs.
    """
    try:
        yield
    except (ImageLoomError, MemoryError):
        raise
    except FileNotFoundError as error:
        kind = "folder" if missing is MissingDirectoryError else "image file"
        raise missing(f"The {kind} {url!r} does not exist.") from error.with_traceback(None)
    except IsADirectoryError as error:
        raise BadImageError(f"{url!r} is a folder, not an image file.") from error
    except ImportError as error:
        raise MissingDependencyError(
            f"Reading {url!r} needs a package that is not installed: {error}"
        ) from error
    except Exception as error:  # each file system has error classes of its own
        raise StorageError(
            f"The storage of {url!r} cannot be reached, or refused the request: "
            f"{type(error).__name__}: {error}"
        ) from error.with_traceback(None)


# Folders and files


@dataclass(frozen=True, slots=True)
class Place:
    """A folder of a file system, for use by one thread.

    Attributes:
        fs: the file system; for a folder in an archive, the file system that contains the archive.
        prefix: the path of the folder in `fs`, or in the archive, without a slash at its end.
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
        return bool(getattr(self.fs, "async_impl", False))

    def path(self, name: str) -> str:
        """The path of a file of this folder, in the file system or in the archive."""
        return f"{self.prefix}/{name}" if self.prefix or not self.archive else name

    def index(self, *, fresh: bool = False) -> Index:
        """The index of the archive, which each process reads once.

        Args:
            fresh: look whether the archive has changed, and if so read its index again.
        """
        with _index_locks.setdefault(self.key, threading.Lock()):
            index = _indexes.get(self.key)
            if index is None or fresh:
                self.fs.invalidate_cache()
                stamp = stamp_of(self.fs.info(self.archive))
                if index is None or index.stamp != stamp:
                    index = read_index(self.kind, self.fs, self.archive, stamp)
                    _remember(_indexes, self.key, index, _KEPT)
            return index


def place_of(folder: str) -> Place:
    """The place of a folder's URL; finding it opens no connection.

    Each thread has its own places, because file systems that are not asynchronous may not be safe to
    share between threads.
    """
    key = (os.getpid(), folder, repr(_fsspec().config.conf))
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
    before, path, after = _split_at_path(folder)
    kind = before.removesuffix("://")
    if kind not in ARCHIVES:
        fs, prefix = _connect(folder)
        return Place(fs, prefix.rstrip("/"))
    if not after:
        raise InvalidArgumentError(
            f"The URL {folder!r} names no archive. Write the folder in the archive first and the "
            f"archive's path or URL after it: {kind}://folder/inside::path/or/URL.{kind}."
        )
    inner = after.removeprefix("::")
    fs, archive = _connect(inner)
    return Place(fs, path.strip("/"), archive, kind, (inner, repr(_fsspec().config.conf)))


def _connect(url: str) -> tuple[Any, str]:
    try:
        found: tuple[Any, str] = _fsspec().core.url_to_fs(url)
    except ValueError as error:
        raise InvalidArgumentError(f"The URL {url!r} cannot be read: {error}") from error
    return found


def folder_exists(url: str) -> bool:
    """Whether a URL names an existing folder.

    Raises:
        StorageError: The storage cannot be reached, or refuses the request.
    """
    try:
        with storage_errors(url, MissingDirectoryError):
            place = place_of(url)
            if place.archive:
                return place.prefix in place.index(fresh=True).folders
            place.fs.invalidate_cache()
            if place.fs.info(place.prefix)["type"] == "directory":
                return True
            return bool(place.fs.isdir(place.prefix))  # a web page with links counts as a folder
    except MissingDirectoryError:
        return False


def list_folders(url: str) -> list[str]:
    """The names of the sub-folders of a folder, sorted."""
    with storage_errors(url, MissingDirectoryError):
        place = place_of(url)
        if place.archive:
            return sorted(place.index().folders.get(place.prefix, ()))
        start = len(place.prefix) + 1
        place.fs.invalidate_cache()
        entries = place.fs.ls(place.prefix, detail=True)
        names = (e["name"][start:].strip("/") for e in entries if e["type"] == "directory")
        return sorted({name for name in names if name and "/" not in name})


Entry = tuple[str, str]  # the path of a file relative to a folder, and the stamp of the file


def find_files(url: str) -> list[Entry]:
    """All files below a folder, in no particular order; a folder that does not exist has no files."""
    with storage_errors(url, MissingDirectoryError):
        place = place_of(url)
        if place.archive:
            return place.index().below(place.prefix)
        if not place.shared:
            place.fs.invalidate_cache()
        try:
            found = place.fs.find(place.prefix, detail=True)
        except FileNotFoundError:
            return []
        if not place.shared:
            place.fs.invalidate_cache()
        start = len(place.prefix) + 1
        return [(path[start:], stamp_of(info)) for path, info in found.items()]


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
            member = place.index().members.get(place.path(last)) if place.archive else None
        if member is not None:
            members[name] = member
    return members
