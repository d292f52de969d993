"""`it[i]`, files that are saved, and long walks with `next`, in all three flows, against Keras.

Keras draws anew at every request, so that its batch i is what a fresh iterator gives as its i-th
request. Ours is that batch in whatever order, and however often, it is asked for.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from configurations import (
    Agreement,
    Configuration,
    array_configuration,
    configuration,
    frame_configuration,
)
from numpy.typing import NDArray
from pictures import CLASSES, photograph
from PIL import Image
from reference import both_generators, keras_generator, quiet

from imageloom import ImageDataGenerator

# Random options hit Keras' exchanged axes all the time, and "binary" where there are more classes; the
# warnings have tests of their own.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Keras exchanges two axes"),
    pytest.mark.filterwarnings('ignore:class_mode="binary" needs 2 classes'),
]

AUGMENTED: dict[str, Any] = {
    "rotation_range": 40, "zoom_range": 0.3, "horizontal_flip": True, "channel_shift_range": 20,
    "width_shift_range": 0.1, "brightness_range": (0.6, 1.2), "validation_split": 0.3,
}  # fmt: skip
READ: dict[str, Any] = {"target_size": (30, 30), "interpolation": "nearest"}
Flow = Callable[..., Any]  # (generator, folder, **options) -> iterator


def photographs(count: int) -> NDArray[np.uint8]:
    return np.stack([photograph(CLASSES[i % 4], 26, 26, variant=i) for i in range(count)])


def frame_of(folder: Path) -> pd.DataFrame:
    files = sorted(p.relative_to(folder) for p in folder.rglob("*.*") if p.name[0] != ".")
    frame = pd.DataFrame({"filename": map(str, files), "class": [f.parts[0] for f in files]})
    return frame.sample(frac=1, random_state=2)


def of_arrays(generator: Any, folder: Path, **options: Any) -> Any:
    del folder
    x = photographs(19)
    if generator.data_format == "channels_first":
        x = np.moveaxis(x, -1, 1)
    return generator.flow(x, np.arange(19) % 2, **options)


def of_directory(generator: Any, folder: Path, **options: Any) -> Any:
    return generator.flow_from_directory(folder, **(READ | options))


def of_frame(generator: Any, folder: Path, **options: Any) -> Any:
    return generator.flow_from_dataframe(frame_of(folder), folder, **(READ | options))


FLOWS = [of_arrays, of_directory, of_frame]


def in_sequence(iterator: Any) -> list[Any]:
    """What a fresh iterator of Keras gives at it[0], it[1], ..."""
    with quiet():
        return [iterator[i] for i in range(len(iterator))]


def assert_any_order_gives(iterator: Any, wanted: list[Any], config: object = "") -> None:
    agreement = Agreement()
    numbers = [*range(len(wanted))] * 2  # twice each
    random.Random(len(wanted)).shuffle(numbers)
    for i in numbers:
        agreement.add(iterator[i], wanted[i])
    agreement.check(config)


@pytest.mark.parametrize("flow", FLOWS)
@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("batch_size", [1, 4, 19, 32])
@pytest.mark.parametrize("subset", [None, "training"])
def test_batches_in_any_order_are_those_of_keras_in_sequence(
    subset: str | None, batch_size: int, shuffle: bool, flow: Flow, class_folder: Path
) -> None:
    options = {"batch_size": batch_size, "shuffle": shuffle, "seed": 21, "subset": subset}
    ours, theirs = both_generators(**AUGMENTED)
    wanted = in_sequence(flow(theirs, class_folder, **options))
    assert_any_order_gives(flow(ours, class_folder, **options), wanted)


@pytest.mark.parametrize("flow", FLOWS)
def test_worker_processes_give_them_too(flow: Flow, class_folder: Path) -> None:
    ours = ImageDataGenerator(executor="processes", cores=2, **AUGMENTED)
    options = {"batch_size": 3, "seed": 2**32 - 3}
    with quiet():
        theirs = flow(keras_generator(**AUGMENTED), class_folder, batch_size=3, seed=2**32 - 3)
        wanted = [theirs[i] for i in range(3)]  # beyond, Keras' seeds leave their range
    agreement = Agreement()
    with flow(ours, class_folder, **options) as iterator:
        for i in (2, 0, 1, 1, 2):
            agreement.add(iterator[i], wanted[i])
    agreement.check()


@pytest.mark.parametrize("number", range(300, 324))
def test_random_configurations_in_any_order(number: int, class_folder: Path) -> None:
    frame = frame_of(class_folder)
    frame = frame.assign(labels=frame["class"], size=1, vector=2, weight=0.5, **{"whole weight": 3})
    cases: list[tuple[Configuration, Flow]] = [
        (configuration(number), lambda g, o: g.flow_from_directory(str(class_folder), **o)),
        (array_configuration(number), lambda g, o: g.flow(**o)),
        (frame_configuration(number), lambda g, o: g.flow_from_dataframe(frame, class_folder, **o)),
    ]
    for config, of in cases:
        ours, theirs = both_generators(**config.generator)
        options = {**config.flow, "ignore_class_split": True} if "x" in config.flow else config.flow
        wanted = in_sequence(of(theirs, options))
        if wanted:
            assert_any_order_gives(of(ours, options), wanted, config)


@pytest.mark.parametrize("flow", FLOWS)
def test_the_first_epoch_is_the_same_by_next_and_by_number(flow: Flow, class_folder: Path) -> None:
    ours = ImageDataGenerator(executor="serial", **AUGMENTED)
    by_next, by_number = (flow(ours, class_folder, batch_size=5, seed=1) for _ in range(2))
    by_next_in_keras = flow(keras_generator(**AUGMENTED), class_folder, batch_size=5, seed=1)
    agreement = Agreement()
    for i in reversed(range(len(by_number))):
        by_number[i]
    for i in range(len(by_number)):
        images, labels = next(by_next)
        np.testing.assert_array_equal(by_number[i][0], images)
        np.testing.assert_array_equal(by_number[i][1], labels)
        with quiet():
            agreement.add((images, labels), next(by_next_in_keras))
    agreement.check()


# Files that are saved

NEAREST = {**AUGMENTED, "interpolation_order": 0}


@pytest.mark.parametrize("flow", FLOWS)
@pytest.mark.parametrize(
    ("generator", "options"),
    [
        ({}, {}),
        ({}, {"shuffle": False, "save_prefix": "p", "save_format": "png"}),
        ({}, {"batch_size": 1, "subset": "training"}),
        ({}, {"save_prefix": "with space_and_ünicode", "save_format": "bmp"}),
        ({"data_format": "channels_first", "brightness_range": None}, {"save_prefix": "first"}),
        ({"rescale": 1 / 255, "samplewise_center": True}, {"save_format": "tiff"}),
        ({"dtype": "float64", "validation_split": 0.4}, {"subset": "validation"}),
        ({}, {"save_format": "jpeg"}),
        ({"dtype": "uint8"}, {"save_format": "ppm"}),
    ],
    ids=range(9),
)
def test_saved_files_have_the_names_and_pixels_of_keras(
    generator: dict[str, Any], options: dict[str, Any], flow: Flow, class_folder: Path, tmp_path: Path
) -> None:
    for name, made in zip(("ours", "theirs"), both_generators(**(NEAREST | generator)), strict=True):
        folder = tmp_path / name
        folder.mkdir()
        arguments = {"batch_size": 4, "seed": 77, "save_to_dir": folder} | options
        iterator = flow(made, class_folder, **arguments)
        with quiet():
            for _ in range(len(iterator) + 2):  # into the second epoch
                next(iterator)
    assert_same_files(tmp_path, lossy=options.get("save_format") == "jpeg")


@pytest.mark.parametrize("flow", FLOWS)
@pytest.mark.parametrize("background", ["processes", "threads"])
def test_files_saved_in_the_background_are_those_of_keras(
    background: str, flow: Flow, class_folder: Path, tmp_path: Path
) -> None:
    for name in ("ours", "theirs"):
        (tmp_path / name).mkdir()
    options: dict[str, Any] = {"batch_size": 4, "seed": 5}
    expected = flow(
        keras_generator(**NEAREST), class_folder, save_to_dir=tmp_path / "theirs", **options
    )
    in_sequence(expected)
    ours = ImageDataGenerator(
        executor=background, cores=2, max_batches_pending=1, **NEAREST
    )  # fmt: skip
    with flow(ours, class_folder, save_to_dir=tmp_path / "ours", **options) as iterator:
        for i in range(len(iterator)):
            iterator[i]
    assert_same_files(tmp_path)


@pytest.mark.parametrize("color_mode", ["grayscale", "rgb", "rgba"])
@pytest.mark.parametrize("flow", [of_directory, of_frame])
def test_saved_files_of_every_colour_mode(
    flow: Flow, color_mode: str, class_folder: Path, tmp_path: Path
) -> None:
    generators = both_generators(rotation_range=30, interpolation_order=0)
    for name, generator in zip(("ours", "theirs"), generators, strict=True):
        folder = tmp_path / name
        folder.mkdir()
        iterator = flow(generator, class_folder, save_to_dir=folder, color_mode=color_mode, seed=1)
        with quiet():
            next(iterator)
    assert_same_files(tmp_path)


def assert_same_files(folder: Path, *, lossy: bool = False) -> None:
    names, ours = ({p.name for p in (folder / who).iterdir()} for who in ("theirs", "ours"))
    assert names
    assert names == ours
    beyond = values = 0
    for name in names:
        with (
            Image.open(folder / "ours" / name) as image,
            Image.open(folder / "theirs" / name) as wanted,
        ):
            assert (image.mode, image.size, image.format) == (wanted.mode, wanted.size, wanted.format)
            difference = np.abs(np.asarray(image, np.int32) - np.asarray(wanted, np.int32))
        beyond += int(np.count_nonzero(difference > 1))
        values += difference.size
    # A point on the border between two pixels may go to either.
    assert beyond <= (0.01 if lossy else 0.001) * values, f"{beyond} of {values} values are off"


# Long walks through a folder


@pytest.mark.parametrize("class_mode", ["categorical", "binary", "sparse", "input", None])
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "uint8"])
def test_three_epochs_of_every_class_mode(
    dtype: str, class_mode: str | None, class_folder: Path
) -> None:
    ours, theirs = both_generators(**(AUGMENTED | {"dtype": dtype}))
    for classes in (None, ["rocket", "coins"]):
        options = {"class_mode": class_mode, "classes": classes, "batch_size": 5, "seed": 6}
        iterator = of_directory(ours, class_folder, **options)
        expected = of_directory(theirs, class_folder, **options)
        agreement = Agreement()
        for _ in range(3 * len(expected)):
            batch = next(iterator)
            with quiet():
                agreement.add(batch, next(expected))
            if class_mode == "input":  # a copy, which may be changed
                np.testing.assert_array_equal(batch[0], batch[1])
                assert not np.shares_memory(batch[0], batch[1])
        agreement.check()
        np.testing.assert_array_equal(iterator.labels, expected.labels)
