"""What lies in a cache directory: a generation of files for each data set and way to read it.

A data set that grows, another size or another colour mode begins a new generation, and nobody deletes
the earlier ones by hand. So a directory keeps a limited number of generations and bytes, and those that
were unused for longest go first. Those that an iterator of any program uses now are kept.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from imageloom._storage.atomic import drop_drafts
from imageloom._storage.in_use import is_held
from imageloom._storage.user_cache import cache_folder, keep, kept_files, note_use

__all__ = [
    "FORMAT",
    "MOST_GENERATIONS",
    "Generation",
    "generations",
    "known_folders",
    "make_room",
    "note_folder",
]

FORMAT: Final = "imageloom-cache"
MOST_GENERATIONS: Final = 32
_NAME: Final = re.compile(r"([0-9a-f]{24})\.(npy|marks|json)")
_FOLDERS: Final = "caches"  # in the user's cache directory: a file for each directory that was used
_LONGEST_DESCRIPTION: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Generation:
    """The files of one data set, read in one way.

    Attributes:
        path: their path, without suffix.
        root: the folder or URL of the data set; None if the description is damaged.
        nbytes: the size of the files.
        allocated: how many bytes of the disk they take; less, as long as images are missing.
        used: when they were last used, in seconds since 1970.
    """

    path: Path
    root: str | None
    nbytes: int
    allocated: int
    used: float

    @property
    def in_use(self) -> bool:
        """Whether an iterator uses the files now."""
        return is_held(self.path.with_suffix(".npy"))

    @property
    def files(self) -> list[Path]:
        """The files, the description first: without it, nobody opens the others."""
        return [self.path.with_suffix(suffix) for suffix in (".json", ".marks", ".npy")]


def generations(folder: Path) -> list[Generation]:
    """Returns what a cache directory contains, what was used last first; other files are left out."""
    found: dict[str, dict[str, os.stat_result]] = {}
    for path, status in kept_files(folder):
        if match := _NAME.fullmatch(path.name):
            found.setdefault(match[1], {})[match[2]] = status
    listed = []
    for name, files in found.items():
        described = _described(folder / f"{name}.json")
        if described is None and "marks" not in files:
            continue  # somebody else's file
        listed.append(
            Generation(
                path=folder / name,
                root=described,
                nbytes=sum(status.st_size for status in files.values()),
                allocated=sum(_allocated(status) for status in files.values()),
                used=max(status.st_mtime for status in files.values()),
            )
        )
    return sorted(listed, key=lambda generation: generation.used, reverse=True)


def make_room(folder: Path, own: str, needed: int, room: int) -> None:
    """Deletes the generations beyond the bounds, and the drafts of killed programs.

    Args:
        folder: the directory.
        own: the name of the generation that is needed now.
        needed: how many bytes it takes.
        room: how many bytes all generations may take.
    """
    drop_drafts(folder)
    count, nbytes = 1, needed
    for generation in generations(folder):
        if generation.path.name == own:
            continue
        fits = count < MOST_GENERATIONS and nbytes + generation.nbytes <= room
        if fits or generation.in_use:
            count, nbytes = count + 1, nbytes + generation.nbytes
        else:
            for file in generation.files:
                with suppress(OSError):
                    file.unlink()


def note_folder(folder: str) -> None:
    """Notes a cache directory for `known_folders`."""
    notes = cache_folder(_FOLDERS)
    if notes is None:
        return
    note = notes / hashlib.sha256(os.fsencode(folder)).hexdigest()[:32]
    if os.path.exists(note):
        note_use(note)
    else:
        keep(note, json.dumps({"format": FORMAT, "folder": folder}).encode())


def known_folders() -> list[tuple[Path, Path]]:
    """Returns the cache directories that programs of this user have used, each with its note."""
    notes = cache_folder(_FOLDERS)
    found = []
    for path, _ in [] if notes is None else kept_files(notes):
        with suppress(OSError, ValueError, KeyError, TypeError, RecursionError):
            note = json.loads(path.read_bytes())
            if note["format"] == FORMAT and os.path.isabs(note["folder"]):
                found.append((Path(note["folder"]), path))
    return found


def _described(path: Path) -> str | None:
    """Returns the data set that a description names; None if it is none of ours."""
    with suppress(OSError, ValueError, KeyError, TypeError, RecursionError):
        with path.open("rb") as file:
            description = json.loads(file.read(_LONGEST_DESCRIPTION))
        if description["format"] == FORMAT:
            return str(description["root"])
    return None


def _allocated(status: os.stat_result) -> int:
    blocks: int | None = getattr(status, "st_blocks", None)  # Windows does not say it
    return status.st_size if blocks is None else blocks * 512
