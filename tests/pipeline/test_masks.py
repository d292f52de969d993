"""class_mode="image": masks go through the geometry of their images, and through nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from executor_support import assert_same_batches, take
from mask_support import COLOURS, GEOMETRY, SAMPLES, SIDE, Pixels, beside, open_frame, serial
from PIL import Image

from imageloom import (
    ArgumentTypeError,
    ImageDataGenerator,
    InvalidArgumentError,
    MissingColumnError,
    Noise,
)


def test_a_mask_is_turned_as_its_image(pairs: pd.DataFrame) -> None:
    nearest = open_frame(pairs, serial(**GEOMETRY, interpolation_order=0))
    for x, y in take(nearest, 4):
        np.testing.assert_array_equal(x, y)
    assert len(np.unique(y)) > 5


def test_masks_are_not_blended_where_images_are(pairs: pd.DataFrame) -> None:
    blended, picked = (
        take(open_frame(pairs, serial(**GEOMETRY, **order)), 2)
        for order in ({}, {"interpolation_order": 0})
    )
    levels = np.unique(np.concatenate([np.unique(y) for _, y in picked]))
    for (x, y), (_, expected) in zip(blended, picked, strict=True):
        np.testing.assert_array_equal(y, expected)
        assert not np.isin(x, levels).all()


def test_nothing_else_happens_to_masks(pairs: pd.DataFrame) -> None:
    # The same draws, because colours draw from the same stream.
    plain = take(open_frame(pairs, serial(**GEOMETRY, **COLOURS)), 3)
    generator = serial(
        **GEOMETRY,
        **COLOURS,
        rescale=1 / 255,
        samplewise_center=True,
        preprocessing_function=lambda x: x + 1,
        noaug_preprocessing_function=lambda x: 255 - x,
    )
    for (x, y), (plain_x, plain_y) in zip(take(open_frame(pairs, generator), 3), plain, strict=True):
        np.testing.assert_array_equal(y, plain_y)
        assert np.abs(x - plain_x).max() > 1
        assert np.abs(x - y).max() > 1


def test_palette_masks_are_their_numbers(pairs: pd.DataFrame) -> None:
    it = open_frame(pairs, serial(**GEOMETRY), y_col="labels", shuffle=False, color_mode="rgb")
    x, y = next(it)
    assert (x.shape, y.shape) == ((4, SIDE, SIDE, 3), (4, SIDE, SIDE, 1))
    assert set(np.unique(y)) == {0, 1, 2}
    still = next(open_frame(pairs, serial(), y_col="labels", shuffle=False))[1]
    for mask, name in zip(still, pairs["labels"], strict=False):
        np.testing.assert_array_equal(mask[..., 0], np.asarray(Image.open(name)))


def test_several_masks(pairs: pd.DataFrame) -> None:
    it = open_frame(pairs, serial(**GEOMETRY, interpolation_order=0), y_col=["image", "labels"])
    x, (levels, labels) = next(it)
    np.testing.assert_array_equal(x, levels)
    np.testing.assert_array_equal(labels, levels % 3)


def test_masks_are_resized_without_blending(pairs: pd.DataFrame) -> None:
    _, y = next(
        open_frame(pairs, serial(), target_size=(50, 20), interpolation="bilinear", shuffle=False)
    )
    assert y.shape == (4, 50, 20, 1)
    for mask, name in zip(y, pairs["image"], strict=False):
        expected = Image.open(name).resize((20, 50), Image.Resampling.NEAREST)
        np.testing.assert_array_equal(mask[..., 0], np.asarray(expected))


@pytest.mark.slow
def test_channels_first(pairs: pd.DataFrame) -> None:
    last = next(open_frame(pairs, serial(**GEOMETRY)))
    first = next(open_frame(pairs, serial(**GEOMETRY, data_format="channels_first")))
    for a, b in zip(last, first, strict=True):
        np.testing.assert_array_equal(np.moveaxis(a, -1, 1), b)


@pytest.mark.slow
@pytest.mark.parametrize(
    "options", [{}, {"cache": "memory"}, {"width_shift_range": [0, 3], "height_shift_range": [0, 3]}]
)
@pytest.mark.parametrize("executor", ["threads", "processes"])
def test_every_executor_gives_the_same(
    executor: str, options: dict[str, Any], pairs: pd.DataFrame
) -> None:
    arguments = {**GEOMETRY, **COLOURS, **options}
    expected = take(open_frame(pairs, serial(**arguments)), 5)
    generator = ImageDataGenerator(executor=executor, cores=2, **arguments)
    with open_frame(pairs, generator) as it:
        assert_same_batches(take(it, 5), expected)


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["serial", "processes"])
def test_the_classic_way_gives_the_same(executor: str, pairs: pd.DataFrame) -> None:
    """Two generators with one seed, zipped: exact with any number of workers."""
    both = take(open_frame(pairs, serial(**GEOMETRY, interpolation_order=0), y_col="labels"), 4)

    def half(column: str) -> Any:
        generator = ImageDataGenerator(executor=executor, cores=2, **GEOMETRY, interpolation_order=0)
        return open_frame(pairs, generator, x_col=column, class_mode=None)

    with half("image") as images, half("image") as again:
        for (x, _), first, second in zip(both, images, again, strict=False):
            np.testing.assert_array_equal(first, x)
            np.testing.assert_array_equal(second, x)


def test_weights_and_subsets(pairs: pd.DataFrame) -> None:
    frame = pairs.assign(weight=np.arange(SAMPLES, dtype=float))
    it = open_frame(
        frame, serial(validation_split=0.5), weight_col="weight", subset="validation", shuffle=False
    )
    x, y, weights = next(it)
    assert (len(x), len(y)) == (3, 3)
    np.testing.assert_array_equal(weights, [0, 1, 2])


def test_the_users_own_drawing_counts_for_masks_too(pairs: pd.DataFrame) -> None:
    class Upright(ImageDataGenerator):
        def get_random_transform(self, img_shape: Any, seed: int | None = None) -> Any:
            return {**super().get_random_transform(img_shape, seed), "theta": 0, "flip_vertical": True}

    generator = Upright(executor="serial", rotation_range=90)
    x, y = next(open_frame(pairs, generator, shuffle=False))
    for image, mask, name in zip(x, y, pairs["image"], strict=False):
        np.testing.assert_array_equal(image[::-1, :, 0], np.asarray(Image.open(name)))
        np.testing.assert_array_equal(image, mask)


def test_an_overridden_random_transform_cannot_be_followed(pairs: pd.DataFrame) -> None:
    class Own(ImageDataGenerator):
        def random_transform(self, x: Pixels, seed: int | None = None) -> Pixels:
            return x

    with pytest.raises(InvalidArgumentError, match="random_transform"):
        next(open_frame(pairs, Own(executor="serial")))


def test_fit_looks_at_images_alone(pairs: pd.DataFrame) -> None:
    generator = serial(featurewise_center=True, featurewise_std_normalization=True)
    generator.fit(open_frame(pairs, generator, y_col="labels"))
    images = np.stack([np.asarray(Image.open(name)) for name in pairs["image"]])
    np.testing.assert_allclose(generator.mean.ravel(), images.mean(), rtol=1e-6)


def test_what_is_no_file_name_is_refused(pairs: pd.DataFrame) -> None:
    with pytest.raises(ArgumentTypeError, match="name image files"):
        open_frame(pairs.assign(labels=7), serial(), y_col="labels")
    with pytest.raises(MissingColumnError):
        open_frame(pairs, serial(), y_col=["image", "nothing"])


def test_a_kept_state_knows_the_masks(pairs: pd.DataFrame) -> None:
    state = open_frame(pairs, serial()).state_dict()
    with pytest.raises(ValueError, match="masks"):
        open_frame(pairs, serial(), y_col="labels").load_state_dict(state)


def test_noise_leaves_masks_alone(pairs: pd.DataFrame) -> None:
    it = open_frame(pairs, serial(noise=[Noise("s&p")]), y_col="labels")
    assert set(np.unique(next(it)[1])) <= {0, 1, 2}


# What is drawn


@pytest.mark.parametrize("order", [1, 3])
def test_masks_do_not_depend_on_the_order_of_the_splines(order: int, pairs: pd.DataFrame) -> None:
    expected = take(open_frame(pairs, serial(**GEOMETRY, interpolation_order=0)), 2)
    received = take(open_frame(pairs, serial(**GEOMETRY, interpolation_order=order)), 2)
    for (x, y), (right_x, right_y) in zip(received, expected, strict=True):
        np.testing.assert_array_equal(y, right_y)
        assert (x != right_x).any()


@pytest.mark.parametrize("fill_mode", ["constant", "grid-constant"])
def test_beyond_the_border_a_mask_is_0(fill_mode: str, pairs: pd.DataFrame, tmp_path: Path) -> None:
    Image.new("L", (SIDE, SIDE), 9).save(tmp_path / "nine.png")
    generator = serial(rotation_range=45, fill_mode=fill_mode, cval=77.0, interpolation_order=0)
    x, y = next(open_frame(beside(pairs, tmp_path / "nine.png"), generator, y_col="labels"))
    assert set(np.unique(y)) == {0, 9}
    assert (x[y == 0] == 77).all()


def test_without_augmentation_validation_pairs_are_their_files(pairs: pd.DataFrame) -> None:
    generator = serial(
        **GEOMETRY, **COLOURS, validation_split=0.5, validation_augmentation_enabled=False
    )
    it = open_frame(pairs, generator, y_col=["image", "labels"], subset="validation", batch_size=3)
    x, (same, labels) = next(it)
    np.testing.assert_array_equal(x, same)
    np.testing.assert_array_equal(labels, x % 3)
    training = open_frame(pairs, generator, subset="training", batch_size=3)
    assert set(it.filenames).isdisjoint(training.filenames)
    x, y = next(training)
    assert (x != y).any()


def test_the_users_own_steps_are_for_images(pairs: pd.DataFrame) -> None:
    class Own(ImageDataGenerator):
        def apply_transform(self, x: Pixels, transform_parameters: Any) -> Pixels:
            return super().apply_transform(x, transform_parameters) // 2

        def standardize(self, x: Pixels) -> Pixels:
            return -x

    options = GEOMETRY | {"interpolation_order": 0}
    for x, y in take(open_frame(pairs, Own(executor="serial", **options)), 3):
        np.testing.assert_array_equal(x, -(y.astype(int) // 2))


# The stream


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["serial", "processes"])
def test_pairs_are_resumed_in_mid_epoch(executor: str, pairs: pd.DataFrame) -> None:
    def opened() -> Any:
        generator = ImageDataGenerator(executor=executor, cores=1, **GEOMETRY, **COLOURS)
        return open_frame(pairs, generator, y_col="labels", batch_size=2)

    with opened() as it:
        take(it, 4)
        state = it.state_dict()
        expected = take(it, 3)
    with opened() as it:
        it.load_state_dict(state)
        assert_same_batches(take(it, 3), expected)


def test_images_come_out_of_the_cache_and_masks_out_of_their_files(
    pairs: pd.DataFrame, tmp_path: Path
) -> None:
    mask = tmp_path / "mask.png"
    Image.new("L", (SIDE, SIDE), 1).save(mask)
    it = open_frame(beside(pairs, mask), serial(cache="memory"), y_col="labels", batch_size=-1)
    next(it)
    Image.new("L", (SIDE, SIDE), 2).save(mask)
    assert np.unique(next(it)[1]) == 2
    assert it.report().cache_hits == SAMPLES


def test_without_a_column_of_masks_or_with_balance_it_is_refused(pairs: pd.DataFrame) -> None:
    with pytest.raises(InvalidArgumentError, match="y_col"):
        open_frame(pairs, serial(), y_col=[])
    with pytest.raises(InvalidArgumentError, match="one class each"):
        open_frame(pairs, serial(), balance=True)


def test_a_model_with_two_outputs_is_trained_on_two_masks(pairs: pd.DataFrame) -> None:
    keras = pytest.importorskip("keras")
    image = keras.Input((SIDE, SIDE, 1))
    outputs = [
        keras.layers.Conv2D(1, 1, kernel_initializer="zeros", name=name)(image)
        for name in ("same", "labels")
    ]
    model = keras.Model(image, outputs)
    model.compile("sgd", {"same": "mse", "labels": "mse"})
    with open_frame(pairs, serial(), y_col=["image", "labels"], batch_size=-1) as it:
        x, (same, labels) = it[0]
        losses = model.evaluate(it, verbose=0, return_dict=True)
    squares = [np.square(mask, dtype=float).mean() for mask in (same, labels)]
    assert losses["loss"] == pytest.approx(sum(squares), rel=1e-3)
    np.testing.assert_array_equal(x, same)
