"""Shuffled index files, which keep the order of a class's files the same from run to run.

`<shuffle_index_dir>/.index/<class>.txt` has one relative path on each line, with forward slashes,
starting with the class. The file is made once, shuffled by the seed. Afterwards its order is kept:
files that no longer exist are removed, and new files are shuffled and appended. `<class>.json` beside
it describes the folders of the class as they were last listed.
"""

from __future__ import annotations

import dataclasses
import json
import os
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from imageloom._errors import InvalidArgumentError
from imageloom._pipeline.shortage import memory_told
from imageloom._sources.index import UNREADABLE, all_inside, folders_of, left_out_of
from imageloom._sources.listing import ClassListing, list_class
from imageloom._sources.remote_listing import list_remote_classes
from imageloom._storage.atomic import drop_drafts, replace_file
from imageloom._storage.urls import is_url

__all__ = ["list_classes_shuffled"]


def list_classes_shuffled(
    root: str, names: Sequence[str], index_dir: str, *, follow_links: bool, seed: int | None
) -> list[ClassListing]:
    """Lists some classes in the order of their index files, and brings these files up to date.

    Args:
        root: the folder of the data set.
        names: the classes.
        index_dir: the folder that contains the `.index` folder; it is made if it does not exist.
        follow_links: whether to follow links to folders inside a class.
        seed: the seed that shuffles new files; None draws one from NumPy's global state.

    Raises:
        InvalidArgumentError: An index file cannot be written, or the name of an image file contains a
            line break.
    """
    if is_url(index_dir):
        raise InvalidArgumentError(
            f"`shuffle_index_dir` must be a local directory, not a URL; received {index_dir!r}."
        )
    folder = Path(index_dir, ".index")
    try:
        return [_listing(root, name, folder, follow_links=follow_links, seed=seed) for name in names]
    except OSError as error:
        raise InvalidArgumentError(
            f"`shuffle_index_dir` {index_dir!r} cannot be used for index files: {error}"
        ) from error


def _listing(
    root: str, name: str, folder: Path, *, follow_links: bool, seed: int | None
) -> ClassListing:
    listed, described = folder / f"{name}.txt", folder / f"{name}.json"
    content = listed.read_bytes() if listed.exists() else b""
    separator = "/" if is_url(root) else os.sep
    indexed = _indexed_files(content, separator)
    known = _read_description(described, name, indexed, zlib.crc32(content))
    if known is not None and known.is_current(root, follow_links=follow_links):
        return known
    if is_url(root):
        found = list_remote_classes(root, [name], follow_links=follow_links)[0]
    else:
        found = list_class(root, name, follow_links=follow_links)
    if any("\n" in file for file in found.files):
        raise InvalidArgumentError(
            f"The name of a file of the class {name!r} contains a line break, which index files cannot "
            "store. Rename the file, or do not pass `shuffle_index_dir`."
        )
    there = set(found.files)
    kept = [file for file in indexed if file in there]
    there.difference_update(kept)
    new = [file for file in found.files if file in there]
    files = kept + [new[i] for i in _permutation(len(new), name, seed)]
    if files != indexed or not listed.exists():
        content = os.fsencode("".join(f"{file.replace(separator, '/')}\n" for file in files))
        listed.parent.mkdir(parents=True, exist_ok=True)
        drop_drafts(folder)
        replace_file(listed, content, follow_link=False)
    description = {
        "folders": found.folders,
        "follow_links": follow_links,
        "listed_at": found.listed_at,
        "has_tiff": found.has_tiff,
        "left_out": found.left_out,
        "crc32": zlib.crc32(content),
    }
    replace_file(described, json.dumps(description).encode(), follow_link=False)
    return dataclasses.replace(found, files=files, follow_links=follow_links)


@memory_told()
def _permutation(count: int, name: str, seed: int | None) -> list[int]:
    if seed is None and count:
        seed = int(np.random.randint(0, 2**32, dtype=np.uint32))
    rng = np.random.default_rng((seed or 0, zlib.crc32(os.fsencode(name))))
    return rng.permutation(count).tolist()  # type: ignore[no-any-return]


def _indexed_files(content: bytes, separator: str) -> list[str]:
    lines = os.fsdecode(content).replace("\r\n", "\n").split("\n")
    # A file that is listed twice is one sample.
    return list(dict.fromkeys(line.replace("/", separator) for line in lines if line))


def _read_description(described: Path, name: str, files: list[str], crc32: int) -> ClassListing | None:
    """Reads the description of an index file; returns None if it is missing, or not of these files."""
    try:
        description = json.loads(described.read_bytes())
        if description["crc32"] != crc32 or not all_inside("\0".join(files), name, len(files)):
            return None
        return ClassListing(
            files=files,
            folders=folders_of(description["folders"], name),
            follow_links=bool(description["follow_links"]),
            listed_at=int(description["listed_at"]),
            has_tiff=bool(description["has_tiff"]),
            left_out=left_out_of(description["left_out"]),
        )
    except UNREADABLE:
        return None
