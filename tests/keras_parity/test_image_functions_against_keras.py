"""`imageloom.image`, name by name, beside the module of Keras that it replaces."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from reference import quiet
from releases import release_of

import imageloom
from imageloom import image

LEVELS = 0.005  # OpenCV computes in float32, SciPy in float64
AXES = [(1, 2, 0), (2, 1, 0), (0, 1, 2), (1, 0, 2)]  # rows, columns, channels
FILL_MODES = ["constant", "nearest", "reflect", "wrap", "mirror"]


@pytest.fixture(scope="module")
def keras_image() -> Any:
    from keras._tf_keras.keras.preprocessing import image as module

    return module


def picture(rng: random.Random, axes: tuple[int, int, int], dtype: str) -> NDArray[Any]:
    shape = [0, 0, 0]
    shape[axes[0]], shape[axes[1]] = rng.randint(1, 30), rng.randint(1, 30)
    shape[axes[2]] = rng.choice([1, 2, 3, 4])
    values = np.random.RandomState(rng.randrange(2**31)).uniform(0, 255, shape)
    return values.astype(dtype)


def resampling(rng: random.Random) -> dict[str, Any]:
    return {
        "fill_mode": rng.choice(FILL_MODES),
        "cval": rng.choice([0.0, 17, 255.0, -4.5]),
        "order": rng.choice([0, 1, 1, 1, 3]),
    }


def like_scipy(options: dict[str, Any]) -> dict[str, Any]:
    """What Keras documents as "wrap" is what SciPy calls "grid-wrap" (see `reference`)."""
    return options | {"fill_mode": options["fill_mode"].replace("wrap", "grid-wrap")}


def compare(result: Any, expected: Any, *, exact: bool, unrounded: Any = None) -> None:
    assert type(result) is type(expected)
    assert result.dtype == expected.dtype
    assert result.shape == expected.shape
    if exact:
        np.testing.assert_array_equal(result, expected)
    elif result.dtype.kind in "iu":  # rounded: a value near a half may go either way
        assert np.abs(result.astype(int) - expected).max(initial=0) <= 1
        differs = result != expected
        np.testing.assert_allclose(unrounded[differs] % 1, 0.5, rtol=0, atol=2 * LEVELS)
    else:
        np.testing.assert_allclose(result, expected, rtol=0, atol=LEVELS)


@pytest.mark.parametrize("number", range(80))
def test_affine_transform_of_any_axes(number: int, keras_image: Any) -> None:
    rng = random.Random(number)
    row, column, channel = axes = rng.choice(AXES)
    x = picture(rng, axes, rng.choice(["float32", "float64", "uint8", "int16"]))
    moves: dict[str, Any] = {
        "theta": rng.choice([0, 90, -17.5, 33]),
        "tx": rng.choice([0, 2, 1.25]),
        "ty": rng.choice([0, -3, 0.5]),
        "shear": rng.choice([0, 12.0]),
        "zx": rng.choice([1, 0.8, 1.4]),
        "zy": rng.choice([1, 1.1]),
    }
    options = resampling(rng)
    if release_of("scipy") < (1, 16) and moves["theta"] == 90 and options["fill_mode"] == "constant":
        pytest.skip("older releases of SciPy round positions on the border to the outside")
    placed: dict[str, Any] = {"row_axis": row, "col_axis": column, "channel_axis": channel}
    with quiet():
        expected, unrounded = (
            keras_image.apply_affine_transform(values, **moves, **placed, **like_scipy(options))
            for values in (x, x.astype(np.float64))
        )
    result = image.apply_affine_transform(x, **moves, **placed, **options)
    compare(result, expected, exact=options["order"] != 1, unrounded=unrounded)
    assert (result is x) == (expected is x)


RANDOM: dict[str, Callable[[random.Random], tuple[Any, ...]]] = {
    "random_rotation": lambda rng: (rng.choice([0, 20, 90.5]),),
    "random_shift": lambda rng: (rng.choice([0, 0.2, 1]), rng.choice([0, 0.3])),
    "random_shear": lambda rng: (rng.choice([0, 25]),),
    "random_zoom": lambda rng: (rng.choice([(0.7, 1.3), [1, 1], (1.5, 0.5)]),),
}


@pytest.mark.parametrize("name", RANDOM)
@pytest.mark.parametrize("number", range(15))
def test_random_moves_draw_and_move_alike(name: str, number: int, keras_image: Any) -> None:
    rng = random.Random(f"{name} {number}")
    axes = rng.choice(AXES)
    x, arguments, options = picture(rng, axes, "float32"), RANDOM[name](rng), resampling(rng)
    options["interpolation_order"] = options.pop("order")
    if axes != AXES[0] or rng.random() < 0.5:  # else by the defaults, channels first
        options |= dict(zip(("row_axis", "col_axis", "channel_axis"), axes, strict=True))
    np.random.seed(number)
    with quiet():
        expected = getattr(keras_image, name)(x, *arguments, **like_scipy(options))
    after = np.random.random()
    np.random.seed(number)
    result = getattr(image, name)(x, *arguments, **options)
    assert np.random.random() == after
    compare(result, expected, exact=options["interpolation_order"] != 1)


@pytest.mark.parametrize("number", range(60))
def test_channel_shifts(number: int, keras_image: Any) -> None:
    rng = random.Random(number)
    x = picture(rng, (1, 2, 0), rng.choice(["float32", "float64", "uint8", "int16"]))
    axis = rng.choice([0, 1, 2, -1])
    intensity = rng.choice([0, 5, -30.5])
    result = image.apply_channel_shift(x, intensity, axis)
    compare(result, keras_image.apply_channel_shift(x, intensity, axis), exact=True)
    np.random.seed(number)
    expected = keras_image.random_channel_shift(x, 40, channel_axis=axis)
    np.random.seed(number)
    compare(image.random_channel_shift(x, 40, channel_axis=axis), expected, exact=True)


@pytest.mark.parametrize("number", range(80))
def test_brightness(number: int, keras_image: Any) -> None:
    rng = random.Random(number)
    low, high = rng.choice([(0, 255), (0, 1), (20, 90), (-30, 60), (0, 900), (7, 7)])
    shape = (rng.randint(1, 9), rng.randint(1, 9), rng.choice([1, 3, 4]))
    dtype = rng.choice(["float32", "float64", "int32"])
    x = np.random.RandomState(number).uniform(low, high, shape).astype(dtype)
    scale, factor = rng.choice([{}, {"scale": True}, {"scale": False}]), rng.choice([0, 0.4, 1, 1.7])
    expected = keras_image.apply_brightness_shift(x, factor, **scale)
    compare(image.apply_brightness_shift(x, factor, **scale), expected, exact=True)
    np.random.seed(number)
    expected = keras_image.random_brightness(x, [0.3, 1.6], **scale)
    np.random.seed(number)
    compare(image.random_brightness(x, [0.3, 1.6], **scale), expected, exact=True)


@pytest.mark.parametrize("number", range(80))
def test_smart_resize(number: int, keras_image: Any) -> None:
    rng = random.Random(number)
    first = rng.random() < 0.4
    x = picture(rng, (1, 2, 0) if first else (0, 1, 2), rng.choice(["float32", "uint8", "float16"]))
    if rng.random() < 0.4:
        x = np.stack([x, x[..., ::-1]])
    size = rng.choice([tuple, list])([rng.randint(1, 40), rng.randint(1, 40)])
    options = {
        "interpolation": rng.choice(["bilinear", "nearest", "bicubic", "lanczos3", "lanczos5"]),
        "data_format": "channels_first" if first else "channels_last",
    }
    untouched = x.copy()
    result = image.smart_resize(x, size, **options)
    expected = keras_image.smart_resize(x, size, **options)
    assert result.dtype == expected.dtype
    assert result.shape == expected.shape
    tolerance = 0.5 if x.dtype == np.float16 else 1e-3  # JAX adds up in float16
    np.testing.assert_allclose(result, expected, rtol=1e-5, atol=tolerance)
    np.testing.assert_array_equal(x, untouched)


def test_smart_resize_of_a_tensor_is_a_tensor(keras_image: Any) -> None:
    jnp = pytest.importorskip("jax.numpy")
    x = jnp.arange(60.0).reshape(4, 5, 3)
    result = image.smart_resize(x, (3, 2))
    assert isinstance(result, type(x))
    np.testing.assert_array_equal(result, keras_image.smart_resize(x, (3, 2)))
    np.testing.assert_allclose(result, image.smart_resize(np.asarray(x), (3, 2)), atol=1e-4)
    assert isinstance(image.smart_resize(np.asarray(x).tolist(), (3, 2)), np.ndarray)


FLOATS = np.random.RandomState(0).uniform(0, 255, (3, 6, 6)).astype(np.float32)
WRONG: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
    ("apply_affine_transform", (FLOATS, 20), {"fill_mode": "mirrored"}),
    ("apply_affine_transform", (FLOATS, 20), {"order": 7}),
    ("apply_affine_transform", (FLOATS, 20), {"order": -1}),
    ("apply_affine_transform", (FLOATS, 20), {"row_axis": -1}),
    ("apply_affine_transform", (FLOATS, 20), {"row_axis": 2}),
    ("apply_affine_transform", (FLOATS,), {"row_axis": 0, "channel_axis": 1}),
    ("apply_affine_transform", (FLOATS[0],), {}),
    ("apply_affine_transform", (FLOATS, "a"), {}),
    ("random_rotation", (FLOATS, None), {}),
    ("random_rotation", (FLOATS, "a"), {}),
    ("random_shear", (FLOATS, [1, 2]), {}),
    ("random_shift", (FLOATS, [0.1, 0.2], 0.1), {}),
    ("random_shift", (FLOATS[0], 0.1, 0.1), {}),
    ("random_zoom", (FLOATS, 0.5), {}),
    ("random_zoom", (FLOATS, (1, 2, 3)), {}),
    ("random_channel_shift", (FLOATS, None), {}),
    ("apply_channel_shift", (FLOATS, 3, 5), {}),
    ("apply_channel_shift", (FLOATS, None), {}),
    ("apply_channel_shift", (FLOATS.astype("uint8"), 300), {}),
    ("random_brightness", (FLOATS, 0.5), {}),
    ("random_brightness", (FLOATS, (1,)), {}),
    ("apply_brightness_shift", (FLOATS, 0.5), {}),
    ("apply_brightness_shift", (FLOATS[0], 0.5), {}),
    ("apply_brightness_shift", (FLOATS[..., :3], "a"), {}),
    ("apply_brightness_shift", (FLOATS[:0], 0.5), {}),
    ("smart_resize", (FLOATS, (5,)), {}),
    ("smart_resize", (FLOATS, 5), {}),
    ("smart_resize", (FLOATS, None), {}),
    ("smart_resize", (FLOATS, (5.5, 4.2)), {}),
    ("smart_resize", (FLOATS[0], (5, 4)), {}),
    ("smart_resize", (FLOATS, (5, 4)), {"interpolation": "hamming"}),
    ("smart_resize", (FLOATS, (5, 4)), {"data_format": "channels_middle"}),
    ("smart_resize", (FLOATS, (5, 4)), {"antialias": True}),
]


@pytest.mark.parametrize(("name", "arguments", "options"), WRONG)
def test_wrong_arguments_raise_what_keras_raises(
    name: str, arguments: tuple[Any, ...], options: dict[str, Any], keras_image: Any
) -> None:
    with pytest.raises(Exception) as theirs, quiet():  # noqa: PT011  # whatever it is
        getattr(keras_image, name)(*arguments, **options)
    with pytest.raises(type(theirs.value)):
        getattr(image, name)(*arguments, **options)


def test_sizes_without_pixels_and_images_without_pixels_are_value_errors() -> None:
    """There Keras divides by zero."""
    for x, size in ((FLOATS, (0, 4)), (FLOATS[:0], (2, 2))):
        with pytest.raises(ValueError, match=r"size|shape"):
            image.smart_resize(x, size)


def test_a_fill_mode_is_not_looked_at_where_nothing_moves(keras_image: Any) -> None:
    assert keras_image.apply_affine_transform(FLOATS, fill_mode="mirrored") is FLOATS
    assert image.apply_affine_transform(FLOATS, fill_mode="mirrored") is FLOATS


# The module


def test_the_module_has_the_names_of_both_modules_of_keras(keras_image: Any) -> None:
    from keras.preprocessing import image as shorter

    wanted = {name for name in (*dir(keras_image), *dir(shorter)) if not name.startswith("_")}
    # `Iterator` comes with the classes that users can construct; Keras' older versions export the
    # iterator over data frames.
    assert wanted - set(image.__all__) <= {"Iterator"}
    assert set(image.__all__) - wanted == {"DataFrameIterator"}
    assert dir(image) == sorted(image.__all__)
    assert set(image.__all__) <= set(imageloom.__all__)


@pytest.mark.parametrize("name", image.__all__)
def test_the_module_has_the_objects_of_the_package(name: str) -> None:
    assert getattr(image, name) is getattr(imageloom, name)


def test_unknown_names_are_attribute_errors() -> None:
    with pytest.raises(AttributeError, match=r"imageloom\.image.*'flip_axis'"):
        _ = image.flip_axis  # type: ignore[attr-defined]


def test_signatures_are_those_of_keras(keras_image: Any) -> None:
    import inspect

    for name in image.__all__:
        value = getattr(keras_image, name, None)
        if not inspect.isfunction(value):
            continue
        theirs, ours = (
            [(p.name, p.kind, p.default) for p in inspect.signature(function).parameters.values()]
            for function in (value, getattr(image, name))
        )
        if name == "smart_resize" and release_of("keras") < (3, 14):
            assert (theirs.pop()[0], ours.pop()[0]) == ("backend_module", "kwargs")
        assert ours == theirs, name


@pytest.mark.parametrize(
    "statement",
    ["from imageloom import image", "import imageloom.image", "import imageloom; imageloom.image"],
)
def test_importing_the_module_loads_nothing_heavy(statement: str) -> None:
    program = (
        f"import sys; {statement}; dir(imageloom.image if 'imageloom' in globals() else image); "
        "print(sorted({'numpy', 'PIL', 'cv2', 'keras', 'imageloom._api'} & set(sys.modules)))"
    )
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert found.stdout.strip() == "[]"


def test_defaults_follow_what_is_configured_in_keras() -> None:
    import keras

    x = np.random.RandomState(1).uniform(0, 255, (3, 5, 6)).astype(np.float32)
    before = keras.backend.image_data_format()
    keras.backend.set_image_data_format("channels_first")
    try:
        assert imageloom.array_to_img(x).size == keras.utils.array_to_img(x).size == (6, 5)
        array = imageloom.img_to_array(imageloom.array_to_img(x))
        np.testing.assert_array_equal(array, keras.utils.img_to_array(keras.utils.array_to_img(x)))
        assert image.apply_brightness_shift(x, 0.5).shape == (3, 5, 6)
    finally:
        keras.backend.set_image_data_format(before)
    keras.config.set_floatx("float16")
    try:
        assert imageloom.img_to_array(imageloom.array_to_img(x.T)).dtype == np.float16
    finally:
        keras.config.set_floatx("float32")
