"""What the tests of a cache in a directory share; a pytest plugin (see conftest.py)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from executor_support import AUGMENTED, BATCH, BATCHES, SEED, take

from imageloom import DirectoryIterator, ImageDataGenerator
from imageloom._pipeline import reading


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """The directory of the cache."""
    return tmp_path / "deep" / "kept"


@pytest.fixture
def decodings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that were decoded so far, in this process."""
    names: list[str] = []
    read = reading.read_pixels

    def look(path: Any, *how: Any) -> Any:
        names.append(os.path.basename(path))
        return read(path, *how)

    monkeypatch.setattr(reading, "read_pixels", look)
    return names


def open_flow(folder: Path, kept: Path | None, **options: Any) -> DirectoryIterator:
    """In the order of the files, so that a sample's number is its row."""
    constructor = {k: options.pop(k) for k in ("decode", "cache_limit", *AUGMENTED) if k in options}
    generator = ImageDataGenerator(executor="serial", cache=kept, **constructor)
    usual: dict[str, Any] = {"target_size": (24, 24), "batch_size": BATCH, "seed": SEED}
    return generator.flow_from_directory(folder, shuffle=False, **(usual | options))


def fill(folder: Path, kept: Path, **options: Any) -> list[Any]:
    """One epoch that fills the cache."""
    return take(open_flow(folder, kept, **options), BATCHES)


def the(kept: Path, suffix: str) -> Path:
    (file,) = kept.glob(f"*.{suffix}")
    return file
