"""The index of an archive: which files and folders it has, links included.

A hard link is one more name of a file. A symbolic link to a file is a file, too, and one to a folder
counts as that folder, as it would if the archive were unpacked. A link never leads out of its archive.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from imageloom._storage.links import is_loop, resolved

__all__ = ["FOLDER", "UNREADABLE", "Entry", "HardLink", "Index", "Member", "SymbolicLink", "make_index"]


class Member(NamedTuple):
    """A file of an archive.

    Attributes:
        start: the position in the archive of its first byte; in a zip archive, of the header before it.
        end: the position after the last byte to read, which may lie behind the end of the file.
        packed: the compressed size in bytes.
        size: the size in bytes.
        method: the compression method, as a number of the zip format.
        crc32: the checksum of the uncompressed bytes; in a tar archive, the modification time instead.
    """

    start: int
    end: int
    packed: int
    size: int
    method: int
    crc32: int

    @property
    def stamp(self) -> str:
        """The stamp of the file (see `stamps`)."""
        return f"{self.size} {self.crc32}"


class HardLink(NamedTuple):
    """A further name of a file; `target` is the path of the file in the archive."""

    target: str


class SymbolicLink(NamedTuple):
    """A symbolic link with what is written in it."""

    text: str


class _Other(NamedTuple):
    """Something without content of its own."""

    kind: str


FOLDER = _Other("folder")
UNREADABLE = _Other("unreadable")  # a device, for example
Entry = Member | HardLink | SymbolicLink | _Other


@dataclass(frozen=True, slots=True)
class Index:
    """The files and folders of an archive.

    Attributes:
        stamp: the stamp that the archive had when its index was read.
        members: the files by their paths in the archive, links to files included.
        folders: the path of each folder, with the names of its sub-folders and of the links to folders
            in it; "" is the root.
        links: what is written in each symbolic link, by its path.
        folder_links: the real path of each folder that a symbolic link leads to, by the link's path.
        left_out: the paths of links that lead to nothing, of what has no content that can be read, and
            paths that lead out of the archive.
    """

    stamp: str
    members: dict[str, Member]
    folders: dict[str, set[str]]
    links: dict[str, str] = field(default_factory=dict)
    folder_links: dict[str, str] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)

    def member(self, path: str) -> Member | None:
        """A file by its path, which may lead through links to folders; None if there is none."""
        found = self.members.get(path)
        if found is None and self.links:
            real = resolved(path, self.links)
            found = None if real is None else self.members.get(real)
        return found

    def folder(self, path: str) -> str | None:
        """The real path of a folder; None if there is none."""
        real = resolved(path, self.links) if self.links else path
        return real if real in self.folders else None

    def directly_in(self, path: str) -> tuple[list[str], list[str]]:
        """The names of the sub-folders and of the files that lie directly in a folder, each sorted."""
        folder = self.folder(path) or ""
        folders = self.folders.get(folder, set())
        files = (posixpath.split(name) for name in self.members)
        return sorted(folders), sorted(name for parent, name in files if parent == folder)

    def below(self, path: str, *, follow_links: bool) -> list[tuple[str, str]]:
        """All files below a folder: their paths relative to it, and their stamps.

        `follow_links` says whether this includes those below links to folders.
        """
        folder = self.folder(path)
        if folder is None:
            return []
        return list(self._below(folder, (folder,), follow_links=follow_links))

    def _below(
        self, folder: str, chain: tuple[str, ...], *, follow_links: bool
    ) -> Iterator[tuple[str, str]]:
        prefix = f"{folder}/" if folder else ""
        for name, member in self.members.items():
            if name.startswith(prefix):
                yield name[len(prefix) :], member.stamp
        for link, target in self.folder_links.items() if follow_links else ():
            around = (*chain[:-1], posixpath.dirname(link))
            if link.startswith(prefix) and not is_loop(target, around, "/"):
                for name, stamp in self._below(target, (*around, target), follow_links=True):
                    yield f"{link[len(prefix) :]}/{name}", stamp


def make_index(stamp: str, entries: Iterable[tuple[str, Entry]]) -> Index:
    """Makes the index of an archive with these paths; the last entry of a path counts."""
    index = Index(stamp, {}, {"": set()})
    hard: dict[str, str] = {}
    for path, entry in entries:
        if path == ".." or path.startswith("../"):  # no program that unpacks the archive makes these
            index.left_out.append(path)
            continue
        if isinstance(entry, HardLink):
            hard[path] = entry.target
        elif isinstance(entry, SymbolicLink):
            index.links[path] = entry.text
        elif isinstance(entry, Member):
            index.members[path] = entry
        elif entry is UNREADABLE:
            index.left_out.append(path)
        _note_folder(index.folders, path if entry is FOLDER else posixpath.dirname(path))
    for path, target in hard.items():
        _link_hard(index, path, target)
    for path in index.links:
        _link_symbolic(index, path)
    return index


def _link_hard(index: Index, path: str, target: str) -> None:
    if target in index.members:
        index.members[path] = index.members[target]
    elif target in index.links:  # one more name of a symbolic link
        index.links[path] = index.links[target]
    else:
        index.left_out.append(path)


def _link_symbolic(index: Index, path: str) -> None:
    real = resolved(path, index.links)
    if real is not None and real in index.members:
        index.members[path] = index.members[real]
    elif real is not None and real in index.folders:
        index.folder_links[path] = real
        folder, name = posixpath.split(path)
        index.folders[folder].add(name)
    else:
        index.left_out.append(path)


def _note_folder(folders: dict[str, set[str]], folder: str) -> None:
    while folder not in folders:
        folders[folder] = set()
        parent, name = posixpath.split(folder)
        if parent in folders:
            folders[parent].add(name)
            return
        _note_folder(folders, parent)
        folders[parent].add(name)
