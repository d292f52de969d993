"""Lists the classes of a remote data set, in the order that local files of the same names have.

Object stores have no folders whose modification times would tell whether a class has changed. So every
iterator lists its classes again, all of them at once. That takes one request for about a thousand
files, and no requests for single files.
"""

from __future__ import annotations

import posixpath
import time
from collections.abc import Callable, Sequence
from functools import partial

from imageloom._sources.listing import WHITE_LIST_FORMATS, ClassListing, left_out
from imageloom._storage.places import concurrently, find_files, forget_listings
from imageloom._storage.urls import can_be_joined, join
from imageloom._warnings import Code, warn_user

__all__ = ["list_remote_classes", "list_remote_folder"]


def list_remote_classes(
    root: str,
    names: Sequence[str],
    *,
    follow_links: bool,
    formats: tuple[str, ...] = WHITE_LIST_FORMATS,
    arrays_instead: bool = True,
) -> list[ClassListing]:
    """Lists some classes of the data set at a URL, as `list_class` does."""
    list_one = partial(
        _list_class, root, follow_links=follow_links, pick=partial(_images_of, formats, arrays_instead)
    )
    once = list(dict.fromkeys(names))
    listed = concurrently(list_one, once)
    forget_listings(root)
    found = {name: listing for name, (listing, _) in zip(once, listed, strict=True)}
    if strange := [name for _, names in listed for name in names]:
        warn_user(
            f"{len(strange)} files of {root!r} are left out, because their names could be taken for "
            f"URLs or absolute paths. The first one is {strange[0]!r}.",
            code=Code.STRANGE_NAMES,
        )
    return [found[name] for name in names]


def list_remote_folder(url: str, extensions: tuple[str, ...] | None = None) -> list[str]:
    """The images of the folder at a URL that has no sub-folders for classes, relative to it."""
    paths = [path for path, _ in find_files(url, follow_links=False) if can_be_joined(path)]
    return _images_of(extensions or WHITE_LIST_FORMATS, extensions is None, paths)


def _images_of(formats: tuple[str, ...], arrays_instead: bool, paths: Sequence[str]) -> list[str]:
    files = [path for path in paths if path.lower().endswith(formats)]
    if not files and arrays_instead:
        files = [path for path in paths if path.lower().endswith(".npy")]
    return sorted(files, key=posixpath.split)  # by folder, and by name within each folder


def _list_class(
    root: str, name: str, *, follow_links: bool, pick: Callable[[Sequence[str]], list[str]]
) -> tuple[ClassListing, list[str]]:
    """Lists a class, of whose files `pick` takes the images.

    It also returns the names that must not be joined to the folder.
    """
    listed_at = time.time_ns()
    if not can_be_joined(f"{name}/"):
        return ClassListing([], {}, follow_links, listed_at, has_tiff=False), [name]
    found = find_files(join(root, name), follow_links=follow_links)
    # Not by `posixpath.join`: a key with two slashes in a row is no absolute path.
    stamps = {f"{name}/{path}": stamp for path, stamp in found}
    strange = [path for path in stamps if not can_be_joined(path)]
    for path in strange:
        del stamps[path]
    files = pick(list(stamps))
    listing = ClassListing(
        files=files,
        folders={},
        follow_links=follow_links,
        listed_at=listed_at,
        has_tiff=any(path.lower().endswith(".tiff") for path in files),
        stamps={path: stamps[path] for path in files},
        left_out=left_out(sorted(stamps.keys() - files)),
    )
    return listing, strange
