"""class_mode="image": masks go through the geometry of their images, and through nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from executor_support import assert_same_batches, take
from numpy.typing import NDArray
from PIL import Image

from imageloom import (
    ArgumentTypeError,
    BadImageError,
    ImageDataGenerator,
    InvalidArgumentError,
    MissingColumnError,
    Noise,
)

SIDE = 32
SAMPLES = 6
GEOMETRY: dict[str, Any] = {
    "rotation_range": 40,
    "width_shift_range": 0.2,
    "height_shift_range": 0.2,
    "shear_range": 15,
    "zoom_range": 0.3,
    "horizontal_flip": True,
    "vertical_flip": True,
}
COLOURS: dict[str, Any] = {
    "brightness_range": (0.5, 1.5),
    "contrast_range": (0.5, 1.5),
    "channel_shift_range": 40,
    "noise": ["gauss"],
}
Pixels = NDArray[Any]


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """Grey images that are their own masks, and palette images of three labels."""
    folder = tmp_path_factory.mktemp("pairs")
    rows = []
    for i in range(SAMPLES):
        rng = np.random.default_rng(i)
        levels = np.kron(rng.integers(0, 256, (4, 4)), np.ones((8, 8))).astype(np.uint8)
        Image.fromarray(levels).save(folder / f"image{i}.png")
        palette = Image.fromarray(levels % 3, mode="P")
        palette.putpalette([200, 0, 0, 0, 200, 0, 0, 0, 200])
        palette.save(folder / f"labels{i}.png")
        rows.append({name: str(folder / f"{name}{i}.png") for name in ("image", "labels")})
    return pd.DataFrame(rows)


def open_frame(frame: pd.DataFrame, generator: ImageDataGenerator, **options: Any) -> Any:
    usual: dict[str, Any] = {
        "x_col": "image",
        "y_col": "image",
        "class_mode": "image",
        "target_size": (SIDE, SIDE),
        "color_mode": "grayscale",
        "batch_size": 4,
        "seed": 5,
    }
    return generator.flow_from_dataframe(frame, **(usual | options))


def serial(**options: Any) -> ImageDataGenerator:
    return ImageDataGenerator(executor="serial", **options)


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


def test_channels_first(pairs: pd.DataFrame) -> None:
    last = next(open_frame(pairs, serial(**GEOMETRY)))
    first = next(open_frame(pairs, serial(**GEOMETRY, data_format="channels_first")))
    for a, b in zip(last, first, strict=True):
        np.testing.assert_array_equal(np.moveaxis(a, -1, 1), b)


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


def spoilt(pairs: pd.DataFrame, tmp_path: Path, row: int) -> pd.DataFrame:
    (tmp_path / "bad.png").write_bytes(b"no image")
    frame = pairs.copy()
    frame.loc[row, "labels"] = str(tmp_path / "bad.png")
    return frame


def test_a_bad_mask_is_an_error_that_names_it(pairs: pd.DataFrame, tmp_path: Path) -> None:
    frame = spoilt(pairs, tmp_path, 1)
    with pytest.raises(BadImageError, match=r"bad\.png") as caught:
        next(open_frame(frame, serial(), y_col="labels", shuffle=False))
    assert any("bad.png" in note for note in caught.value.__notes__)


def test_a_sample_with_a_bad_mask_is_replaced(pairs: pd.DataFrame, tmp_path: Path) -> None:
    frame = spoilt(pairs, tmp_path, 1)
    it = open_frame(frame, serial(on_bad_image="replace"), y_col="labels", shuffle=False)
    with pytest.warns(UserWarning, match=r"bad\.png"):
        x, y = next(it)
    np.testing.assert_array_equal(x[1], x[2])
    np.testing.assert_array_equal(y[1], y[2])


def test_rows_without_a_mask_are_left_out(pairs: pd.DataFrame) -> None:
    frame = pairs.copy()
    frame.loc[2, "labels"] = "nowhere.png"
    with pytest.warns(UserWarning, match='y_col="labels"'):
        assert open_frame(frame, serial(), y_col="labels").n == SAMPLES - 1


def test_masks_of_another_size_are_told(pairs: pd.DataFrame, tmp_path: Path) -> None:
    Image.new("L", (9, 9)).save(tmp_path / "small.png")
    frame = pairs.assign(labels=str(tmp_path / "small.png"))
    it = open_frame(frame, serial(), y_col="labels", interpolation=None, target_size=(SIDE, SIDE))
    with pytest.raises(ValueError, match="mask has shape"):
        next(it)


def test_what_is_no_file_name_is_refused(pairs: pd.DataFrame) -> None:
    with pytest.raises(ArgumentTypeError, match="names"):
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
