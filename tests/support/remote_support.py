"""What the tests of files by URL share."""

from __future__ import annotations

import tarfile
import zipfile
from pathlib import Path
from typing import Any

from executor_support import (
    BATCH,
    SEED,
    SIZE,
)

from imageloom import DirectoryIterator, ImageDataGenerator


def zipped(folder: Path, archive: Path, inside: str = "") -> Path:
    """A zip of a folder, packed and not packed by turns."""
    with zipfile.ZipFile(archive, "w") as file:
        for i, path in enumerate(sorted(folder.rglob("*"))):
            method = zipfile.ZIP_DEFLATED if i % 2 else zipfile.ZIP_STORED
            file.write(path, f"{inside}{path.relative_to(folder)}", method)
    return archive


def tarred(folder: Path, archive: Path) -> Path:
    with tarfile.open(archive, "w") as file:
        file.add(folder, "./images")
    return archive


def remote(url: str, executor: str = "serial", **options: Any) -> DirectoryIterator:
    given = {
        key: options.pop(key) for key in ("subset", "shuffle", "shuffle_index_dir") if key in options
    }
    generator = ImageDataGenerator(executor=executor, cores=2, **options)
    return generator.flow_from_directory(url, target_size=SIZE, batch_size=BATCH, seed=SEED, **given)


PLACES = ["s3", "zip", "tar", "zip on s3", "tar on s3", "memory", "file", "cached"]
