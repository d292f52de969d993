from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import PIL
import psutil
import pytest
from numpy.typing import NDArray
from pictures import Pixels, as_mode, photograph
from PIL import Image
from reference import both_generators, quiet

import imageloom
from imageloom._errors import ArgumentTypeError, BadImageError, ImageLoomError, MissingImageError
from imageloom._imaging.decode import read_pixels
from imageloom._options import INTERPOLATIONS, ReadOptions

COLOR_MODES = ("rgb", "rgba", "grayscale")
SIZE = (50, 70)  # height, width
TARGETS = ((31, 44), (64, 64), (120, 90), (50, 70), (9, 100))
EXIF_ORIENTATION = 0x0112


def colour() -> Image.Image:
    return Image.fromarray(photograph("coffee", *SIZE))


def grey() -> NDArray[np.int64]:
    return photograph("coins", *SIZE, mode="L").astype(np.int64)


def wide_grey(dtype: str, factor: int, offset: int = 0) -> Image.Image:
    return Image.fromarray((grey() * factor + offset).astype(dtype))


def rotated_by_exif() -> Image.Exif:
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = 6
    return exif


# Name of the file -> the image and the options to save it with.
STORED: dict[str, Callable[[], tuple[Image.Image, dict[str, Any]]]] = {
    "L.png": lambda: (colour().convert("L"), {}),
    "I16.png": lambda: (wide_grey("uint16", 257), {}),
    "I16.tif": lambda: (wide_grey("uint16", 200), {}),
    "I.tif": lambda: (wide_grey("int32", 1000, -20_000), {}),
    "F.tif": lambda: (wide_grey("float32", 2, -100), {}),
    "1.png": lambda: (colour().convert("1"), {}),
    "LA.png": lambda: (as_mode(np.asarray(colour()), "RGBA").convert("LA"), {}),
    "P.png": lambda: (as_mode(np.asarray(colour()), "P"), {}),
    "P-transparent.png": lambda: (as_mode(np.asarray(colour()), "P"), {"transparency": 5}),
    "P-alpha.png": lambda: (
        as_mode(np.asarray(colour()), "P"),
        {"transparency": bytes(range(0, 256, 8))},
    ),
    "RGB.png": lambda: (colour(), {}),
    "RGB-transparent.png": lambda: (colour(), {"transparency": (0, 0, 0)}),
    "RGBA.png": lambda: (as_mode(np.asarray(colour()), "RGBA"), {}),
    "RGB.bmp": lambda: (colour(), {}),
    "RGB.ppm": lambda: (colour(), {}),
    "RGB.jpg": lambda: (colour(), {"quality": 90}),
    "subsampled.jpg": lambda: (colour(), {"quality": 40, "subsampling": 2}),
    "odd.jpg": lambda: (colour().resize((67, 53)), {"quality": 80, "subsampling": 2}),
    "progressive.jpg": lambda: (colour(), {"quality": 80, "progressive": True}),
    "L.jpg": lambda: (colour().convert("L"), {"quality": 90}),
    "CMYK.jpg": lambda: (colour().convert("CMYK"), {"quality": 90}),
    "rotated.jpg": lambda: (colour(), {"quality": 90, "exif": rotated_by_exif()}),
}
# Pillow says that such a palette should be read as RGBA; so do Keras and we.
NAGS = pytest.mark.filterwarnings("ignore:Palette images with Transparency")


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stored")
    for name, make in STORED.items():
        image, options = make()
        image.save(folder / name, **options)
    return folder


def assert_same_image(image: Image.Image, expected: Image.Image) -> None:
    assert image.mode == expected.mode
    assert image.size == expected.size
    np.testing.assert_array_equal(np.asarray(image), np.asarray(expected))


def keras_load(*args: Any, **kwargs: Any) -> Image.Image:
    import keras

    with quiet():
        return keras.utils.load_img(*args, **kwargs)


def keras_load_or_error(path: Path, **options: Any) -> Image.Image | str:
    """Older releases of Pillow resize 16 bit images with the nearest neighbour only."""
    try:
        return keras_load(path, **options)
    except ValueError as error:
        if not path.name.startswith("I16"):
            raise
        return str(error)


def test_the_stored_files_have_the_modes_that_are_to_be_tested(stored: Path) -> None:
    modes = {}
    for name in STORED:
        with Image.open(stored / name) as image:
            modes[name] = image.mode
    assert modes["I16.png"] == modes["I16.tif"] == "I;16"
    assert set(modes.values()) == {"L", "I;16", "I", "F", "1", "LA", "P", "RGB", "RGBA", "CMYK"}


