"""The texts of paths and URLs: what a URL is, and how URLs are split and joined.

A URL may be a chain of links, as `zip://photos::s3://bucket/data.zip` is; the path of a folder stands
in the first link that contains "://". Object stores have keys with two slashes in a row, so a slash
more or less names another file: "s3://bucket/cat//1.jpg" lies in the folder "s3://bucket/cat//".
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from itertools import takewhile
from typing import Final

__all__ = [
    "absolute",
    "can_be_joined",
    "common_folder",
    "is_url",
    "join",
    "last_part",
    "name_below",
    "protocols",
    "split",
    "split_at_path",
]

# At least two letters, because a single letter is a drive of Windows.
_SCHEME: Final = r"[A-Za-z][A-Za-z0-9+.\-]+"
_URL: Final = re.compile(rf"(?:{_SCHEME}::)*({_SCHEME})://")


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
    before, path, after = split_at_path(root)
    return f"{before}{path.removesuffix('/')}{'/' if path else ''}{name}{after}"


def can_be_joined(name: str) -> bool:
    """Whether `join` takes a name that a storage has listed for a file below the folder.

    Whoever may write into a bucket chooses the names there. Those of a folder "file:" would begin like
    a URL, and "::" would make a chain of links.
    """
    return not (is_url(name) or os.path.isabs(name) or "::" in name)


def split(url: str) -> tuple[str, str]:
    """Splits the URL of a file into the URL of its folder and the name of the file."""
    before, path, after = split_at_path(url)
    folder, slash, name = path.rpartition("/")
    if not folder or folder.endswith("/"):
        folder += slash  # it is part of the folder's name
    return f"{before}{folder}{after}", name


def last_part(path: str) -> str:
    """A local path as it is, or the file name of a URL; its suffix tells the format of the file."""
    if not is_url(path):
        return path
    if path.startswith(("http://", "https://")):
        path = path.partition("?")[0]
    return split(path)[1]


def absolute(path: str) -> str:
    """Makes the path or URL of a folder independent of the working directory.

    Of several slashes at the end of a URL, one stays.
    """
    if not is_url(path):
        return os.path.abspath(path)
    before, inner, after = split_at_path(path)
    if inner.strip("/"):
        inner = inner.rstrip("/") + ("/" if inner.endswith("/") else "")
    *links, last = f"{before}{inner}{after}".split("::")
    if "://" not in last:
        last = os.path.abspath(last)
    return "::".join([*links, last])


def split_at_path(url: str) -> tuple[str, str, str]:
    """Splits a URL into the part before its path, the path, and the links after it."""
    links = url.split("::")
    first = next(i for i, link in enumerate(links) if "://" in link)
    scheme, path = links[first].split("://", 1)
    before = "::".join([*links[:first], scheme]) + "://"
    return before, path, "".join(f"::{link}" for link in links[first + 1 :])


def common_folder(folders: Sequence[str]) -> str:
    """The deepest folder or URL that all of some absolute ones are, or lie in; "" if there is none."""
    if not any(map(is_url, folders)):
        try:
            return os.path.commonpath(folders)
        except ValueError:  # other drives of Windows
            return ""
    if not all(map(is_url, folders)):
        return ""
    places = [split_at_path(folder) for folder in folders]
    if len({(before, after) for before, _, after in places}) > 1:
        return ""
    before, _, after = places[0]
    parts = zip(*(path.split("/") for _, path, _ in places), strict=False)  # down to the shortest path
    shared = takewhile(lambda level: len({*level}) == 1, parts)
    return f"{before}{'/'.join(level[0] for level in shared)}{after}"


def name_below(root: str, path: str) -> str:
    """The name of a file relative to a folder as `common_folder` returns it, with "/" between parts.

    What does not lie there, as nothing does in "", keeps its name.
    """
    if is_url(root) and is_url(path):
        (before, inner, after), (before_it, path_of_it, after_it) = map(split_at_path, (root, path))
        prefix = f"{inner}/" if inner else ""
        if (before, after) == (before_it, after_it) and path_of_it.startswith(prefix):
            return path_of_it[len(prefix) :]
    elif root and path.startswith(prefix := os.path.join(root, "")):
        return path[len(prefix) :].replace(os.sep, "/")
    return path
