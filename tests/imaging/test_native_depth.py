"""`depth="native"`: values beyond 255, and TIFF files with any number of channels."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from imageloom import BadImageError, DecompressionBombError, ImageDataGenerator, InvalidArgumentError
from imageloom._imaging.decode import read_pixels
from imageloom._imaging.opencv import cv2
from imageloom._options import ReadOptions

tifffile = pytest.importorskip("tifffile")
RNG = np.random.default_rng(5)
DEEP = RNG.integers(0, 65536, (7, 5, 3), dtype=np.uint16)


def options(**others: Any) -> ReadOptions:
    usual: dict[str, Any] = {
        "color_mode": "rgb",
        "target_size": (3, 4),
        "interpolation": None,
        "keep_aspect_ratio": False,
        "exact_resize": True,
        "native": True,
    }
    return ReadOptions(**(usual | others))


def tiff(pixels: NDArray[Any], **how: Any) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, pixels, **({"photometric": "rgb"} | how))
    return file.getvalue()


def png(pixels: NDArray[Any]) -> bytes:
    if pixels.shape[2] == 1:
        file = io.BytesIO()
        Image.fromarray(pixels[:, :, 0]).save(file, "PNG")
        return file.getvalue()
    return bytes(cv2.imencode(".png", np.ascontiguousarray(pixels[:, :, ::-1]))[1])


@pytest.mark.parametrize(
    "content",
    [
        png(DEEP),
        bytes(cv2.imencode(".ppm", np.ascontiguousarray(DEEP[:, :, ::-1]))[1]),
        tiff(DEEP),
        tiff(DEEP, byteorder=">"),
        tiff(DEEP, bigtiff=True),
        tiff(DEEP, compression="zlib", predictor=True),
        tiff(np.moveaxis(DEEP, -1, 0), planarconfig="separate"),
    ],
    ids=["png", "ppm", "tiff", "big-endian", "bigtiff", "compressed", "planes"],
)
def test_colours_of_16_bits_stay(content: bytes) -> None:
    found = read_pixels("x", options(), content)
    assert found.dtype == np.uint16
    np.testing.assert_array_equal(found, DEEP)
    if content.startswith((b"\x89PNG", b"P6")):
        assert read_pixels("x", options(native=False), content).dtype == np.uint8, "as in Keras"


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("mode", ["grayscale", "rgb"])
def test_grey_of_16_bits_stays(order: str, mode: str) -> None:
    grey = DEEP[:, :, :1]
    for content in (png(grey), tiff(grey[:, :, 0], photometric="minisblack", byteorder=order)):
        found = read_pixels("x", options(color_mode=mode), content)
        assert found.shape[2] == (1 if mode == "grayscale" else 3)
        assert (found == grey).all()


def test_floats_stay() -> None:
    floats = RNG.random((7, 5, 3)).astype(np.float32)
    np.testing.assert_array_equal(read_pixels("x", options(), tiff(floats)), floats)
    grey = tiff(floats[:, :, 0], photometric="minisblack")
    np.testing.assert_array_equal(
        read_pixels("x", options(color_mode="grayscale"), grey)[:, :, 0], floats[:, :, 0]
    )


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("channels", [5, 13])
def test_any_number_of_channels(dtype: Any, channels: int) -> None:
    pixels = (RNG.random((7, 5, channels)) * 200).astype(dtype)
    planes = np.ascontiguousarray(np.moveaxis(pixels, -1, 0))
    how = {"photometric": "minisblack"}
    for content in (
        tiff(pixels, planarconfig="contig", **how),
        tiff(planes, planarconfig="separate", **how),
    ):
        found = read_pixels("x", options(color_mode=channels), content)
        assert found.dtype == dtype
        np.testing.assert_array_equal(found, pixels)
        small = options(color_mode=channels, interpolation="bilinear")
        assert read_pixels("x", small, content).shape == (3, 4, channels)
    with pytest.raises(BadImageError, match=f"pass color_mode={channels}"):
        read_pixels("x", options(color_mode=4), tiff(pixels, planarconfig="contig", **how))


def test_colour_modes_keep_the_range() -> None:
    content = png(DEEP)
    grey = read_pixels("x", options(color_mode="grayscale"), content)[:, :, 0]
    np.testing.assert_allclose(grey, DEEP @ [0.299, 0.587, 0.114], atol=0.5)
    rgba = read_pixels("x", options(color_mode="rgba"), content)
    assert rgba.shape[2] == 4
    assert (rgba[:, :, 3] == 65535).all()
    with pytest.raises(BadImageError, match="has 3 channels, which color_mode=2"):
        read_pixels("x", options(color_mode=2), content)


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic"])
def test_resizing_agrees_with_pillow_in_float(interpolation: str) -> None:
    for keep in (False, True):
        read = options(interpolation=interpolation, keep_aspect_ratio=keep)
        found = read_pixels("x", read, png(DEEP)).astype(float)
        box = (0, 2, 5, 5) if keep else None  # 3 rows of 5 are as 3 x 4, cut to whole pixels
        filter_ = Image.Resampling[interpolation.upper()]
        for channel in range(3):
            image = Image.fromarray(DEEP[:, :, channel].astype(np.float32))
            expected = np.asarray(image.resize((4, 3), filter_, box=box))
            np.testing.assert_allclose(found[:, :, channel], expected.clip(0, 65535), atol=0.5)


def test_bytes_are_read_as_ever() -> None:
    small = (DEEP >> 8).astype(np.uint8)
    for kind in ("PNG", "JPEG", "BMP", "TIFF"):
        file = io.BytesIO()
        Image.fromarray(small).save(file, kind)
        for mode in ("rgb", "rgba", "grayscale"):
            for interpolation in (None, "bilinear"):
                read = options(color_mode=mode, interpolation=interpolation)
                plain = options(color_mode=mode, interpolation=interpolation, native=False)
                np.testing.assert_array_equal(
                    read_pixels("x", read, file.getvalue()), read_pixels("x", plain, file.getvalue())
                )


def test_damaged_and_huge_files(monkeypatch: pytest.MonkeyPatch) -> None:
    for content in (png(DEEP)[:60], b"II*\0", b"MM\0*\0\0\0\x08\xff\xff", tiff(DEEP)[:40]):
        with pytest.raises(BadImageError):
            read_pixels("x", options(), content)
    five = np.zeros((30, 30, 5), np.uint16)
    contents = (png(np.zeros((30, 30, 3), np.uint16)), tiff(five, photometric="minisblack"))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    for content in contents:
        with pytest.raises(DecompressionBombError):
            read_pixels("x", options(color_mode=5), content)


@pytest.mark.parametrize("executor", ["serial", "threads", "processes"])
def test_batches_have_the_stored_values(tmp_path: Path, executor: str) -> None:
    (tmp_path / "a").mkdir()
    for number in range(4):
        (tmp_path / "a" / f"{number}.png").write_bytes(
            png(np.full((8, 8, 3), 9000 * number, np.uint16))
        )
    generator = ImageDataGenerator(
        executor=executor,
        cores=2,
        depth="native",
        rotation_range=20,
        horizontal_flip=True,
        channel_shift_range=0.0,
        rescale=1 / 9000,
    )
    with generator.flow_from_directory(
        tmp_path, (6, 6), class_mode=None, shuffle=False, batch_size=4, seed=1
    ) as it:
        x = next(it)
    assert x.dtype == np.float32
    np.testing.assert_allclose(x.mean(axis=(1, 2, 3)), [0, 1, 2, 3], atol=1e-3)


@pytest.mark.parametrize(
    "others",
    [
        {"brightness_range": (0.5, 1)},
        {"contrast_range": (0.5, 1)},
        {"noise": "gauss"},
        {"hue_range": 0.1},
        {"jpeg_quality_range": (50, 90)},
        {"finish": "device"},
        {"dtype": "uint8"},
    ],
    ids=lambda others: next(iter(others)),
)
def test_steps_for_bytes_are_refused(others: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgumentError, match=next(iter(others))):
        ImageDataGenerator(depth="native", **others)
    ImageDataGenerator(**others)


def test_the_name_is_checked() -> None:
    with pytest.raises(InvalidArgumentError, match="`depth` must be 'keras' or 'native'"):
        ImageDataGenerator(depth="16")
    for mode in (0, True, "cmyk"):
        with pytest.raises(InvalidArgumentError, match="or a number of channels, such as 5"):
            ImageDataGenerator().flow_from_directory(".", color_mode=mode)
