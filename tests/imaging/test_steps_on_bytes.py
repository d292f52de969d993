"""Steps that are done on bytes, or in the memory of the batch, next to single steps on floats."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any, Final

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage
from skimage import data

from imageloom import ImageDataGenerator, Noise
from imageloom._adapters.applications import ImageNetScaling
from imageloom._imaging.augment.affine import affine_matrix, warp
from imageloom._imaging.augment.apply import apply_transform
from imageloom._imaging.augment.colour import Scaling
from imageloom._imaging.augment.cut_off import cut_off
from imageloom._imaging.augment.noise import add_noise
from imageloom._imaging.imagenet import can_scale, scale_in_place
from imageloom._options import GeneratorOptions
from imageloom._options.transform import seeded

PHOTOGRAPHS: Final = np.stack([data.astronaut()[i : i + 64, 100:164] for i in range(0, 240, 40)])
MOVES: Final[dict[str, Any]] = {"rotation_range": 30, "zoom_range": 0.2, "horizontal_flip": True}
SAMPLEWISE: Final = {"samplewise_center": True, "samplewise_std_normalization": True}
GEOMETRY: Final[dict[str, Any]] = {"theta": 20.0, "ty": 3.5, "flip_horizontal": True}
COLOURS: Final[list[dict[str, Any]]] = [
    {},
    {"brightness": 0.7},
    {"brightness": 1.6, "contrast": 0.8},
    {"channel_shift_intensity": 20.0},
    {"channel_shift_intensity": -20.0, "brightness": 1.3},
    {"noise": Noise("gauss", seed=1)},
    {"noise": Noise("s&p", seed=1), "contrast": 1.3},
    {"noise": Noise("poisson", seed=1), "brightness": 1.2},
    {"noise": Noise("speckle", seed=1), "channel_shift_intensity": 10.0},
]


@pytest.mark.parametrize("colours", COLOURS, ids=str)
@pytest.mark.parametrize("fill_mode", ["nearest", "constant"])
@pytest.mark.parametrize("order", [0, 1])
@pytest.mark.parametrize("cval", [0.0, 0.5, 300.0])
def test_bytes_that_stand_for_floats(
    colours: dict[str, Any], fill_mode: str, order: int, cval: float
) -> None:
    x = PHOTOGRAPHS[0]
    options = GeneratorOptions(fill_mode=fill_mode, cval=cval, interpolation_order=order).transform
    for params in (colours, GEOMETRY | colours):
        before = x.copy()
        expected = apply_transform(x.astype(np.float32), params, options, from_bytes=True)
        found = apply_transform(x, params, options, from_bytes=True)
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, expected)
        short = apply_transform(x, params, options, from_bytes=True, to_bytes=True)
        np.testing.assert_array_equal(short, expected)
        row = np.empty(x.shape, np.float32)
        done = apply_transform(x, params, options, from_bytes=True, scaling=Scaling(0.25, row))
        np.testing.assert_array_equal(done, expected * np.float32(0.25 if done is row else 1))
        np.testing.assert_array_equal(x, before)


def batch(**options: Any) -> NDArray[Any]:
    generator = ImageDataGenerator(executor="serial", **options)
    if options.get("featurewise_center"):
        generator.fit(PHOTOGRAPHS.astype(np.float32))
    found: NDArray[Any] = next(generator.flow(PHOTOGRAPHS, batch_size=6, seed=4))
    return found


@pytest.mark.parametrize(
    ("options", "most"),
    [
        ({"channel_shift_range": 30.0, "rescale": 1 / 255}, 1e-4),
        ({"noise": "gauss", "rescale": 1 / 255}, 1e-4),
        ({"noise": "speckle", "rescale": 1 / 255, "dtype": "float16"}, 1e-3),
        ({"noise": "s&p", "samplewise_center": True}, 0.02),
        (SAMPLEWISE, 1e-3),
        ({**SAMPLEWISE, "rescale": 1 / 255}, 1e-3),
        ({"featurewise_center": True, "featurewise_std_normalization": True}, 1e-3),
        ({"featurewise_center": True, "channel_shift_range": 30.0, "rescale": 2.0}, 0.02),
    ],
    ids=str,
)
@pytest.mark.parametrize("moves", [{}, MOVES], ids=["still", "moved"])
def test_what_is_done_in_the_batch_is_what_single_steps_give(
    moves: dict[str, Any], options: dict[str, Any], most: float
) -> None:
    """A hook on the stored pixels makes all steps single ones."""
    single = batch(noaug_preprocessing_function=np.array, **moves, **options)
    difference = np.abs(batch(**moves, **options) - single.astype(np.float32))
    assert difference.max() <= most


@pytest.mark.parametrize("mode", ["tf", "torch", "caffe", None])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_known_functions_of_keras(mode: str | None, dtype: str) -> None:
    known = ImageNetScaling("keras.applications.resnet", mode, "channels_last", "float32")
    x = PHOTOGRAPHS[0].astype(np.float32)
    expected = known(x.copy())
    assert can_scale(known, x)
    scale_in_place(known, x)
    np.testing.assert_array_equal(x, expected)
    single = batch(preprocessing_function=partial(known), dtype=dtype, **MOVES)
    quick = batch(preprocessing_function=known, dtype=dtype, **MOVES)
    assert np.abs(quick - single.astype(np.float32)).max() <= (0.02 if dtype == "float32" else 0.2)


def test_known_functions_that_want_other_images() -> None:
    x = np.zeros((4, 5, 3), np.float32)
    known = ImageNetScaling("keras.applications.resnet", "caffe", "channels_last", "float32")
    assert can_scale(known, x)
    assert not can_scale(replace(known, data_format="channels_first"), x)
    assert not can_scale(known, x[..., :1])
    assert not can_scale(known, x[:, ::2])
    assert not can_scale(known, x.astype(np.float64))


@pytest.mark.parametrize("picture", ["photograph", "noise", "flat"])
@pytest.mark.parametrize("side", [40, 256])
def test_fractions_of_small_images_are_cut_off_in_float32(picture: str, side: int) -> None:
    rng = np.random.default_rng(side)
    x = {
        "photograph": data.astronaut()[:side, 100 : 100 + side],
        "noise": rng.integers(0, 256, (side, side, 3), dtype=np.uint8),
        "flat": np.full((side, side, 3), 77, np.uint8),
    }[picture]
    wrong = []
    for _ in range(6):
        params = {"theta": rng.uniform(-90, 90), "tx": rng.uniform(-9, 9), "zx": rng.uniform(0.6, 1.5)}
        affine = affine_matrix(params, side, side, corrected=False)
        found = cut_off(
            warp(x, *affine, as_floats=True), x, *affine, fill_mode="nearest", cval=0.0, exact=False
        )
        values = np.stack(
            [
                ndimage.affine_transform(x[..., c].astype(np.float64), *affine, order=1, mode="nearest")
                for c in range(3)
            ],
            axis=-1,
        )
        wrong.append(np.mean(found != np.floor(values + 1e-9)))
        assert np.abs(found - values).max() < 1.01
    assert np.mean(wrong) < {"photograph": 3e-4, "noise": 1e-3, "flat": 1e-9}[picture]


@pytest.mark.parametrize("amount", [2.0**-18, 1.5 * 2.0**-16, 0.01])
def test_small_amounts_of_salt_and_pepper(amount: float) -> None:
    """A share of less than what sixteen bits can say is one, too."""
    grey = np.full((1024, 1024, 1), 128, np.uint8)
    noises = [Noise("s&p", amount=amount, salt_share=0.25, seed=seed) for seed in range(8)]
    struck = np.concatenate([found[found != 128] for found in (add_noise(grey, n) for n in noises)])
    expected = 8 * grey.size * amount
    assert len(struck) == pytest.approx(expected, abs=5 * expected**0.5)
    assert np.mean(struck == 255) == pytest.approx(0.25, abs=2.5 / len(struck) ** 0.5)


@pytest.mark.parametrize("level", [3, 40, 200])
def test_poisson_numbers_of_bytes_over_many_images(level: int) -> None:
    """Each image takes one of sixteen tables; together they have all quantiles."""
    grey = np.full((96, 96, 1), level, np.uint8)
    counts = [add_noise(grey, Noise("poisson", seed=seed)) for seed in range(200)]
    assert {found.dtype for found in counts} == {np.dtype(np.uint8)}
    values = np.stack(counts).astype(np.float64)
    deviation, images = level**0.5, values.mean(axis=(1, 2, 3))
    clipped = 0.02 if level == 200 else 0.005  # of 255 and what lies beyond
    assert values.mean() == pytest.approx(level, rel=0.001)
    assert values.var() == pytest.approx(level, rel=0.01 + clipped)
    assert images.std() == pytest.approx(deviation / 96, rel=0.25)
    if level < 200:
        skewness = np.mean(((values - level) / deviation) ** 3)
        assert skewness == pytest.approx(1 / deviation, abs=0.02)


def test_a_seed_is_all_that_is_changed() -> None:
    noise = Noise("s&p", amount=0.3, salt_share=0.1, mean=0.5, var=0.2)
    assert seeded(noise, 7) == replace(noise, seed=7)
    assert noise.seed is None