@NAGS
@pytest.mark.parametrize("color_mode", COLOR_MODES)
@pytest.mark.parametrize("name", STORED)
def test_load_img_reads_every_stored_mode_as_keras_does(
    name: str, color_mode: str, stored: Path
) -> None:
    path = stored / name
    assert_same_image(
        imageloom.load_img(path, color_mode=color_mode), keras_load(path, color_mode=color_mode)
    )


@NAGS
@pytest.mark.parametrize("color_mode", COLOR_MODES)
@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
@pytest.mark.parametrize("name", STORED)
def test_load_img_resizes_as_keras_does(
    name: str, interpolation: str, color_mode: str, stored: Path
) -> None:
    path = stored / name
    for target in TARGETS:
        for keep in (False, True):
            options = {"color_mode": color_mode, "target_size": target,
                       "interpolation": interpolation, "keep_aspect_ratio": keep}  # fmt: skip
            expected = keras_load_or_error(path, **options)
            if isinstance(expected, str):
                with pytest.raises(ValueError, match=expected):
                    imageloom.load_img(path, **options)
            else:
                assert_same_image(imageloom.load_img(path, **options), expected)


@NAGS
@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("interpolation", [*INTERPOLATIONS, None])
@pytest.mark.parametrize("name", STORED)
def test_read_pixels_is_load_img_or_next_to_it(
    name: str, interpolation: str | None, exact: bool, stored: Path
) -> None:
    import keras

    path = stored / name
    for color_mode in COLOR_MODES:
        for target in TARGETS:
            for keep in (False, True):
                options = ReadOptions(
                    color_mode=color_mode, target_size=target, interpolation=interpolation,
                    keep_aspect_ratio=keep, exact_resize=exact,
                )  # fmt: skip
                wanted = keras_load_or_error(
                    path, color_mode=color_mode, interpolation=interpolation,
                    target_size=None if interpolation is None else target, keep_aspect_ratio=keep,
                )  # fmt: skip
                if isinstance(wanted, str):
                    with pytest.raises(ValueError, match=wanted):
                        read_pixels(path, options)
                    continue
                pixels = read_pixels(path, options)
                expected = keras.utils.img_to_array(wanted)
                assert pixels.shape == expected.shape
                difference = np.abs(pixels.astype(np.float32) - expected)
                assert difference.max() <= (0 if exact else 1), (color_mode, target, keep)


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_the_quick_resize_is_next_to_pillow_for_all_sizes(
    mode: str, interpolation: str, tmp_path: Path
) -> None:
    import keras

    """Ratios at which the edge of a filter falls between two pixels, or on one, included."""
    rng = np.random.default_rng(3)
    for number in range(25):
        height, width, *target = (int(side) for side in rng.integers(4, 90, 4))
        shape = (height, width) if mode == "L" else (height, width, 3)
        path = tmp_path / f"{number}.jpg"
        Image.fromarray(rng.integers(0, 256, shape).astype(np.uint8)).save(path, quality=95)
        for keep in (False, True):
            options = ReadOptions(
                color_mode="rgb" if mode == "RGB" else "grayscale",
                target_size=(target[0], target[1]), interpolation=interpolation,
                keep_aspect_ratio=keep, exact_resize=False,
            )  # fmt: skip
            wanted = keras_load(
                path, color_mode=options.color_mode, target_size=options.target_size,
                interpolation=interpolation, keep_aspect_ratio=keep,
            )  # fmt: skip
            difference = np.abs(
                read_pixels(path, options).astype(int) - keras.utils.img_to_array(wanted)
            )
            assert difference.max() <= 1, ((height, width), target, keep)


def test_golden_rows_of_the_nearest_neighbour(tmp_path: Path) -> None:
    ramp = np.tile(np.arange(0, 200, 20, dtype=np.uint8), (5, 1))
    path = tmp_path / "ramp.png"
    Image.fromarray(ramp).save(path)
    for target, expected in [
        ((5, 5), [40, 60, 80, 100, 120]),
        ((4, 8), [0, 20, 60, 80, 100, 120, 160, 180]),
        ((10, 5), [80, 80, 100, 100, 100]),
    ]:
        image = imageloom.load_img(path, "grayscale", target, keep_aspect_ratio=True)
        assert np.asarray(image)[0].tolist() == expected


@pytest.mark.parametrize("source", [str, Path, bytes, io.BytesIO], ids=lambda kind: kind.__name__)
def test_load_img_takes_names_and_bytes(source: Any, stored: Path) -> None:
    path = stored / "RGB.jpg"
    convert = {str: str, Path: Path, bytes: lambda p: str(p).encode(),
               io.BytesIO: lambda p: io.BytesIO(p.read_bytes())}  # fmt: skip
    assert_same_image(imageloom.load_img(convert[source](path)), keras_load(path))


