"""The samples of a WebDataset: tar files in which the files of a sample lie side by side.

The files of a sample have the same name up to the first dot: `a/17.jpg` and `a/17.cls`. A shard is
listed by the headers of its tar file, without unpacking it; only labels are read.
"""

from __future__ import annotations

import glob
import itertools
import json
import os
import posixpath
import re
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from imageloom._errors import (
    ArgumentTypeError,
    InvalidArgumentError,
    MissingColumnError,
    MissingFileError,
)
from imageloom._storage.access import connect, storage_errors
from imageloom._storage.archives import reading_parts
from imageloom._storage.urls import common_folder, is_url, join, name_below, split

__all__ = ["IMAGE_SUFFIXES", "Shards", "list_shards", "moved_shards"]

IMAGE_SUFFIXES: Final = ("jpg", "jpeg", "png", "webp", "ppm", "bmp", "tif", "tiff", "avif", "npy")
_LABEL_SUFFIXES: Final = ("cls", "cls2", "index", "txt", "text", "json")
_LARGEST_LABEL: Final = 2**20  # bytes
_RANGE: Final = re.compile(r"\{(\d+)\.\.(\d+)\}")
_LIST: Final = re.compile(r"\{([^{}]*,[^{}]*)\}")
_COMPRESSED: Final = (".gz", ".tgz", ".bz2", ".xz", ".zst")


@dataclass(slots=True)
class Shards:
    """What some shards contain.

    Attributes:
        images: the URL of each sample's image.
        keys: the name of each sample, with its shard.
        texts: the other files of each sample that may be labels, by suffix.
        files: the URLs of all files of each sample, by suffix; empty if nobody asks for them.
        root: the folder or URL that all shards lie in; "" if there is none.
    """

    root: str = ""
    images: list[str] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    texts: list[dict[str, bytes]] = field(default_factory=list)
    files: list[dict[str, str]] = field(default_factory=list)

    def labels(self, name: str) -> list[Any]:
        """The label of each sample: in the file with this suffix, or under this key in its json file.

        Raises:
            MissingColumnError: A sample has none.
            InvalidArgumentError: A json file is damaged.
        """
        return [_label(texts, name, key) for texts, key in zip(self.texts, self.keys, strict=True)]

    def masks(self, name: str) -> list[str]:
        """The URL of the mask of each sample, which is the file with this suffix.

        Raises:
            MissingColumnError: A sample has none.
        """
        suffix = name.lower().removeprefix(".")
        for files, key in zip(self.files, self.keys, strict=True):
            if suffix not in files:
                raise MissingColumnError(
                    f"The sample {key!r} has no file with the suffix {suffix!r}, which `y_col` names "
                    f"as its mask. Its files have the suffixes {', '.join(map(repr, sorted(files)))}."
                )
        return [files[suffix] for files in self.files]


def _label(texts: dict[str, bytes], name: str, key: str) -> Any:
    if name in texts:
        text = texts[name].decode("utf-8", "replace").strip()
        if name == "json":
            return _json(texts[name], key)
        return int(text) if re.fullmatch(r"[+-]?\d+", text) else text
    if "json" in texts:
        content = _json(texts["json"], key)
        if isinstance(content, dict) and name in content:
            return content[name]
    there = [f".{suffix}" for suffix in texts] + [
        f"{suffix!r} in its json" for suffix in (_json(texts["json"], key) if "json" in texts else ())
    ]
    raise MissingColumnError(
        f"The sample {key!r} has no label {name!r}: neither a file with this suffix, nor a json file "
        f"with this key. It has {', '.join(map(str, there)) or 'only its image'}."
    )


def _json(content: bytes, key: str) -> Any:
    try:
        return json.loads(content)
    except ValueError as error:
        raise InvalidArgumentError(
            f"The json file of the sample {key!r} is damaged: {error}"
        ) from error


def list_shards(urls: Any, suffixes: Sequence[str], *, with_files: bool = False) -> Shards:
    """Lists the samples of some shards, in the order of the shards and of their files.

    Args:
        urls: the path or URL of a tar file, or a list of them; braces stand for several
            (`train-{000..017}.tar`), and in local paths `*` does.
        suffixes: the suffixes of images, the first one that a sample has is read.
        with_files: whether to note all files of each sample, as masks need it.

    Raises:
        ArgumentTypeError: it is something else.
        MissingFileError: there is no such file.
        InvalidArgumentError: a file is no tar archive, or a compressed one.
        StorageError: the storage of a URL cannot be reached, or denies access.
    """
    patterns = _patterns(urls)
    found = Shards(_root(patterns))
    for url in _expanded(patterns):
        _list_shard(url, suffixes, found, with_files)
    return found


