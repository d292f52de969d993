"""`exif_orientation=True`: each decoder turns images and masks as `ImageOps.exif_transpose` does."""

from __future__ import annotations

import io
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from executor_support import AUGMENTED, SEED, assert_same_batches, take
from numpy.typing import NDArray
from pictures import photograph
from PIL import Image, ImageOps, PngImagePlugin

from imageloom import ArgumentTypeError, ImageDataGenerator
from imageloom._imaging.decode import read_pixels
from imageloom._imaging.orientation import is_sideways, turn
from imageloom._imaging.resizing import centre_box
from imageloom._options import ReadOptions

TAG = 0x0112
FORMATS: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 95},
    "PNG": {},
    "WEBP": {"lossless": True},
    "TIFF": {},
}


def encoded(pixels: NDArray[np.uint8], orientation: int, kind: str = "JPEG") -> bytes:
    exif, file = Image.Exif(), io.BytesIO()
    exif[TAG] = orientation
    Image.fromarray(pixels).save(file, kind, exif=exif, **FORMATS[kind])
    return file.getvalue()


def options(**others: Any) -> ReadOptions:
    usual: dict[str, Any] = {
        "color_mode": "rgb",
        "target_size": (40, 56),
        "interpolation": "bilinear",
        "keep_aspect_ratio": False,
        "exact_resize": True,
        "exif_orientation": True,
    }
    return ReadOptions(**(usual | others))


def by_pillow(content: bytes, read: ReadOptions) -> NDArray[np.uint8]:
    with Image.open(io.BytesIO(content)) as image:
        image.load()  # after which the tag of a TIFF file has had its effect
        upright = ImageOps.exif_transpose(image).convert("RGB" if read.color_mode == "rgb" else "L")
    if read.interpolation is not None:
        height, width = read.target_size
        box = centre_box(upright.size, (width, height)) if read.keep_aspect_ratio else None
        filter_ = Image.Resampling[read.interpolation.upper()]
        upright = upright.resize((width, height), filter_, box=box)
    pixels = np.asarray(upright)
    return pixels if pixels.ndim == 3 else pixels[:, :, None]


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_decoder_turns_as_pillow_does(kind: str, orientation: int) -> None:
    content = encoded(photograph("coffee", 61, 47, mode="RGB"), orientation, kind)
    for keep, interpolation, mode in itertools.product(
        (False, True), ("nearest", "bilinear", "bicubic", None), ("rgb", "grayscale")
    ):
        read = options(keep_aspect_ratio=keep, interpolation=interpolation, color_mode=mode)
        np.testing.assert_array_equal(read_pixels("x", read, content), by_pillow(content, read))


@pytest.mark.parametrize("orientation", range(2, 9))
@pytest.mark.parametrize("keep", [False, True])
def test_scaled_decoding_turns_the_same_part(orientation: int, keep: bool) -> None:
    """No scale divides these sizes, so the last pixels stand for less, on the side where they lie."""
    pixels = photograph("coffee", 397, 531, mode="RGB")
    target = (56, 40) if is_sideways(orientation) else (40, 56)
    stored = read_pixels(
        "x", options(keep_aspect_ratio=keep, scaled=True, target_size=target), encoded(pixels, 1)
    )
    read = options(keep_aspect_ratio=keep, scaled=True)
    found = read_pixels("x", read, encoded(pixels, orientation))
    assert np.abs(found.astype(int) - turn(stored, orientation)).max() <= 1  # of rounding


@pytest.mark.parametrize("orientation", [3, 6])
def test_the_fast_resizer_agrees(orientation: int) -> None:
    content = encoded(photograph("coffee", 120, 160, mode="RGB"), orientation)
    read = options(exact_resize=False)
    off = np.abs(read_pixels("x", read, content).astype(int) - by_pillow(content, read))
    assert off.max() <= 1


