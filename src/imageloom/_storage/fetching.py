"""Fetches the remote files of a batch in threads, ahead of the decoder.

Object stores answer slowly, so a fixed number of files is requested at once, and each file that is
taken makes room for the next request. This bounds the memory that a batch needs for undecoded files,
whatever the batch size.
"""

from __future__ import annotations

import inspect
import os
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache, partial
from typing import Final, NamedTuple

from imageloom._errors import StorageError
from imageloom._storage.access import (
    Access,
    link_below,
    reads_by_opening,
    renewed_access,
    storage_errors,
)
from imageloom._storage.archive_index import Member
from imageloom._storage.archives import unpacked
from imageloom._storage.local import check_size, read_file
from imageloom._storage.places import Place, members_of, place_of, size_in
from imageloom._storage.urls import is_url, join, split

__all__ = ["Fetcher", "RemoteFiles", "fetch", "remote_files"]

_AHEAD: Final = 32  # files of a batch that are requested, or wait to be decoded
_LARGE: Final = 2**26  # bytes; files below are not worth a word
_THREADS: Final = 16  # for file systems that are not asynchronous
_PLAIN_PROTOCOLS: Final = {"file", "local"}
_LOCAL_PROTOCOLS: Final = {*_PLAIN_PROTOCOLS, "memory"}  # these gain nothing from requests ahead


class _Request(NamedTuple):
    """A file that was requested; `content` waits for its bytes."""

    content: Callable[[], bytes]
    cancel: Callable[[], object]


class RemoteFiles(NamedTuple):
    """What is known about the remote files of a batch.

    Attributes:
        members: the positions of those files that lie in archives.
        sizes: the sizes of large files, as far as they are known.
        renewed: how they are read since a storage has failed; None if none has.
    """

    members: Mapping[str, Member] = {}
    sizes: Mapping[str, int] = {}
    renewed: Access | None = None


def remote_files(
    root: str, names: Sequence[str], stamps: Mapping[str, str] | None = None
) -> RemoteFiles:
    """Finds out what workers have to know about some files.

    Args:
        root: the folder or URL that the names are relative to.
        names: the files; local ones are passed over.
        stamps: the stamps of the data set's files, as far as they are known.
    """
    known = ((name, size_in(stamps[name])) for name in names if name in stamps) if stamps else ()
    large = {name: size for name, size in known if size >= _LARGE}
    return RemoteFiles(members_of(root, names), large, renewed_access())


class Fetcher:
    """Fetches some files, which it requests in the given order."""

    def __init__(
        self,
        root: str,
        names: Iterable[str],
        remote: RemoteFiles,
        largest: int | None,
    ) -> None:
        """Requests the first files.

        Args:
            root: the folder that the names are relative to.
            names: the files; local ones are not fetched.
            remote: what is known about them.
            largest: the most bytes that a file may have; None is no limit.
        """
        self._root = root
        self._members = remote.members
        self._sizes = remote.sizes
        self._largest = largest
        self._names = deque(name for name in names if is_url(join(root, name)))
        self._requests: dict[str, _Request] = {}
        self._request_ahead()

    def content(self, name: str) -> bytes | None:
        """Waits for a file and returns its bytes; returns None for a local file.

        Raises:
            MissingImageError: The file does not exist.
            StorageError: The storage cannot be reached, or refuses the request.
            BadImageError: The file is damaged in its archive.
        """
        url = join(self._root, name)
        if not is_url(url):
            return None
        with storage_errors(url):
            # A file is requested only now if nobody announced it, or if it is read again.
            request = self._requests.pop(name, None) or self._request(name)
            self._request_ahead()
            member = self._members.get(name)
            try:
                content = request.content()
            except FileNotFoundError as error:
                if member is None:
                    raise
                raise StorageError(
                    f"The archive that contains {url!r} no longer exists: {error}"
                ) from None
            finally:
                request.cancel()  # stops the transfer if this wait was interrupted
            return content if member is None else unpacked(member, content, url)

    def close(self) -> None:
        """Cancels the requests for files that were not taken."""
        self._names.clear()
        while self._requests:
            self._requests.popitem()[1].cancel()

    def _request_ahead(self) -> None:
        while self._names and len(self._requests) < _AHEAD:
            name = self._names.popleft()
            if name not in self._requests:
                self._requests[name] = self._request(name)

    def _request(self, name: str) -> _Request:
        folder, last = split(name) if is_url(name) else (self._root, name)
        member = self._members.get(name)
        try:
            nbytes = self._sizes.get(name, 0) if member is None else max(member.size, member.packed)
            check_size(nbytes, self._largest, join(self._root, name))
            return _request(folder, last, member, self._largest)
        except Exception as error:  # raised when this file is taken, not when an earlier one is
            return _failed_request(error)