def moved_shards(urls: Any, folder: str) -> list[str]:
    """The same shards as `urls` names, if they lie in another folder or at another URL now.

    Raises:
        InvalidArgumentError: they had no folder in common.
    """
    patterns = _patterns(urls)
    root = _root(patterns)
    if not root:
        raise InvalidArgumentError(
            "The shards lie in no common folder, so they cannot have moved with it."
        )
    return [join(folder, name_below(root, pattern)) for pattern in patterns]


def _patterns(urls: Any) -> list[str]:
    """The absolute paths and the URLs that are named, without braces."""
    given = [urls] if isinstance(urls, (str, os.PathLike)) else urls
    if not isinstance(given, (list, tuple)) or not all(
        isinstance(u, (str, os.PathLike)) for u in given
    ):
        raise ArgumentTypeError(
            "`urls` must be the path or URL of a tar file, or a list of them, such as "
            f'"train-{{000..017}}.tar"; received a {type(urls).__name__}.'
        )
    found: list[str] = []
    for pattern in map(os.fspath, given):
        if pattern.startswith("pipe:"):
            raise InvalidArgumentError(
                f"{pattern!r} is a command, which is not run. Pass the URL itself, such as "
                "s3://bucket/train-000.tar."
            )
        urls_of_it = _without_braces(pattern)
        found += [url if is_url(url) else os.path.abspath(url) for url in urls_of_it]
    if not found:
        raise InvalidArgumentError("`urls` names no shard.")
    return found


def _root(patterns: Sequence[str]) -> str:
    """The folder or URL that all shards lie in, from the text of `urls` alone."""
    folders = []
    for pattern in patterns:
        folder = split(pattern)[0] if is_url(pattern) else os.path.dirname(pattern)
        while not is_url(folder) and glob.has_magic(folder):
            folder = os.path.dirname(folder)
        folders.append(folder)
    return common_folder(folders)


def _expanded(patterns: Sequence[str]) -> list[str]:
    found: list[str] = []
    for url in patterns:
        paths = [url]
        if not is_url(url):
            paths = sorted(glob.glob(url)) if glob.has_magic(url) else [url]
            if not paths or not os.path.isfile(paths[0]):
                raise MissingFileError(f"There is no file {url!r}.")
        found += paths
    return found


def _without_braces(pattern: str) -> list[str]:
    numbers = _RANGE.search(pattern)
    if numbers is not None:
        first, last = numbers.groups()
        options = [f"{n:0{len(first)}}" for n in range(int(first), int(last) + 1)]
    elif (words := _LIST.search(pattern)) is not None:
        numbers, options = words, words.group(1).split(",")
    else:
        return [pattern]
    before, after = pattern[: numbers.start()], pattern[numbers.end() :]
    return [*itertools.chain.from_iterable(_without_braces(f"{before}{o}{after}") for o in options)]


def _list_shard(url: str, suffixes: Sequence[str], found: Shards, with_files: bool) -> None:
    samples: dict[str, tuple[dict[str, str], dict[str, bytes]]] = {}
    for name, content in _members(url):
        folder, base = posixpath.split(name)
        stem, _, suffix = base.partition(".")
        if not stem or "::" in name or "://" in name:
            continue
        images, texts = samples.setdefault(posixpath.join(folder, stem), ({}, {}))
        suffix = suffix.lower()
        if content is not None:
            texts[suffix] = content
        if suffix in suffixes or with_files:
            images[suffix] = name
    for key, (images, texts) in samples.items():
        chosen = next((images[suffix] for suffix in suffixes if suffix in images), None)
        if chosen is not None:
            found.images.append(f"tar://{chosen}::{url}")
            found.keys.append(f"{url}/{key}")
            found.texts.append(texts)
            if with_files:
                found.files.append({suffix: f"tar://{name}::{url}" for suffix, name in images.items()})


def _members(url: str) -> Iterator[tuple[str, bytes | None]]:
    """Yields the path of each file of a tar archive, with the content of those that may be labels."""
    with storage_errors(url, MissingFileError):
        fs, path = connect(url)
        with fs.open(path, "rb") as file:
            try:
                with (
                    reading_parts(file, url),
                    tarfile.open(fileobj=file, mode="r:") as archive,
                ):
                    for member in archive:
                        if member.isfile():
                            name = posixpath.normpath(member.name).lstrip("/")
                            yield name, _label_content(archive, member)
            except tarfile.TarError as error:
                advice = ""
                if url.lower().endswith(_COMPRESSED):
                    advice = " Decompress it: every image would need all before it."
                raise InvalidArgumentError(
                    f"{url!r} cannot be read as a tar archive: {error}.{advice}"
                ) from error


def _label_content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes | None:
    suffix = posixpath.basename(member.name).partition(".")[2].lower()
    if suffix not in _LABEL_SUFFIXES or member.size > _LARGEST_LABEL:
        return None
    file = archive.extractfile(member)
    return None if file is None else file.read()
