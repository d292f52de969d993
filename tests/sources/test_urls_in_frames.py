"""The URLs of a table are followed only where the program expects URLs."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from imageloom import ImageDataGenerator, InvalidArgumentError

fsspec = pytest.importorskip("fsspec")
URLS = [
    "http://127.0.0.1:9/latest/meta-data/1.png",
    "https://host.invalid/1.png",
    "s3://bucket/1.png",
    "file:///etc/1.png",
    "memory://frames/1.png",
    "zip://1.png::/tmp/x.zip",
    "simplecache::http://127.0.0.1:9/1.png",
]


@pytest.fixture
def local(tmp_path: Path) -> Path:
    Image.fromarray(np.full((8, 8, 3), 5, np.uint8)).save(tmp_path / "1.png")
    return tmp_path


@pytest.fixture
def no_connections(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What somebody wanted to connect to."""
    asked: list[Any] = []

    def refuse(*args: Any, **options: Any) -> Any:
        asked.append(args)
        raise OSError("no connections here")

    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    return asked


@pytest.mark.parametrize("directory", [None, "", "here"])
@pytest.mark.parametrize("validate", [True, False])
@pytest.mark.parametrize("url", URLS)
def test_urls_without_a_remote_directory_are_refused(
    url: str, validate: bool, directory: str | None, local: Path, no_connections: list[Any]
) -> None:
    frame = pd.DataFrame({"filename": [str(local / "1.png"), url], "mask": [str(local / "1.png")] * 2})
    masks = frame.rename(columns={"filename": "mask", "mask": "filename"})
    where = str(local) if directory == "here" else directory
    generator = ImageDataGenerator(executor="serial")
    for table, mode in ((frame, None), (frame, "input"), (frame, "image"), (masks, "image")):
        with pytest.raises(InvalidArgumentError, match=r"1 file.* by URL.*directory="):
            generator.flow_from_dataframe(
                table, where, y_col="mask", class_mode=mode, validate_filenames=validate
            )
    assert not no_connections


def test_the_error_says_which_directory_to_pass(local: Path) -> None:
    fsspec.filesystem("memory").put_file(str(local / "1.png"), "/frames/1.png")
    frame = pd.DataFrame({"filename": ["memory://frames/1.png", str(local / "1.png"), "1.png"]})
    generator = ImageDataGenerator(executor="serial")
    with pytest.raises(InvalidArgumentError, match="directory='memory://frames'"):
        generator.flow_from_dataframe(frame, class_mode=None)
    it = generator.flow_from_dataframe(frame, "memory://frames", class_mode=None, target_size=(8, 8))
    assert (next(it) == 5).all()
    assert it.n == 3


def test_what_only_looks_like_a_url_is_a_name(local: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(local)
    names = ["./1.png", "a::1.png", "http:/1.png", "c:1.png"]
    with pytest.warns(UserWarning, match="3 invalid"):
        it = ImageDataGenerator().flow_from_dataframe(
            pd.DataFrame({"filename": names}), class_mode=None
        )
    assert list(it.filenames) == ["./1.png"]


def test_files_that_the_program_assigns_may_be_urls(local: Path) -> None:
    fsspec.filesystem("memory").put_file(str(local / "1.png"), "/frames/1.png")
    frame = pd.DataFrame({"filename": ["1.png"]})
    it = ImageDataGenerator(executor="serial").flow_from_dataframe(
        frame, str(local), class_mode=None, target_size=(8, 8)
    )
    it._filepaths = ["memory://frames/1.png"]  # as programs for Keras do
    assert (next(it) == 5).all()