def fetch(url: str, largest: int | None) -> bytes:
    """Returns the bytes of one file by URL; it raises the errors of `Fetcher.content`."""
    folder, name = split(url)
    content = Fetcher(folder, [name], remote_files(folder, [name]), largest).content(name)
    assert content is not None
    return content


def _failed_request(error: Exception) -> _Request:
    future: Future[bytes] = Future()
    future.set_exception(error)
    return _Request(future.result, future.cancel)


def _request(folder: str, name: str, member: Member | None, largest: int | None) -> _Request:
    place = place_of(folder)
    if not place.shared:
        read = partial(_read, folder, name, member, largest)
        if not _LOCAL_PROTOCOLS.isdisjoint(_protocols(place)):
            return _Request(read, lambda: None)
        future = _threads(os.getpid()).submit(read)
        return _Request(future.result, future.cancel)
    path, limits = _range(place, name, member)
    import asyncio  # slow to load; an asynchronous file system has loaded it already

    kind: type = type(place.fs)
    options = limits | _in_one_piece(kind)
    future = asyncio.run_coroutine_threadsafe(place.fs._cat_file(path, **options), place.fs.loop)
    return _Request(future.result, future.cancel)


def _read(folder: str, name: str, member: Member | None, largest: int | None) -> bytes:
    place = place_of(folder)
    path, limits = _range(place, name, member)
    if not limits and not _PLAIN_PROTOCOLS.isdisjoint(_protocols(place)):
        return read_file(path, largest)
    content: bytes
    if not reads_by_opening(place.fs):
        content = place.fs.cat_file(path, **limits)
        return content
    try:
        opened = place.fs.open(path, "rb")
    except AttributeError:  # `blockcache` cannot keep parts of this file system's files
        content = link_below(place.fs).cat_file(path, **limits)
        return content
    with opened as file:
        if limits:
            file.seek(limits["start"])
        content = file.read(limits["end"] - limits["start"] if limits else -1)
    return content


def _protocols(place: Place) -> Iterable[str]:
    protocol: str | tuple[str, ...] = place.fs.protocol
    return (protocol,) if isinstance(protocol, str) else protocol


def _range(place: Place, name: str, member: Member | None) -> tuple[str, dict[str, int]]:
    """The file to read, and the part of it to read as arguments of `cat_file`."""
    if not place.archive:
        return place.path(name), {}
    if member is None:
        raise FileNotFoundError(name)
    return place.archive, {"start": member.start, "end": member.end}


@lru_cache
def _in_one_piece(kind: type) -> dict[str, int]:
    """The option by which s3fs reads a file with one request.

    Without it, s3fs asks for the size of each file first, to read large files in parts.
    """
    parameters = inspect.signature(kind._cat_file).parameters  # type: ignore[attr-defined]
    return {"max_concurrency": 1} if "max_concurrency" in parameters else {}


@lru_cache(maxsize=1)
def _threads(pid: int) -> ThreadPoolExecutor:
    """The threads of a process, which are kept because each keeps its own connections open."""
    del pid
    return ThreadPoolExecutor(_THREADS, "storage")
