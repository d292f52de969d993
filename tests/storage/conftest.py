"""The same images in all places that files can be in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from remote_support import tarred, zipped
from s3_support import BUCKET, S3, upload


@pytest.fixture(scope="module")
def places(
    s3_server: S3, crops: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    """The crops, wherever they can be."""
    import fsspec

    folder = tmp_path_factory.mktemp("archives")
    zip_file, tar_file = (
        zipped(crops, folder / "crops.zip", "images/"),
        tarred(crops, folder / "crops.tar"),
    )
    fsspec.filesystem("memory").put(str(crops), "/crops", recursive=True)
    yield {
        "s3": upload(crops, "crops"),
        "zip": f"zip://images::{zip_file}",
        "tar": f"tar://images::{tar_file}",
        "zip on s3": f"zip://images::{upload(zip_file, 'crops.zip')}",
        "tar on s3": f"tar://images/::{upload(tar_file, 'crops.tar')}",
        "memory": "memory://crops",
        "file": crops.as_uri(),
        "cached": f"simplecache::s3://{BUCKET}/crops/",
    }
    # Both keep what they hold for the next module, whose crops would come into a folder of these.
    fsspec.filesystem("s3").rm(BUCKET, recursive=True)
    fsspec.filesystem("memory").rm("/crops", recursive=True)


@pytest.fixture
def own(s3: S3, crops: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """A copy of the crops on S3 that a test may spoil."""
    import fsspec

    url = upload(crops, request.node.name.partition("[")[0])
    s3.requests.clear()
    yield url
    fsspec.filesystem("s3").rm(url, recursive=True)
