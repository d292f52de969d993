"""Files by URL, through fsspec; questions about many files are asked in threads.

A local path never comes here; fsspec is imported when the first URL turns up. A URL may be a chain
(`zip://photos::s3://bucket/data.zip`); a folder's path stands in its first link that has one.

What goes wrong is told apart: a file that is not there is a `MissingImageError`, which a reader may
replace; that the storage does not answer, or refuses, is a `StorageError`, and no file's fault.
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
    "as_errors",
    "concurrently",
    "find_files",
    "folder_exists",
    "forget_listings",
    "is_url",
    "join",
    "last_part",
    "list_folders",
    "members_of",
    "place_of",
    "protocols",
    "settings",
    "split",
    "stamp_of",
    "use_settings",
]

# Two letters at least: what has one is a drive of Windows.
_SCHEME: Final = r"[A-Za-z][A-Za-z0-9+.\-]+"
_URL: Final = re.compile(rf"(?:{_SCHEME}::)*({_SCHEME})://")
_KEPT: Final = 4096  # places, of each thread, and indexes of archives
_CONCURRENT: Final = 32  # requests, where a file system does not see to that itself
# What file systems call a thing that changes with a file, the best first.
_VERSIONS: Final = (
    "ETag", "etag", "md5Hash", "md5", "blob_id", "sha", "crc32c", "mtime", "LastModified",
    "last_modified", "updated", "modified", "created",
)  # fmt: skip
_T = TypeVar("_T")
_R = TypeVar("_R")
_index_locks: Final[dict[tuple[Any, ...], threading.Lock]] = {}
_indexes: Final[dict[tuple[Any, ...], Index]] = {}
_by_thread: Final = threading.local()


def is_url(path: object) -> bool:
    """Whether a path is a URL, or a chain of them."""
    return isinstance(path, str) and ":" in path and _URL.match(path) is not None


def protocols(paths: Iterable[str]) -> frozenset[str]:
    """The protocols of all links of some URLs; local paths have none."""
    found: set[str] = set()
    for path in paths:
        if is_url(path):
            found.update(
                scheme for link in path.split("::") if "/" not in (scheme := link.split("://")[0])
            )
    return frozenset(found)


def join(root: str, name: str) -> str:
    """The path or URL of a file of a folder; what is absolute, or a URL, stands for itself."""
    if is_url(name) or not is_url(root) or os.path.isabs(name):
        return os.path.join(root, name) if not is_url(name) else name
    before, path, after = _parted(root)
    return f"{before}{path.rstrip('/')}{'/' if path else ''}{name}{after}"


def split(url: str) -> tuple[str, str]:
    """The URL of a file's folder, and its name."""
    before, path, after = _parted(url)
    folder, slash, name = path.rpartition("/")
    return f"{before}{folder or slash}{after}", name


def last_part(path: str) -> str:
    """What tells a file's kind: a local path, or a URL's own name in its folder."""
    if not is_url(path):
        return path
    if path.startswith(("http://", "https://")):
        path = path.partition("?")[0]
    return split(path)[1]


def absolute(path: str) -> str:
    """The path or URL so that it means the same in any working directory."""
    if not is_url(path):
        return os.path.abspath(path)
    *links, last = path.split("::")
    if "://" not in last:
        last = os.path.abspath(last)
    return "::".join([*links, last])


def _parted(url: str) -> tuple[str, str, str]:
    """A URL as what stands before its path, the path, and the further links."""
    links = url.split("::")
    first = next(i for i, link in enumerate(links) if "://" in link)
    scheme, path = links[first].split("://", 1)
    before = "::".join([*links[:first], scheme]) + "://"
    return before, path, "".join(f"::{link}" for link in links[first + 1 :])


# Settings, of this process and of its workers


def settings() -> dict[str, Any]:
    """What fsspec has been told, for a worker to take over."""
    conf = _fsspec().config.conf
    return {key: dict(value) if isinstance(value, dict) else value for key, value in conf.items()}


def use_settings(given: Mapping[str, Any]) -> None:
    """Takes over the configuration of another process."""
    if given:
        _fsspec().config.conf.update(given)


def _fsspec() -> Any:
    try:
        import fsspec
        import fsspec.config
    except ImportError as error:
        raise MissingDependencyError(
            'Files by URL are read through fsspec: pip install "imageloom[remote]", and what fsspec '
            "needs for the protocol (s3fs, gcsfs, huggingface_hub, ...)."
        ) from error
    return fsspec


# Errors


@contextmanager
def as_errors(url: str, missing: type[ImageLoomError] = MissingImageError) -> Iterator[None]:
    """Raises what goes wrong with a URL as errors of this library.

    The errors behind them lose their tracebacks: file systems' libraries put their errors into cycles,
    which would keep the batch at work, and its memory, until the collector comes.
    """
    try:
        yield
    except (ImageLoomError, MemoryError):
        raise
    except FileNotFoundError as error:
        kind = "folder" if missing is MissingDirectoryError else "image file"
        raise missing(f"The {kind} {url!r} does not exist.") from error.with_traceback(None)
    except IsADirectoryError as error:
        raise BadImageError(f"{url!r} is a folder.") from error
    except ImportError as error:
        raise MissingDependencyError(f"{url!r} needs another package: {error}") from error
    except Exception as error:  # of whatever library the file system stands on
        raise StorageError(
            f"The storage of {url!r} does not give what it is asked for: "
            f"{type(error).__name__}: {error}"
        ) from error.with_traceback(None)


