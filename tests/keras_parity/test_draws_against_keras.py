from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import both_generators, keras_generator

from imageloom import ImageDataGenerator

pytestmark = pytest.mark.usefixtures("global_numpy_state")

KERAS_KEYS = (
    "theta", "tx", "ty", "shear", "zx", "zy", "flip_horizontal", "flip_vertical",
    "channel_shift_intensity", "brightness",
)  # fmt: skip
OWN_KEYS = ("contrast", "noise")

finite = st.floats(-500, 500, allow_nan=False)
pixels = st.integers(-20, 20)
# float fractions and pixels, whole pixels, values to choose from
shifts = st.one_of(
    st.floats(0, 0.99),
    finite,
    pixels,
    st.booleans(),
    st.lists(pixels, max_size=5),
    st.lists(st.floats(-2, 2), min_size=1, max_size=5),
    st.tuples(st.floats(0, 1), st.integers(0, 9)),
)
factors = st.floats(-1, 3)
zooms = st.one_of(
    factors,
    st.integers(0, 2),
    st.tuples(factors, factors),
    st.lists(factors, min_size=2, max_size=2),
)
brightness = st.none() | st.tuples(factors, factors) | st.lists(factors, min_size=2, max_size=2)
options = st.fixed_dictionaries(
    {},
    optional={
        "rotation_range": finite | st.integers(0, 180),
        "width_shift_range": shifts,
        "height_shift_range": shifts,
        "shear_range": finite,
        "zoom_range": zooms,
        "channel_shift_range": finite,
        "horizontal_flip": st.booleans(),
        "vertical_flip": st.booleans(),
        "brightness_range": brightness,
        "data_format": st.sampled_from(["channels_last", "channels_first"]),
    },
)
seeds = st.integers(0, 2**32 - 1)
shapes = st.tuples(st.integers(1, 300), st.integers(1, 300), st.integers(1, 300))


def keras_part(drawn: dict[str, Any]) -> dict[str, Any]:
    return {key: drawn[key] for key in KERAS_KEYS}


def state_of_numpy() -> tuple[Any, ...]:
    name, words, *rest = np.random.get_state()
    return (name, words.tolist(), *rest)


@settings(max_examples=400)
@given(options=options, shape=shapes, seed=seeds)
def test_seeded_draws_are_those_of_keras(
    options: dict[str, Any], shape: tuple[int, int, int], seed: int
) -> None:
    ours, theirs = both_generators(**options)
    drawn = ours.get_random_transform(shape, seed)
    assert drawn == theirs.get_random_transform(shape, seed)


@pytest.mark.parametrize("option", [{}, {"contrast_range": (0.5, 2)}, {"noise": "gauss"}])
def test_only_the_keys_of_used_options_come_beside_those_of_keras(option: dict[str, Any]) -> None:
    drawn = ImageDataGenerator(**option).get_random_transform((9, 9, 3), seed=1)
    used = [key for key in OWN_KEYS if key in " ".join(option)]
    assert {*drawn} == {*KERAS_KEYS, *used}


@settings(max_examples=200)
@given(options=options, shape=shapes, seed=seeds)
def test_unseeded_draws_read_and_advance_the_global_state_as_keras_does(
    options: dict[str, Any], shape: tuple[int, int, int], seed: int
) -> None:
    ours, theirs = both_generators(**options)
    np.random.seed(seed)
    expected = [theirs.get_random_transform(shape) for _ in range(3)]
    state_afterwards = state_of_numpy()
    np.random.seed(seed)
    assert [keras_part(ours.get_random_transform(shape)) for _ in range(3)] == expected
    assert state_of_numpy() == state_afterwards


@settings(max_examples=50)
@given(options=options, seed=seeds)
def test_seeded_draws_leave_the_global_state_alone(options: dict[str, Any], seed: int) -> None:
    generator = ImageDataGenerator(executor="serial", **options)
    np.random.seed(1)
    before = state_of_numpy()
    generator.get_random_transform((20, 10, 3), seed)
    assert state_of_numpy() == before


ODD_SHIFTS = [
    1, 2, 7, True, np.int64(6), np.int32(3), 1.0, 0.999, 3.75, np.float32(0.25), np.float64(12),
    -2, -0.3, [1, 5], (1, 5), [0.1, 0.2], [0.5, 3], [-3], [-3, -0.5], [7], [0], [2.0], [True, 4],
    np.array([3]), np.array([0.25]), np.array(5), np.array(0.5), 0, 0.0, [], (), None, False,
]  # fmt: skip


