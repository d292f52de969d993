"""bfloat16, the dtype that NumPy does not know by itself."""

from __future__ import annotations

import random
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from recorded_warnings import without_ours
from reference import keras_generator, quiet

from imageloom import ImageDataGenerator, MissingDependencyError

ml_dtypes = pytest.importorskip("ml_dtypes")
BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
# One unit in the last place of 8 binary digits, for float32 values on two sides of a half.
ULP = 2.0**-7


def options(rng: random.Random) -> dict[str, Any]:
    some: dict[str, list[Any]] = {
        "rotation_range": [20, 90],
        "width_shift_range": [0.2],
        "horizontal_flip": [True],
        "brightness_range": [(0.5, 1.0)],
        "channel_shift_range": [30.0],
        "rescale": [1 / 255, 2.0],
        "samplewise_center": [True],
    }
    return {name: rng.choice(values) for name, values in some.items() if rng.random() < 0.5}


def pictures(seed: int, count: int = 5) -> NDArray[np.uint8]:
    return np.random.RandomState(seed).randint(0, 256, (count, 20, 20, 3)).astype(np.uint8)


def assert_alike(batch: NDArray[Any], expected: NDArray[Any]) -> None:
    assert batch.dtype == expected.dtype == BFLOAT16
    ours, theirs = batch.astype(np.float32), expected.astype(np.float32)
    # Pixels as everywhere within 1.5 grey levels for nearly all; here they are rounded as well.
    scale = max(1.0, float(np.abs(theirs).max()) / 255)
    beyond = np.abs(ours - theirs) > 1.5 * scale + ULP * np.abs(theirs)
    assert np.mean(beyond) <= 0.001


@pytest.mark.parametrize("number", range(12))
@pytest.mark.parametrize("source", ["files", "array"])
def test_batches_are_those_of_keras_rounded_once(number: int, source: str, crops: Path) -> None:
    """Keras computes batches of files in float32. For arrays it computes in bfloat16 where it can at
    all; there the reference is its float32 generator."""
    given = options(random.Random(number))
    ours = ImageDataGenerator(executor="serial", dtype="bfloat16", **given)
    if source == "files":
        theirs = keras_generator(dtype="bfloat16", **given)
        flow = {"target_size": (24, 24), "seed": 3, "interpolation": "nearest"}
        with quiet():
            batch = next(ours.flow_from_directory(crops, **flow))
            expected = next(theirs.flow_from_directory(str(crops), **flow))
        assert batch[1].dtype == expected[1].dtype
        np.testing.assert_array_equal(batch[1], expected[1])
        assert_alike(batch[0], expected[0])
        return
    x = pictures(number)
    with quiet():
        batch = next(ours.flow(x, seed=3))
        expected = next(keras_generator(**given).flow(x, seed=3))
    assert_alike(batch, expected.astype(BFLOAT16))


@pytest.mark.parametrize("given", [{}, {"rescale": 0.5}, {"horizontal_flip": True}])
def test_what_keras_computes_without_loss_is_equal(given: dict[str, Any]) -> None:
    x = pictures(1)
    ours = ImageDataGenerator(executor="serial", dtype="bfloat16", **given)
    expected = next(keras_generator(dtype="bfloat16", **given).flow(x, seed=3))
    batch = next(ours.flow(x, seed=3))
    assert batch.dtype == expected.dtype
    np.testing.assert_array_equal(batch, expected)


@pytest.mark.parametrize("executor", ["threads", "processes"])
def test_every_executor_computes_it(executor: str, crops: Path) -> None:
    serial = ImageDataGenerator(executor="serial", dtype="bfloat16", rotation_range=20)
    flow: dict[str, Any] = {"target_size": (24, 24), "seed": 3}
    wanted = next(serial.flow_from_directory(crops, **flow))[0]
    generator = ImageDataGenerator(executor=executor, cores=1, dtype="bfloat16", rotation_range=20)
    with generator.flow_from_directory(crops, **flow) as iterator:
        images = next(iterator)[0]
        assert images.dtype == BFLOAT16
        np.testing.assert_array_equal(images, wanted)
        kept = images.copy()
        for _ in range(3):
            next(iterator)
        np.testing.assert_array_equal(images, kept)


def test_floatx_of_keras_is_followed(crops: Path) -> None:
    import keras

    keras.config.set_floatx("bfloat16")
    try:
        generator = ImageDataGenerator(executor="serial")
        images, targets = next(generator.flow_from_directory(crops, target_size=(24, 24), seed=1))
    finally:
        keras.config.set_floatx("float32")
    assert images.dtype == targets.dtype == BFLOAT16
    assert generator.dtype == "bfloat16"


@pytest.mark.parametrize("dtype", [BFLOAT16, ml_dtypes.bfloat16])
def test_the_dtype_itself_is_accepted_as_well(dtype: Any) -> None:
    generator = ImageDataGenerator(executor="serial", dtype=dtype)
    assert next(generator.flow(pictures(2))).dtype == BFLOAT16


def test_fit_computes_in_float32() -> None:
    """In bfloat16 the sums are far off: Keras finds a mean of about 54."""
    x = pictures(3, 6)
    wanted = ImageDataGenerator(featurewise_center=True, featurewise_std_normalization=True)
    wanted.fit(x)
    generator = ImageDataGenerator(
        executor="serial", dtype="bfloat16", featurewise_center=True, featurewise_std_normalization=True
    )
    generator.fit(x)
    np.testing.assert_array_equal(generator.mean, wanted.mean)
    np.testing.assert_array_equal(generator.std, wanted.std)
    generator.fit(generator.flow(x, shuffle=False))
    np.testing.assert_allclose(generator.mean, wanted.mean, rtol=1e-6)
    batch = next(generator.flow(x, shuffle=False)).astype(np.float32)
    assert abs(batch.mean()) < 0.01


def test_arrays_of_it_are_read(crops: Path) -> None:
    x = pictures(4).astype(BFLOAT16)
    for executor in ("serial", "processes"):
        with ImageDataGenerator(executor=executor, cores=1).flow(x, shuffle=False) as iterator:
            np.testing.assert_array_equal(next(iterator), x.astype(np.float32))


def test_without_the_package_the_error_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ml_dtypes", None)
    with pytest.raises(MissingDependencyError, match="pip install ml_dtypes"):
        ImageDataGenerator(dtype="bfloat16")


# What `fit` says about the number of channels


@pytest.mark.parametrize("shape", [(2, 8, 9, 3), (2, 3, 8, 9), (2, 8, 9, 2), (2, 5, 8, 9)])
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_fit_warns_of_channels_as_keras_does(shape: tuple[int, ...], data_format: str) -> None:
    import warnings

    texts = []
    for generator in (
        ImageDataGenerator(data_format=data_format),
        keras_generator(data_format=data_format),
    ):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            generator.fit(np.zeros(shape, np.float32))
        texts.append(without_ours(caught))
    assert texts[0] == texts[1]
