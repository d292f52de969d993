"""Fetches the remote files of a batch in threads, ahead of the decoder.

So many files are asked for at once; each that is taken makes room for the next. What a batch holds in
memory is bounded by that, whatever its size.
"""

from __future__ import annotations

import inspect
import os
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache, partial
from typing import Final, NamedTuple

from imageloom._errors import StorageError
from imageloom._storage.archives import Member, unpacked
from imageloom._storage.places import as_errors, is_url, join, members_of, place_of, split

__all__ = ["Fetcher", "fetch"]

_AHEAD: Final = 32  # files of a batch that are under way or wait to be decoded
_THREADS: Final = 16  # for file systems that are not asynchronous
_AT_HAND: Final = {"file", "local", "memory"}  # nothing is gained by asking ahead


class _Asked(NamedTuple):
    """A file that was asked for; `content` waits for it."""

    content: Callable[[], bytes]
    cancel: Callable[[], object]


class Fetcher:
    """The contents of some files, which are asked for in the order given."""

    def __init__(self, root: str, names: Iterable[str], members: Mapping[str, Member]) -> None:
        """Asks for the first ones.

        Args:
            root: the folder that names are relative to.
            names: of the files; local ones are left to the reader.
            members: where in their archives the files lie that lie in one.
        """
        self._root = root
        self._members = members
        self._names = deque(name for name in names if is_url(join(root, name)))
        self._asked: dict[str, _Asked] = {}
        self._ask_ahead()

    def content(self, name: str) -> bytes | None:
        """A file's bytes, when they are there; None for a local file.

        Raises:
            MissingImageError: there is no such file.
            StorageError: the storage cannot be reached, or refuses.
            BadImageError: the file is damaged in its archive.
        """
        url = join(self._root, name)
        if not is_url(url):
            return None
        with as_errors(url):
            # Asked for only now: what was not expected to be wanted, or is wanted again.
            asked = self._asked.pop(name, None) or self._ask(name)
            self._ask_ahead()
            member = self._members.get(name)
            try:
                content = asked.content()
            except FileNotFoundError as error:
                if member is None:
                    raise
                raise StorageError(f"The archive that {url!r} lies in is gone: {error}") from None
            finally:
                asked.cancel()  # if this wait was interrupted
            return content if member is None else unpacked(member, content, url)

    def close(self) -> None:
        """Nobody will ask for the rest."""
        self._names.clear()
        while self._asked:
            self._asked.popitem()[1].cancel()

    def _ask_ahead(self) -> None:
        while self._names and len(self._asked) < _AHEAD:
            name = self._names.popleft()
            if name not in self._asked:
                self._asked[name] = self._ask(name)

    def _ask(self, name: str) -> _Asked:
        folder, last = split(name) if is_url(name) else (self._root, name)
        try:
            return _ask(folder, last, self._members.get(name))
        except Exception as error:  # which is to be raised for this file, not for the one at work
            return _failed(error)


def fetch(url: str) -> bytes:
    """The bytes of one file by URL; errors as of `Fetcher.content`."""
    folder, name = split(url)
    content = Fetcher(folder, [name], members_of(folder, [name])).content(name)
    assert content is not None
    return content


def _failed(error: Exception) -> _Asked:
    future: Future[bytes] = Future()
    future.set_exception(error)
    return _Asked(future.result, future.cancel)


def _ask(folder: str, name: str, member: Member | None) -> _Asked:
    place = place_of(folder)
    if not place.shared:
        protocols = [place.fs.protocol] if isinstance(place.fs.protocol, str) else place.fs.protocol
        if not _AT_HAND.isdisjoint(protocols):
            return _Asked(partial(_read, folder, name, member), lambda: None)
        future = _threads(os.getpid()).submit(_read, folder, name, member)
        return _Asked(future.result, future.cancel)
    path, limits = _range(folder, name, member)
    import asyncio  # takes a while to load, and is there if the file system is asynchronous

    kind: type = type(place.fs)
    how = limits | _in_one_piece(kind)
    coming = asyncio.run_coroutine_threadsafe(place.fs._cat_file(path, **how), place.fs.loop)
    return _Asked(coming.result, coming.cancel)


def _read(folder: str, name: str, member: Member | None) -> bytes:
    path, limits = _range(folder, name, member)
    content: bytes = place_of(folder).fs.cat_file(path, **limits)
    return content


def _range(folder: str, name: str, member: Member | None) -> tuple[str, dict[str, int]]:
    """The file to read, and which part of it."""
    place = place_of(folder)
    if not place.archive:
        return place.path(name), {}
    if member is None:
        raise FileNotFoundError(name)
    return place.archive, {"start": member.start, "end": member.end}


@lru_cache
def _in_one_piece(kind: type) -> dict[str, int]:
    """What keeps s3fs from asking for each file's size first, to read large ones in parts."""
    parameters = inspect.signature(kind._cat_file).parameters  # type: ignore[attr-defined]
    return {"max_concurrency": 1} if "max_concurrency" in parameters else {}


@lru_cache(maxsize=1)
def _threads(pid: int) -> ThreadPoolExecutor:
    """Of this process; they are kept because each has connections of its own."""
    del pid
    return ThreadPoolExecutor(_THREADS, "storage")
