"""`keras.applications`' scalings as hooks: the same bits, and no Keras in the workers."""

from __future__ import annotations

import pickle
import pkgutil
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import cloudpickle
import keras
import numpy as np
import pytest
from executor_support import take
from hypothesis import given, settings
from hypothesis import strategies as st
from keras.src.applications import imagenet_utils, mobilenet_v2, resnet

from imageloom import ImageDataGenerator
from imageloom._adapters.applications import ImageNetScaling, stand_in
from imageloom._executors.portable import portable

Function = Callable[..., Any]


def preprocess_functions() -> list[Function]:
    """All of the installed Keras, also those that we do not know."""
    import keras.src.applications as package

    names = [info.name for info in pkgutil.iter_modules(package.__path__) if "test" not in info.name]
    modules = [import_module(f"{package.__name__}.{name}") for name in names]
    return [
        vars(module)["preprocess_input"] for module in modules if hasattr(module, "preprocess_input")
    ]


FUNCTIONS = preprocess_functions()


@st.composite
def images(draw: st.DrawFn) -> np.ndarray[Any, Any]:
    """An image or a batch, channels last."""
    dtype = draw(st.sampled_from(["uint8", "float16", "float32", "float64"]))
    shape = draw(st.sampled_from([(3, 4, 3), (2, 3, 5, 3), (3, 3, 3)]))
    return np.random.default_rng(draw(st.integers(0, 99))).uniform(0, 255, shape).astype(dtype)


def light(function: Function) -> ImageNetScaling:
    found = stand_in(function)
    assert found is not None, f"{function.__module__} is not recognised"
    return found


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__module__.rpartition(".")[2])
@settings(max_examples=30)
@given(x=images(), data_format=st.sampled_from([None, "channels_last"]))
def test_the_same_bits_as_keras(
    function: Function, x: np.ndarray[Any, Any], data_format: str | None
) -> None:
    expected = function(x.copy(), data_format=data_format)
    received = light(function)(x.copy(), data_format=data_format)
    assert received.dtype == expected.dtype
    np.testing.assert_array_equal(received, expected)


@pytest.mark.parametrize("mode", ["tf", "torch", "caffe"])
@settings(max_examples=30)
@given(x=images())
def test_channels_first_and_the_mode_of_the_general_function(
    mode: str, x: np.ndarray[Any, Any]
) -> None:
    x = np.moveaxis(x, -1, -3)
    named = {"data_format": "channels_first", "mode": mode}
    expected = imagenet_utils.preprocess_input(x.copy(), **named)
    received = light(imagenet_utils.preprocess_input)(x.copy(), **named)
    np.testing.assert_array_equal(received, expected)


def test_keras_settings_travel() -> None:
    x = np.arange(27, dtype="uint8").reshape(3, 3, 3)
    before = keras.config.image_data_format(), keras.config.floatx()
    keras.config.set_image_data_format("channels_first")
    keras.config.set_floatx("float64")
    try:
        expected = resnet.preprocess_input(x.copy())
        travelled = pickle.loads(portable(resnet.preprocess_input))
    finally:
        keras.config.set_image_data_format(before[0])
        keras.config.set_floatx(before[1])
    received = travelled(x.copy())
    assert received.dtype == np.float64
    np.testing.assert_array_equal(received, expected)


def test_what_is_no_array_is_left_to_keras() -> None:
    x = np.arange(27, dtype="float32").reshape(3, 3, 3)
    received = light(mobilenet_v2.preprocess_input)(keras.ops.convert_to_tensor(x))
    np.testing.assert_allclose(np.asarray(received), x / 127.5 - 1, rtol=1e-6)
    with pytest.raises(ValueError, match="mode"):
        light(imagenet_utils.preprocess_input)(x, mode="other")


def test_a_function_that_computes_something_else_is_left_alone() -> None:
    def preprocess_input(x: Any, data_format: Any = None) -> Any:
        del data_format
        return x / 255

    assert stand_in(preprocess_input) is None
    preprocess_input.__module__ = "keras.src.applications.vgg16"
    assert stand_in(preprocess_input) is None, "a newer Keras may scale in another way"
    preprocess_input.__module__ = "keras.src.applications.not_known_yet"
    assert stand_in(preprocess_input) is None
    assert not isinstance(pickle.loads(portable(np.sqrt)), ImageNetScaling)


def refuse_keras(x: Any) -> Any:
    if "keras" in sys.modules:
        raise RuntimeError("this worker has imported Keras")
    return x


preprocess = resnet.preprocess_input


@pytest.fixture
def sent_by_value() -> Iterator[None]:
    """Functions of this module travel as those of a script do; workers do not import it."""
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    yield
    cloudpickle.unregister_pickle_by_value(sys.modules[__name__])


@pytest.mark.parametrize(
    "hook",
    [resnet.preprocess_input, mobilenet_v2.preprocess_input, lambda x: preprocess(x) / 2],
    ids=["resnet", "mobilenet_v2", "lambda"],
)
@pytest.mark.usefixtures("sent_by_value")
def test_workers_do_without_keras(hook: Function, class_folder: Path) -> None:
    options: dict[str, Any] = {"rotation_range": 20, "preprocessing_function": hook}
    flow: dict[str, Any] = {"target_size": (16, 16), "batch_size": 4, "seed": 5}
    with ImageDataGenerator(executor="serial", **options).flow_from_directory(
        class_folder, **flow
    ) as it:
        expected = take(it, 3)
    generator = ImageDataGenerator(cores=1, noaug_preprocessing_function=refuse_keras, **options)
    with generator.flow_from_directory(class_folder, **flow) as it:
        received = take(it, 3)
    assert generator.preprocessing_function is hook
    for (x, _), (right, _) in zip(received, expected, strict=True):
        np.testing.assert_array_equal(x, right)