@pytest.mark.parametrize("source", [3, None, ["a.png"]])
def test_load_img_refuses_other_sources(source: Any) -> None:
    with pytest.raises(ArgumentTypeError, match=type(source).__name__):
        imageloom.load_img(source)


def test_load_img_checks_its_options(stored: Path) -> None:
    with pytest.raises(ValueError, match="color_mode"):
        imageloom.load_img(stored / "RGB.jpg", color_mode="bgr")
    with pytest.raises(ValueError, match="interpolation"):
        imageloom.load_img(stored / "RGB.jpg", target_size=(9, 9), interpolation="cubic")
    # As in Keras, the name is looked at only if there is something to resize.
    imageloom.load_img(stored / "RGB.jpg", target_size=SIZE, interpolation="cubic")


def test_load_img_leaves_no_file_open(stored: Path) -> None:
    path = stored / "RGB.png"
    image = imageloom.load_img(path)
    assert str(path) not in [file.path for file in psutil.Process().open_files()]
    assert image.getpixel((3, 3)) is not None


@pytest.mark.parametrize("name", ["I16.png", "I.tif"])
def test_wide_grey_values_reach_the_batch_as_in_keras(name: str, stored: Path, tmp_path: Path) -> None:
    (tmp_path / "class").mkdir()
    (tmp_path / "class" / name).write_bytes((stored / name).read_bytes())
    flow: dict[str, Any] = {"target_size": (40, 60), "color_mode": "grayscale", "class_mode": None}
    ours, theirs = both_generators()
    batch = next(ours.flow_from_directory(tmp_path, interpolation="nearest", **flow))
    expected = next(theirs.flow_from_directory(str(tmp_path), interpolation="nearest", **flow))
    assert batch.max() > 255
    np.testing.assert_array_equal(batch, expected)


def bad_files(stored: Path) -> dict[str, bytes]:
    jpeg, png = (stored / "RGB.jpg").read_bytes(), (stored / "RGB.png").read_bytes()
    return {
        "truncated.jpg": jpeg[: len(jpeg) // 2],
        "stub.jpg": jpeg[:20],
        "truncated.png": png[: len(png) // 2],
        "damaged.png": png[:200] + bytes(100) + png[300:],
        "empty.jpg": b"",
        "text.png": b"this is not an image\n" * 9,
        "text.jpg": b"\xff\xd8\xff and then nothing of the kind" * 9,
    }


OPTIONS = ReadOptions(color_mode="rgb", target_size=(20, 20), interpolation="bilinear",
                      keep_aspect_ratio=False, exact_resize=False)  # fmt: skip


@pytest.mark.parametrize(
    "name",
    ["truncated.jpg", "stub.jpg", "truncated.png", "damaged.png", "empty.jpg", "text.png", "text.jpg"],
)
def test_bad_files_are_errors_that_name_the_file(name: str, stored: Path, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(bad_files(stored)[name])
    for read in (imageloom.load_img, lambda p: read_pixels(p, OPTIONS)):
        with pytest.raises(OSError, match=re.escape(name)) as caught:
            read(path)
        assert isinstance(caught.value, BadImageError)
        assert isinstance(caught.value, ImageLoomError)
        # Who catches what Keras lets through still does.
        assert isinstance(caught.value, type(error_of_keras(path)))


def error_of_keras(path: Path) -> OSError:
    try:
        np.asarray(keras_load(path))
    except OSError as error:
        return error
    raise AssertionError(f"Keras reads {path}")


def test_bytes_that_are_no_image_are_an_error() -> None:
    with pytest.raises(imageloom.UnidentifiedImageError, match="given bytes"):
        imageloom.load_img(io.BytesIO(b"nothing"))


def test_missing_files_are_an_error_that_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"gone\.png") as caught:
        imageloom.load_img(tmp_path / "gone.png")
    assert isinstance(caught.value, MissingImageError)


def test_a_bad_file_in_a_data_set_is_an_error_that_names_it(
    tmp_path: Path, colour_photo: Pixels
) -> None:
    (tmp_path / "cat").mkdir()
    Image.fromarray(colour_photo).save(tmp_path / "cat" / "a.png")
    (tmp_path / "cat" / "b.png").write_bytes(b"no image")
    generator = imageloom.ImageDataGenerator(executor="serial")
    iterator = generator.flow_from_directory(tmp_path, (8, 8), shuffle=False)
    with pytest.raises(PIL.UnidentifiedImageError, match=r"b\.png") as caught:
        next(iterator)
    assert isinstance(caught.value, imageloom.UnidentifiedImageError)
    assert any("reading the image" in note for note in caught.value.__notes__)
