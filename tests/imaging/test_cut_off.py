"""The bytes of warped images, and what is written beside them, as exact arithmetic has them."""

from __future__ import annotations

from typing import Any, Final

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from numpy.typing import NDArray
from PIL import Image, ImageEnhance
from releases import release_of
from scipy import ndimage
from skimage import data

from imageloom import ImageDataGenerator
from imageloom._imaging.augment.affine import affine_matrix, warp
from imageloom._imaging.augment.colour import adjust_brightness, adjust_contrast
from imageloom._imaging.augment.cut_off import cut_off
from imageloom._imaging.augment.grid import nearest, outside, outside_of_grid, pixel_at, positions
from imageloom._imaging.half import write_row
from imageloom._imaging.whole import deviation, mean
from imageloom._options import FILL_MODES

MODES: Final = {"nearest": "nearest", "reflect": "reflect", "wrap": "grid-wrap", "constant": "constant"}
RANDOM: Final = np.random.default_rng(7)
PICTURES: Final = {
    "photograph": data.astronaut()[60:284, 120:344],
    "grey": data.camera()[:200, 100:250, None],
    "noise": RANDOM.integers(0, 256, (90, 120, 3), dtype=np.uint8),
    "with alpha": RANDOM.integers(0, 256, (40, 30, 4), dtype=np.uint8),
    "flat": np.full((50, 60, 3), 77, np.uint8),
    "drawing": np.kron(RANDOM.integers(0, 256, (9, 7, 3)), np.ones((11, 13, 1))).astype(np.uint8),
}


def exact(x: NDArray[Any], matrix: Any, offset: Any, fill_mode: str, cval: float) -> NDArray[Any]:
    channels = [
        ndimage.affine_transform(
            x[..., c].astype(np.float64), matrix, offset, order=1, mode=MODES[fill_mode], cval=cval
        )
        for c in range(x.shape[2])
    ]
    return np.stack(channels, axis=-1)


def drawn(rng: np.random.Generator) -> dict[str, float]:
    return {
        "theta": rng.uniform(-180, 180),
        "tx": rng.uniform(-20, 20),
        "ty": rng.uniform(-20, 20),
        "shear": rng.uniform(-30, 30),
        "zx": rng.uniform(0.5, 1.8),
        "zy": rng.uniform(0.5, 1.8),
    }


def bytes_of(
    x: NDArray[Any], params: dict[str, float], fill_mode: str, dtype: str = "float32"
) -> tuple[Any, Any]:
    """What `cut_off` gives, and the exact values."""
    image, cval = x.astype(dtype), 3.0
    matrix, offset = affine_matrix(params, *x.shape[:2], corrected=False)
    warped = warp(image, matrix, offset, fill_mode=fill_mode, cval=cval)
    found = cut_off(warped, image, matrix, offset, fill_mode=fill_mode, cval=cval)
    return found, exact(x, matrix, offset, fill_mode, cval)


@pytest.mark.parametrize("fill_mode", MODES)
@pytest.mark.parametrize("picture", PICTURES)
def test_fractions_are_cut_off_as_in_float64(picture: str, fill_mode: str) -> None:
    rng = np.random.default_rng(3)
    wrong = []
    for _ in range(6):
        found, values = bytes_of(PICTURES[picture], drawn(rng), fill_mode)
        # SciPy's own sum of a whole value may come out a little smaller.
        right = (found == np.floor(values)) | (found == np.floor(values + 1e-9))
        assert np.abs(found - values).max() < 1.01
        wrong.append(1 - right.mean())
    assert np.mean(wrong) < 2e-4