# Folders and files


@dataclass(frozen=True, slots=True)
class Place:
    """A folder: where its files are, for this thread.

    Attributes:
        fs: the file system; of an archive, the one that the archive lies in.
        prefix: the folder's path there, without a slash at its end; of an archive, the path inside.
        archive: the path of the archive on `fs`; "" if the folder lies in none.
        kind: of the archive, zip or tar.
        key: tells archives apart.
    """

    fs: Any
    prefix: str
    archive: str = ""
    kind: str = ""
    key: tuple[Any, ...] = ()

    @property
    def shared(self) -> bool:
        """Whether all threads have the same file system, an asynchronous one."""
        return bool(getattr(self.fs, "async_impl", False))

    def path(self, name: str) -> str:
        """A file's path; of an archive, inside it."""
        return f"{self.prefix}/{name}" if self.prefix or not self.archive else name

    def index(self, *, fresh: bool = False) -> Index:
        """The index of the archive, which is read once in a process, or if it has changed."""
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
    """The place of a folder's URL; this connects to nothing yet.

    File systems that are not asynchronous need not be safe to share: each thread has its own.
    """
    key = (os.getpid(), folder, repr(_fsspec().config.conf))
    known: dict[Any, Place] = _by_thread.__dict__.setdefault("places", {})
    if key not in known:
        _remember(known, key, _opened(folder), _KEPT)
    return known[key]


def _remember(known: dict[Any, Any], key: Any, value: Any, limit: int) -> None:
    """Puts a value into a dictionary that keeps so many, the oldest of which go."""
    while len(known) >= limit:
        del known[next(iter(known))]
    known[key] = value


def _opened(folder: str) -> Place:
    before, path, after = _parted(folder)
    kind = before.removesuffix("://")
    if kind not in ARCHIVES:
        fs, prefix = _connected(folder)
        return Place(fs, prefix.rstrip("/"))
    if not after:
        raise InvalidArgumentError(
            f"{folder!r} names no archive: write {kind}://folder/inside::path/or/URL.{kind}."
        )
    inner = after.removeprefix("::")
    fs, archive = _connected(inner)
    return Place(fs, path.strip("/"), archive, kind, (inner, repr(_fsspec().config.conf)))


def _connected(url: str) -> tuple[Any, str]:
    try:
        found: tuple[Any, str] = _fsspec().core.url_to_fs(url)
    except ValueError as error:
        raise InvalidArgumentError(f"{url!r} is no URL that can be read: {error}") from error
    return found


def folder_exists(url: str) -> bool:
    """Whether there is such a folder.

    Raises:
        StorageError: the storage cannot be asked.
    """
    try:
        with as_errors(url, MissingDirectoryError):
            place = place_of(url)
            if place.archive:
                return place.prefix in place.index(fresh=True).folders
            place.fs.invalidate_cache()
            if place.fs.info(place.prefix)["type"] == "directory":
                return True
            return bool(place.fs.isdir(place.prefix))  # web pages with links are folders, too
    except MissingDirectoryError:
        return False


def list_folders(url: str) -> list[str]:
    """The names of the folders in a folder, sorted."""
    with as_errors(url, MissingDirectoryError):
        place = place_of(url)
        if place.archive:
            return sorted(place.index().folders.get(place.prefix, ()))
        start = len(place.prefix) + 1
        place.fs.invalidate_cache()
        entries = place.fs.ls(place.prefix, detail=True)
        names = (e["name"][start:].strip("/") for e in entries if e["type"] == "directory")
        return sorted({name for name in names if name and "/" not in name})


Entry = tuple[str, str]  # a file's path, relative to the folder that was asked for, and its stamp


def find_files(url: str) -> list[Entry]:
    """All files below a folder, in no particular order; none if there is no such folder."""
    with as_errors(url, MissingDirectoryError):
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
    """Lets go of what a file system has kept of its folders: nobody will ask for it again.

    Not for use while another thread lists the same file system.
    """
    with as_errors(url, MissingDirectoryError):
        place_of(url).fs.invalidate_cache()


def stamp_of(info: Mapping[str, Any]) -> str:
    """A file's size and what else tells its versions apart, out of what its file system says."""
    version = next((info[key] for key in _VERSIONS if info.get(key) is not None), "")
    return f"{info.get('size')} {version}"


def concurrently(function: Callable[[_T], _R], items: Sequence[_T]) -> list[_R]:
    """The results for all items, in their order, from several threads."""
    if len(items) < 2:
        return [function(item) for item in items]
    with ThreadPoolExecutor(min(_CONCURRENT, len(items)), "storage") as pool:
        return list(pool.map(function, items))


def members_of(root: str, names: Iterable[str]) -> dict[str, Member]:
    """Where in their archives some files lie; those that are in none are left out."""
    members: dict[str, Member] = {}
    for name in names:
        folder, last = (root, name) if not is_url(name) else split(name)
        if not is_url(folder) or os.path.isabs(last):
            continue
        with as_errors(folder, MissingDirectoryError):
            place = place_of(folder)
            member = place.index().members.get(place.path(last)) if place.archive else None
        if member is not None:
            members[name] = member
    return members
