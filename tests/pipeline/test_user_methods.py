"""Methods of the generator that users replace, in a subclass or on the object."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from executor_support import AUGMENTED, BATCHES, Lent, assert_same_batches, take
from numpy.typing import NDArray
from pictures import photograph
from programs import run_program
from reference import both_generators, keras_generator, quiet

from imageloom import DirectoryIterator, ImageDataGenerator, NumpyArrayIterator
from imageloom._executors.base import Executor
from imageloom._executors.shared import make_executor

Image = NDArray[Any]
Params = dict[str, Any]
SEED = 11
EXECUTORS = ("threads", "one process", "two processes")


@pytest.fixture(scope="module")
def executors() -> Iterator[dict[str, Executor]]:
    """Several executors for all tests of this module."""
    made = {
        "threads": make_executor("threads", 3, disable_gpu=True),
        "one process": make_executor("processes", 1, disable_gpu=True),
        "two processes": make_executor("processes", 2, disable_gpu=True),
    }
    yield made
    for executor in made.values():
        executor.close()


def flow(
    generator: ImageDataGenerator, folder: Path, executor: Executor | None = None, **options: Any
) -> DirectoryIterator:
    """Of a copy of the generator, so that it may be lent another executor."""
    generator = copy.copy(generator)
    generator._engine.lent = Lent(executor or make_executor("serial", 1, disable_gpu=True))  # type: ignore[assignment]
    return generator.flow_from_directory(folder, (24, 24), batch_size=4, seed=SEED, **options)


def assert_same_everywhere(
    generator: ImageDataGenerator, folder: Path, executors: dict[str, Executor], **options: Any
) -> list[Any]:
    """The batches of an epoch, which are the same in the foreground and in every executor."""
    expected = take(flow(generator, folder, **options), BATCHES)
    for executor in executors.values():
        with flow(generator, folder, executor, **options) as it:
            assert_same_batches(take(it, BATCHES), expected)
    return expected


def differs(batches: list[Any], others: list[Any]) -> bool:
    return any(not np.array_equal(a[0], b[0]) for a, b in zip(batches, others, strict=True))


# Each method counts, wherever the batches are computed


class AlwaysUpright(ImageDataGenerator):
    def get_random_transform(self, img_shape: Any, seed: int | None = None) -> Any:
        return {**super().get_random_transform(img_shape, seed), "theta": 0}


class Framed(ImageDataGenerator):
    def apply_transform(self, x: Image, transform_parameters: Any) -> Image:
        x = super().apply_transform(x, transform_parameters)
        x[0] = x[-1] = 255
        return x


class Rolled(ImageDataGenerator):
    def random_transform(self, x: Image, seed: int | None = None) -> Image:
        return np.roll(super().random_transform(x, seed), np.random.randint(24), axis=1)


class Halved(ImageDataGenerator):
    def standardize(self, x: Image) -> Image:
        return super().standardize(x) / 2


class NeverPlain(ImageDataGenerator):
    @property
    def default_transform(self) -> Any:
        return {**super().default_transform, "flip_vertical": True}


ROTATED: dict[str, Any] = {"rotation_range": 40, "rescale": 1 / 255, "horizontal_flip": True}


@pytest.mark.slow
@pytest.mark.parametrize("kind", [AlwaysUpright, Framed, Rolled, Halved])
def test_an_overridden_method_counts_in_every_executor(
    kind: type[ImageDataGenerator], crops: Path, executors: dict[str, Executor]
) -> None:
    batches = assert_same_everywhere(kind(**ROTATED), crops, executors)
    assert differs(batches, take(flow(ImageDataGenerator(**ROTATED), crops), BATCHES))


def test_what_the_overridden_methods_do_is_what_comes_out(crops: Path) -> None:
    # Where nothing is overridden the steps are fused, and rounded once less.
    rounding: dict[str, Any] = {"rtol": 1e-5, "atol": 2e-6}
    plain = next(flow(ImageDataGenerator(**ROTATED), crops))[0]
    np.testing.assert_allclose(next(flow(Halved(**ROTATED), crops))[0], plain / 2, **rounding)
    framed = next(flow(Framed(**ROTATED), crops))[0]
    np.testing.assert_allclose(framed[:, 1:-1], plain[:, 1:-1], **rounding)
    np.testing.assert_allclose(framed[:, [0, -1]], 1, rtol=1e-6)
    upright = take(flow(AlwaysUpright(rotation_range=40), crops), 2)
    assert_same_batches(upright, take(flow(ImageDataGenerator(), crops), 2))


@pytest.mark.slow
def test_the_default_transform_counts_where_it_is_used(
    crops: Path, executors: dict[str, Executor]
) -> None:
    off: dict[str, Any] = {"random_transforms_enabled": False, "rotation_range": 30}
    batches = assert_same_everywhere(NeverPlain(**off), crops, executors)
    for (images, _), (plain, _) in zip(
        batches, take(flow(ImageDataGenerator(**off), crops), BATCHES), strict=True
    ):
        np.testing.assert_array_equal(images, plain[:, ::-1])


@pytest.mark.slow
def test_methods_assigned_to_the_object_count(crops: Path, executors: dict[str, Executor]) -> None:
    generator = ImageDataGenerator(rotation_range=40)
    plain = take(flow(generator, crops), BATCHES)
    generator.standardize = lambda x: x - 3  # type: ignore[method-assign]
    batches = assert_same_everywhere(generator, crops, executors)
    for (images, _), (right, _) in zip(batches, plain, strict=True):
        np.testing.assert_array_equal(images, right - 3)
    generator.get_random_transform = lambda shape, seed=None: {"flip_vertical": True}  # type: ignore[method-assign]
    assert differs(assert_same_everywhere(generator, crops, executors), batches)


def test_a_method_assigned_after_the_first_batch_counts_from_the_next_one(crops: Path) -> None:
    generator = ImageDataGenerator(executor="serial")
    it = generator.flow_from_directory(crops, (24, 24), batch_size=4, seed=SEED)
    expected = take(flow(generator, crops), 3)
    received = take(it, 1)
    generator.standardize = lambda x: x * 0  # type: ignore[method-assign]
    expected = [expected[0], *((images * 0, labels) for images, labels in expected[1:])]
    assert_same_batches(received + take(it, 2), expected)


def test_the_validation_subset_is_spared_own_transforms_too(crops: Path) -> None:
    options: dict[str, Any] = {"validation_split": 0.3, "validation_augmentation_enabled": False}
    own = flow(Framed(**ROTATED, **options), crops, subset="validation")
    plain = flow(ImageDataGenerator(rescale=1 / 255, validation_split=0.3), crops, subset="validation")
    assert_same_batches(take(own, 2), take(plain, 2))


# Overrides that only call ours change nothing


class Calling(ImageDataGenerator):
    def get_random_transform(self, img_shape: Any, seed: int | None = None) -> Any:
        return super().get_random_transform(img_shape, seed)

    def apply_transform(self, x: Image, transform_parameters: Any) -> Image:
        return super().apply_transform(x, transform_parameters)

    def standardize(self, x: Image) -> Image:
        return super().standardize(x)


class CallingAll(Calling):
    def random_transform(self, x: Image, seed: int | None = None) -> Image:
        return super().random_transform(x, seed)


def telling(params: Any, x: Image, filename: str, class_id: int, batch_index: int) -> Image:
    noise = params.rng.uniform(-9, 9, x.shape)
    return (x + len(filename) + class_id * 10 + batch_index + noise).astype("float32")


@pytest.mark.slow
@pytest.mark.parametrize("kind", [Calling, CallingAll])
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_overrides_that_only_call_ours_change_nothing(
    kind: type[ImageDataGenerator], data_format: str, crops: Path, executors: dict[str, Executor]
) -> None:
    options: dict[str, Any] = {
        **AUGMENTED,
        "data_format": data_format,
        "preprocessing_function": telling,
        "noaug_preprocessing_function": lambda x: x[::-1],
        "samplewise_center": True,
    }
    batches = assert_same_everywhere(kind(**options), crops, executors)
    plain = take(flow(ImageDataGenerator(**options), crops), BATCHES)
    # Between two of our methods, pixels are floats; without, channels are shifted in bytes, where one
    # value of 70,000 is a level off. The mean of that image is so, too.
    for (images, labels), (right, right_labels) in zip(batches, plain, strict=True):
        np.testing.assert_array_equal(labels, right_labels)
        differences = np.abs(images - right)
        assert np.mean(differences > 1e-5) < 1e-3
        assert differences.max() < 1.01 / 255


def whole_numbers(x: Image) -> Image:
    return x.astype("uint8")


@pytest.mark.parametrize(
    "options",
    [{"rescale": 1 / 255}, {"samplewise_center": True}, {}],
    ids=repr,
)
def test_calling_our_standardize_is_right_after_a_hook_that_gives_integers(
    options: dict[str, Any], crops: Path
) -> None:
    plain = ImageDataGenerator(preprocessing_function=whole_numbers, **options)
    own = Calling(preprocessing_function=whole_numbers, **options)
    assert_same_batches(take(flow(own, crops), 2), take(flow(plain, crops), 2))


@pytest.mark.slow
def test_overrides_count_for_arrays_of_images(executors: dict[str, Executor]) -> None:
    images = np.stack([photograph("coffee", 24, 24, variant=v) for v in range(6)])

    def batches(kind: type[ImageDataGenerator], executor: Executor | None = None) -> list[Any]:
        generator = kind(executor="serial", **AUGMENTED)
        if executor is not None:
            generator._engine.lent = Lent(executor)  # type: ignore[assignment]
        with generator.flow(images, np.arange(6), batch_size=4, seed=1) as it:
            assert isinstance(it, NumpyArrayIterator)
            return take(it, 4)

    expected = batches(ImageDataGenerator)
    assert_same_batches(batches(CallingAll), expected)
    assert_same_batches(batches(CallingAll, executors["two processes"]), expected)
    rolled = batches(Rolled)
    assert differs(rolled, expected)
    assert_same_batches(batches(Rolled, executors["two processes"]), rolled)


# What own methods draw


class Drawing:
    """Shows what was drawn in the pixels, where nothing rounds it."""

    def get_random_transform(self, img_shape: Any, seed: int | None = None) -> Params:
        params: Params = super().get_random_transform(img_shape, seed)  # type: ignore[misc]
        params["shear"] = np.random.uniform(-5, 5) + np.random.randint(3)
        return params

    def apply_transform(self, x: Image, transform_parameters: Params) -> Image:
        for place, name in enumerate(("theta", "tx", "zx", "shear", "flip_horizontal")):
            x[..., place, :] = transform_parameters[name]
        return x


class OurDrawing(Drawing, ImageDataGenerator):
    pass


def keras_drawing(**options: Any) -> Any:
    return type("KerasDrawing", (Drawing, type(keras_generator())), {})(**options)


DRAWN: dict[str, Any] = {
    "rotation_range": 30, "height_shift_range": 0.2, "width_shift_range": 0.2, "zoom_range": 0.3,
    "horizontal_flip": True,
}  # fmt: skip


@pytest.mark.usefixtures("global_numpy_state")
@pytest.mark.parametrize("shuffle", [False, True])
def test_own_draws_are_those_that_keras_would_make(
    shuffle: bool, crops: Path, executors: dict[str, Executor]
) -> None:
    with quiet():
        reference = keras_drawing(**DRAWN).flow_from_directory(
            str(crops), (24, 24), batch_size=4, seed=SEED, shuffle=shuffle
        )
    it = flow(OurDrawing(**DRAWN), crops, shuffle=shuffle)
    for _ in range(BATCHES + 2):
        images, targets = next(it)
        expected, right_targets = next(reference)
        np.testing.assert_array_equal(targets, right_targets)
        np.testing.assert_array_equal(images[:, :, :5], expected[:, :, :5])
    assert len(np.unique(images[:, 0, 3, 0])) == 4, "each image has draws of its own"
    assert_same_everywhere(OurDrawing(**DRAWN), crops, executors, shuffle=shuffle)


@pytest.mark.slow
@pytest.mark.usefixtures("global_numpy_state")
@pytest.mark.parametrize("kind", [OurDrawing, Rolled])
def test_own_draws_leave_the_callers_state_alone(
    kind: type[ImageDataGenerator], crops: Path, executors: dict[str, Executor]
) -> None:
    for executor in (
        None,
        executors["two processes"],
    ):  # threads borrow it while they draw, as documented
        np.random.seed(4)
        with flow(kind(**DRAWN), crops, executor) as it:
            take(it, BATCHES)
        drawn = np.random.random(4)
        np.random.seed(4)
        np.testing.assert_array_equal(drawn, np.random.random(4))


class Faulty(ImageDataGenerator):
    def get_random_transform(self, img_shape: Any, seed: int | None = None) -> Any:
        raise LookupError("of the user's own")


@pytest.mark.slow
def test_an_error_in_an_own_method_names_the_file(crops: Path, executors: dict[str, Executor]) -> None:
    for executor in (None, *executors.values()):
        with flow(Faulty(), crops, executor) as it, pytest.raises(LookupError, match="own") as caught:
            next(it)
        assert "transforming the image, file '" in "".join(caught.value.__notes__)


@pytest.mark.slow
def test_a_subclass_of_the_main_program(crops: Path, tmp_path: Path) -> None:
    done = run_program("pipeline/subclass_of_the_main_program.py", crops, cwd=tmp_path)
    assert done.stderr == ""
    assert done.stdout.splitlines()[1::2] == ["True True"] * 2


# The methods by themselves, against Keras'


@pytest.mark.usefixtures("global_numpy_state")
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_random_transform_with_a_seed_is_that_of_keras(data_format: str) -> None:
    ours, keras = both_generators(
        **DRAWN, channel_shift_range=20, fill_mode="reflect", data_format=data_format
    )
    x = photograph("astronaut", 40, 40).astype("float32")
    x = np.moveaxis(x, -1, 0) if data_format == "channels_first" else x
    for seed in (0, 5, 2**32 - 1):
        assert ours.get_random_transform(x.shape, seed) | {"contrast": 0, "noise": 0} == (
            keras.get_random_transform(x.shape, seed) | {"contrast": 0, "noise": 0}
        )
        with quiet():
            difference = np.abs(ours.random_transform(x, seed) - keras.random_transform(x, seed))
        assert difference.max() < 1.5
        assert not np.array_equal(ours.random_transform(x, seed), x)
    np.random.seed(3)
    drawn = [ours.get_random_transform(x.shape)["theta"] for _ in range(3)]
    np.random.seed(3)
    assert drawn == [keras.get_random_transform(x.shape)["theta"] for _ in range(3)]


@pytest.mark.parametrize("batched", [False, True])
def test_standardize_works_in_place_as_in_keras(batched: bool) -> None:
    ours, keras = both_generators(
        rescale=1 / 255, samplewise_center=True, samplewise_std_normalization=True
    )
    x = photograph("astronaut", 20, 30).astype("float32")
    x = np.stack([x, x[::-1] / 2]) if batched else x
    own, expected = x.copy(), keras.standardize(x.copy())
    assert ours.standardize(own) is own
    np.testing.assert_allclose(own, expected, rtol=1e-5, atol=1e-5)


def test_random_transform_calls_the_overridden_methods() -> None:
    x = photograph("astronaut", 20, 30).astype("float32")
    assert Framed(rotation_range=9).random_transform(x.copy(), 1)[0].min() == 255
    np.testing.assert_array_equal(AlwaysUpright(rotation_range=9).random_transform(x, 1), x)
