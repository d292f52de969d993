"""Arguments and results that few programs have, and that Keras takes.

Random programs found them, which ran with both libraries line by line.
"""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import pytest
from both_iterators import assert_alike, frame, make_folder
from numpy.typing import NDArray
from reference import both_generators, quiet

from imageloom._errors import ArgumentTypeError, BatchShapeError

IMAGES: Final = np.random.RandomState(3).randint(0, 256, (7, 8, 8, 3)).astype("uint8")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_folder(tmp_path_factory.mktemp("unusual") / "photos")


@pytest.mark.parametrize("fill_mode", ["constant", "nearest"])
@pytest.mark.parametrize("order", [0, 1])
@pytest.mark.parametrize("kind", [np.float32, np.int64, np.uint8])
def test_numbers_of_numpy_fill_borders(kind: Any, order: int, fill_mode: str) -> None:
    options = {"rotation_range": 90, "cval": kind(7), "fill_mode": fill_mode}
    with quiet():
        ours, expected = (
            next(generator.flow(IMAGES, seed=1))
            for generator in both_generators(interpolation_order=order, **options)
        )
    assert (np.abs(ours - expected) <= 1.5).mean() > 0.99


def grey(x: NDArray[Any]) -> NDArray[Any]:
    """As hooks that make images grey end."""
    return np.asarray(x.mean(axis=-1, keepdims=True))


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("color_mode", ["rgb", "rgba"])
def test_one_channel_of_a_function_fills_all(color_mode: str, data_format: str, folder: Path) -> None:
    def hook(x: NDArray[Any]) -> NDArray[Any]:
        return grey(x) if data_format == "channels_last" else x.mean(axis=0, keepdims=True)

    options = {"horizontal_flip": True, "rescale": 0.5, "data_format": data_format}
    batches = [
        next(g.flow_from_directory(folder, (8, 8), color_mode, batch_size=5, seed=2))
        for g in both_generators(preprocessing_function=hook, **options)
    ]
    assert_alike(*batches)


def test_one_channel_of_a_method_fills_all() -> None:
    batches = []
    for generator in both_generators():
        generator.standardize = grey
        batches.append(next(generator.flow(IMAGES, seed=2)))
    assert_alike(*batches)


def test_grey_images_fill_the_channels_of_batches_that_have_three(folder: Path) -> None:
    batches = []
    for generator in both_generators():
        it = generator.flow_from_directory(folder, (8, 8), seed=2)
        it.color_mode = "grayscale"  # `image_shape` stays
        batches.append(next(it))
    assert batches[1][0].shape[-1] == 3
    assert_alike(*batches)


def test_another_size_is_an_error_in_both() -> None:
    ours, theirs = (
        g.flow(IMAGES) for g in both_generators(preprocessing_function=lambda x: grey(x)[:5])
    )
    with pytest.raises(ValueError, match="broadcast"):
        next(theirs)
    with pytest.raises(BatchShapeError):
        next(ours)


def test_numbers_in_an_array_of_objects_are_images() -> None:
    objects = IMAGES.astype(object)
    found = []
    for generator in both_generators(horizontal_flip=True, featurewise_center=True):
        generator.fit(objects)
        it = generator.flow(objects, seed=1)
        first = next(it)
        it.x = objects[:4]
        it.n = 4
        found.append((first, next(it)))
    assert_alike(*found)
    for generator in both_generators():
        objects[0, 0, 0, 0] = "no number"
        with pytest.raises((ArgumentTypeError, ValueError)):
            generator.flow(objects)


def test_an_empty_name_saves_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    before = sorted(os.listdir())
    for generator in both_generators():
        its = [
            generator.flow(IMAGES, save_to_dir="", seed=1),
            generator.flow_from_directory(".", (8, 8), save_to_dir="", seed=1),
        ]
        for it in its:
            next(it)
            it.save_to_dir = ""
            next(it)
    assert sorted(os.listdir()) == before


@pytest.mark.parametrize("kind", [str, Path])
def test_the_folder_is_told_as_it_was_given(kind: Any, folder: Path) -> None:
    given = kind(folder)
    for generator in both_generators():
        its = [
            generator.flow_from_directory(given),
            generator.flow_from_dataframe(frame(folder), given),
        ]
        assert [it.directory is given for it in its] == [True, True]
        absolute = pd.DataFrame({"filename": its[0].filepaths, "class": "a"})
        assert generator.flow_from_dataframe(absolute, class_mode=None).directory == ""


def test_names_that_only_the_program_uses(folder: Path) -> None:
    """Iterators over arrays have no classes, and programs give them some."""
    for generator in both_generators():
        targets = {"class_mode": "raw", "y_col": "number"}
        its = [
            generator.flow(IMAGES, np.arange(7)),
            generator.flow_from_dataframe(frame(folder), folder, **targets),
        ]
        for it in its:
            assert not hasattr(it, "class_indices")
            it.class_indices = {"a": 0, "b": 1}
            next(it)
            assert it.class_indices == {"a": 0, "b": 1}
        its[0].image_shape = (8, 8, 3)
        assert its[0].image_shape == (8, 8, 3)


def test_programs_without_a_name_are_warned_too() -> None:
    """Such as those that `exec` runs with a bare dictionary."""
    code = "generator = make(zca_whitening=True)"
    texts = []
    for generator in both_generators():
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            exec(compile(code, "<cell>", "exec"), {"make": type(generator)})
        texts.append([str(w.message).partition(", which")[0] for w in caught])
    assert len(texts[0]) == len(texts[1]) == 1
    assert all("specifies `zca_whitening`" in text for (text,) in texts)
