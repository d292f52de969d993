"""Files of unusual formats, and damaged ones, through whole data sets, against Keras."""

from __future__ import annotations

import os
import random
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import PIL
import pytest
from numpy.typing import NDArray
from pictures import as_mode, photograph
from PIL import Image
from recorded_warnings import without_ours
from reference import both_generators, quiet

from imageloom._errors import ImageLoomError

SIZE = (44, 60)  # height, width
COLOR_MODES = ("rgb", "rgba", "grayscale")
TARGETS = (SIZE, (30, 30), (71, 90), (10, 64))


def colour() -> Image.Image:
    return Image.fromarray(photograph("rocket", *SIZE))


def grey(dtype: str, factor: int, offset: int = 0) -> Image.Image:
    levels = photograph("coins", *SIZE, mode="L").astype(np.int64)
    return Image.fromarray((levels * factor + offset).astype(dtype))


def with_alpha() -> Image.Image:
    return as_mode(photograph("rocket", *SIZE), "RGBA")


def palette() -> Image.Image:
    return as_mode(photograph("coffee", *SIZE), "P")


def turned(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def frames() -> list[Image.Image]:
    return [as_mode(photograph("chelsea", *SIZE, variant=i), "P") for i in range(2)]


# File name -> image, and how to save it.
FILES: dict[str, tuple[Callable[[], Image.Image], dict[str, Any]]] = {
    "grey16.png": (lambda: grey("uint16", 257), {}),
    "dark grey16.png": (lambda: grey("uint16", 1), {}),
    "grey16.tif": (lambda: grey("uint16", 200), {}),
    "int32.tif": (lambda: grey("int32", 900, -30_000), {}),
    "float32.tif": (lambda: grey("float32", 2, -90), {}),
    "palette.png": (palette, {}),
    "palette, one clear.png": (palette, {"transparency": 3}),
    "palette, shades.png": (palette, {"transparency": bytes(range(0, 256, 8))}),
    "cmyk.jpg": (lambda: colour().convert("CMYK"), {"quality": 90}),
    "cmyk.tif": (lambda: colour().convert("CMYK"), {}),
    "bits.png": (lambda: colour().convert("1"), {}),
    "bits.bmp": (lambda: colour().convert("1"), {}),
    "bits.tif": (lambda: colour().convert("1"), {"compression": "group4"}),
    "la.png": (lambda: with_alpha().convert("LA"), {}),
    "rgba.png": (with_alpha, {}),
    "rgba.tif": (with_alpha, {}),
    "rgba.bmp": (with_alpha, {}),
    "rgb, one clear.png": (colour, {"transparency": (0, 0, 0)}),
    "grey, one clear.png": (lambda: grey("uint8", 1), {"transparency": 90}),
    **{f"exif{i}.jpg": (colour, {"exif": turned(i)}) for i in (3, 6)},
    "exif.png": (colour, {"exif": turned(8)}),
    "progressive.jpg": (colour, {"progressive": True, "quality": 80}),
    "grey.jpg": (lambda: colour().convert("L"), {"quality": 85}),
    "rgb stored.jpg": (colour, {"keep_rgb": True, "quality": 85}),
    "444.jpg": (colour, {"subsampling": 0}),
    "animated gif.png": (lambda: frames()[0], {
        "format": "GIF", "save_all": True, "append_images": frames()[1:]
    }),
    "webp.jpg": (with_alpha, {"format": "WEBP", "lossless": True}),
    "jpeg.png": (colour, {"format": "JPEG"}),
    "png.jpeg": (with_alpha, {"format": "PNG"}),
    "bmp.ppm": (colour, {"format": "BMP"}),
    "plain.bmp": (colour, {}),
    "palette.bmp": (palette, {}),
    "plain.ppm": (colour, {}),
    "grey.ppm": (lambda: colour().convert("L"), {"format": "PPM"}),
    # Older releases do not read what they write.
    **({"lab.tif": (lambda: grey("uint8", 1).convert("RGB").convert("YCbCr"), {})}
       if int(PIL.__version__.partition(".")[0]) >= 13 else {}),
    "two pages.tif": (colour, {"save_all": True, "append_images": [with_alpha()]}),
    "interlaced-like.tif": (colour, {"compression": "tiff_lzw"}),
    "small.png": (lambda: colour().resize((1, 1)), {}),
    "thin.png": (lambda: colour().resize((90, 1)), {}),
}  # fmt: skip


@pytest.fixture(scope="module")
def odd_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("odd")
    (root / "files").mkdir()
    for name, (image, options) in FILES.items():
        image().save(root / "files" / name, **options)
    return root


def read_by(generator: Any, folder: Path, **options: Any) -> NDArray[Any]:
    iterator = generator.flow_from_directory(
        folder, class_mode=None, shuffle=False, batch_size=100, **options
    )
    with quiet():  # Pillow has something to say about palettes with shades of transparency
        return next(iterator)


@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("color_mode", COLOR_MODES)
def test_every_kind_of_file_gives_the_pixels_that_keras_reads(
    color_mode: str, target: tuple[int, int], interpolation: str, keep: bool, odd_folder: Path
) -> None:
    options = {"color_mode": color_mode, "target_size": target, "interpolation": interpolation,
               "keep_aspect_ratio": keep}  # fmt: skip
    batches = [read_by(g, odd_folder, **options) for g in both_generators(data_format="channels_last")]
    for name, ours, theirs in zip(sorted(FILES), *batches, strict=True):
        # The quick bilinear filter, which only JPEG files pass through, may round otherwise.
        level = int(interpolation == "bilinear" and (".jp" in name or name == "jpeg.png"))
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=level, err_msg=name)


