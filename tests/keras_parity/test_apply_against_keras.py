from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from reference import both_generators, quiet
from releases import release_of

from imageloom import ImageDataGenerator

ORDER_1_LEVELS = 0.01  # OpenCV computes in float32, SciPy in float64
NUDGE = 1e-9  # of a pixel: far above the error of a sum, far below what matters

fill_modes = st.sampled_from(["constant", "nearest", "reflect", "wrap"])
affine_params = st.fixed_dictionaries(
    {},
    optional={
        "theta": st.floats(-360, 360) | st.sampled_from([30, 90, 180, 270, -45]),
        "tx": st.floats(-40, 40) | st.integers(-5, 5) | st.just(0.5),
        "ty": st.floats(-40, 40) | st.integers(-5, 5) | st.just(-0.25),
        "shear": st.floats(-60, 60),
        "zx": st.floats(0.2, 3) | st.just(2),
        "zy": st.floats(0.2, 3) | st.just(0.5),
    },
)
colour_params = st.fixed_dictionaries(
    {},
    optional={
        "channel_shift_intensity": st.floats(-90, 90) | st.none() | st.just(0),
        "flip_horizontal": st.sampled_from([0, 1, True, False]),
        "flip_vertical": st.sampled_from([0, 1, True, False]),
        "brightness": st.floats(0, 3) | st.none() | st.sampled_from([0, 1, 1.0, -0.5]),
    },
)
sides = st.integers(1, 33)
seeds = st.integers(0, 2**31)


def noise_image(
    shape: tuple[int, ...], seed: int, dtype: Any = np.float32, low: float = 0, high: float = 255
) -> NDArray[Any]:
    values = np.random.RandomState(seed).uniform(low, high, shape)
    return values.round().astype(dtype) if np.dtype(dtype).kind in "iu" else values.astype(dtype)


def apply_both(
    image: NDArray[Any], params: dict[str, Any], **options: Any
) -> tuple[NDArray[Any], NDArray[Any]]:
    ours, theirs = both_generators(**options)
    with quiet():
        expected = theirs.apply_transform(image.copy(), params)
    untouched = image.copy()
    result = ours.apply_transform(image, params)
    np.testing.assert_array_equal(image, untouched)
    assert result.shape == expected.shape
    return result, expected


@settings(max_examples=300)
@given(
    params=affine_params, fill_mode=fill_modes, height=sides, width=sides, seed=seeds,
    channels=st.sampled_from([1, 3, 4, 5]), cval=st.sampled_from([0, 255.0, -7.5, 400]),
)  # fmt: skip
def test_linear_warp_of_float_images(
    params: dict[str, Any], fill_mode: str, height: int, width: int, seed: int, channels: int,
    cval: float,
) -> None:  # fmt: skip
    image = noise_image((height, width, channels), seed)
    result, expected = apply_both(image, params, fill_mode=fill_mode, cval=cval)
    assert result.dtype == expected.dtype == np.float32
    np.testing.assert_allclose(result, expected, rtol=0, atol=ORDER_1_LEVELS)


@pytest.mark.parametrize("fill_mode", ["constant", "nearest", "reflect", "wrap"])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "uint16"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4, 6])
def test_linear_warp_is_as_exact_for_every_dtype_and_channel_count(
    channels: int, dtype: str, fill_mode: str
) -> None:
    image = noise_image((40, 30, channels), 2, dtype, 0, 200)
    params = {"theta": 17.3, "tx": 1.37, "shear": 3.1, "zx": 0.83}
    result, expected = apply_both(image, params, fill_mode=fill_mode)
    if image.dtype.kind in "iu":  # rounded: a value near a half may go either way
        assert np.mean(result != expected) < 0.01
        assert np.abs(result.astype(int) - expected).max() <= 1
        return
    np.testing.assert_allclose(result, expected, rtol=0, atol=ORDER_1_LEVELS)


@settings(max_examples=200)
@given(
    params=affine_params, fill_mode=fill_modes, height=sides, width=sides, seed=seeds,
    order=st.sampled_from([0, 0, 3, 2]), dtype=st.sampled_from(["float32", "uint8", "int16"]),
)  # fmt: skip
def test_nearest_and_spline_warps_are_exact(
    params: dict[str, Any], fill_mode: str, height: int, width: int, seed: int, order: int,
    dtype: str,
) -> None:  # fmt: skip
    image = noise_image((height, width, 3), seed, dtype)
    options: dict[str, Any] = {"fill_mode": fill_mode, "cval": 30, "interpolation_order": order}
    result, expected = apply_both(image, params, **options)
    assert result.dtype == expected.dtype
    if order == 0 and release_of("scipy") < (1, 16):  # sums the terms of a position otherwise
        decided = ~last_bit_decides(image, params, **options)
        result, expected = result[decided], expected[decided]
    np.testing.assert_array_equal(result, expected)


