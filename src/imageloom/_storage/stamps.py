"""What tells the versions of remote files apart, with few requests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from imageloom._errors import MissingDirectoryError, MissingImageError
from imageloom._storage.places import as_errors, concurrently, is_url, join, place_of, split, stamp_of

__all__ = ["stamps_of"]

_WORTH_LISTING: Final = 50  # files of one folder: so many are looked up by listing it


def stamps_of(root: str, names: Iterable[str], known: Mapping[str, str]) -> dict[str, str]:
    """The stamps of remote files; files that are not there are left out.

    Args:
        root: the folder or URL that names are relative to.
        names: of files; local ones are left out.
        known: stamps that need not be asked for.
    """
    stamps: dict[str, str] = {}
    asked: dict[str, dict[str, list[str]]] = {}  # folder -> name in it -> what it is called in `names`
    for name in names:
        if name in known:
            stamps[name] = known[name]
        elif is_url(url := join(root, name)):
            folder, last = split(url)
            asked.setdefault(folder, {}).setdefault(last, []).append(name)
    jobs: list[tuple[str, list[str]]] = []
    for folder, files in asked.items():
        with as_errors(folder):
            place = place_of(folder)
            place.fs.invalidate_cache()
        whole = bool(place.archive) or len(files) >= _WORTH_LISTING
        jobs += [(folder, list(files))] if whole else [(folder, [file]) for file in files]
    for (folder, _), found in zip(jobs, concurrently(_stamps_in, jobs), strict=True):
        stamps.update((name, stamp) for last, stamp in found.items() for name in asked[folder][last])
    return stamps


def _stamps_in(job: tuple[str, list[str]]) -> dict[str, str]:
    """Of a file, which is asked for, or of many files in one folder, which is listed."""
    folder, names = job
    try:
        with as_errors(folder, MissingDirectoryError):
            place = place_of(folder)
            if place.archive:
                members = place.index(fresh=True).members
                paths = {name: place.path(name) for name in names}
                return {name: members[path].stamp for name, path in paths.items() if path in members}
            if len(names) == 1:
                info = place.fs.info(place.path(names[0]))
                return {names[0]: stamp_of(info)} if info["type"] == "file" else {}
            entries = place.fs.ls(place.prefix, detail=True)
            start, wanted = len(place.prefix) + 1, set(names)
            files = ((entry["name"][start:], entry) for entry in entries if entry["type"] == "file")
            return {name: stamp_of(entry) for name, entry in files if name in wanted}
    except (MissingDirectoryError, MissingImageError):
        return {}
