"""Shards and archives by HTTP: from servers that return parts of files, and from those that do not."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from executor_support import assert_same_batches, take
from http_storage import serving
from PIL import Image
from remote_support import zipped

from imageloom import ImageDataGenerator, MissingFileError, StorageError

pytest.importorskip("aiohttp")

OPTIONS: dict[str, Any] = {"target_size": (16, 16), "batch_size": 4, "seed": 3, "verbose": 0}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two shards, of which the second is larger than what is read of a file at once."""
    folder = tmp_path_factory.mktemp("served")
    rng = np.random.default_rng(0)
    for shard, side in enumerate((20, 800)):
        with tarfile.open(folder / f"t-{shard}.tar", "w") as archive:
            for number in range(5):
                file = io.BytesIO()
                Image.fromarray(rng.integers(0, 256, (side, side, 3), np.uint8)).save(file, "PNG")
                for suffix, content in {"png": file.getvalue(), "cls": b"%d" % (number % 3)}.items():
                    info = tarfile.TarInfo(f"{shard}{number}.{suffix}")
                    info.size = len(content)
                    archive.addfile(info, io.BytesIO(content))
    return folder


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[str]:
    with serving(folder) as url:
        yield url


def read(urls: str, executor: str = "serial") -> list[Any]:
    generator = ImageDataGenerator(rotation_range=20, executor=executor, cores=2)
    with generator.flow_from_webdataset(urls, **OPTIONS) as it:
        return take(it, 4)


@pytest.mark.parametrize("executor", ["serial", "threads", "processes"])
def test_parts_of_shards_are_read(executor: str, server: str, folder: Path) -> None:
    expected = read(f"{folder}/t-{{0..1}}.tar")
    assert_same_batches(read(f"{server}/parts/t-{{0..1}}.tar", executor), expected)


@pytest.mark.parametrize("way", ["whole", "silent"])
@pytest.mark.parametrize("shard", [0, 1])
def test_a_server_that_returns_whole_files_needs_a_cache(
    way: str, shard: int, server: str, folder: Path
) -> None:
    with pytest.raises(StorageError, match=r"does not return parts of files.*`simplecache::`"):
        read(f"{server}/{way}/t-{shard}.tar")
    found = read(f"simplecache::{server}/{way}/t-{shard}.tar")
    assert_same_batches(found, read(f"{folder}/t-{shard}.tar"))


@pytest.mark.parametrize("way", ["whole", "silent"])
def test_so_does_a_zip_archive(way: str, server: str, folder: Path, crops: Path) -> None:
    if not (folder / "crops.zip").exists():
        zipped(crops, folder / "crops.zip")
        with (folder / "crops.zip").open("r+b") as file:  # so that the end is not in the first block
            content = file.read()
            file.seek(0)
            file.write(bytes(8 * 2**20) + content)
    flow = ImageDataGenerator(executor="serial").flow_from_directory
    with pytest.raises(StorageError, match=r"does not return parts of files.*`simplecache::`"):
        flow(f"zip://::{server}/{way}/crops.zip", **OPTIONS | {"verbose": 0})
    it = flow(f"zip://::simplecache::{server}/{way}/crops.zip", **OPTIONS)
    assert_same_batches(take(it, 1), take(flow(crops, **OPTIONS), 1))


def test_a_shard_that_is_not_there(server: str) -> None:
    with pytest.raises(MissingFileError, match=r"The file 'http.*t-7\.tar' does not exist"):
        read(f"{server}/parts/t-7.tar")