def last_bit_decides(image: NDArray[Any], params: dict[str, Any], **options: Any) -> NDArray[np.bool_]:
    """The output pixels, (height, width), on a border or between two pixels: a nudge changes them."""
    ours = ImageDataGenerator(**options)
    tx, ty = params.get("tx", 0), params.get("ty", 0)
    places = np.arange(1.0, image[..., :1].size + 1).reshape(image[..., :1].shape)
    nudged = [
        ours.apply_transform(places, {**params, "tx": tx + down, "ty": ty + right})
        for down in (-NUDGE, NUDGE)
        for right in (-NUDGE, NUDGE)
    ]
    return np.ptp(nudged, axis=0)[..., 0] > 0


def test_where_the_last_bit_decides() -> None:
    """Half a pixel aside, all lie between two; a third of one aside, none. Turned, the border does."""
    image = noise_image((5, 5, 1), 1)
    options: dict[str, Any] = {"fill_mode": "constant", "cval": 0, "interpolation_order": 0}
    halves = last_bit_decides(image, {"tx": 0.5, "ty": 1 / 3}, **options)
    assert halves[:-1, :-1].all()
    assert not last_bit_decides(image, {"tx": 1 / 3, "ty": 1 / 3}, **options).any()
    border = np.ones((5, 5), np.bool_)
    border[1:-1, 1:-1] = False
    np.testing.assert_array_equal(last_bit_decides(image, {"theta": 90}, **options), border)


@settings(max_examples=150)
@given(
    params=affine_params, fill_mode=fill_modes, seed=seeds,
    height=st.integers(8, 33), width=st.integers(8, 33),
)  # fmt: skip
def test_linear_warp_of_bytes_comes_back_rounded(
    params: dict[str, Any], fill_mode: str, height: int, width: int, seed: int
) -> None:
    image = noise_image((height, width, 3), seed, np.uint8)
    result, expected = apply_both(image, params, fill_mode=fill_mode, cval=17)
    _, unrounded = apply_both(image.astype(np.float64), params, fill_mode=fill_mode, cval=17)
    assert result.dtype == expected.dtype == np.uint8
    assert np.abs(result.astype(int) - expected).max() <= 1
    differs = result != expected  # only where float32 may put a value on the other side of a half
    np.testing.assert_allclose(unrounded[differs] % 1, 0.5, atol=ORDER_1_LEVELS)


def test_bytes_on_a_half_are_rounded_up_as_in_scipy() -> None:
    image = np.arange(24, dtype=np.uint8).reshape(1, 24, 1)
    result, expected = apply_both(image, {"tx": 0.5})
    np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize("order", [0, 1])
@pytest.mark.parametrize("cval", [-3, 300, 12.5])
def test_fill_values_that_bytes_cannot_hold_saturate_as_in_scipy(order: int, cval: float) -> None:
    image = np.full((4, 4, 1), 100, np.uint8)
    result, expected = apply_both(
        image, {"tx": 2}, fill_mode="constant", cval=cval, interpolation_order=order
    )
    np.testing.assert_array_equal(result, expected)


@settings(max_examples=100)
@given(params=affine_params, colour=colour_params, height=sides, width=sides, seed=seeds)
def test_channels_first_gives_the_same_transposed(
    params: dict[str, Any], colour: dict[str, Any], height: int, width: int, seed: int
) -> None:
    image = noise_image((height, width, 3), seed)
    last = ImageDataGenerator(data_format="channels_last")
    first = ImageDataGenerator(data_format="channels_first")
    expected = last.apply_transform(image, params | colour)
    result = first.apply_transform(np.moveaxis(image, -1, 0), params | colour)
    np.testing.assert_array_equal(result, np.moveaxis(expected, -1, 0))


@settings(max_examples=100)
@given(params=affine_params, colour=colour_params, height=sides, width=sides, seed=seeds)
def test_channels_first_without_brightness_is_that_of_keras(
    params: dict[str, Any], colour: dict[str, Any], height: int, width: int, seed: int
) -> None:
    image = noise_image((3, height, width), seed)
    result, expected = apply_both(
        image, params | colour | {"brightness": None}, data_format="channels_first"
    )
    np.testing.assert_allclose(result, expected, rtol=0, atol=ORDER_1_LEVELS)


