"""Lists the classes of a remote data set, in the order that local files of the same names have.

Object stores have no folders whose modification times would tell whether a class has changed. So every
iterator lists its classes again, all of them at once. That takes one request for about a thousand
files, and no requests for single files.
"""

from __future__ import annotations

import posixpath
import time
from collections.abc import Sequence

from imageloom._sources.listing import WHITE_LIST_FORMATS, ClassListing
from imageloom._storage.places import concurrently, find_files, forget_listings, join

__all__ = ["list_remote_classes"]


def list_remote_classes(root: str, names: Sequence[str]) -> list[ClassListing]:
    """Lists some classes of the data set at a URL; a class without a folder is empty."""
    listings = concurrently(lambda name: _list_class(root, name), list(dict.fromkeys(names)))
    forget_listings(root)
    found = dict(zip(dict.fromkeys(names), listings, strict=True))
    return [found[name] for name in names]


def _list_class(root: str, name: str) -> ClassListing:
    listed_at = time.time_ns()
    stamps = {posixpath.join(name, path): stamp for path, stamp in find_files(join(root, name))}
    images = [path for path in stamps if path.lower().endswith(WHITE_LIST_FORMATS)]
    files = images or [path for path in stamps if path.lower().endswith(".npy")]
    files.sort(key=posixpath.split)  # by folder, and by name within each folder
    return ClassListing(
        files=files,
        folders={},
        follow_links=False,
        listed_at=listed_at,
        has_tiff=any(path.lower().endswith(".tiff") for path in images),
        stamps={path: stamps[path] for path in files},
    )
