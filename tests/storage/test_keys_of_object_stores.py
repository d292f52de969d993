"""Keys that no folder of a disk could have: whoever may write into a bucket chooses them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from remote_support import remote
from s3_support import S3, needs_s3, upload

from imageloom import ImageDataGenerator, load_img

fsspec = pytest.importorskip("fsspec")
pytestmark = [needs_s3, pytest.mark.skipif(os.sep != "/", reason="paths as in POSIX")]
GREY, SECRET = 77, 200


def picture(path: Path, level: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((8, 8, 3), level, np.uint8)).save(path)
    return path


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A file of this machine that no bucket may lead to."""
    return picture(tmp_path / "secret.png", SECRET)


@pytest.fixture
def bucket(s3: S3, tmp_path: Path, secret: Path) -> Iterator[str]:
    """A folder in a bucket whose keys contain the path of the secret."""
    content = picture(tmp_path / "grey.png", GREY).read_bytes()
    url = upload(picture(tmp_path / "photos" / "cat" / "1.png", GREY).parents[1], "keys")
    store = fsspec.filesystem("s3")
    path = url.removeprefix("s3://")
    for key in (f"cat/{secret}", "cat//2.png", f"cat/x/{secret}", "cat/../3.png", "/dog//4.png"):
        store.pipe_file(f"{path}/{key}", content)
    yield url
    store.rm(url, recursive=True)


@pytest.mark.parametrize("executor", ["serial", "threads", "processes"])
def test_a_key_with_two_slashes_is_no_local_path(executor: str, bucket: str, secret: Path) -> None:
    with remote(bucket, executor, shuffle=False) as it:
        assert set(it.filenames) == {
            "cat/1.png", "cat//2.png", f"cat/{secret}", f"cat/x/{secret}", "cat/../3.png",
        }  # fmt: skip
        for _ in range(len(it)):
            assert (next(it)[0] == GREY).all()
        assert all(path.startswith(f"{bucket}/cat/") for path in it.filepaths)
        for path in it.filepaths:
            assert np.asarray(load_img(path)).max() == GREY


@pytest.mark.parametrize("prefix", ["file://", "local://", "zip://x::file://", "s3://keys-of-others"])
def test_a_folder_that_looks_like_a_protocol(bucket: str, secret: Path, prefix: str) -> None:
    store = fsspec.filesystem("s3")
    path = f"{bucket.removeprefix('s3://')}/{prefix}{secret}"
    store.pipe_file(path, (secret.parent / "grey.png").read_bytes())
    with pytest.warns(UserWarning, match="could be taken for URLs|No images found"):
        it = remote(bucket, shuffle=False)
    assert not [name for name in it.filenames if str(name).startswith(prefix[:4])]
    assert all(str(path).startswith(f"{bucket}/cat/") for path in it.filepaths)


@pytest.mark.parametrize("count", [1, 60], ids=["asked for", "listed"])
def test_frames_name_keys(bucket: str, count: int) -> None:
    store, content = fsspec.filesystem("s3"), {}
    for number in range(count):
        content[f"cat//many-{number}.png"] = number
        store.copy(f"{bucket}/cat/1.png", f"{bucket}/cat//many-{number}.png")
    names = [*content, "cat//missing.png"]
    generator = ImageDataGenerator(executor="serial")
    for files in (names, [f"{bucket}/{name}" for name in names]):
        frame = pd.DataFrame({"filename": files})
        with pytest.warns(UserWarning, match="1 invalid"):
            it = generator.flow_from_dataframe(frame, bucket, class_mode=None, target_size=(8, 8))
        assert list(it.filenames) == files[:-1]
        assert (next(it) == GREY).all()
