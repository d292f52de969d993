"""Digests of the contents of a data set, of bounded size, which tell which file has changed.

Files are sorted by name and divided into groups of equal size, of one file each in small sets. Which
group a file belongs to follows from its name and from where the groups begin, so a new file changes one
group.
"""

from __future__ import annotations

import hashlib
import os
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final

import numpy as np

from imageloom._errors import BadImageError
from imageloom._sources.arrays import ArraySource
from imageloom._sources.base import SampleSource, values_digest
from imageloom._sources.dataframe import DataFrameSource
from imageloom._sources.files import FileSource
from imageloom._sources.records import RecordSource, TableSource
from imageloom._storage.fetching import fetch
from imageloom._storage.stamps import stamps_of
from imageloom._storage.urls import is_url, join

__all__ = ["FileGroup", "array_digest", "changed_files", "file_groups", "file_names"]

_GROUPS: Final = 10_000
_BLOCK: Final = 2**24  # bytes of an array that are digested at once


@dataclass(frozen=True, slots=True)
class FileGroup:
    """Some files that follow one another by name.

    Attributes:
        first: the first one.
        count: how many there are.
        size: bytes of all of them; 0 if only a storage knows.
        digest: of their names and contents, or names and sizes.
    """

    first: str
    count: int
    size: int
    digest: str


def file_names(source: SampleSource) -> dict[str, str]:
    """The files of a data set, masks included, sorted, and each once; empty for arrays.

    Returns:
        The name of each file in `source`, by what it is called wherever the data set lies.
    """
    if not isinstance(source, FileSource):
        return {}
    samples = ((name,) if isinstance(name, str) else name for name in source.names())
    masks = source.mask_files if isinstance(source, (DataFrameSource, RecordSource)) else ()
    shown = source.shown if isinstance(source, RecordSource) else str
    files = chain(*samples, *masks)
    return dict(sorted((shown(name).replace(os.sep, "/"), name) for name in files))


def file_groups(
    source: SampleSource,
    names: Mapping[str, str],
    tick: Callable[[], Any],
    *,
    contents: bool,
    starts: Sequence[str] | None = None,
) -> list[FileGroup]:
    """Digests the files of a data set.

    Args:
        source: the data set.
        names: its files, as `file_names` returns them.
        tick: called after each file.
        contents: whether the bytes are digested; else only the sizes.
        starts: the first file of each group; by default, groups of equal size.
    """
    if starts is None:
        size = -(-len(names) // _GROUPS) or 1
        starts = list(names)[::size]
    stamps: Mapping[str, str] = {}
    if source.protocols and not contents:
        stamps = stamps_of(source.root, names.values(), source.stamps)
    members: dict[int, list[str]] = {}
    for name in names:
        members.setdefault(max(0, bisect_right(starts, name) - 1), []).append(name)
    groups = []
    for place in sorted(members):
        digest, total = hashlib.sha256(), 0
        for name in members[place]:
            size, known = _look(source, names[name], stamps, contents=contents)
            digest.update(os.fsencode(f"{name}\0{known}\0"))
            total += size
            tick()
        first = members[place][0]
        groups.append(FileGroup(first, len(members[place]), total, digest.hexdigest()[:16]))
    return groups


def _look(
    source: SampleSource, name: str, stamps: Mapping[str, str], *, contents: bool
) -> tuple[int, str]:
    """The size of a file, and what is known about its content."""
    if isinstance(source, TableSource):
        return _look_in_table(source, name) if contents else (0, "")
    path = join(source.root, name)
    if is_url(path):
        if not contents:
            return 0, stamps.get(name, "")
        content = fetch(path, None)
        return len(content), hashlib.sha256(content).hexdigest()
    try:
        size = os.stat(path).st_size
        if not contents:
            return size, str(size)
        with open(path, "rb") as file:
            return size, hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, ValueError, BadImageError):
        return 0, "unreadable"


def _look_in_table(source: TableSource, name: str) -> tuple[int, str]:
    try:
        content = source.content(name)
    except BadImageError:
        return 0, "unreadable"
    return len(content), hashlib.sha256(content).hexdigest()


def changed_files(
    before: Sequence[FileGroup], now: Sequence[FileGroup], *, what: str = "file"
) -> Iterator[str]:
    """Sentences about the groups that differ; `now` has the same starts as `before`."""
    starts = [group.first for group in before]
    found: dict[int, FileGroup] = {}
    for group in now:
        found[max(0, bisect_right(starts, group.first) - 1)] = group
    for place, old in enumerate(before):
        new = found.get(place)
        many = old.count > 1
        if new is None:
            also = f" and the {old.count - 1} after it" if many else ""
            yield f"the {what} {old.first!r}{also}: not there"
        elif new.digest != old.digest or new.count != old.count:
            yield _about(old, new, starts[place + 1] if place + 1 < len(starts) else None, what)


def _about(old: FileGroup, new: FileGroup, following: str | None, what: str) -> str:
    if old.count > 1:
        end = "to the last one" if following is None else f"to before {following!r}"
        return (
            f"{what}s from {old.first!r} {end}: one of them at least is new, missing or changed "
            f"({old.count} {what}s of {old.size} bytes, now {new.count} of {new.size})"
        )
    if new.first != old.first:
        also = f"; {new.first!r} is new" if new.count == 1 else f"; {new.count} are new"
        return f"the {what} {old.first!r}: not there{also}"
    if new.count > 1:
        return f"after the {what} {old.first!r}: {new.count - 1} new"
    sizes = "" if new.size == old.size else f", {old.size} bytes before and {new.size} now"
    return f"the {what} {old.first!r}: its content has changed{sizes}"


def array_digest(source: SampleSource, *, contents: bool) -> str:
    """A digest of all values of arrays, in blocks; "" for files, or without `contents`."""
    if not contents or not isinstance(source, ArraySource):
        return ""
    images = source.x  # of some subsets, a copy
    digest = hashlib.sha256(f"{images.dtype.str} {images.shape}".encode())
    row = max(1, images[:1].nbytes)
    step = max(1, _BLOCK // row)
    for start in range(0, len(images), step):
        digest.update(np.ascontiguousarray(images[start : start + step]).tobytes())
    digest.update(values_digest(source.y, source.sample_weight, *source.x_misc).encode())
    return digest.hexdigest()[:32]