def test_a_data_frame_reads_them_alike(odd_folder: Path) -> None:
    frame = pd.DataFrame({"filename": [f"files{os.sep}{name}" for name in sorted(FILES)]})
    for generator in both_generators():
        iterator = generator.flow_from_dataframe(
            frame, odd_folder, class_mode=None, shuffle=False, batch_size=100, target_size=(20, 33)
        )
        with quiet():
            read = next(iterator)
        wanted = read_by(generator, odd_folder, target_size=(20, 33), interpolation="nearest")
        np.testing.assert_array_equal(read, wanted)


@pytest.mark.parametrize("name", ["palette, shades.png", "palette, one clear.png", "int32.tif"])
@pytest.mark.parametrize("color_mode", COLOR_MODES)
def test_reading_warns_where_keras_does(
    color_mode: str, name: str, odd_folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "class").mkdir()
    (tmp_path / "class" / name).write_bytes((odd_folder / "files" / name).read_bytes())
    told = []
    for generator in both_generators():
        iterator = generator.flow_from_directory(tmp_path, color_mode=color_mode)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            next(iterator)
        told.append(without_ours(caught))
    assert told[0] == told[1]


# Damaged files


def damaged(name: str, content: bytes) -> dict[str, bytes]:
    """The file cut off in many places, and with wrong bytes in it."""
    rng = random.Random(name)
    cuts = {0, 1, 2, 3, 10, len(content) // 2, len(content) - 1, len(content) - 2, len(content) - 13}
    cuts |= {rng.randrange(len(content)) for _ in range(25)}
    files = {f"cut at {cut} {name}": content[:cut] for cut in sorted(cuts)}
    for _ in range(25):
        changed = bytearray(content)
        where = rng.randrange(len(content))
        changed[where] ^= rng.randrange(1, 256)
        files[f"changed at {where} {name}"] = bytes(changed)
    return files


@pytest.mark.parametrize(
    "name", ["progressive.jpg", "444.jpg", "cmyk.jpg", "grey.jpg", "rgba.png", "grey16.png",
             "palette.png", "plain.bmp", "plain.ppm", "rgba.tif", "animated gif.png"]
)  # fmt: skip
def test_damaged_files_fail_exactly_where_they_fail_in_keras(
    name: str, odd_folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "class").mkdir()
    generators = both_generators()
    failed = 0
    for number, (what, content) in enumerate(
        damaged(name, (odd_folder / "files" / name).read_bytes()).items()
    ):
        path = tmp_path / "class" / f"{number}{Path(name).suffix}"
        path.write_bytes(content)
        frame = pd.DataFrame({"filename": [str(path)]})
        ours, theirs = (attempt(generator, frame) for generator in generators)
        if isinstance(theirs, Exception):
            failed += 1
            # Some of Pillow's readers raise what is no OSError; ours always is one.
            kind = type(theirs) if isinstance(theirs, OSError) else OSError
            assert isinstance(ours, kind), (what, ours, theirs)
            assert isinstance(ours, ImageLoomError), (what, ours)
            assert path.name in str(ours), (what, ours)
        else:
            assert isinstance(ours, np.ndarray), (what, ours)
            np.testing.assert_array_equal(ours, theirs, err_msg=what)
    assert failed > 10


def attempt(generator: Any, frame: pd.DataFrame) -> Any:
    iterator = generator.flow_from_dataframe(frame, class_mode=None, target_size=SIZE)
    try:
        with quiet():
            return next(iterator)
    except Exception as error:
        return error


@pytest.mark.parametrize("content", [b"", b"no image", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"])
@pytest.mark.parametrize("suffix", ["jpg", "png", "tif"])
def test_what_is_no_image_is_unidentified_for_both(content: bytes, suffix: str, tmp_path: Path) -> None:
    (tmp_path / "class").mkdir()
    (tmp_path / "class" / f"empty.{suffix}").write_bytes(content)
    ours, theirs = both_generators()
    with pytest.raises(PIL.UnidentifiedImageError):
        next(theirs.flow_from_directory(tmp_path))
    with pytest.raises(PIL.UnidentifiedImageError, match=rf"empty\.{suffix}") as caught:
        next(ours.flow_from_directory(tmp_path))
    assert isinstance(caught.value, ImageLoomError)
    assert isinstance(caught.value, OSError)
