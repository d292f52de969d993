r"""The index of a data set: a hidden file with its listing, so that it need not be listed again.

The file lies in the folder of the data set or, if that cannot be written, in the user's cache
directory. It contains only data::

    {"format": "imageloom-index", "version": 1, "classes": [{"name": ..., "folders": ..., ...}]}\n
    cats/001.jpg \0 cats/002.jpg \0 ... dogs/001.jpg \0 ...

A class is read from the index if none of its folders has changed. Otherwise the class is listed again,
and the index is replaced in one step. An index is ignored if it is damaged, has another version, or
names files outside its classes. No error about an index reaches the user, because the folder can always
be listed instead.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from imageloom._sources.listing import ClassListing, list_class
from imageloom._sources.remote_listing import list_remote_classes
from imageloom._storage.atomic import replace_file
from imageloom._storage.places import is_url

__all__ = ["INDEX_NAME", "all_inside", "list_classes"]

INDEX_NAME: Final = ".imageloom-index"
_FORMAT: Final = "imageloom-index"
_VERSION: Final = 1


def list_classes(root: str, names: Sequence[str], *, follow_links: bool) -> list[ClassListing]:
    """The files of some classes of the data set in `root`, from its index as far as possible.

    A remote data set has no index, because its folders have no modification times that would tell
    whether they have changed.
    """
    if is_url(root):
        return list_remote_classes(root, names)
    paths = (Path(root, INDEX_NAME), _path_in_cache(root))
    known: dict[str, ClassListing] = {}
    listings: dict[str, ClassListing] = {}
    for path in paths:
        if all(name in listings for name in names):
            break
        found = _read(path)
        known = {**found, **known}
        for name in names:
            listing = found.get(name)
            if name not in listings and listing and listing.is_current(root, follow_links=follow_links):
                listings[name] = listing
    missing = [name for name in names if name not in listings]
    for name in dict.fromkeys(missing):
        listings[name] = list_class(root, name, follow_links=follow_links)
    if missing:
        _write(paths, {**known, **{n: listing for n, listing in listings.items() if listing.folders}})
    return [listings[name] for name in names]


def _path_in_cache(root: str) -> Path:
    import platformdirs

    digest = hashlib.sha256(os.fsencode(os.path.realpath(root))).hexdigest()[:32]
    return platformdirs.user_cache_path("imageloom") / "index" / digest


def _read(path: Path) -> dict[str, ClassListing]:
    try:
        header, body = path.read_bytes().split(b"\n", 1)
        description = json.loads(header)
        if (description["format"], description["version"]) != (_FORMAT, _VERSION):
            return {}
        text = os.fsdecode(body)
        listings, start = {}, 0
        for entry in description["classes"]:
            name, length = entry["name"], entry["length"]
            files = _names(text[start : start + length], name, entry["count"])
            listings[name] = ClassListing(
                files=files,
                folders={folder: (int(t), int(i)) for folder, (t, i) in entry["folders"].items()},
                follow_links=bool(entry["follow_links"]),
                listed_at=int(entry["listed_at"]),
                has_tiff=bool(entry["has_tiff"]),
            )
            start += length
        if start != len(text):
            return {}  # the file is incomplete, or too long
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
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
    return starting == count and joined.count(upwards) == count * prefix.count(upwards)


def _write(paths: Sequence[Path], listings: dict[str, ClassListing]) -> None:
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
        }
        classes.append(entry)
    header = json.dumps({"format": _FORMAT, "version": _VERSION, "classes": classes})
    content = header.encode() + b"\n" + os.fsencode("".join(parts))
    for path in paths:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            replace_file(path, content, follow_link=False)
        except OSError:
            continue
        return
