"""A batch's transforms drawn at once, next to one image after the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from imageloom import Noise
from imageloom._imaging.augment.affine import affine_matrices, affine_matrix, is_identity
from imageloom._imaging.augment.batch import BatchTransforms, MirroredWarp
from imageloom._imaging.augment.draw import TransformParams, draw_transform
from imageloom._options import GeneratorOptions, TransformOptions

Size = tuple[int, int]

angles = st.one_of(st.just(0.0), st.just(0), st.integers(1, 180), st.floats(0.01, 180))
# A whole number or a list is chosen from with a random sign; a float is uniform.
shifts = st.one_of(
    st.just(0.0),
    st.floats(0.01, 0.99),
    st.floats(1, 20),
    st.integers(0, 9),
    st.lists(st.integers(-9, 9), min_size=1, max_size=4),
    st.lists(st.floats(0.01, 0.9), min_size=1, max_size=4),
    st.floats(0.01, 0.99).map(np.float64),
)
pairs = st.tuples(st.floats(0.2, 1), st.floats(1, 1.8))
noises = st.sampled_from([None, "gauss", ["s&p", "poisson"], [Noise("speckle", var=0.1), "gauss"]])
image_sizes = st.tuples(st.integers(1, 300), st.integers(1, 300))


@st.composite
def transform_options(draw: st.DrawFn, /, **fixed: Any) -> TransformOptions:
    drawn: dict[str, Any] = {
        "rotation_range": draw(angles),
        "width_shift_range": draw(shifts),
        "height_shift_range": draw(shifts),
        "shear_range": draw(angles),
        "zoom_range": draw(st.one_of(st.just(0.0), st.floats(0.01, 0.9), pairs, st.just((2, 2)))),
        "channel_shift_range": draw(st.sampled_from([0.0, 25.0])),
        "brightness_range": draw(st.one_of(st.none(), pairs)),
        "contrast_range": draw(st.one_of(st.none(), pairs)),
        "noise": draw(noises),
        "horizontal_flip": draw(st.booleans()),
        "vertical_flip": draw(st.booleans()),
        "random_transforms_enabled": draw(st.sampled_from([True, True, True, False])),
        "geometry": draw(st.sampled_from(["keras", "corrected"])),
    }
    return GeneratorOptions(**(drawn | fixed)).transform


def own_stream(image: int) -> Callable[[], np.random.Generator]:
    return lambda: np.random.Generator(np.random.PCG64((5, image)))


def state_of(rng: np.random.RandomState) -> tuple[Any, ...]:
    name, key, *rest = rng.get_state(legacy=True)
    return name, np.asarray(key).tolist(), *rest


def bits(affine: tuple[NDArray[Any], NDArray[Any]]) -> list[bytes]:
    return [np.ascontiguousarray(part, np.float64).tobytes() for part in affine]


def assert_as_one_by_one(options: TransformOptions, sizes: list[Size], seed: int) -> None:
    rng, other = np.random.RandomState(seed), np.random.RandomState(seed)
    before = state_of(rng)
    batch = BatchTransforms(rng, options, len(sizes), own_stream)
    assert state_of(rng) == before
    for image, (height, width) in enumerate(sizes):
        params, affine = batch.of(image, height, width)
        expected = draw_transform(other, options, height, width, own_stream(image))
        assert params == expected
        assert list(params) == list(expected)
        if is_identity(expected):
            assert affine is None
        else:
            assert affine is not None
            corrected = options.corrected_geometry
            assert bits(affine) == bits(affine_matrix(expected, height, width, corrected=corrected))
    assert state_of(rng) == state_of(other)


@pytest.mark.slow
@settings(max_examples=300)
@given(
    options=transform_options(),
    size=image_sizes,
    others=st.lists(image_sizes, max_size=2),
    pattern=st.lists(st.integers(0, 2), min_size=1, max_size=9),
    seed=st.integers(0, 2**32 - 1),
)
def test_a_batch_is_drawn_as_one_image_after_the_other(
    options: TransformOptions, size: Size, others: list[Size], pattern: list[int], seed: int
) -> None:
    sizes = [size, *others]
    assert_as_one_by_one(options, [sizes[number % len(sizes)] for number in pattern], seed)


@pytest.mark.slow
@given(
    options=transform_options(
        width_shift_range=0.2, height_shift_range=3.5, random_transforms_enabled=True
    ),
    images=st.integers(1, 70),
    seed=st.integers(0, 2**32 - 1),
)
def test_images_of_one_size_with_uniform_draws(
    options: TransformOptions, images: int, seed: int
) -> None:
    assert_as_one_by_one(options, [(48, 64)] * images, seed)


@pytest.mark.parametrize("shift", [0.2, 3, [-2, 5], [0.1, 0.3]])
@pytest.mark.parametrize("geometry", ["keras", "corrected"])
@pytest.mark.parametrize(
    "sizes", [[(30, 40)], [(30, 40), (40, 30), (30, 40), (1, 1), (30, 40)]], ids=len
)
def test_kinds_of_shifts(sizes: list[Size], geometry: str, shift: Any) -> None:
    options = GeneratorOptions(
        rotation_range=20, width_shift_range=shift, height_shift_range=0.1, horizontal_flip=True,
        noise="gauss", geometry=geometry,
    ).transform  # fmt: skip
    assert_as_one_by_one(options, sizes, 3)


def test_transforms_that_are_off_draw_nothing() -> None:
    options = GeneratorOptions(rotation_range=20, random_transforms_enabled=False).transform
    rng = np.random.RandomState(1)
    before = state_of(rng)
    batch = BatchTransforms(rng, options, 3, own_stream)
    assert [batch.of(image, 9, 9)[0]["theta"] for image in range(3)] == [0, 0, 0]
    assert state_of(rng) == before


def test_the_images_differ() -> None:
    options = GeneratorOptions(rotation_range=20, zoom_range=0.2).transform
    batch = BatchTransforms(np.random.RandomState(1), options, 4, own_stream)
    drawn = [batch.of(image, 20, 30) for image in range(4)]
    assert len({params["theta"] for params, _ in drawn}) == 4
    assert len({tuple(bits(affine)) for _, affine in drawn if affine is not None}) == 4


def test_flips_alone_are_drawn_ahead_without_matrices() -> None:
    options = GeneratorOptions(horizontal_flip=True, vertical_flip=True).transform
    assert_as_one_by_one(options, [(20, 30)] * 20 + [(30, 20)], 4)
    batch = BatchTransforms(np.random.RandomState(4), options, 20, own_stream)
    drawn = [batch.of(image, 20, 30) for image in range(20)]
    assert {affine for _, affine in drawn} == {None}
    assert len({(p["flip_horizontal"], p["flip_vertical"]) for p, _ in drawn}) == 4


@pytest.mark.parametrize("shift", [0.2, [0, 4]])
def test_the_geometry_alone_is_that_of_the_parameters(shift: Any) -> None:
    options = GeneratorOptions(
        width_shift_range=shift, rotation_range=30, horizontal_flip=True, vertical_flip=True
    ).transform
    batch = BatchTransforms(np.random.RandomState(4), options, 20, own_stream)
    other = BatchTransforms(np.random.RandomState(4), options, 20, own_stream)
    for image in range(20):
        warp = batch.warp_of(image, 20, 30)
        expected = MirroredWarp.of(*other.of(image, 20, 30), 20, 30)
        assert (warp.horizontal, warp.vertical) == (expected.horizontal, expected.vertical)
        np.testing.assert_array_equal(warp.matrix, expected.matrix)


def test_turned_images_among_those_left_alone() -> None:
    """A shift of 0 is one of the values: some images are not warped."""
    options = GeneratorOptions(width_shift_range=[0, 4]).transform
    assert_as_one_by_one(options, [(20, 30)] * 20, 2)
    batch = BatchTransforms(np.random.RandomState(2), options, 20, own_stream)
    warped = [batch.of(image, 20, 30)[1] is not None for image in range(20)]
    assert len(set(warped)) == 2


def matrix_of_keras(params: Mapping[str, Any], height: int, width: int, *, corrected: bool) -> Any:
    """Keras' way: a matrix for each step that does something, multiplied from left to right.

    Returns it as it is for Keras, 3 by 3, with x first.
    """
    theta, shear = np.deg2rad(params["theta"]), np.deg2rad(params["shear"])
    steps: list[tuple[bool, list[list[Any]]]] = [
        (
            theta != 0,
            [[np.cos(theta), -np.sin(theta), 0], [np.sin(theta), np.cos(theta), 0], [0, 0, 1]],
        ),
        (
            params["tx"] != 0 or params["ty"] != 0,
            [[1, 0, params["tx"]], [0, 1, params["ty"]], [0, 0, 1]],
        ),
        (shear != 0, [[1, -np.sin(shear), 0], [0, np.cos(shear), 0], [0, 0, 1]]),
        (
            params["zx"] != 1 or params["zy"] != 1,
            [[params["zx"], 0, 0], [0, params["zy"], 0], [0, 0, 1]],
        ),
    ]
    product: Any = None
    for active, rows in steps:
        if active:
            factor = np.array(rows)
            product = factor if product is None else np.dot(product, factor)
    if product is None:
        product = np.eye(3)
    x, y = (width, height) if corrected else (height, width)
    centre = (float(x) / 2 - 0.5, float(y) / 2 - 0.5)
    there = np.array([[1, 0, centre[0]], [0, 1, centre[1]], [0, 0, 1]])
    back = np.array([[1, 0, -centre[0]], [0, 1, -centre[1]], [0, 0, 1]])
    return np.dot(np.dot(there, product), back)


def in_rows_and_columns(matrix: Any) -> tuple[NDArray[Any], NDArray[Any]]:
    return matrix[:2, :2][::-1, ::-1], matrix[:2, 2][::-1]


@st.composite
def affine_params(draw: st.DrawFn) -> TransformParams:
    turns = st.one_of(st.sampled_from([0, 0.0, 90, -90, 180, -180, 45, 360]), st.floats(-400, 400))
    moves = st.one_of(st.sampled_from([0, 0.0, 1, -3]), st.floats(-50, 50))
    zooms = st.one_of(st.sampled_from([1, 1.0, 0.5, 2]), st.floats(0.1, 3))
    names = {"theta": turns, "tx": moves, "ty": moves, "shear": turns, "zx": zooms, "zy": zooms}
    return {name: draw(values) for name, values in names.items()}


@pytest.mark.slow
@settings(max_examples=400)
@given(
    several=st.lists(affine_params(), min_size=1, max_size=6),
    size=image_sizes,
    corrected=st.booleans(),
)
def test_matrices_are_keras_to_the_last_bit(
    several: list[TransformParams], size: Size, corrected: bool
) -> None:
    columns = {name: np.array([params[name] for params in several], float) for name in several[0]}
    matrices, offsets = affine_matrices(columns, len(several), *size, corrected=corrected)
    for params, matrix, offset in zip(several, matrices, offsets, strict=True):
        alone = affine_matrix(params, *size, corrected=corrected)
        assert bits(alone) == bits((matrix, offset))
        expected = in_rows_and_columns(matrix_of_keras(params, *size, corrected=corrected))
        # Equal numbers, of which only 0 has more than one form.
        np.testing.assert_array_equal(matrix, expected[0], strict=True)
        np.testing.assert_array_equal(offset, expected[1], strict=True)


@pytest.mark.parametrize("theta", [0, 90, -90, 180, 45, 17.3])
@pytest.mark.parametrize("size", [(64, 64), (63, 64), (1, 7), (224, 299)])
@pytest.mark.parametrize("rest", [{}, {"tx": 3.3, "ty": -2}, {"shear": 45}, {"zx": 0.7, "zy": 1.1}])
def test_matrices_at_right_angles(rest: dict[str, float], size: Size, theta: float) -> None:
    params: TransformParams = {"theta": theta, "tx": 0, "ty": 0, "shear": 0, "zx": 1, "zy": 1, **rest}
    for corrected in (False, True):
        matrix, offset = affine_matrix(params, *size, corrected=corrected)
        expected = in_rows_and_columns(matrix_of_keras(params, *size, corrected=corrected))
        np.testing.assert_array_equal(matrix, expected[0], strict=True)
        np.testing.assert_array_equal(offset, expected[1], strict=True)


def test_missing_parameters_do_nothing() -> None:
    for params, matrix, offset in (
        ({}, np.eye(2), [0, 0]),
        ({"tx": 2}, np.eye(2), [0, 2]),
        ({"zx": 3}, [[1, 0], [0, 3]], [0, -9]),
    ):
        found = affine_matrix(params, 10, 20, corrected=False)
        np.testing.assert_array_equal(found[0], matrix)
        np.testing.assert_array_equal(found[1], offset)


def test_one_value_may_stand_for_a_column() -> None:
    matrices, offsets = affine_matrices({"tx": 2, "zx": np.array([1, 3])}, 2, 10, 20, corrected=False)
    np.testing.assert_array_equal(matrices, [np.eye(2), [[1, 0], [0, 3]]])
    np.testing.assert_array_equal(offsets, [[0, 2], [0, -7]])
