from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from configurations import Configuration, configuration
from numpy.typing import NDArray
from pictures import CLASSES, FILE_COUNT
from reference import both_generators, keras_generator, quiet

from imageloom import ImageDataGenerator

EPOCHS = 2
GREY_LEVELS = 1.5
SHARE_BEYOND = 0.001

# Random options hit Keras' exchanged axes all the time, and "binary" where there are more classes; the
# warnings have tests of their own.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Keras exchanges two axes"),
    pytest.mark.filterwarnings('ignore:class_mode="binary" needs 2 classes'),
]


@pytest.mark.parametrize("number", range(208))
def test_two_epochs_are_those_of_keras(number: int, class_folder: Path) -> None:
    compare_streams(configuration(number), class_folder, executor="serial")


@pytest.mark.parametrize("number", range(1000, 1008))
def test_worker_processes_give_what_keras_gives(number: int, class_folder: Path) -> None:
    compare_streams(configuration(number), class_folder, executor="processes", cores=2)


@pytest.mark.long
@pytest.mark.parametrize("start", range(2000, 6000, 100))
def test_thousands_of_configurations(start: int, class_folder: Path) -> None:
    for number in range(start, start + 100):
        compare_streams(configuration(number), class_folder, executor="serial")


def compare_streams(config: Configuration, folder: Path, **background: Any) -> None:
    ours = ImageDataGenerator(**config.generator, **background)
    theirs = keras_generator(**config.generator)
    expected = theirs.flow_from_directory(str(folder), **config.flow)
    with ours.flow_from_directory(folder, **config.flow) as iterator:
        assert iterator.filenames == expected.filenames
        assert iterator.class_indices == expected.class_indices
        np.testing.assert_array_equal(iterator.classes, expected.classes)
        assert len(iterator) == len(expected)
        for _ in range(EPOCHS):
            epoch: list[tuple[NDArray[Any], NDArray[Any]]] = []
            for _ in range(len(expected)):
                with quiet():
                    wanted = next(expected)
                epoch += compared_batches(next(iterator), wanted, config)
                np.testing.assert_array_equal(iterator.index_array, expected.index_array)
            assert_same_pixels(epoch, config)


def compared_batches(
    batch: Any, wanted: Any, config: Configuration
) -> list[tuple[NDArray[Any], NDArray[Any]]]:
    """Returns images and those of Keras, of a batch in which all else is the same."""
    assert isinstance(batch, tuple) == isinstance(wanted, tuple)
    if config.flow["class_mode"] is None:
        batch, wanted = (batch,), (wanted,)
    assert len(batch) == len(wanted)
    pictures = []
    for array, reference in zip(batch, wanted, strict=True):
        assert array.dtype == reference.dtype
        assert array.shape == reference.shape
        if array.ndim == 4:
            pictures.append((array, reference))
        else:
            np.testing.assert_array_equal(array, reference)
    return pictures


def assert_same_pixels(pairs: list[tuple[NDArray[Any], NDArray[Any]]], config: Configuration) -> None:
    """A share of all values, because a thousandth of a small batch may be less than one of them."""
    differences = [np.abs(images - wanted) for images, wanted in pairs]
    per_batch = [float(np.mean(difference > GREY_LEVELS)) for difference in differences]
    beyond = float(np.average(per_batch, weights=[difference.size for difference in differences]))
    assert beyond <= SHARE_BEYOND, (
        f"{beyond:.2%} of the values are off, up to {max(map(np.max, differences)):.2f}; by batch "
        f"{per_batch}; {config}"
    )


def test_the_configurations_reach_every_option() -> None:
    drawn = [configuration(number) for number in range(208)]
    assert {c.flow["interpolation"] for c in drawn} == {
        "nearest", "bilinear", "bicubic", "hamming", "box", "lanczos"
    }  # fmt: skip
    for name in ("rotation_range", "shear_range", "zoom_range", "brightness_range"):
        assert sum(name in c.generator for c in drawn) > 20
    for name, count in (("fill_mode", 4), ("data_format", 2), ("interpolation_order", 3)):
        assert len({c.generator.get(name) for c in drawn}) == count
    assert {c.flow["color_mode"] for c in drawn} == {"rgb", "rgba", "grayscale"}
    assert {c.flow.get("subset") for c in drawn} == {None, "training", "validation"}
    assert sum("classes" in c.flow for c in drawn) > 20


def test_brightness_works_channels_first_and_gives_the_same_pixels(class_folder: Path) -> None:
    options: dict[str, Any] = {"brightness_range": (0.4, 1.8), "rotation_range": 30}
    flow: dict[str, Any] = {"target_size": (40, 40), "seed": 11, "batch_size": 8}
    last = ImageDataGenerator(executor="serial", data_format="channels_last", **options)
    first = ImageDataGenerator(executor="serial", data_format="channels_first", **options)
    images_last, labels_last = next(last.flow_from_directory(class_folder, **flow))
    images_first, labels_first = next(first.flow_from_directory(class_folder, **flow))
    assert images_first.shape == (8, 3, 40, 40)
    np.testing.assert_array_equal(np.moveaxis(images_first, 1, -1), images_last)
    np.testing.assert_array_equal(labels_first, labels_last)


