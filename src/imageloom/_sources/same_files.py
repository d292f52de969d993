"""Finds files that lie in two classes with the same name and content.

Numbered files have the same names in all classes, so that equal names mean nothing alone. Of many equal
names only some are looked at, which costs little; `imageloom inspect` compares all contents.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Final

__all__ = ["in_several_classes"]

_LARGEST_SET: Final = 20_000  # files; beyond, the comparison of names would be felt
_COMPARED: Final = 32  # pairs of files
_CHUNK: Final = 2**16


def in_several_classes(root: str, files: Mapping[str, Sequence[str]]) -> list[tuple[str, str]]:
    """Pairs of files in two classes with the same name and content; see above for what is looked at.

    Args:
        root: the folder of the data set, which is local.
        files: the files of each class, relative to `root` and beginning with the class.
    """
    if len(files) < 2 or sum(map(len, files.values())) > _LARGEST_SET:
        return []
    first: dict[str, str] = {}
    found: list[tuple[str, str, str]] = []
    for name, paths in files.items():
        start = len(name) + 1
        for number, path in enumerate(paths):
            other = first.setdefault(path[start:], path)
            if other is not path:
                found.append((other, path, paths[number - 1]))
    step = -(-len(found) // _COMPARED) or 1
    return [
        (one, other)
        for one, other, neighbour in islice(found, 0, None, step)
        # A link is made on purpose. If neighbours are alike, too, this is a trial with one picture.
        if not _linked(root, one, other)
        and _alike(root, one, other)
        and (neighbour == other or not _alike(root, other, neighbour))
    ]


def _linked(root: str, one: str, other: str) -> bool:
    try:
        return os.path.samefile(os.path.join(root, one), os.path.join(root, other))
    except OSError:
        return True


def _alike(root: str, one: str, other: str) -> bool:
    """Whether two files have the same content; files without any are not alike."""
    paths = [os.path.join(root, one), os.path.join(root, other)]
    try:
        status, other_status = map(os.stat, paths)
        if not 0 < status.st_size == other_status.st_size or not stat.S_ISREG(status.st_mode):
            return False
        with open(paths[0], "rb") as left, open(paths[1], "rb") as right:
            while chunk := left.read(_CHUNK):
                if chunk != right.read(_CHUNK):
                    return False
        return True
    except OSError:
        return False
