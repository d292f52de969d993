"""Steps in few passes over an image, next to the plain formulas."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from pictures import photograph

from imageloom._imaging.augment import noise
from imageloom._imaging.augment.colour import shift_bytes, shift_channels
from imageloom._imaging.augment.grid import columns_within, outside, outside_of_grid, positions
from imageloom._imaging.augment.steps.operations import RECOLOURS
from imageloom._imaging.whole import centre_and_divide
from imageloom._options import Noise

Floats = NDArray[np.float32]
EPSILON = 1e-6


def floats(channels: int = 3, seed: int = 1) -> Floats:
    return np.random.default_rng(seed).uniform(0, 255, (31, 27, channels)).astype(np.float32)


@given(
    steps=st.lists(
        st.tuples(*[st.sampled_from([0, -0.0, 1, -1, 0.5, 1e-7, -1e-9]) | st.floats(-3, 3)] * 4),
        min_size=1,
        max_size=4,
    ),
    shift=st.sampled_from([0, 1, -2.5]) | st.floats(-40, 40),
    height=st.integers(1, 40),
    width=st.integers(1, 40),
)
def test_what_is_beyond_the_border_of_several_images(
    steps: list[tuple[float, ...]], shift: float, height: int, width: int
) -> None:
    matrices = np.array(steps).reshape(-1, 2, 2)
    offsets = np.tile([shift, -shift / 3], (len(steps), 1))
    ends = columns_within(matrices, offsets, height, width)
    for matrix, offset, within in zip(matrices, offsets, ends, strict=True):
        expected = outside(*positions(matrix, offset, height, width), height, width)
        np.testing.assert_array_equal(outside_of_grid(matrix, offset, height, width, within), expected)


@pytest.mark.parametrize("intensity", [0.0, 12.0, 12.3, 300.0, -0.25, -7.0, -7.6, -300.0])
def test_channel_shift_of_bytes(intensity: float) -> None:
    whole = photograph("coffee", 60, 50).astype(np.float32)
    expected = shift_channels(whole, intensity).astype(np.uint8)
    if intensity.is_integer():
        np.testing.assert_array_equal(shift_bytes(whole, intensity), expected)
    for x in (whole, floats()):
        expected = shift_channels(x, intensity).astype(np.uint8)
        off = shift_bytes(x, intensity).astype(int) - expected
        assert np.abs(off).max() <= 1
        assert np.count_nonzero(off) <= 1e-3 * off.size


@pytest.mark.parametrize("factor", [1.0, 1 / 255, -3.0])
@pytest.mark.parametrize("spread", [80.0, 1.0])
def test_centring_and_dividing_at_once(factor: float, spread: float) -> None:
    x = (100 + spread * np.random.default_rng(2).normal(size=(24, 18, 3))).astype(np.float32)
    doubles = x.astype(np.float64) * factor
    expected = (doubles - doubles.mean()) / (doubles.std() + EPSILON)
    out = np.empty_like(x)
    assert centre_and_divide(x, out, factor, EPSILON)
    np.testing.assert_allclose(out, expected, rtol=0, atol=1e-5 * 100 / spread)
    assert centre_and_divide(x, x, factor, EPSILON)
    np.testing.assert_array_equal(x, out)


def test_images_of_almost_one_value_are_not_centred_at_once() -> None:
    out = np.full((5, 4, 3), 7, np.float32)
    nearly = np.full_like(out, 200)
    nearly[0, 0] += 0.01
    with_nan = floats()[:5, :4]
    with_nan[0] = np.nan
    for x in (np.full_like(out, 3), nearly, with_nan, nearly[:, ::-1], nearly.astype(np.float64)):
        assert not centre_and_divide(x, out, 1.0, EPSILON)
    assert (out == 7).all()


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize(("amount", "salt"), [(0.05, 0.5), (0, 0.5), (1, 1), (1, 0.3), (4e-5, 0.7)])
def test_salt_and_pepper_pixel_by_pixel(amount: float, salt: float, channels: int, dtype: Any) -> None:
    x = floats(channels).astype(dtype)
    for seed in range(8):
        bits = np.random.PCG64(seed)
        size = x.shape[0] * x.shape[1]
        drawn = bits.random_raw(-(-size // 4)).astype("<u8").view("<u2")[:size]
        expected, share = x.copy(), amount * 2**16
        for place in np.flatnonzero(drawn <= share):
            number = drawn[place] + int(bits.random_raw()) * 2.0**-64
            if number < share:
                row, column = divmod(int(place), x.shape[1])
                expected[row, column] = 255 if number < share * salt else 0
        found = noise.add_noise(
            x, Noise("s&p", amount=amount, salt_share=salt, seed=seed), in_range=True
        )
        np.testing.assert_array_equal(found, expected)


def test_poisson_numbers_of_bytes_are_looked_up_by_level_and_bits() -> None:
    x = photograph("coffee", 40, 33)[::-1]
    bits = np.random.PCG64(5)
    table = noise._poisson_tables()[int(bits.random_raw()) % 16]
    drawn = bits.random_raw(-(-x.size // 8)).astype("<u8").view(np.uint8)[: x.size]
    expected = table[x.reshape(-1).astype(int) * 256 + drawn].reshape(x.shape)
    np.testing.assert_array_equal(noise.add_noise(x, Noise("poisson", seed=5)), expected)


def by_formula(name: str, x: NDArray[np.float64], numbers: list[float]) -> NDArray[np.float64]:
    match name:
        case "random_brightness":
            x = x + 255 * numbers[0]
        case "random_contrast":
            mean = x.mean((0, 1))
            x = (x - mean) * numbers[0] + mean
        case "solarization":
            x = np.clip(x + numbers[0], 0, 255)
            x = np.where(x < numbers[1], x, 255 - x)
        case "random_posterization":
            x = np.clip(x, 0, 255) // 2 ** (8 - numbers[0]) * 2 ** (8 - numbers[0])
        case "auto_contrast":
            low, high = x.min((0, 1)), x.max((0, 1))
            x = np.where(low == high, x, (x - low) * 255 / np.where(low == high, 1, high - low))
        case _:
            padded = np.pad(x, ((1, 1), (1, 1), (0, 0)))
            rows, columns = x.shape[:2]
            around = [padded[r : r + rows, c : c + columns] for r in range(3) for c in range(3)]
            x = x + (1 - 2 * numbers[0]) * ((sum(around) + 4 * x) / 13 - x)
    return np.clip(x, 0, 255)


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5])
@pytest.mark.parametrize(
    ("name", "numbers"),
    [
        ("random_brightness", [0.3]),
        ("random_contrast", [1.4]),
        ("random_contrast", [0.2]),
        ("random_sharpness", [0.8]),
        ("random_posterization", [3]),
        ("solarization", [30.0, 128.0]),
        ("auto_contrast", []),
    ],
)
def test_operations_by_their_formulas(name: str, numbers: list[float], channels: int) -> None:
    whole = np.rint(floats(channels))
    flat = np.full_like(whole, 98)
    for x in (whole, floats(channels, 7) * 0.7, flat, whole * 3 - 200):
        before = x.copy()
        found = RECOLOURS[name](x, *numbers)
        np.testing.assert_array_equal(x, before)
        expected = by_formula(name, x.astype(np.float64), numbers)
        if channels == 4:  # the opacity stays
            expected[..., 3] = x[..., 3]
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-3)


def test_stretched_contrast_keeps_whole_numbers_whole() -> None:
    """They are cut off by operations that may follow."""
    x = np.rint(floats())
    x[..., 0] = 10 + x[..., 0] % 52  # 51 levels become 255
    found = RECOLOURS["auto_contrast"](x)
    low, high = x[..., 0].min(), x[..., 0].max()
    assert high - low == 51
    np.testing.assert_array_equal(found[..., 0], (x[..., 0] - low) * 5)


@pytest.mark.parametrize("channels", [1, 3])
def test_equalization_keeps_a_channel_of_one_level(channels: int) -> None:
    x = floats(channels)
    x[..., 0] = 9.25
    found = RECOLOURS["equalization"](x)
    assert (found[..., 0] == 9.25).all()
    for channel in range(1, channels):
        spread = np.histogram(found[..., channel], bins=4, range=(0, 256))[0] / found[..., 0].size
        np.testing.assert_allclose(spread, 0.25, atol=0.01)