@pytest.mark.parametrize("shift", ODD_SHIFTS, ids=repr)
@pytest.mark.parametrize("name", ["width_shift_range", "height_shift_range"])
def test_every_form_of_a_shift_draws_as_in_keras(shift: Any, name: str) -> None:
    ours, theirs = both_generators(rotation_range=3, **{name: shift})
    for seed in range(40):
        drawn = ours.get_random_transform((30, 50, 3), seed)
        assert keras_part(drawn) == theirs.get_random_transform((30, 50, 3), seed)


def test_arrays_of_several_shifts_draw_like_lists() -> None:
    """Keras asks for the truth of the array, which is an error there."""
    values = [2, 5, 9]
    ours = ImageDataGenerator(height_shift_range=np.array(values))
    theirs = keras_generator(height_shift_range=values)
    for seed in range(20):
        drawn = ours.get_random_transform((30, 50, 3), seed)
        assert keras_part(drawn) == theirs.get_random_transform((30, 50, 3), seed)


def test_a_whole_number_of_pixels_draws_one_less_either_way() -> None:
    generator = ImageDataGenerator(height_shift_range=4, geometry="corrected")
    drawn = [generator.get_random_transform((9, 9, 3), seed)["ty"] for seed in range(300)]
    assert set(drawn) == {-3, -2, -1, 0, 1, 2, 3}
    assert drawn.count(0) > drawn.count(3)  # each sign has its share, and 0 both


CONFIG_A: dict[str, Any] = {
    "rotation_range": 10,
    "width_shift_range": 0.1,
    "height_shift_range": 0.2,
    "shear_range": 5,
    "zoom_range": 0.3,
    "channel_shift_range": 20.0,
    "brightness_range": (0.5, 1.5),
    "horizontal_flip": True,
    "vertical_flip": True,
}
DRAWN_A = {
    "theta": -8.473834213,
    "tx": 2.239350338,
    "ty": -0.123181537,
    "shear": 2.234651778,
    "zx": 1.286793707,
    "zy": 1.023097522,
    "flip_horizontal": 0,
    "flip_vertical": 1,
    "channel_shift_intensity": -9.262440796,
    "brightness": 0.999882501,
}


@pytest.mark.parametrize(
    ("data_format", "shape"), [("channels_last", (20, 10, 3)), ("channels_first", (3, 20, 10))]
)
def test_golden_values_of_all_options(data_format: str, shape: tuple[int, int, int]) -> None:
    generator = ImageDataGenerator(data_format=data_format, **CONFIG_A)
    drawn = generator.get_random_transform(shape, 7)
    assert keras_part(drawn) == pytest.approx(DRAWN_A, abs=5e-10)


@pytest.mark.parametrize(("seed", "drawn"), [(0, (4, -3)), (1, (-3, 1)), (2, (0, -3)), (3, (-2, 3))])
def test_golden_values_of_whole_shifts(seed: int, drawn: tuple[int, int]) -> None:
    generator = ImageDataGenerator(height_shift_range=5, width_shift_range=[1, 3, 8])
    params = generator.get_random_transform((20, 10, 3), seed)
    assert (params["tx"], params["ty"]) == drawn


@settings(max_examples=100)
@given(options=options, shape=shapes, seed=seeds)
def test_corrected_geometry_draws_the_same_numbers_for_the_other_axes(
    options: dict[str, Any], shape: tuple[int, int, int], seed: int
) -> None:
    """Only the two shifts change places; nothing else in the stream moves."""
    as_keras = ImageDataGenerator(**options).get_random_transform(shape, seed)
    corrected = ImageDataGenerator(geometry="corrected", **options).get_random_transform(shape, seed)
    as_keras["tx"], as_keras["ty"] = as_keras["ty"], as_keras["tx"]
    assert corrected == as_keras


def test_without_random_transforms_nothing_is_drawn() -> None:
    generator = ImageDataGenerator(random_transforms_enabled=False, **CONFIG_A)
    np.random.seed(4)
    before = state_of_numpy()
    assert generator.get_random_transform((20, 10, 3)) == generator.default_transform
    assert state_of_numpy() == before


def test_the_default_transform_is_fresh_and_changes_nothing() -> None:
    generator = ImageDataGenerator(**CONFIG_A)
    params = generator.default_transform
    params["theta"] = 5
    expected: dict[str, Any] = dict.fromkeys((*KERAS_KEYS, *OWN_KEYS), 0)
    expected |= {"zx": 1, "zy": 1, "channel_shift_intensity": None, "brightness": None}
    expected |= {"contrast": None, "noise": None}
    assert generator.default_transform == expected
    image = np.ones((4, 5, 3), np.float32)
    assert generator.apply_transform(image, generator.default_transform) is image


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_seeds_out_of_range_are_refused_like_in_numpy(seed: int) -> None:
    with pytest.raises(ValueError, match="seed"):
        ImageDataGenerator().get_random_transform((9, 9, 3), seed)
