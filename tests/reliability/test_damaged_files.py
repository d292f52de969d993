"""What may be wrong with a single file, and what is said about it."""

from __future__ import annotations

import errno
import io
import os
import shutil
import sys
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from executor_support import (
    BATCHES,
    SAMPLES,
    assert_same_batches,
    flow,
    take,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from pictures import photograph
from PIL import Image
from spoilt_images import NO_IMAGE, in_order, joined, spoil, substitutes, told

from imageloom import BadImageError, MissingImageError, UnidentifiedImageError
from imageloom._executors.shared import make_executor
from imageloom._imaging.decode import load_img, read_pixels
from imageloom._options import INTERPOLATIONS, ReadOptions


def shrink(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def become_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


# What happens to a file -> the error, which all are BadImageErrors, and words of it.
DAMAGES: dict[str, tuple[Callable[[Path], Any], type[OSError], str]] = {
    "vanished": (Path.unlink, MissingImageError, "does not exist"),
    "shrunk": (shrink, BadImageError, "cannot be decoded"),
    "directory": (become_directory, BadImageError, "is a folder"),
    "empty": (lambda path: path.write_bytes(b""), UnidentifiedImageError, "0 bytes"),
    "text": (lambda path: path.write_bytes(NO_IMAGE), UnidentifiedImageError, "known format"),
    "stub": (lambda path: path.write_bytes(path.read_bytes()[:40]), BadImageError, "40 bytes"),
}
OPTIONS = ReadOptions(color_mode="rgb", target_size=(20, 20), interpolation="bilinear",
                      keep_aspect_ratio=False, exact_resize=False)  # fmt: skip


@pytest.mark.parametrize("number", [4, 5], ids=["jpg", "png"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_file_that_goes_bad_during_training(
    damage: str, number: int, crops: Path, folder: Path
) -> None:
    images, _ = joined(take(flow(crops, shuffle=False), BATCHES))
    names = flow(folder).filenames
    it, strict = in_order(folder), flow(folder, shuffle=False)
    np.testing.assert_array_equal(joined(told(it, BATCHES)[0])[0], images)
    spoil_it, kind, words = DAMAGES[damage]
    spoil_it(folder / str(names[number]))
    received, messages = told(it, BATCHES)
    np.testing.assert_array_equal(joined(received)[0], images[substitutes({number})])
    assert [b.filename for b in it.bad_images] == [names[number]]
    assert len(messages) == 1
    assert words in messages[0]
    next(strict)
    with pytest.raises(kind, match=words) as caught:
        next(strict)
    assert isinstance(caught.value, BadImageError)
    assert str(folder / str(names[number])) in str(caught.value)
    note, _ = caught.value.__notes__  # the other one says where it is explained
    assert f"while reading the image, file {names[number]!r} (sample {number - 4}" in note
    assert strict.bad_images == []


@pytest.mark.slow
def test_bad_images_are_errors_of_the_same_kind_from_processes(folder: Path) -> None:
    names = spoil(folder, {1})
    executor = make_executor("processes", 1, disable_gpu=True)
    with flow(folder, executor, shuffle=False) as it:
        with pytest.raises(UnidentifiedImageError) as caught:
            next(it)
        next(it)
    executor.close()
    assert str(folder / names[1]) in str(caught.value)
    assert any("while reading the image" in note for note in caught.value.__notes__)


def test_a_file_that_may_not_be_read(crops: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests may run as root, who may read everything."""
    name = str(flow(crops).filenames[2])
    plain = os.open

    def refuse(path: Any, *arguments: Any, **options: Any) -> Any:
        if str(path).endswith(name):
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return plain(path, *arguments, **options)

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(BadImageError, match=rf"{name}.*Permission denied"):
        next(flow(crops, shuffle=False))
    it = in_order(crops)
    assert len(told(it, 1)[1]) == 1
    assert "Permission denied" in it.bad_images[0].reason


def test_a_folder_that_may_not_be_listed_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(folder / "cup", folder / "cat" / "deep")
    plain = os.scandir

    def refuse(path: Any) -> Any:
        if str(path).endswith("deep"):
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return plain(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.warns(UserWarning, match="deep' cannot be listed.*Permission denied") as caught:
        assert flow(folder).n == SAMPLES
    assert len(caught) == 1


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_decompression_bombs(suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / f"bomb.{suffix}"
    Image.fromarray(photograph("coffee", 30, 40)).save(path)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 500)
    for read in (load_img, lambda name: read_pixels(name, OPTIONS)):
        with pytest.raises(BadImageError, match=rf"bomb\.{suffix}.*exceeds limit"):
            read(path)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 700)  # up to twice as much is only a warning
    with pytest.warns(Image.DecompressionBombWarning):
        assert read_pixels(path, OPTIONS).shape == (20, 20, 3)


@pytest.mark.skipif(sys.platform != "linux", reason="names are bytes there")
def test_names_that_are_not_utf8(crops: Path, tmp_path: Path) -> None:
    (tmp_path / "class").mkdir()
    good, bad = (os.fsdecode(b"caf\xe9%d.png" % i) for i in range(2))
    shutil.copy(crops / "cat" / "01.png", tmp_path / "class" / good)
    (tmp_path / "class" / bad).write_bytes(NO_IMAGE)
    executor = make_executor("processes", 1, disable_gpu=True)
    with in_order(tmp_path, executor=None) as it, in_order(tmp_path) as other:
        ((x, _),), (message,) = told(it, 1)
        assert_same_batches(told(other, 1)[0], [(x, np.ones((2, 1), np.float32))])
    with flow(tmp_path, executor, shuffle=False) as it, pytest.raises(BadImageError) as caught:
        next(it)
    executor.close()
    for text in (message, str(caught.value)):
        assert repr(bad)[1:-1] in text
        text.encode()  # it can be printed
    np.testing.assert_array_equal(x[0], x[1])


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
@pytest.mark.parametrize("size", [(1, 1), (30_000, 1), (1, 30_000)])
def test_extreme_sizes(size: tuple[int, int], interpolation: str, tmp_path: Path) -> None:
    for suffix in ("png", "jpg", "bmp", "tif", "ppm"):
        path = tmp_path / f"a.{suffix}"
        Image.new("RGB", size, (90, 90, 90)).save(path)
        for exact, keep in ((True, False), (False, False), (True, True)):
            for target in ((20, 20), (20, 10), (10, 20)):
                options = ReadOptions(
                    color_mode="rgb", target_size=target, interpolation=interpolation,
                    keep_aspect_ratio=keep, exact_resize=exact,
                )  # fmt: skip
                pixels = read_pixels(path, options)
                assert pixels.shape == (*target, 3)
                assert np.abs(pixels.astype(int) - 90).max() <= 1


@pytest.mark.parametrize("kind", ["EPS", "PDF"])
def test_programs_are_refused(kind: str, tmp_path: Path) -> None:
    """Pillow would have Ghostscript run a file of PostScript."""
    path = tmp_path / "a.png"
    Image.fromarray(photograph("coffee", 32, 32)).save(path, format=kind)
    if kind != "PDF":  # which Pillow writes only
        with Image.open(path) as image:
            assert image.format == kind, "Pillow itself would read it"
    for read in (load_img, lambda name: read_pixels(name, OPTIONS)):
        with pytest.raises(UnidentifiedImageError, match=r"a\.png"):
            read(path)


@pytest.mark.parametrize("kind", ["GIF", "WEBP"])
def test_formats_that_are_read_under_another_name(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(photograph("coffee", 20, 20)).save(path, format=kind)
    with Image.open(path) as image:
        expected = np.asarray(image.convert("RGB"))
    np.testing.assert_array_equal(read_pixels(path, OPTIONS), expected)


def test_colours_that_cannot_be_converted_are_the_files_fault(tmp_path: Path) -> None:
    path = tmp_path / "lab.tif"
    Image.new("LAB", (8, 8)).save(path)
    with pytest.raises(BadImageError, match=r"lab\.tif"):
        load_img(path, "grayscale")


def npy(content: str) -> bytes:
    """The file of an array with this header, and no numbers."""
    return b"\x93NUMPY\x01\x00" + len(content).to_bytes(2, "little") + content.encode()


@pytest.mark.parametrize(
    "content",
    [
        b"PK\x03\x04, but no archive",
        npy("{'descr': '<f8', 'fortran_order': False, 'shape': (4, 4, 3)"),
        npy("{'descr': '<f8', 'fortran_order': False, 'shape': (4000000, 4000000)}"),
    ],
    ids=["archive", "header", "size"],
)
def test_damaged_arrays(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    path.write_bytes(content)
    with pytest.raises(BadImageError, match=r"a\.npy"):
        read_pixels(path, OPTIONS)


def encoded(kind: str) -> bytes:
    content = io.BytesIO()
    Image.fromarray(photograph("coffee", 24, 30)).save(content, format=kind)
    return content.getvalue()


FORMATS = ("PNG", "JPEG", "BMP", "PPM", "TIFF", "GIF", "WEBP")


@pytest.mark.slow
@settings(max_examples=300)
@given(
    kind=st.sampled_from(FORMATS),
    color_mode=st.sampled_from(["rgb", "rgba", "grayscale"]),
    flips=st.lists(
        st.tuples(st.one_of(st.integers(0, 200), st.floats(0, 0.999)), st.integers(1, 255)), max_size=5
    ),
    length=st.one_of(st.just(1.0), st.floats(0, 1)),
)
def test_damaged_files_are_read_or_bad_images(
    tmp_path_factory: pytest.TempPathFactory,
    kind: str, color_mode: str, flips: list[tuple[float, int]], length: float,
) -> None:  # fmt: skip
    content = bytearray(encoded(kind))
    for place, change in flips:  # a number of the head, or a share of the whole
        at = min(place, len(content) - 1) if isinstance(place, int) else place * len(content)
        content[int(at)] ^= change
    path = tmp_path_factory.getbasetemp() / "damaged.png"
    path.write_bytes(content[: int(length * len(content))])
    options = ReadOptions(color_mode=color_mode, target_size=(20, 20), interpolation="bilinear",
                          keep_aspect_ratio=False, exact_resize=False)  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for read in (lambda: load_img(path, color_mode), lambda: read_pixels(path, options)):
            with suppress(BadImageError):  # any other error fails the test
                assert np.asarray(read()).ndim in (2, 3)
