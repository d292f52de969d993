"""What the tests of index files share: a pytest plugin (see `pytest_plugins` in conftest.py)."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from imageloom._sources import listing
from imageloom._sources.index import index_path, list_classes
from imageloom._sources.listing import list_class

LONG_AGO = 1_600_000_000_123_456_789  # nanoseconds; not a whole second
_ages = itertools.count(LONG_AGO, 1_000_000_007)


@pytest.fixture
def index_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's cache directory."""
    folder = tmp_path / "the user's cache"
    monkeypatch.setenv("IMAGELOOM_CACHE_DIR", str(folder))
    return folder


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    files = ("cats/1.jpg", "cats/2.jpg", "cats/deep/er/3.png", "dogs/1.bmp", "dogs/x/2.png")
    return age(write(tmp_path / "pets", *files))


@pytest.fixture
def listed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The classes whose folders were walked through, in that order."""
    seen: list[str] = []

    def record(root: str, name: str, *, follow_links: bool) -> listing.ClassListing:
        seen.append(name)
        return list_class(root, name, follow_links=follow_links)

    monkeypatch.setattr("imageloom._sources.index.list_class", record)
    return seen


def write(root: Path, *files: str) -> Path:
    for file in files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).touch()
    return root


def age(root: Path) -> Path:
    """Dates every folder that was changed lately back, each to a time of its own."""
    for folder, _, _ in os.walk(root, followlinks=True):
        if os.stat(folder).st_mtime_ns > LONG_AGO * 1.05:
            time = next(_ages)
            os.utime(folder, ns=(time, time))
    return root


def remove(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink()


def posix(files: Sequence[Any]) -> list[str]:
    return [file.replace(os.sep, "/") for file in files]


def names_of(root: Path, *names: str, follow_links: bool = False) -> list[list[str]]:
    return [posix(found.files) for found in list_classes(str(root), names, follow_links=follow_links)]


def walked(root: Path, *names: str, follow_links: bool = False) -> list[list[str]]:
    return [posix(list_class(str(root), name, follow_links=follow_links).files) for name in names]


def assert_no_drafts(*folders: Path) -> None:
    assert [p for folder in folders for p in folder.rglob("*-draft-*")] == []


def place_of(root: Path) -> Path:
    place = index_path(str(root))
    assert place is not None
    return place
