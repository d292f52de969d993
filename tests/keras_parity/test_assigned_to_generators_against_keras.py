"""What a program assigns to a generator counts from the next batch of its iterators, as in Keras.

Programs do so to transform more in later epochs, or when they fit the generator late.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
from both_iterators import SAMPLES, assert_alike, generators, make, make_folder
from reference import keras_generator, quiet

from imageloom import ImageDataGenerator
from imageloom._errors import InvalidArgumentError

Change = Callable[[Any], object]
IMAGES: Final = np.random.RandomState(3).uniform(0, 255, (9, 8, 8, 3)).astype("float32")


def set_to(**values: Any) -> Change:
    """Assigns these attributes."""

    def change(generator: Any) -> None:
        for name, value in values.items():
            setattr(generator, name, value)

    return change


def centred(generator: Any) -> None:
    generator.featurewise_center = True
    generator.fit(IMAGES)


CHANGES: Final[Mapping[str, Change]] = {
    "flips": set_to(horizontal_flip=False, vertical_flip=False),
    "channel shifts": set_to(channel_shift_range=0.0),
    "further draws": set_to(brightness_range=(0.5, 0.9)),
    "turns": set_to(rotation_range=90, interpolation_order=0, fill_mode="constant", cval=9),
    "factor": set_to(rescale=2.0),
    "function": set_to(preprocessing_function=np.sqrt),
    "samplewise": set_to(samplewise_center=True),
    "fitted": centred,
    "statistics": set_to(featurewise_center=True, mean=np.full((1, 1, 3), 7.0)),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_folder(tmp_path_factory.mktemp("assigned") / "photos")


def compare(executor: str, flow: str, change: Change, moment: int, folder: Path) -> None:
    ours, theirs = generators(executor)
    with make(ours, flow, folder) as mine, quiet():
        reference = make(theirs, flow, folder)
        for _ in range(moment):
            assert_alike(next(mine), next(reference), "before")
        change(ours)
        change(theirs)
        for batch in range(5):
            assert_alike(next(mine), next(reference), f"batch {batch} after it")


@pytest.mark.parametrize("moment", [0, 1, 4])
@pytest.mark.parametrize("flow", ["arrays", "directory"])
@pytest.mark.parametrize("name", CHANGES)
def test_it_counts_from_the_next_batch(name: str, flow: str, moment: int, folder: Path) -> None:
    compare("serial", flow, CHANGES[name], moment, folder)


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["threads", "processes"])
@pytest.mark.parametrize("name", ["flips", "fitted"])
def test_batches_that_were_computed_ahead_are_dropped(name: str, executor: str, folder: Path) -> None:
    compare(executor, "directory", CHANGES[name], 2, folder)


@pytest.mark.parametrize("flow", ["arrays", "directory"])
def test_batches_by_number_and_of_any_samples_see_it(flow: str, folder: Path) -> None:
    for ask in (lambda it: it[1], lambda it: it._get_batches_of_transformed_samples([3, 4])):
        found = []
        for generator in generators(channel_shift_range=0.0):
            it = make(generator, flow, folder, shuffle=False)
            np.random.seed(5)
            before = ask(it)
            set_to(horizontal_flip=False, vertical_flip=False, rescale=0.25)(generator)
            found.append((before[0].mean(), ask(it)))
        (ours, after), (theirs, expected) = found
        assert ours == pytest.approx(theirs, rel=1e-5)
        assert_alike(after, expected)


@pytest.mark.parametrize("with_method", [False, True])
def test_attributes_of_a_derived_class_count(with_method: bool) -> None:
    def derived(base: Any, **options: Any) -> Any:
        class Brighter(base):  # type: ignore[misc]
            amount = 1.0

            def standardize(self, x: Any) -> Any:
                return super().standardize(x) + self.amount

        return Brighter(**options)

    batches = []
    for generator in (
        derived(ImageDataGenerator, executor="serial"),
        derived(type(keras_generator())),
    ):
        it = generator.flow(IMAGES, np.arange(9), batch_size=3, seed=1)
        first = next(it)
        if with_method:
            generator.standardize = lambda x: x * 0
        else:
            generator.amount = 50.0
        batches.append([first, next(it)])
    assert_alike(*batches)


def test_a_value_that_is_not_allowed_is_an_error_until_another_is_assigned() -> None:
    generator = ImageDataGenerator(executor="serial")
    with generator.flow(IMAGES, shuffle=False, batch_size=3) as it:
        next(it)
        generator.fill_mode = "sideways"
        for _ in range(2):
            with pytest.raises(InvalidArgumentError, match="fill_mode"):
                next(it)
        generator.fill_mode = "reflect"
        np.testing.assert_array_equal(it[1], IMAGES[3:6])


def test_the_split_has_keras_name_too(folder: Path) -> None:
    counts = []
    for generator in generators():
        generator._validation_split = 0.5
        counts.append(make(generator, "directory", folder, subset="validation").n)
    assert counts[0] == counts[1] < SAMPLES / 2


def test_a_batch_of_any_samples_needs_a_fitted_generator_too(folder: Path) -> None:
    texts = []
    for generator in generators(featurewise_center=True):
        it = make(generator, "directory", folder)
        with pytest.warns(UserWarning, match="fit on any training data") as caught:
            it._get_batches_of_transformed_samples([0])
        texts.append(len(caught))
    assert texts == [1, 1]


def test_a_data_set_sees_it_from_its_next_epoch() -> None:
    import jax

    generator = ImageDataGenerator(executor="serial", rescale=1.0)
    with generator.flow(IMAGES, batch_size=3, shuffle=False) as it:
        batches = it.to_jax()
        epochs = []
        for factor in (0.5, 0.25):
            generator.rescale = factor
            epochs.append(np.concatenate([jax.device_get(batch) for batch in batches]))
    np.testing.assert_allclose(epochs, [IMAGES * 0.5, IMAGES * 0.25], rtol=1e-6)
