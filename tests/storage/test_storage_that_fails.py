"""Objects that are broken or missing, and storages that are away or refuse."""

from __future__ import annotations

import gc
import sys
import weakref
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from executor_support import BATCHES, assert_same_batches, flow, take
from remote_support import remote
from s3_support import BUCKET, S3, needs_s3

from imageloom import (
    ImageDataGenerator,
    InvalidArgumentError,
    MissingDependencyError,
    MissingDirectoryError,
    MissingImageError,
    StorageError,
)
from imageloom._storage.fetching import Fetcher, remote_files

fsspec = pytest.importorskip("fsspec")
pytestmark = needs_s3


def test_a_broken_and_a_missing_object_are_replaced(own: str, crops: Path, tmp_path: Path) -> None:
    it = remote(own, on_bad_image="replace", shuffle=False)
    files = fsspec.filesystem("s3")
    files.pipe_file(f"{own}/astronaut/01.png", b"this is not an image")
    files.rm_file(f"{own}/cat/03.png")
    with pytest.warns(UserWarning, match="replaced") as told:
        received = take(it, BATCHES)
    assert len(told) == 2
    whole = np.concatenate([x for x, _ in take(flow(crops, shuffle=False), BATCHES)])
    bad = [it.filenames.index(name) for name in ("astronaut/01.png", "cat/03.png")]
    for number in bad:
        whole[number] = whole[number + 1]
    np.testing.assert_array_equal(np.concatenate([x for x, _ in received]), whole)
    assert "does not exist" in it.bad_images[1].reason
    with pytest.raises(MissingImageError, match=r"cat/03\.png"):
        _ = ImageDataGenerator(executor="serial").flow_from_dataframe(
            pd.DataFrame({"filename": ["cat/03.png"]}), own, class_mode=None, validate_filenames=False
        )[0]


@pytest.mark.parametrize("executor", ["serial", "threads", "processes"])
def test_a_storage_that_is_away_is_no_fault_of_the_images(
    executor: str, places: dict[str, str], crops: Path, s3: S3
) -> None:
    expected = take(flow(crops), BATCHES)
    received = []
    options: dict[str, Any] = {"on_bad_image": "replace", "max_batches_pending": 1}
    with remote(places["s3"], executor, **options) as it:
        received += take(it, 1)
        s3.stop()
        try:
            with pytest.raises(StorageError, match="s3://data/crops/"):
                received.extend(next(it) for _ in range(BATCHES))  # some have been fetched before
        finally:
            s3.start()
        received.append(it[len(received)])
        assert_same_batches(received, expected[: len(received)])
        assert it.bad_images == []


@pytest.mark.parametrize("place", ["s3", "cached", "zip on s3"])
def test_an_error_keeps_no_batch_alive(place: str, places: dict[str, str], crops: Path, s3: S3) -> None:
    """In a cycle, it would keep the batch's memory mapped until the collector comes."""
    name = str(flow(crops).filenames[0])
    fetcher = Fetcher(places[place], [name], remote_files(places[place], [name]), None)
    s3.before = lambda request: "403 Forbidden"
    fetcher.close()  # what was asked for already may have come
    forgotten = weakref.ref(fetcher)
    gc.disable()
    try:
        with suppress(StorageError):
            fetcher.content(name)
        del fetcher
        assert forgotten() is None
    finally:
        gc.enable()


def test_a_storage_that_refuses_is_told(places: dict[str, str], crops: Path, s3: S3) -> None:
    it = remote(places["s3"], on_bad_image="replace", shuffle=False)
    s3.before = lambda request: "403 Forbidden" if "00.jpg" in request else None
    with pytest.raises(StorageError, match=r"crops/astronaut/00\.jpg.*Forbidden"):
        next(it)
    s3.before = lambda request: None
    assert_same_batches([it[0]], take(flow(crops, shuffle=False), 1))
    s3.before = lambda request: "403 Forbidden"
    with pytest.raises(StorageError, match="Forbidden"):
        remote(places["s3"])


def test_what_is_not_there_is_told(places: dict[str, str]) -> None:
    archive = places["zip"].partition("::")[2]
    for url in (
        f"s3://{BUCKET}/nothing",
        "s3://no-such-bucket/x",
        "memory://nothing",
        f"zip://nothing::{archive}",
        f"zip://::{archive}.zip",
    ):
        with pytest.raises(MissingDirectoryError, match="not an existing folder"):
            remote(url)
    with pytest.raises(MissingDirectoryError, match="Pass a URL as a string"):
        remote(Path("s3://data/crops"))  # type: ignore[arg-type]
    with pytest.raises(MissingDirectoryError, match=r"zip://::.*crops\.zip"):
        remote(archive)
    for url in ("nosuch://data", "zip://images"):
        with pytest.raises(InvalidArgumentError, match=url):
            remote(url)


def test_what_is_not_installed_is_told(places: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    with pytest.raises(MissingDependencyError, match="gcsfs"):
        remote("gs://bucket/photos")
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(MissingDependencyError, match=r"imageloom\[remote\]"):
        remote(places["memory"])
