"""Pillow's switches, plug-ins and rarer formats have their effect in every executor, as with Keras."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pictures import photograph
from PIL import Image, ImageFile
from ray_support import needs_ray, ray_on_two_cpus
from reference import keras_generator

import imageloom
from imageloom import BadImageError, ImageDataGenerator

__all__ = ["ray_on_two_cpus"]

EXECUTORS = ["serial", "threads", "processes"]
SIDE = 40
FLOW: dict[str, Any] = {"target_size": (SIDE, SIDE), "class_mode": None, "shuffle": False}


@pytest.fixture(params=[*EXECUTORS, pytest.param("ray", marks=needs_ray)])
def executor(request: pytest.FixtureRequest) -> str:
    if request.param == "ray":
        request.getfixturevalue("ray_on_two_cpus")
    return str(request.param)


@pytest.fixture(params=["processes", pytest.param("ray", marks=needs_ray)])
def elsewhere(request: pytest.FixtureRequest) -> str:
    """An executor whose workers take over what the program has changed in Pillow."""
    if request.param == "ray":
        request.getfixturevalue("ray_on_two_cpus")
    return str(request.param)


def picture(number: int = 0) -> Image.Image:
    return Image.fromarray(photograph("coffee", SIDE, SIDE, "RGB", number))


def folder_with(tmp_path: Path, files: dict[str, bytes]) -> Path:
    (tmp_path / "data" / "a").mkdir(parents=True)
    for name, content in files.items():
        (tmp_path / "data" / "a" / name).write_bytes(content)
    return tmp_path / "data"


def encoded(kind: str, image: Image.Image | None = None, **options: Any) -> bytes:
    file = io.BytesIO()
    (image or picture()).save(file, format=kind, **options)
    return file.getvalue()


def ours(folder: Path, executor: str, **options: Any) -> NDArray[Any]:
    generator = ImageDataGenerator(executor=executor, cores=1, **options)
    with generator.flow_from_directory(folder, **FLOW, interpolation="nearest") as iterator:
        return next(iterator)


def of_keras(folder: Path) -> NDArray[Any]:
    return next(keras_generator().flow_from_directory(str(folder), **FLOW))


# Switches


def test_truncated_files_are_read_as_in_keras(
    executor: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jpeg, png = encoded("JPEG"), encoded("PNG")
    folder = folder_with(tmp_path, {"a.jpg": jpeg[: len(jpeg) * 4 // 5], "b.png": png[: len(png) // 2]})
    with pytest.raises(BadImageError, match=r"a\.jpg"):
        ours(folder, executor)
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    np.testing.assert_array_equal(ours(folder, executor), of_keras(folder))


def test_damaged_checksums_are_overlooked_as_in_keras(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    png = bytearray(encoded("PNG"))
    png[png.index(b"IEND") + 4] ^= 1
    png[png.index(b"IEND") - 5] ^= 1  # of the pixels
    folder = folder_with(tmp_path, {"a.png": bytes(png)})
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    wanted = of_keras(folder)
    for executor in EXECUTORS:
        np.testing.assert_array_equal(ours(folder, executor), wanted)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP"])
def test_huge_images_are_errors_and_warnings_as_in_keras(
    kind: str, executor: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = folder_with(tmp_path, {"a.jpg": encoded(kind)})
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", SIDE * SIDE // 2 - 1)  # below half: an error
    with pytest.raises(Image.DecompressionBombError):
        of_keras(folder)
    with pytest.raises(Image.DecompressionBombError, match=r"a\.jpg") as caught:
        ours(folder, executor)
    assert isinstance(caught.value, imageloom.DecompressionBombError)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", SIDE * SIDE - 1)
    with pytest.warns(Image.DecompressionBombWarning):
        wanted = of_keras(folder)
    with pytest.warns(Image.DecompressionBombWarning) as noticed:
        np.testing.assert_array_equal(ours(folder, executor), wanted)
    assert executor == "threads" or len(noticed) == 1  # threads compute ahead, and warn again
    for most in (None, SIDE * SIDE):
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", most)
        np.testing.assert_array_equal(ours(folder, executor), wanted)


def test_a_program_may_make_an_error_of_the_warning(
    executor: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = folder_with(tmp_path, {"a.png": encoded("PNG")})
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", SIDE * SIDE - 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with pytest.raises(Image.DecompressionBombWarning):
            ours(folder, executor)


def test_one_worker_serves_iterators_with_different_switches(
    elsewhere: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jpeg = encoded("JPEG")
    folder = folder_with(tmp_path, {"a.jpg": jpeg[: len(jpeg) * 4 // 5]})
    generator = ImageDataGenerator(executor=elsewhere, cores=1)
    patient, strict = (generator.flow_from_directory(folder, **FLOW) for _ in range(2))
    with patient, strict:
        with monkeypatch.context() as patch:
            patch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
            first = next(patient)
        for _ in range(2):
            with pytest.raises(BadImageError):
                next(strict)
            np.testing.assert_array_equal(next(patient), first)


# Formats


@pytest.mark.parametrize(
    "kind",
    ["AVIF", "JPEG2000", "TGA", "ICO", "PCX", "SGI", "DDS", "GIF", "WEBP", "BMP", "DIB", "TIFF", "PPM",
      "MPO", "QOI", "SPIDER", "MSP", "XBM", "ICNS"],
)  # fmt: skip
def test_formats_behind_a_known_suffix_are_read_as_in_keras(kind: str, tmp_path: Path) -> None:
    mode = {"SPIDER": "F", "MSP": "1", "XBM": "1"}.get(kind, "RGB")
    try:
        content = encoded(kind, picture().convert(mode))
    except (KeyError, OSError):
        pytest.skip("this Pillow cannot write it")
    folder = folder_with(tmp_path, {"a.jpg": content, "b.png": content})
    wanted = of_keras(folder)
    assert wanted.any()
    for executor in EXECUTORS:
        np.testing.assert_array_equal(ours(folder, executor), wanted)
    np.testing.assert_array_equal(
        imageloom.img_to_array(imageloom.load_img(folder / "a" / "a.jpg", target_size=(SIDE, SIDE))),
        wanted[0],
    )


def test_a_suffix_that_keras_does_not_take_is_not_taken(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, {"a.webp": encoded("WEBP"), "b.jpg": encoded("JPEG")})
    iterator = ImageDataGenerator(executor="serial").flow_from_directory(folder)
    assert iterator.filenames == keras_generator().flow_from_directory(str(folder)).filenames


# Plug-ins


@pytest.fixture
def registered() -> Iterator[None]:
    """Forgets afterwards what a test has registered with Pillow."""
    tables = (Image.OPEN, Image.DECODERS, Image.SAVE)
    kept, order = [dict(table) for table in tables], Image.ID.copy()
    yield
    for table, before in zip(tables, kept, strict=True):
        table.clear()
        table.update(before)
    Image.ID[:] = order


def register_plugin(magic: bytes, *, kind: str = "PLAIN", side: int = SIDE) -> None:
    """A format of grey bytes behind a magic number; its class is in no module."""

    class PlainFile(ImageFile.ImageFile):
        format = kind
        format_description = "grey bytes"

        def _open(self) -> None:
            if not self.fp.read(len(magic)) == magic:
                raise SyntaxError("not a plain file")
            self._size, self._mode = (side, side), "L"
            self.tile = [ImageFile._Tile("raw", (0, 0, side, side), len(magic), ("L", 0, 1))]

    Image.register_open(kind, PlainFile, lambda prefix: prefix.startswith(magic))


@pytest.mark.usefixtures("registered")
def test_formats_that_the_program_registered_are_read(executor: str, tmp_path: Path) -> None:
    folder = folder_with(tmp_path, {"a.jpg": b"PLAIN" + np.arange(SIDE * SIDE).astype("u1").tobytes()})
    with pytest.raises(imageloom.UnidentifiedImageError):
        ours(folder, executor)
    register_plugin(b"PLAIN")
    np.testing.assert_array_equal(ours(folder, executor), of_keras(folder))


@pytest.mark.usefixtures("registered")
def test_a_plugin_may_take_the_place_of_pillows_own(executor: str, tmp_path: Path) -> None:
    jpeg = encoded("JPEG", quality=95)
    assert len(jpeg) > 10 * 10 + 3
    folder = folder_with(tmp_path, {"a.jpg": jpeg, "b.png": encoded("PNG")})
    before = ours(folder, executor)
    register_plugin(b"\xff\xd8\xff", kind="JPEG", side=10)
    wanted = of_keras(folder)
    assert not np.array_equal(wanted, before)
    np.testing.assert_array_equal(ours(folder, executor), wanted)


@pytest.mark.usefixtures("registered")
def test_a_worker_forgets_the_plugins_of_another_iterator(elsewhere: str, tmp_path: Path) -> None:
    folder = folder_with(tmp_path, {"a.jpg": b"PLAIN" + bytes(SIDE * SIDE)})
    generator = ImageDataGenerator(executor=elsewhere, cores=1)
    flow = {**FLOW, "interpolation": "nearest"}
    without, having = (generator.flow_from_directory(folder, **flow) for _ in range(2))
    with without, having:
        with pytest.raises(imageloom.UnidentifiedImageError):
            next(without)
        register_plugin(b"PLAIN")
        for _ in range(2):
            assert not next(having).any()
            with pytest.raises(imageloom.UnidentifiedImageError):
                next(without)
