from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pictures import Pixels
from PIL import Image
from reference import quiet

import imageloom

spans = st.sampled_from([(0, 255), (0, 1), (-3, 3), (100, 100), (0, 70_000), (-300, 500)])


def random_image(channels: int, seed: int, span: tuple[float, float]) -> NDArray[np.float32]:
    return np.random.RandomState(seed).uniform(*span, (5, 7, channels)).astype(np.float32)


@settings(max_examples=150)
@given(
    channels=st.sampled_from([1, 3, 4]), seed=st.integers(0, 999), span=spans, scale=st.booleans(),
    first=st.booleans(),
)  # fmt: skip
def test_array_to_img_is_that_of_keras(
    channels: int, seed: int, span: tuple[float, float], scale: bool, first: bool
) -> None:
    import keras

    x = random_image(channels, seed, span)
    x = np.moveaxis(x, -1, 0) if first else x
    data_format = "channels_first" if first else "channels_last"
    untouched = x.copy()
    with quiet():  # numbers that bytes cannot hold
        expected = keras.utils.array_to_img(x, data_format=data_format, scale=scale)
        image = imageloom.array_to_img(x, data_format=data_format, scale=scale)
    np.testing.assert_array_equal(x, untouched)
    assert image.mode == expected.mode
    np.testing.assert_array_equal(np.asarray(image), np.asarray(expected))


def test_array_to_img_without_scaling_wraps_around_as_in_keras() -> None:
    x = np.array([[[300, -1, 254.9]]])
    with quiet():
        image = imageloom.array_to_img(x, scale=False)
    assert image.getpixel((0, 0)) == (44, 255, 254)


@pytest.mark.parametrize("shape", [(4, 4), (1, 4, 4, 3)])
def test_array_to_img_wants_rank_3(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="rank 3"):
        imageloom.array_to_img(np.zeros(shape))


def test_array_to_img_checks_channels_and_data_format() -> None:
    with pytest.raises(ValueError, match="channel number"):
        imageloom.array_to_img(np.zeros((4, 4, 2)))
    with pytest.raises(ValueError, match="data_format"):
        imageloom.array_to_img(np.zeros((4, 4, 3)), data_format="channels_middle")


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "I", "F"])
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("dtype", ["float32", "uint8", "float64"])
def test_img_to_array_is_that_of_keras(
    mode: str, data_format: str, dtype: str, colour_photo: Pixels
) -> None:
    import keras

    image = Image.fromarray(colour_photo).convert(mode)
    array = imageloom.img_to_array(image, data_format=data_format, dtype=dtype)
    expected = keras.utils.img_to_array(image, data_format=data_format, dtype=dtype)
    assert array.dtype == expected.dtype
    np.testing.assert_array_equal(array, expected)


def test_img_to_array_takes_arrays_and_defaults_to_float32(grey_photo: Pixels) -> None:
    array = imageloom.img_to_array(grey_photo[..., 0])
    assert array.dtype == np.float32
    assert array.shape == (90, 120, 1)
    with pytest.raises(ValueError, match="shape"):
        imageloom.img_to_array(np.zeros((1, 2, 3, 4)))


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.JPEG", "a.bmp", "a.ppm"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("scale", [True, False])
def test_save_img_writes_what_keras_writes(
    name: str, channels: int, scale: bool, tmp_path: Path
) -> None:
    import keras

    x = random_image(channels, 4, (3, 200))
    imageloom.save_img(tmp_path / name, x, scale=scale)
    keras.utils.save_img(io_path := tmp_path / f"keras-{name.lower()}", x, scale=scale)
    assert (tmp_path / name).read_bytes() == io_path.read_bytes()


@pytest.mark.parametrize("name", ["a.tif", "a.tiff"])
def test_save_img_knows_every_suffix_that_is_read(name: str, tmp_path: Path) -> None:
    x = np.round(random_image(3, 4, (0, 255)))
    imageloom.save_img(tmp_path / name, x, scale=False)
    np.testing.assert_array_equal(imageloom.img_to_array(imageloom.load_img(tmp_path / name)), x)


def test_save_img_makes_rgb_of_rgba_for_jpeg_and_says_so(tmp_path: Path) -> None:
    x = random_image(4, 4, (0, 255))
    with pytest.warns(UserWarning, match="RGBA"):
        imageloom.save_img(tmp_path / "a.jpg", x)
    with Image.open(tmp_path / "a.jpg") as image:
        assert image.mode == "RGB"


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_save_img_writes_to_file_objects_with_options(data_format: str) -> None:
    import keras

    x = random_image(3, 4, (0, 255))
    x = np.moveaxis(x, -1, 0) if data_format == "channels_first" else x
    options: dict[str, Any] = {"data_format": data_format, "quality": 30}
    ours, theirs = io.BytesIO(), io.BytesIO()
    imageloom.save_img(ours, x, file_format="jpg", **options)
    keras.utils.save_img(theirs, x, file_format="jpeg", **options)
    assert ours.getvalue() == theirs.getvalue()


def test_what_was_saved_is_read_back(tmp_path: Path, colour_photo: Pixels) -> None:
    imageloom.save_img(tmp_path / "a.png", colour_photo, scale=False)
    array = imageloom.img_to_array(imageloom.load_img(tmp_path / "a.png"))
    np.testing.assert_array_equal(array, colour_photo)
