"""Pixels that cannot be meant are told once, with the first batch, and others are not."""

from __future__ import annotations

import functools
import logging
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from imageloom import ImageDataGenerator
from imageloom._adapters.applications import ImageNetScaling, known_scaling

EXECUTORS = ("serial", "threads", "processes")
BYTES = np.random.default_rng(0).integers(0, 256, (8, 12, 12, 3), dtype=np.uint8)
UNIT = BYTES.astype(np.float32) / 255
SCALING = ImageNetScaling(
    module="keras.src.applications.resnet", mode="tf", data_format="channels_last", floatx="float32"
)


def calls_it(x: NDArray[Any]) -> NDArray[Any]:
    return SCALING(x)  # type: ignore[no-any-return]


def halves(x: NDArray[Any]) -> NDArray[Any]:
    return x / 2


def nothing_left(x: NDArray[Any]) -> NDArray[Any]:
    return x * np.nan


def codes(read: Callable[[], Any]) -> list[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        read()
    return [str(w.message).partition(":")[0] for w in caught]


def codes_of_arrays(
    images: NDArray[Any], flow: dict[str, Any] | None = None, **options: Any
) -> list[str]:
    """The codes of two epochs of batches of four."""
    generator = ImageDataGenerator(**{"executor": "serial", **options})
    it = generator.flow(images, batch_size=4, seed=1, **(flow or {}))
    with it:
        return codes(lambda: [next(it) for _ in range(4)])


FOUND: dict[str, tuple[str, NDArray[Any], dict[str, Any]]] = {
    "twice": ("IL102", BYTES, {"rescale": 1 / 255, "preprocessing_function": SCALING}),
    "twice, in a function": ("IL102", BYTES, {"rescale": 0.5, "preprocessing_function": calls_it}),
    "twice, early": ("IL102", BYTES, {"rescale": 1 / 255, "noaug_preprocessing_function": SCALING}),
    "multiplied": ("IL103", BYTES, {"rescale": 255}),
    "multiplied by a float": ("IL103", BYTES, {"rescale": 255.0, "horizontal_flip": True}),
    "divided again": ("IL103", UNIT, {"rescale": 1 / 255}),
    "divided again, centred at 0": ("IL103", UNIT * 2 - 1, {"rescale": 1 / 255}),
    "more than a byte": ("IL103", BYTES.astype(np.uint16) * 200, {"rescale": 1 / 255}),
    "whole numbers": ("IL104", BYTES, {"rescale": 1 / 255, "dtype": "uint8"}),
    "negative numbers": ("IL104", BYTES, {"samplewise_center": True, "dtype": "int16"}),
    "whole numbers of a model": ("IL104", BYTES, {"preprocessing_function": SCALING, "dtype": "uint8"}),
    "brightness": ("IL105", UNIT, {"brightness_range": (0.5, 1.5)}),
    "channel shift": ("IL105", UNIT, {"channel_shift_range": 30}),
    "negative brightness": ("IL106", BYTES, {"brightness_range": (-0.2, 0.2)}),
    "black": ("IL107", BYTES * 0, {"rescale": 1 / 255}),
    "grey": ("IL107", BYTES * 0 + 128, {}),
    "no numbers": ("IL109", BYTES, {"preprocessing_function": nothing_left}),
    "infinite": ("IL109", UNIT + np.inf, {}),
}


@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.parametrize("name", FOUND)
def test_is_told_once(name: str, executor: str) -> None:
    code, images, options = FOUND[name]
    assert codes_of_arrays(images, executor=executor, cores=1, **options) == [code]


MEANT: dict[str, tuple[NDArray[Any], dict[str, Any]]] = {
    "bytes": (BYTES, {}),
    "to one": (BYTES, {"rescale": 1 / 255}),
    "to bytes": (UNIT, {"rescale": 255}),
    "black and white": ((BYTES > 127).astype(np.uint8), {"rescale": 1 / 255}),
    "for a model": (BYTES, {"preprocessing_function": SCALING}),
    "of the user's": (BYTES, {"preprocessing_function": halves, "rescale": 1 / 255}),
    "whole factors": (BYTES // 2, {"rescale": 2, "dtype": "uint8"}),
    "integers": (BYTES, {"dtype": "uint8", "horizontal_flip": True}),
    "shifted bytes": (BYTES, {"channel_shift_range": 30, "brightness_range": (0.5, 1.5)}),
    "two grey images": (BYTES * 0 + np.arange(8, dtype=np.uint8)[:, None, None, None], {}),
}


@pytest.mark.parametrize("name", MEANT)
def test_is_meant(name: str) -> None:
    images, options = MEANT[name]
    assert codes_of_arrays(images, **options) == []


def test_only_the_first_batch_is_looked_at() -> None:
    images = BYTES.copy()
    images[4:] = 0
    assert codes_of_arrays(images, {"shuffle": False}) == []
    assert codes_of_arrays(images[::-1], {"shuffle": False}) == ["IL107"]


@pytest.mark.slow
def test_a_batch_that_is_asked_for_by_number() -> None:
    it = ImageDataGenerator(rescale=255).flow(BYTES, batch_size=4)
    with it:
        assert codes(lambda: (it[1], it[0], it[1])) == ["IL103"]


@pytest.fixture
def deep(tmp_path: Path) -> Path:
    """Grey images of 16 bits, in two classes."""
    for number in range(8):
        folder = tmp_path / "deep" / "ab"[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        pixels = np.arange(144, dtype=np.uint16).reshape(12, 12) * (400 + number)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return tmp_path / "deep"


@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.parametrize("color_mode", ["rgb", "rgba"])
def test_files_of_16_bits_that_are_clipped(deep: Path, executor: str, color_mode: str) -> None:
    generator = ImageDataGenerator(executor=executor, cores=1)
    it = generator.flow_from_directory(deep, (8, 8), color_mode=color_mode, batch_size=4)
    with it:
        with pytest.warns(UserWarning, match=r"IL101: 4 of the first 4 files.*0\.\.5"):
            next(it)
        assert codes(lambda: next(it)) == []


def test_files_of_16_bits_in_a_frame(deep: Path) -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"filename": ["a/0.png", "b/1.png"], "class": ["a", "b"]})
    it = ImageDataGenerator(executor="serial").flow_from_dataframe(frame, str(deep))
    assert codes(lambda: next(it)) == ["IL101"]


def test_grey_files_of_16_bits_keep_their_values(deep: Path) -> None:
    for rescale, found in ((1 / 65535, []), (None, []), (1 / 255, ["IL103"])):
        generator = ImageDataGenerator(executor="serial", rescale=rescale)
        it = generator.flow_from_directory(deep, (8, 8), color_mode="grayscale")
        assert codes(lambda it=it: next(it)) == found


def test_floating_files_become_black(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    Image.fromarray(UNIT[0, :, :, 0]).save(tmp_path / "a/unit.tif")
    it = ImageDataGenerator(executor="serial").flow_from_directory(tmp_path)
    assert codes(lambda: next(it)) == ["IL101"]


@pytest.mark.parametrize("executor", EXECUTORS)
def test_augmented_validation_is_one_hint(executor: str, caplog: pytest.LogCaptureFixture) -> None:
    options = {"validation_split": 0.5, "horizontal_flip": True, "executor": executor, "cores": 1}
    with caplog.at_level(logging.INFO, "imageloom"):
        assert codes_of_arrays(BYTES, {"subset": "validation"}, **options) == []
    (record,) = [r for r in caplog.records if "IL108" in r.getMessage()]
    assert record.levelno == logging.INFO


def test_other_subsets_give_no_hint(caplog: pytest.LogCaptureFixture) -> None:
    split: dict[str, Any] = {"validation_split": 0.5}
    with caplog.at_level(logging.INFO, "imageloom"):
        codes_of_arrays(BYTES, {"subset": "training"}, horizontal_flip=True, **split)
        codes_of_arrays(BYTES, {"subset": "validation"}, rescale=1 / 255, **split)
        codes_of_arrays(
            BYTES,
            {"subset": "validation"},
            horizontal_flip=True,
            validation_augmentation_enabled=False,
            **split,
        )
    assert not [record for record in caplog.records if "IL" in record.getMessage()]


def test_a_code_filters() -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="IL103")
        next(ImageDataGenerator(rescale=255, executor="serial").flow(BYTES))


def test_functions_that_call_a_known_scaling() -> None:
    def inner(x: NDArray[Any]) -> NDArray[Any]:
        return scaling(x)

    class Holder:
        def method(self, x: NDArray[Any]) -> NDArray[Any]:
            return calls_it(SCALING(x))

    scaling = SCALING
    for function in (
        SCALING,
        calls_it,
        inner,
        Holder().method,
        lambda x: [SCALING(one) for one in x],
        functools.partial(SCALING, data_format="channels_last"),
    ):
        assert known_scaling(function) == "preprocess_input of keras.applications.resnet"
    for other in (halves, np.sqrt, Holder(), None, lambda x: x):
        assert known_scaling(other) is None


@pytest.mark.slow
@pytest.mark.frameworks("keras")
def test_functions_of_keras() -> None:
    import keras
    from keras.applications.mobilenet_v2 import preprocess_input

    assert known_scaling(preprocess_input) == "preprocess_input of keras.applications.mobilenet_v2"
    found = known_scaling(lambda x: keras.applications.vgg16.preprocess_input(x[..., :3]))
    assert found is not None
    assert codes_of_arrays(BYTES, rescale=1 / 255, preprocessing_function=preprocess_input) == ["IL102"]