@settings(max_examples=300)
@given(
    colour=colour_params, height=sides, width=sides, seed=seeds,
    channels=st.sampled_from([1, 3, 4]), dtype=st.sampled_from(["float32", "uint8", "int16"]),
    span=st.sampled_from([(0, 255), (0, 1), (30, 90), (-40, 200), (0, 700), (-5, -1), (300, 301)]),
)  # fmt: skip
def test_colour_steps_and_flips_are_exact(
    colour: dict[str, Any], height: int, width: int, seed: int, channels: int, dtype: str,
    span: tuple[float, float],
) -> None:  # fmt: skip
    if dtype == "uint8":
        span = (0, 255)
    image = noise_image((height, width, channels), seed, dtype, *span)
    result, expected = apply_both(image, colour)
    if dtype != "int16":  # beyond 0..255 Keras' own arithmetic makes these float64
        assert result.dtype == expected.dtype
    scale = max(abs(span[0]), abs(span[1]))
    np.testing.assert_allclose(result, expected, rtol=0, atol=1e-6 * scale)


@pytest.mark.parametrize(
    ("image", "factor", "start"),
    [
        (np.arange(24.0) * 10, 1, [0, 10, 20, 30]),
        (np.arange(24.0) * 10, 0.5, [0, 5, 10, 15]),
        (np.arange(24.0) * 10 - 50, 1, [-50, -40.078, -30.157]),
        (np.arange(24.0) * 20, 0.5, [0, 9.02, 19.843, 28.863]),
        (np.arange(24.0) * 10 / 255, 1, [0, 0, 0, 0]),
    ],
)
def test_golden_values_of_brightness(
    image: NDArray[np.float64], factor: float, start: list[float]
) -> None:
    pixels = image.reshape(2, 4, 3).astype(np.float32)
    result = ImageDataGenerator().apply_transform(pixels, {"brightness": factor})
    np.testing.assert_allclose(result.ravel()[: len(start)], start, atol=6e-4)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_brightness_cuts_off_the_same_fractions_after_a_shift(channels: int) -> None:
    """2.4 pixels mix neighbours by 3 to 2: one value in five comes out whole, give or take an ulp,
    and brightness first cuts off fractions, then makes the grey level that is lost two."""
    image = noise_image((48, 48, channels), 6, np.uint8).astype(np.float32)
    result, expected = apply_both(image, {"ty": 2.4000000000000004, "brightness": 2.5})
    assert np.mean(np.abs(result - expected) > 1.5) <= 0.001


def test_brightness_saturates() -> None:
    pixels = (np.arange(24, dtype=np.float32) * 10).reshape(2, 4, 3)
    result = ImageDataGenerator().apply_transform(pixels, {"brightness": 2})
    np.testing.assert_array_equal(result, np.minimum(pixels * 2, 255))


@pytest.mark.parametrize("channels", [2, 5])
def test_brightness_of_odd_channel_counts_is_an_error(channels: int) -> None:
    image = np.zeros((4, 4, channels), np.float32)
    with pytest.raises(ValueError, match="Unsupported channel number"):
        ImageDataGenerator().apply_transform(image, {"brightness": 1.0})


@pytest.mark.parametrize("shape", [(4, 4), (1, 4, 4, 3)])
def test_only_single_images_are_transformed(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="rank 3"):
        ImageDataGenerator().apply_transform(np.zeros(shape, np.float32), {"tx": 1})


