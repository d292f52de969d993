"""Stamps of remote files, from which one sees that a file has changed.

A stamp is a short text with the size of a file and the best description of its content that its storage
has: an ETag, a checksum, or a modification time. A file that changes gets another stamp. Stamps are
found with few requests, because a data set has many files.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from imageloom._errors import MissingDirectoryError, MissingImageError
from imageloom._storage.access import storage_errors
from imageloom._storage.places import concurrently, place_of, relative, stamp_of
from imageloom._storage.urls import is_url, join, split

__all__ = ["stamps_of"]

_WORTH_LISTING: Final = 50  # from so many files on, a folder is listed instead of asking for each


def stamps_of(root: str, names: Iterable[str], known: Mapping[str, str]) -> dict[str, str]:
    """Finds the stamps of remote files; local files and files that do not exist are left out.

    Args:
        root: the folder or URL that the names are relative to.
        names: the files.
        known: stamps that are known already.
    """
    stamps: dict[str, str] = {}
    wanted: dict[str, dict[str, list[str]]] = {}  # folder -> file name -> its entries in `names`
    for name in names:
        if name in known:
            stamps[name] = known[name]
        elif is_url(url := join(root, name)):
            folder, last = split(url)
            wanted.setdefault(folder, {}).setdefault(last, []).append(name)
    jobs: list[tuple[str, list[str]]] = []
    for folder, files in wanted.items():
        with storage_errors(folder):
            place = place_of(folder)
            place.fs.invalidate_cache()
        many = len(files) >= _WORTH_LISTING and not place.prefix.endswith("/")
        whole = bool(place.archive) or many
        jobs += [(folder, list(files))] if whole else [(folder, [file]) for file in files]
    for (folder, _), found in zip(jobs, concurrently(_stamps_in, jobs), strict=True):
        stamps.update((name, stamp) for last, stamp in found.items() for name in wanted[folder][last])
    return stamps


def _stamps_in(job: tuple[str, list[str]]) -> dict[str, str]:
    """The stamps of files in one folder, which is listed if there are several of them."""
    folder, names = job
    try:
        with storage_errors(folder, MissingDirectoryError):
            place = place_of(folder)
            if place.archive:
                index = place.index(fresh=True)
                members = ((name, index.member(place.path(name))) for name in names)
                return {name: member.stamp for name, member in members if member is not None}
            if len(names) == 1:
                info = place.fs.info(place.path(names[0]))
                return {names[0]: stamp_of(info)} if info["type"] == "file" else {}
            entries = place.fs.ls(place.prefix, detail=True)
            files = {relative(e["name"], place.prefix): e for e in entries if e["type"] == "file"}
            return {name: stamp_of(files[name]) for name in names if name in files}
    except (MissingDirectoryError, MissingImageError):
        return {}
