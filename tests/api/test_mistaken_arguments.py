"""Swapped arguments, columns that are not there, data sets of other libraries, words for a cache.

The kinds of values of each argument are in test_kinds_of_arguments, keywords in test_wrong_keywords.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pictures import FILE_COUNT

from imageloom import ImageDataGenerator, ImageLoomError, MissingColumnError
from imageloom import image as keras_names
from imageloom._errors import ArgumentTypeError, InvalidArgumentError

IMAGES = np.zeros((3, 8, 8, 3), "uint8")


def serial(**options: Any) -> ImageDataGenerator:
    return ImageDataGenerator(executor="serial", **options)


def refused(call: Callable[[], object], error: type[Exception] = ArgumentTypeError) -> str:
    with pytest.raises(error) as caught:
        call()
    assert isinstance(caught.value, ImageLoomError)
    return str(caught.value)


# Swapped arguments


@pytest.mark.parametrize("size", [(8, 8), [8, 8], 8, np.array([8, 8])], ids=repr)
def test_folder_and_size_swapped(size: Any, class_folder: Path) -> None:
    for folder in (class_folder, str(class_folder)):
        text = refused(lambda folder=folder: serial().flow_from_directory(size, folder))
        assert "`directory` and `target_size` are swapped" in text
        text = refused(lambda folder=folder: keras_names.DirectoryIterator(size, None, folder))
        assert "swapped" in text


def test_frame_and_folder_swapped(class_folder: Path) -> None:
    frame = pd.DataFrame({"filename": ["a.png"], "class": ["a"]})
    for folder in (class_folder, str(class_folder), None):
        text = refused(lambda folder=folder: serial().flow_from_dataframe(folder, frame))
        assert "`dataframe` and `directory` are swapped" in text


def test_images_and_targets_swapped() -> None:
    text = refused(lambda: serial().flow(np.arange(3), IMAGES), InvalidArgumentError)
    assert "`x`" in text
    assert "swapped" in text


@pytest.mark.parametrize(
    ("size", "advice"),
    [(224, "(224, 224)"), ((224, 224, 3), "(224, 224)"), ((96.0, 80.0), "(96, 80)"), ("224", "")],
    ids=repr,
)
def test_a_size_that_is_not_two_numbers(size: Any, advice: str, class_folder: Path) -> None:
    text = refused(lambda: serial().flow_from_directory(class_folder, size))
    assert "`target_size` must be (height, width)" in text
    assert advice in text


def test_a_table_where_a_folder_is_wanted_and_other_kinds_of_tables(class_folder: Path) -> None:
    frame = pd.DataFrame({"filename": ["a.png"], "class": ["a"]})
    assert "flow_from_dataframe" in refused(lambda: serial().flow_from_directory(frame))
    assert "flow_from_dataframe" in refused(lambda: serial().flow(frame))
    assert "flow_from_directory" in refused(lambda: serial().flow(str(class_folder)))
    for table, words in (
        ("train.csv", "pandas.read_csv('train.csv')"),
        (Path("train.csv"), "pandas.read_csv('train.csv')"),
        (frame["class"], "whole table"),
        (frame.to_dict("list"), "pandas.DataFrame(...)"),
        (frame.to_numpy(), "pandas.DataFrame(...)"),
        (Convertible(), ".to_pandas()"),
    ):
        assert words in refused(lambda table=table: serial().flow_from_dataframe(table, class_folder))


class Convertible:
    """A table of another library, such as polars."""

    columns = ("filename", "class")

    def to_pandas(self) -> Any:
        raise AssertionError("nobody asked for it")


# Columns


def open_frame(frame: Any, **options: Any) -> Any:
    return serial().flow_from_dataframe(frame, validate_filenames=False, **options)


def wide(**columns: Any) -> Any:
    """A table with fifty columns beside these."""
    return pd.DataFrame(columns | {f"measure_{number}": [0.5, 1.5] for number in range(50)})


@pytest.mark.parametrize(
    ("there", "options", "meant"),
    [
        ("filenames", {}, "x_col='filenames'"),
        ("Filename", {}, "x_col='Filename'"),
        (" filename", {}, "x_col=' filename'"),
        ("file_name", {}, "x_col='file_name'"),
        ("image_path", {}, "x_col='image_path'"),
        ("id", {}, "x_col='id'"),
        ("picture", {"x_col": "pictuer"}, "x_col='picture'"),
        ("0", {"x_col": 0}, "x_col='0'"),
    ],
)
def test_a_missing_column_names_the_nearest(there: str, options: Any, meant: str) -> None:
    frame = wide(**{there: ["a.png", "b.png"], "class": ["a", "b"]})
    text = refused(lambda: open_frame(frame, **options), MissingColumnError)
    assert f"Did you mean {meant}?" in text
    assert "measure_1" not in text


@pytest.mark.parametrize(
    ("there", "wanted", "argument"),
    [("label", "class", "y_col"), ("Class", "class", "y_col"), ("species", "class", "y_col"),
     ("clas", "class", "y_col"), ("weights", "weight", "weight_col")],
)  # fmt: skip
def test_so_do_the_columns_of_targets_and_weights(there: str, wanted: str, argument: str) -> None:
    columns = {"filename": ["a.png", "b.png"], "class": ["a", "b"]}
    if argument == "y_col":
        del columns["class"]
    frame = wide(**columns, **{there: ["a", "b"]})
    text = refused(lambda: open_frame(frame, **{argument: wanted}), MissingColumnError)
    assert f"({argument}). Did you mean {argument}={there!r}?" in text


def test_without_a_similar_column_some_are_listed() -> None:
    frame = wide(filename=["a.png", "b.png"])
    text = refused(lambda: open_frame(frame, y_col="kingdom"), MissingColumnError)
    assert "'filename', 'measure_0'" in text
    assert "and 43 more: pass one of them as `y_col`" in text
    assert len(text) < 300
    assert "no columns" in refused(lambda: open_frame(pd.DataFrame()), MissingColumnError)


def test_each_column_of_a_list_is_looked_for() -> None:
    frame = wide(filename=["a.png", "b.png"], height=[1, 2])
    options = {"class_mode": "multi_output", "y_col": ["height", "measure_77"]}
    text = refused(lambda: open_frame(frame, **options), MissingColumnError)
    assert "'measure_77' (y_col)" in text


def test_columns_may_have_other_names_than_strings() -> None:
    frame = pd.DataFrame({0: ["a.png", "b.png"], 1: ["a", "b"]})
    assert open_frame(frame, x_col=0, y_col=1).samples == 2
    frame.columns = pd.MultiIndex.from_tuples([("in", "file"), ("out", "class")])
    assert open_frame(frame, x_col=("in", "file"), y_col=("out", "class")).samples == 2


@pytest.mark.parametrize("name", ["x_col", "y_col", "weight_col"])
def test_the_column_itself_is_not_its_name(name: str) -> None:
    frame = pd.DataFrame({"filename": ["a.png"], "class": ["a"], "weight": [1.0]})
    column = {"x_col": "filename", "y_col": "class", "weight_col": "weight"}[name]
    assert f"Pass its name, {column!r}" in refused(lambda: open_frame(frame, **{name: frame[column]}))
    assert f"Pass {column!r}" in refused(lambda: open_frame(frame, **{name: [column]}))


def test_targets_that_nobody_reads_may_be_named_anyhow() -> None:
    frame = pd.DataFrame({"filename": ["a.png"]})
    for class_mode in (None, "input"):
        assert open_frame(frame, class_mode=class_mode, y_col=None).samples == 1
        assert open_frame(frame, class_mode=class_mode, y_col=["a", "b"]).samples == 1


# Values that stand for others


@pytest.mark.parametrize(
    ("options", "meant"),
    [
        ({"class_mode": "int"}, "sparse"), ({"class_mode": "one-hot"}, "categorical"),
        ({"class_mode": "Categorical"}, "categorical"), ({"color_mode": "gray"}, "grayscale"),
        ({"color_mode": "RGB"}, "rgb"), ({"color_mode": "L"}, "grayscale"),
        ({"interpolation": "cubic"}, "bicubic"), ({"interpolation": "linear"}, "bilinear"),
        ({"subset": "train"}, "training"), ({"subset": "val"}, "validation"),
        ({"subset": "test"}, "validation"),
    ],
    ids=repr,
)  # fmt: skip
def test_the_nearest_value_of_a_flow(options: dict[str, Any], meant: str, class_folder: Path) -> None:
    generator = serial(validation_split=0.5)
    text = refused(lambda: generator.flow_from_directory(class_folder, **options), InvalidArgumentError)
    assert f"Did you mean {meant!r}?" in text


@pytest.mark.parametrize(
    ("options", "meant"),
    [
        ({"fill_mode": "edge"}, "nearest"), ({"fill_mode": "replicate"}, "nearest"),
        ({"fill_mode": "zeros"}, "constant"), ({"fill_mode": "reflct"}, "reflect"),
        ({"data_format": "NCHW"}, "channels_first"), ({"data_format": "channel_last"}, "channels_last"),
        ({"executor": "multiprocessing"}, "processes"), ({"executor": "thread"}, "threads"),
        ({"on_bad_image": "skip"}, "replace"), ({"noise": "gaussian"}, "gauss"),
        ({"noise": ["salt_and_pepper"]}, "s&p"),
    ],
    ids=repr,
)  # fmt: skip
def test_the_nearest_value_of_the_generator(options: dict[str, Any], meant: str) -> None:
    assert f"Did you mean {meant!r}?" in refused(
        lambda: ImageDataGenerator(**options), InvalidArgumentError
    )


def test_none_in_quotes(class_folder: Path) -> None:
    text = refused(
        lambda: serial().flow_from_directory(class_folder, class_mode="None"), InvalidArgumentError
    )
    assert "None, without quotes" in text


@pytest.mark.parametrize(
    "word", ["Memory", "MEMORY", " memory", "memroy", "memry", "mem", "RAM", "in-memory", "None", ""]
)
def test_a_word_for_a_cache_is_no_folder(word: str, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    text = refused(lambda: ImageDataGenerator(cache=word), InvalidArgumentError)
    assert '`cache` must be None, "memory" or the path of a directory' in text
    assert list(tmp_path.iterdir()) == []


def test_folders_for_a_cache_stay_possible(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "Memory").mkdir()
    for folder in ("Memory", "./mem", tmp_path / "ram", "cache", "memory_cache", "photos/memory"):
        assert ImageDataGenerator(cache=folder).cache == str(folder)
    assert ImageDataGenerator(cache="memory").cache == "memory"
    for value, advice in ((True, '"memory"'), (False, "None")):
        assert f"Pass {advice}" in refused(lambda value=value: ImageDataGenerator(cache=value))


def test_a_format_has_no_dot(class_folder: Path, tmp_path: Path) -> None:
    for call in (
        lambda: ImageDataGenerator(save_format=".png"),
        lambda: serial().flow(IMAGES, save_to_dir=tmp_path, save_format=".png"),
        lambda: serial().flow_from_directory(class_folder, save_format=".png"),
    ):
        assert "Pass 'png'" in refused(call, InvalidArgumentError)


# Arrays


def test_one_image_and_grey_images_without_channels() -> None:
    for shape, options, advice in (
        ((8, 8, 3), {}, "x[np.newaxis]"),
        ((4, 8, 8), {}, "x[..., np.newaxis]"),
        ((3, 8, 8), {"data_format": "channels_first"}, "x[np.newaxis]"),
        ((9, 8, 8), {"data_format": "channels_first"}, "x[:, np.newaxis]"),
    ):
        generator, images = serial(**options), np.zeros(shape)
        for call in (generator.flow, generator.fit):
            assert advice in refused(lambda c=call, i=images: c(i), InvalidArgumentError)


def test_images_of_several_sizes() -> None:
    images = [np.zeros((8, 8, 3)), np.zeros((8, 9, 3)), np.zeros((8, 8, 3))]
    text = refused(lambda: serial().fit(images), InvalidArgumentError)
    assert "`x` must be one array" in text
    assert "(8, 8, 3) and (8, 9, 3)" in text
    text = refused(lambda: serial().flow(IMAGES, [[1], [1, 2], [3]]), InvalidArgumentError)
    assert "`y` must be one array" in text


def test_what_numpy_takes_is_still_taken() -> None:
    frame = pd.DataFrame({"a": [0, 1, 0], "b": [1, 0, 1]})
    for targets in ([0, 1, 2], (0, 1, 2), frame, frame["a"], np.arange(3), range(3)):
        assert len(next(serial().flow(IMAGES, targets))[1]) == 3
    for images in (IMAGES, IMAGES.tolist(), list(IMAGES), Lazy()):
        generator = serial(featurewise_center=True)
        generator.fit(images)
        assert generator.mean is not None
    assert next(serial().flow(Lazy())).shape == (3, 8, 8, 3)


class Lazy:
    """A sequence of images, which NumPy reads item by item."""

    def __len__(self) -> int:
        return 3

    def __getitem__(self, index: int) -> Any:
        return IMAGES[index]


class Pairs(Lazy):
    """A data set of images with labels."""

    read = 0

    def __getitem__(self, index: int) -> Any:
        Pairs.read += 1
        return IMAGES[index], 1


class Endless:
    """A loader: it may be iterated, and has no items."""

    def __iter__(self) -> Iterator[Any]:
        raise AssertionError("nothing is read")


def test_data_sets_are_refused_without_reading_them() -> None:
    for data in (Pairs(), Endless(), iter(Endless, 1), (i for i in IMAGES), map(len, IMAGES)):
        for name in ("fit", "flow"):
            text = refused(lambda n=name, d=data: getattr(serial(), n)(d))
            assert "`x` must be an array of images" in text
            assert type(data).__name__ in text
    assert Pairs.read == 2, "one item tells what it is"


def test_targets_given_to_fit() -> None:
    text = refused(lambda: serial().fit(IMAGES, np.arange(3)))  # type: ignore[arg-type]
    assert "takes images only" in text


def of_torch() -> Any:
    data = pytest.importorskip("torch.utils.data")

    class Photos(data.Dataset):  # type: ignore[misc, name-defined]
        def __len__(self) -> int:
            raise AssertionError("nothing is read")

        def __getitem__(self, index: int) -> Any:
            raise AssertionError("nothing is read")

    return Photos()


def of_torch_loader() -> Any:
    return pytest.importorskip("torch.utils.data").DataLoader([1, 2, 3])


def of_tensorflow() -> Any:
    return pytest.importorskip("tensorflow").data.Dataset.from_tensor_slices(IMAGES)


def of_keras() -> Any:
    utils = pytest.importorskip("keras").utils

    class Batches(utils.PyDataset):  # type: ignore[misc, name-defined]
        def __len__(self) -> int:
            return 3

        def __getitem__(self, index: int) -> Any:
            raise AssertionError("nothing is read")

    return Batches()


@pytest.mark.slow
@pytest.mark.frameworks("torch", "tensorflow", "keras")
@pytest.mark.parametrize("make", [of_torch, of_torch_loader, of_tensorflow, of_keras])
def test_data_sets_of_other_libraries(make: Callable[[], Any]) -> None:
    data = make()
    for name in ("fit", "flow"):
        text = refused(lambda: getattr(serial(), name)(data))  # noqa: B023
        assert "a data set of another library" in text
        assert "flow_from_directory" in text


def test_our_own_iterators_are_for_fit_alone(class_folder: Path) -> None:
    iterator = serial().flow_from_directory(class_folder, (8, 8))
    generator = serial(featurewise_center=True)
    generator.fit(iterator)
    assert generator.mean is not None
    assert iterator.samples == FILE_COUNT
    assert re.search("`x` must be.*DirectoryIterator", refused(lambda: generator.flow(iterator)))