X12 = np.arange(12, dtype=np.float32).reshape(3, 4, 1)
COMBINED = {"theta": 20, "tx": 0.5, "ty": -1, "shear": 10, "zx": 0.8, "zy": 1.2}
GOLDEN_CONSTANT: list[tuple[dict[str, Any], list[list[float]]]] = [
    ({"theta": 90}, [[4.5, 8.5, -1, -1], [3.5, 7.5, -1, -1], [2.5, 6.5, -1, -1]]),
    ({"theta": 30},
     [[-1, 2.55385, 5.41987, -1], [2.65192, 5.51795, 8.38398, -1], [-1, 8.48205, -1, -1]]),
    ({"tx": 1}, [[1, 2, 3, -1], [5, 6, 7, -1], [9, 10, 11, -1]]),
    ({"ty": 1}, [[4, 5, 6, 7], [8, 9, 10, 11], [-1] * 4]),
    ({"tx": 0.5, "ty": -0.25}, [[-1] * 4, [3.5, 4.5, 5.5, -1], [7.5, 8.5, 9.5, -1]]),
    ({"shear": 45},
     [[2.81802, 3.81802, -1, -1], [4.93934, 5.93934, 6.93934, -1],
      [-1, 8.06066, 9.06066, 10.06066]]),
    ({"zx": 0.5, "zy": 1}, [[0.5, 1, 1.5, 2], [4.5, 5, 5.5, 6], [8.5, 9, 9.5, 10]]),
    ({"zx": 1, "zy": 2}, [[-1] * 4, [2, 3, 4, 5], [-1] * 4]),
    (COMBINED,
     [[-1] * 4, [-1, 2.95868, 4.80489, -1], [4.66938, 6.5156, 8.36182, -1]]),
]  # fmt: skip
X9 = np.arange(9, dtype=np.float32).reshape(3, 3, 1)
GOLDEN_NEAREST: list[tuple[dict[str, Any], list[list[float]]]] = [
    ({"theta": 30},
     [[0.63397, 1.90192, 3.90192], [1.63397, 4, 6.36603], [4.09808, 6.09808, 7.36603]]),
    ({"shear": 45}, [[1.58579, 2.58579, 2.87868], [3, 4, 5], [5.12132, 5.41421, 6.41421]]),
    (COMBINED, [[1.66011, 2, 2], [1.06011, 2.50582, 3.5148], [3.45091, 5.02351, 6.59611]]),
]  # fmt: skip


@pytest.mark.parametrize(("params", "expected"), GOLDEN_CONSTANT)
def test_golden_affine_values_with_a_constant_border(
    params: dict[str, Any], expected: list[list[float]]
) -> None:
    result, reference = apply_both(X12, params, fill_mode="constant", cval=-1)
    np.testing.assert_allclose(result[..., 0], expected, atol=1e-5)
    np.testing.assert_allclose(reference[..., 0], expected, atol=1e-5)


@pytest.mark.parametrize(("params", "expected"), GOLDEN_NEAREST)
def test_golden_affine_values_with_the_default_border(
    params: dict[str, Any], expected: list[list[float]]
) -> None:
    result = ImageDataGenerator().apply_transform(X9, params)
    np.testing.assert_allclose(result[..., 0], expected, atol=1e-5)


@pytest.mark.parametrize(
    ("fill_mode", "tx", "expected"),
    [
        ("constant", -2, [9, 9, 1, 2]),
        ("nearest", -2, [1, 1, 1, 2]),
        ("reflect", -2, [2, 1, 1, 2]),
        ("wrap", -2, [3, 4, 1, 2]),
        ("constant", -1.25, [9, 9, 1.75, 2.75]),
        ("nearest", -1.25, [1, 1, 1.75, 2.75]),
        ("reflect", -1.25, [1.25, 1, 1.75, 2.75]),
    ],
)
def test_golden_values_of_fill_modes(fill_mode: str, tx: float, expected: list[float]) -> None:
    row = np.array([1, 2, 3, 4], np.float32).reshape(1, 4, 1)
    generator = ImageDataGenerator(fill_mode=fill_mode, cval=9)
    result = generator.apply_transform(row, {"tx": tx})
    np.testing.assert_allclose(result.ravel(), expected, atol=1e-6)


def test_signs_of_the_parameters() -> None:
    image = noise_image((15, 15, 3), 9)
    apply = ImageDataGenerator().apply_transform
    np.testing.assert_allclose(apply(image, {"theta": 90}), np.rot90(image), atol=0.01)
    np.testing.assert_array_equal(apply(image, {"tx": 2})[:, :-2], image[:, 2:])
    np.testing.assert_array_equal(apply(image, {"ty": 2})[:-2], image[2:])
    np.testing.assert_allclose(apply(image, {"zx": 2, "zy": 2})[7, 4:11], image[7, 1::2], atol=0.01)


def test_a_half_turn_that_hides_defects_of_a_square_does_not_in_keras_mode() -> None:
    """5 x 9 turned about a point beside its centre: the picture is nearly all lost, as in Keras."""
    image = noise_image((5, 9, 1), 3)
    result, expected = apply_both(image, {"theta": 180}, fill_mode="constant", cval=-1)
    np.testing.assert_allclose(result, expected, atol=ORDER_1_LEVELS)
    assert math.isclose(np.mean(result == -1), np.mean(expected == -1))
    assert np.mean(result == -1) > 0.5
