"""Pipes, sockets, devices, folders and huge files with the name of an image are bad images."""

from __future__ import annotations

import os
import socket
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import PIL.Image
import pytest
from command_line import run
from PIL import Image

from imageloom import BadImageError, ImageDataGenerator, load_img
from imageloom._imaging.opening import largest_file
from imageloom._storage.local import read_file

pytestmark = pytest.mark.skipif(os.sep != "/", reason="needs pipes and devices")
SIZE = (8, 8)
HUGE = 2**40


def pipe(path: Path) -> None:
    os.mkfifo(path)


def bound_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def folder(path: Path) -> None:
    path.mkdir()


def huge(path: Path) -> None:
    path.touch()
    os.truncate(path, HUGE)  # it takes no space


def circle(path: Path) -> None:
    path.symlink_to(path.name)


KINDS: dict[str, tuple[Callable[[Path], None], str]] = {
    "pipe": (pipe, "a named pipe"),
    "socket": (bound_socket, "a socket"),
    "device": (device, "a device"),
    "folder": (folder, "a folder"),
    "huge": (huge, "bytes; at most"),
    "circle": (circle, "cannot be read"),
}


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, because the path of a socket must be short."""
    (tmp_path / "cat").mkdir()
    for number in range(3):
        Image.fromarray(np.full((*SIZE, 3), number, np.uint8)).save(tmp_path / "cat" / f"{number}.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def frame(kind: str, suffix: str, executor: str, directory: str | None = None, **options: Any) -> Any:
    KINDS[kind][0](Path(f"odd{suffix}"))
    names = [f"odd{suffix}", *(f"cat/{number}.png" for number in range(3))]
    return ImageDataGenerator(executor=executor, cores=1, **options).flow_from_dataframe(
        pd.DataFrame({"filename": names}),
        directory,
        class_mode=None,
        target_size=SIZE,
        shuffle=False,
        validate_filenames=False,
    )


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["serial", "threads", "processes"])
@pytest.mark.parametrize("kind", KINDS)
def test_they_are_bad_images(kind: str, executor: str, photos: Path) -> None:
    with frame(kind, ".png", executor) as it, pytest.raises(BadImageError, match=KINDS[kind][1]):
        next(it)


@pytest.mark.parametrize("suffix", [".jpg", ".npy"])
@pytest.mark.parametrize("kind", KINDS)
def test_they_are_replaced(kind: str, suffix: str, photos: Path) -> None:
    it = frame(kind, suffix, "serial", on_bad_image="replace")
    with pytest.warns(UserWarning, match="is replaced by"):
        assert [int(level) for level in next(it)[:, 0, 0, 0]] == [0, 0, 1, 2]
    with pytest.raises(BadImageError):
        load_img(f"odd{suffix}" if suffix == ".jpg" else Path("odd.npy"))


@pytest.mark.parametrize("kind", KINDS)
def test_they_are_bad_images_by_url_too(kind: str, photos: Path) -> None:
    pytest.importorskip("fsspec")
    it = frame(kind, ".png", "serial", directory=photos.as_uri())
    with pytest.raises(BadImageError, match=KINDS[kind][1]):
        next(it)


@pytest.mark.parametrize("nbytes", [0, 1, 4096, 3_000_001])
def test_a_file_is_read_whole_also_if_it_grows_meanwhile(
    nbytes: int, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, content = photos / "a.bin", bytes(range(251)) * 12_000
    path.write_bytes(content[:nbytes])
    assert read_file(path, None) == content[:nbytes]
    assert read_file(os.fsencode(path), nbytes) == content[:nbytes]
    read = os.read

    def growing(file: int, length: int) -> bytes:
        if os.fstat(file).st_ino != path.stat().st_ino:
            return read(file, length)  # of the test run
        with path.open("ab") as end:
            end.write(content[end.tell() :][:500_000])
        return read(file, min(length, 400_000))

    monkeypatch.setattr(os, "read", growing)
    assert read_file(str(path), None) == content


@pytest.mark.skipif(sys.platform != "linux", reason="counts descriptors as Linux shows them")
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_refused_is_closed(kind: str, photos: Path) -> None:
    KINDS[kind][0](photos / "odd.png")
    before = os.listdir("/proc/self/fd")
    with pytest.raises(BadImageError):
        read_file(photos / "odd.png", 2**20)
    assert len(os.listdir("/proc/self/fd")) == len(before)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "folder"])
def test_a_class_may_contain_them(kind: str, photos: Path) -> None:
    KINDS[kind][0](photos / "cat" / "odd.png")
    it = ImageDataGenerator(executor="serial", on_bad_image="replace").flow_from_directory(
        ".", SIZE, class_mode=None, shuffle=False
    )
    assert len(it.filenames) == 4
    with pytest.warns(UserWarning, match="is replaced by"):
        assert [int(level) for level in next(it)[:, 0, 0, 0]] == [0, 1, 2, 0]


def test_the_command_line_does_not_wait_for_a_pipe(photos: Path) -> None:
    for name in ("one", "two"):  # two of the same size are compared
        pipe(photos / "cat" / f"{name}.png")
    result = run("inspect", photos, status=1)
    assert "2 unreadable" in result.output
    assert "a named pipe" in result.output


def test_the_limit_follows_from_that_of_pillow(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = (photos / "cat" / "0.png").read_bytes()
    for limit in (1, 89_478_485):
        monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", limit)
        largest = largest_file()
        assert largest is not None
        assert largest >= max(2**30, 16 * limit)
    monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", None)
    assert largest_file() is None
    (photos / "long.png").write_bytes(content + bytes(100))
    load_img("long.png")
    monkeypatch.setattr("imageloom._imaging.decode.largest_file", lambda: len(content))
    load_img("cat/0.png")
    with pytest.raises(BadImageError, match=r"raise PIL\.Image\.MAX_IMAGE_PIXELS"):
        load_img("long.png")


@pytest.mark.slow
def test_a_bomb_in_an_archive_is_not_unpacked(photos: Path) -> None:
    pytest.importorskip("fsspec")
    with zipfile.ZipFile("x.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted((photos / "cat").iterdir()):
            archive.write(path, f"cat/{path.name}")
        with archive.open("cat/bomb.png", "w", force_zip64=True) as member:
            for _ in range(1500):
                member.write(bytes(2**20))
    it = ImageDataGenerator(executor="serial", on_bad_image="replace").flow_from_directory(
        "zip://::x.zip", SIZE, class_mode=None, shuffle=False
    )
    with pytest.warns(UserWarning, match=r"bomb\.png.* bytes; at most"):
        assert [int(level) for level in next(it)[:, 0, 0, 0]] == [0, 1, 2, 0]


def test_a_large_object_is_not_fetched(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The listing tells the sizes of remote files."""
    fsspec = pytest.importorskip("fsspec")
    store = fsspec.filesystem("memory")
    store.put("cat", "/large/cat", recursive=True)
    store.pipe_file("/large/cat/odd.png", bytes(1000))
    monkeypatch.setattr("imageloom._storage.fetching._LARGE", 900)
    monkeypatch.setattr("imageloom._pipeline.reading.largest_file", lambda: 950)
    it = ImageDataGenerator(executor="serial", on_bad_image="replace").flow_from_directory(
        "memory://large", SIZE, class_mode=None, shuffle=False
    )
    with pytest.warns(UserWarning, match=r"odd\.png.* has 1,000 bytes; at most 950"):
        next(it)
