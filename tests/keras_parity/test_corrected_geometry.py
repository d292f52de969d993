from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from reference import keras_generator, quiet

from imageloom import ImageDataGenerator

params_of_all_kinds = st.fixed_dictionaries(
    {},
    optional={
        "theta": st.floats(-180, 180),
        "tx": st.floats(-6, 6),
        "ty": st.floats(-6, 6),
        "shear": st.floats(-40, 40),
        "zx": st.floats(0.5, 2),
        "zy": st.floats(0.5, 2),
    },
)
half_sides = st.integers(4, 20)


def corrected(**options: Any) -> ImageDataGenerator:
    return ImageDataGenerator(geometry="corrected", **options)


def image_of(height: int, width: int, seed: int = 1) -> NDArray[np.float32]:
    return np.random.RandomState(seed).uniform(0, 255, (height, width, 3)).astype(np.float32)


@pytest.mark.parametrize("shape", [(5, 9), (8, 30), (31, 12), (7, 7)])
def test_half_a_turn_is_rot180(shape: tuple[int, int]) -> None:
    image = image_of(*shape)
    turned = corrected().apply_transform(image, {"theta": 180})
    np.testing.assert_allclose(turned, image[::-1, ::-1], atol=0.01)


@pytest.mark.parametrize("shape", [(5, 9), (30, 8)])
def test_the_centre_stays_where_it_is(shape: tuple[int, int]) -> None:
    """A quarter turn about the centre keeps the part of the picture that fits both ways."""
    image = image_of(*shape)
    turned = corrected(fill_mode="constant").apply_transform(image, {"theta": 90})
    side = min(shape)
    top, left = (shape[0] - side) // 2, (shape[1] - side) // 2
    window = np.s_[top : top + side, left : left + side]
    np.testing.assert_allclose(turned[window], np.rot90(image[window]), atol=0.01)


def test_ty_moves_rows_and_tx_moves_columns() -> None:
    image = image_of(9, 14)
    apply = corrected().apply_transform
    np.testing.assert_array_equal(apply(image, {"ty": 3})[:-3], image[3:])
    np.testing.assert_array_equal(apply(image, {"tx": 3})[:, :-3], image[:, 3:])


@pytest.mark.parametrize(
    ("option", "moves_rows"), [("height_shift_range", True), ("width_shift_range", False)]
)
def test_each_shift_range_moves_its_own_axis(option: str, moves_rows: bool) -> None:
    image = np.tile(np.arange(12, dtype=np.float32)[:, None, None] * 9, (1, 12, 3))
    if not moves_rows:
        image = np.ascontiguousarray(np.swapaxes(image, 0, 1))
    generator = corrected(**{option: [4]})
    moved = generator.random_transform(image, seed=1)
    assert not np.array_equal(moved, image)
    assert np.ptp(moved, axis=1 if moves_rows else 0).max() == 0
    as_keras = ImageDataGenerator(**{option: [4]}).random_transform(image, seed=1)
    np.testing.assert_array_equal(as_keras, image)  # the other axis moves, where all is equal


@pytest.mark.slow
@settings(max_examples=100)
@given(params=params_of_all_kinds, half=half_sides)
def test_square_images_do_not_tell_the_geometries_apart(params: dict[str, Any], half: int) -> None:
    image = image_of(2 * half, 2 * half)
    expected = ImageDataGenerator().apply_transform(image, params)
    np.testing.assert_array_equal(corrected().apply_transform(image, params), expected)


@settings(max_examples=100)
@given(params=params_of_all_kinds, half_height=half_sides, half_width=half_sides)
def test_an_oblong_image_is_the_middle_of_a_square_one(
    params: dict[str, Any], half_height: int, half_width: int
) -> None:
    """Padded to a square, where Keras is right, warped there and cut out again."""
    height, width = 2 * half_height, 2 * half_width
    side = max(height, width)
    top, left = (side - height) // 2, (side - width) // 2
    window = np.s_[top : top + height, left : left + width]
    square = np.zeros((side, side, 3), np.float32)
    square[window] = image = image_of(height, width)
    known = np.zeros_like(square)
    known[window] = 1
    keras = keras_generator(fill_mode="constant")
    with quiet():
        expected = keras.apply_transform(square, params)[window]
        inside = keras.apply_transform(known, params)[window] > 0.999999
    result = corrected(fill_mode="constant").apply_transform(image, params)
    np.testing.assert_allclose(result[inside], expected[inside], atol=0.01)
