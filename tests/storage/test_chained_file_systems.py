"""URLs with several links: caches of other file systems, and archives in them."""

from __future__ import annotations

from pathlib import Path

import pytest
from executor_support import BATCHES, assert_same_batches, flow, take
from remote_support import remote, zipped
from s3_support import BUCKET, S3, needs_s3

from imageloom import load_img

fsspec = pytest.importorskip("fsspec")
pytestmark = [
    needs_s3,
    # fsspec's `blockcache` never closes the files in which it keeps the parts.
    pytest.mark.filterwarnings("ignore:.*unclosed:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
FOLDERS = [f"{kind}::s3://{BUCKET}/crops" for kind in ("blockcache", "filecache", "simplecache")] + [
    f"dir://crops::s3://{BUCKET}"
]
ARCHIVES = [
    f"zip://images::{kind}::s3://{BUCKET}/crops.zip"
    for kind in ("blockcache", "filecache", "simplecache")
] + [f"{kind}::zip://images::s3://{BUCKET}/crops.zip" for kind in ("blockcache", "simplecache")]


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["serial", "processes"])
@pytest.mark.parametrize("url", [*FOLDERS, *ARCHIVES])
def test_chains_are_read_like_folders(
    url: str, executor: str, places: dict[str, str], crops: Path
) -> None:
    expected = take(flow(crops), 2 * BATCHES)  # the second epoch finds everything in the cache
    with remote(url, executor) as it:
        assert_same_batches(take(it, 2 * BATCHES), expected)
        assert load_img(it.filepaths[0]) == load_img(flow(crops).filepaths[0])


@pytest.mark.parametrize("inner", ["file", "memory", "zip"])
def test_parts_are_kept_of_what_has_parts(inner: str, crops: Path, tmp_path: Path) -> None:
    fsspec.filesystem("memory").put(str(crops), f"/{inner} parts", recursive=True)
    urls = {
        "file": crops.as_uri(),
        "memory": f"memory://{inner} parts",
        "zip": f"zip://::{zipped(crops, tmp_path / 'x.zip')}",
    }
    it = remote(f"blockcache::{urls[inner]}")
    assert_same_batches(take(it, BATCHES), take(flow(crops), BATCHES))


@pytest.mark.parametrize("kind", ["blockcache", "filecache"])
def test_a_cache_keeps_what_it_has(
    kind: str, places: dict[str, str], tmp_path: Path, s3: S3, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(fsspec.config.conf, kind, {"cache_storage": str(tmp_path)})
    url = f"{kind}::s3://{BUCKET}/crops/cat/00.jpg"
    first = load_img(url)
    s3.requests.clear()
    assert load_img(url) == first
    assert s3.count("GET /data/crops") == 0