@pytest.mark.parametrize(
    "standardize",
    [
        {"rescale": 1 / 255},
        {"samplewise_center": True, "samplewise_std_normalization": True},
        {"featurewise_center": True, "featurewise_std_normalization": True, "rescale": 0.5},
        {"zca_whitening": True, "featurewise_center": True, "rescale": 1 / 255},
    ],
)
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_normalised_streams_agree(
    standardize: dict[str, Any], data_format: str, class_folder: Path
) -> None:
    """Nearest neighbour everywhere, so that the pixels before normalisation are the same."""
    ours, theirs = both_generators(
        data_format=data_format, rotation_range=20, interpolation_order=0, **standardize
    )
    side = 12
    shape = (20, side, side, 3) if data_format == "channels_last" else (20, 3, side, side)
    samples = np.random.RandomState(5).uniform(0, 255, shape)
    ours.fit(samples)
    theirs.fit(samples)
    flow: dict[str, Any] = {"target_size": (side, side), "interpolation": "nearest", "seed": 3}
    iterator = ours.flow_from_directory(class_folder, batch_size=9, **flow)
    expected = theirs.flow_from_directory(str(class_folder), batch_size=9, **flow)
    for _ in range(2 * len(expected)):
        with quiet():
            wanted = next(expected)
        images, labels = next(iterator)
        np.testing.assert_allclose(images, wanted[0], rtol=1e-4, atol=1e-4)
        np.testing.assert_array_equal(labels, wanted[1])


def mirrored(x: NDArray[Any]) -> NDArray[Any]:
    """Tells the layout it is shown, and gives float64 back."""
    return x[..., ::-1].astype(np.float64) * 0.75 + x[0].mean()


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_a_hook_is_shown_the_images_that_keras_shows_it(data_format: str, class_folder: Path) -> None:
    ours, theirs = both_generators(
        data_format=data_format, preprocessing_function=mirrored, rotation_range=30, rescale=0.5,
        interpolation_order=0, horizontal_flip=True,
    )  # fmt: skip
    flow: dict[str, Any] = {"target_size": (32, 32), "interpolation": "nearest", "seed": 8}
    iterator = ours.flow_from_directory(class_folder, batch_size=9, **flow)
    expected = theirs.flow_from_directory(str(class_folder), batch_size=9, **flow)
    for _ in range(3):
        with quiet():
            wanted = next(expected)
        images, _ = next(iterator)
        assert images.dtype == np.float32
        np.testing.assert_allclose(images, wanted[0], rtol=1e-5, atol=1e-4)


def test_sequence_access_of_the_first_epoch_is_that_of_keras(class_folder: Path) -> None:
    ours, theirs = both_generators(rotation_range=40, zoom_range=0.3, horizontal_flip=True)
    flow: dict[str, Any] = {"target_size": (32, 32), "interpolation": "bicubic", "seed": 8}
    iterator = ours.flow_from_directory(class_folder, batch_size=4, **flow)
    expected = theirs.flow_from_directory(str(class_folder), batch_size=4, **flow)
    config = Configuration(0, {}, {"class_mode": "categorical"})
    for number in range(len(expected)):
        with quiet():
            wanted = expected[number]
        assert_same_pixels(compared_batches(iterator[number], wanted, config), config)


@pytest.mark.usefixtures("global_numpy_state")
def test_an_unseeded_stream_follows_the_global_seed_and_stays_itself(class_folder: Path) -> None:
    generator = ImageDataGenerator(executor="serial", rotation_range=40)
    streams = []
    for seed in (4, 4, 5):
        np.random.seed(seed)
        iterator = generator.flow_from_directory(class_folder, (24, 24), class_mode=None)
        first = next(iterator)
        np.random.seed(99)  # after the first batch the global state means nothing any more
        streams.append(np.stack([first, next(iterator)]))
    np.testing.assert_array_equal(streams[0], streams[1])
    assert not np.array_equal(streams[0], streams[2])


def test_seeded_streams_leave_the_global_state_alone(class_folder: Path) -> None:
    before = np.random.get_state()[1].tolist()
    generator = ImageDataGenerator(executor="serial", rotation_range=40)
    next(generator.flow_from_directory(class_folder, (24, 24), seed=3))
    assert np.random.get_state()[1].tolist() == before


def test_save_to_dir_writes_the_files_that_keras_writes(class_folder: Path, tmp_path: Path) -> None:
    ours, theirs = both_generators(rotation_range=20, horizontal_flip=True)
    flow: dict[str, Any] = {
        "target_size": (24, 24), "batch_size": 5, "seed": 5, "save_prefix": "q",
        "interpolation": "nearest",
    }  # fmt: skip
    (tmp_path / "ours").mkdir()
    (tmp_path / "theirs").mkdir()
    iterator = ours.flow_from_directory(class_folder, save_to_dir=tmp_path / "ours", **flow)
    expected = theirs.flow_from_directory(
        str(class_folder), save_to_dir=str(tmp_path / "theirs"), **flow
    )
    for _ in range(len(expected)):
        next(iterator)
        with quiet():
            next(expected)
    names = sorted(path.name for path in (tmp_path / "ours").iterdir())
    assert names == sorted(path.name for path in (tmp_path / "theirs").iterdir())
    assert len(names) == FILE_COUNT


def test_binary_and_sparse_labels_take_the_dtype(class_folder: Path) -> None:
    for mode in ("binary", "sparse"):
        ours, theirs = both_generators(dtype="float64")
        flow: dict[str, Any] = {"target_size": (8, 8), "class_mode": mode, "shuffle": False}
        labels = next(ours.flow_from_directory(class_folder, **flow))[1]
        wanted = next(theirs.flow_from_directory(str(class_folder), **flow))[1]
        assert labels.dtype == wanted.dtype == np.float64
        np.testing.assert_array_equal(labels, wanted)
        assert set(labels) == set(range(len(CLASSES)))