@pytest.mark.parametrize("fill_mode", ["nearest", "reflect", "wrap"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "params", [{"theta": 90}, {"theta": 180}, {"theta": -90}, {"ty": 2.4}, {"zx": 0.5}]
)
def test_values_that_are_whole_but_for_the_last_bit(
    params: dict[str, float], dtype: str, fill_mode: str
) -> None:
    """Sines of such angles are not quite zero. In float32, the results are whole; in float64, less."""
    x = PICTURES["photograph"][:64, :64]
    found, values = bytes_of(x, params, fill_mode, dtype)
    right = np.mean(found == np.floor(values.astype(dtype)))
    # In float64, the last bit decides, which SciPy before 1.16 has otherwise.
    half = 0.98 if release_of("scipy") >= (1, 16) else 0.93
    assert right > (0.9999 if dtype == "float32" else half)


@given(
    params=st.fixed_dictionaries(
        {
            "theta": st.sampled_from([0, 45, 90, 180, 1e-7]) | st.floats(-180, 180),
            "tx": st.sampled_from([0, 1, 0.5]) | st.floats(-40, 40),
            "ty": st.sampled_from([0, -2, 0.25]) | st.floats(-40, 40),
            "shear": st.sampled_from([0, 30]) | st.floats(-60, 60),
            "zx": st.sampled_from([1, 2, 0.5, -1]) | st.floats(0.2, 4),
            "zy": st.sampled_from([1, 2, 0.5, 0]) | st.floats(0.2, 4),
        }
    ),
    height=st.integers(1, 60),
    width=st.integers(1, 60),
    corrected=st.booleans(),
)
def test_what_is_outside_follows_from_the_borders_of_each_row(
    params: dict[str, float], height: int, width: int, corrected: bool
) -> None:
    matrix, offset = affine_matrix(params, height, width, corrected=corrected)
    expected = outside(*positions(matrix, offset, height, width), height, width)
    np.testing.assert_array_equal(outside_of_grid(matrix, offset, height, width), expected)


@pytest.mark.parametrize("fill_mode", FILL_MODES)
@pytest.mark.parametrize("size", [1, 2, 3, 7, 40])
def test_whole_positions_need_no_floats(size: int, fill_mode: str) -> None:
    index = np.arange(-200, 200)
    expected = nearest(index.astype(np.float64), size, fill_mode)
    np.testing.assert_array_equal(pixel_at(index, size, fill_mode), expected)


@pytest.mark.parametrize("step", ["brightness", "contrast"])
@pytest.mark.parametrize("grey", [0, 1, 60, 127, 200, 255])
def test_a_formula_gives_the_bytes_of_the_table(grey: int, step: str) -> None:
    """OpenCV multiplies many bytes at once and the last ones singly, which may round otherwise."""
    ramp = np.tile(np.arange(256, dtype=np.uint8), 5)[:-3, None, None]
    x = np.concatenate([ramp, np.full((4 * 1277, 1, 1), grey, np.uint8)])
    adjust, enhancer = {
        "brightness": (adjust_brightness, ImageEnhance.Brightness),
        "contrast": (adjust_contrast, ImageEnhance.Contrast),
    }[step]
    factors = np.random.default_rng(grey).uniform(0, 3, 150)
    for factor in (*factors, *np.arange(0, 3, 1 / 16), 1 / 3, 0.1, 1.7):
        found = adjust(x, float(factor))
        assert found.dtype == np.uint8
        expected = np.asarray(enhancer(Image.fromarray(x[..., 0])).enhance(float(factor)))
        np.testing.assert_array_equal(found[..., 0], expected)
        np.testing.assert_array_equal(adjust(x.astype(np.float32), float(factor))[..., 0], expected)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_brightness_and_contrast_are_pillows(channels: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape = (*rng.integers(1, 40, 2), channels)
    x = rng.integers(0, rng.integers(2, 257), shape, dtype=np.uint8)
    if seed % 4 == 0:
        x[...] = x[0, 0]
    factor = (0.0, 1.0, 0.5, 2.0)[seed] if seed < 4 else rng.uniform(0, 3)
    image = Image.fromarray(x[..., 0] if channels == 1 else x)
    for adjust, enhancer in (
        (adjust_brightness, ImageEnhance.Brightness),
        (adjust_contrast, ImageEnhance.Contrast),
    ):
        expected = np.asarray(enhancer(image).enhance(factor)).reshape(shape)
        np.testing.assert_array_equal(adjust(x, factor), expected)


@pytest.mark.parametrize("options", [{}, {"rescale": 1 / 255}, {"rescale": 2.0, "cval": 300.0}])
@pytest.mark.parametrize(
    "recolours", [{"brightness_range": (0.4, 1.6)}, {"contrast_range": (0.4, 1.6)}]
)
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_batch_is_what_single_steps_give(
    channels: int, recolours: dict[str, Any], options: dict[str, Any]
) -> None:
    """The multiplication is done together with the last step of the transform."""
    x = np.random.default_rng(1).integers(0, 256, (6, 40, 40, channels), dtype=np.uint8)
    generator = ImageDataGenerator(
        executor="serial", rotation_range=30, horizontal_flip=True, fill_mode="constant",
        noaug_preprocessing_function=lambda image: image, **recolours, **options,
    )  # fmt: skip
    quick = ImageDataGenerator(
        executor="serial", rotation_range=30, horizontal_flip=True, fill_mode="constant",
        **recolours, **options,
    )  # fmt: skip
    expected = next(generator.flow(x, batch_size=6, seed=4))
    np.testing.assert_array_equal(next(quick.flow(x, batch_size=6, seed=4)), expected)


@pytest.mark.parametrize("shape", [(7, 5, 3), (1, 1, 1), (4, 0, 3), (3, 8, 9)])
def test_half_precision_has_numpys_bits(shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(0).normal(0, 3000, shape).astype(np.float32)
    x.flat[:1] = 1e-7  # smaller than any normal number
    row = np.empty(shape, np.float16)
    write_row(x, row)
    np.testing.assert_array_equal(row, x.astype(np.float16))


@pytest.mark.parametrize("scale", [1e-3, 1.0, 255.0])
def test_statistics_of_whole_images(scale: float) -> None:
    x = (np.random.default_rng(0).random((50, 60, 3)) * scale).astype(np.float32)
    assert mean(x) == pytest.approx(np.mean(x, dtype=np.float64), rel=1e-6)
    assert deviation(x) == pytest.approx(np.std(x, dtype=np.float64), rel=1e-6)
    assert deviation(np.full((9, 9, 3), 77, np.float32)) == 0
    assert mean(x[:, ::2]) == np.mean(x[:, ::2])


@pytest.mark.parametrize("shear", [0.0004, 0.004, 0.04, 0.4])
@pytest.mark.parametrize("picture", ["photograph", "grey", "drawing"])
def test_almost_nothing_is_moved_exactly(picture: str, shear: float) -> None:
    """Most values are then whole but for a little, which is more than the errors of float32."""
    params = {"theta": 0.0, "tx": 0.3, "ty": 0.0, "shear": shear, "zx": 1.0, "zy": 1.0}
    found, values = bytes_of(PICTURES[picture], params, "nearest")
    # Keras' images are float32 before fractions are cut off.
    assert np.mean(found != np.floor(values.astype(np.float32))) < 0.001