def test_tags_of_other_kinds() -> None:
    """In XMP, behind the pixels of a PNG file, and tags that mean nothing."""
    pixels = photograph("coffee", 20, 30, mode="RGB")
    read = options(interpolation=None)
    xmp = b'<x:xmpmeta xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"></x:xmpmeta>'
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", xmp=xmp)
    width, height = ImageOps.exif_transpose(Image.open(file)).size  # Pillow 11.0 does not see it
    assert read_pixels("x", read, file.getvalue()).shape == (height, width, 3)

    plain = encoded(pixels, 6, "PNG")
    start = plain.index(b"eXIf") - 4
    end = start + 12 + int.from_bytes(plain[start : start + 4], "big")
    before_end = len(plain) - 12
    moved = plain[:start] + plain[end:before_end] + plain[start:end] + plain[before_end:]
    assert read_pixels("x", read, moved).shape == (30, 20, 3)

    text = PngImagePlugin.PngInfo()
    text.add_text("Raw profile type exif", "damaged")
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", pnginfo=text)
    for content in (file.getvalue(), encoded(pixels, 9), encoded(pixels, 0)):
        assert read_pixels("x", read, content).shape == (20, 30, 3)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Two classes of JPEG and PNG files, each as cameras store it, and upright beside it."""
    for number in range(8):
        kind = ("JPEG", "PNG")[number % 2]
        content = encoded(photograph("coffee", 40 + number, 60, mode="RGB"), 1 + number, kind)
        for folder, data in (("stored", content), ("upright", None)):
            place = tmp_path / folder / f"class{number // 4}"
            place.mkdir(parents=True, exist_ok=True)
            if data is None:
                with Image.open(io.BytesIO(content)) as image:
                    ImageOps.exif_transpose(image).save(place / f"{number}.png")
            else:
                (place / f"{number}.{kind.lower()}").write_bytes(data)
    return tmp_path


@pytest.mark.parametrize(
    ("executor", "cache"),
    [("serial", None), ("serial", "memory"), ("threads", None), ("processes", "memory")],
)
def test_batches_are_those_of_upright_files(photos: Path, executor: str, cache: str | None) -> None:
    def batches(folder: str, turn: bool) -> list[Any]:
        generator = ImageDataGenerator(
            executor=executor, cores=2, cache=cache, exif_orientation=turn, **AUGMENTED
        )
        where = photos / folder
        with generator.flow_from_directory(where, (24, 24), batch_size=3, seed=SEED) as it:
            return take(it, 7)

    turned, upright = batches("stored", True), batches("upright", False)
    assert_same_batches(turned, upright)
    first, plain = turned[0][0], batches("stored", False)[0][0]
    assert not np.array_equal(first, plain), "the tag is ignored unless somebody asks for it"


def test_masks_turn_by_their_own_tags(tmp_path: Path) -> None:
    pixels = photograph("coffee", 20, 30, mode="RGB")
    mask = (np.arange(600).reshape(20, 30) % 251).astype(np.uint8)
    for number in range(1, 9):
        (tmp_path / f"{number}.png").write_bytes(encoded(pixels, number, "PNG"))
        (tmp_path / f"{number}m.png").write_bytes(encoded(mask, number, "PNG"))
    names = [f"{number}.png" for number in range(1, 9)]
    frame = pd.DataFrame({"x": names, "y": [name.replace(".", "m.") for name in names]})
    generator = ImageDataGenerator(executor="serial", exif_orientation=True)
    it = generator.flow_from_dataframe(
        frame, tmp_path, "x", "y", target_size=(20, 30), class_mode="image", shuffle=False
    )
    _, masks = next(it)
    read = options(target_size=(20, 30), interpolation="nearest", color_mode="grayscale")
    for number, found in enumerate(masks, 1):
        np.testing.assert_array_equal(found, by_pillow(encoded(mask, number, "PNG"), read))


def test_the_option_is_a_switch() -> None:
    with pytest.raises(ArgumentTypeError, match="`exif_orientation` must be True or False"):
        ImageDataGenerator(exif_orientation="auto")  # type: ignore[arg-type]
    assert "exif_orientation=True" in repr(ImageDataGenerator(exif_orientation=True))
