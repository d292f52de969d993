"""`flow_from_dataframe` against Keras' own."""

from __future__ import annotations

import math
import os
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from configurations import (
    FRAME_TARGETS,
    Agreement,
    Configuration,
    assert_same_attributes,
    frame_configuration,
)
from pictures import CLASSES, FILE_COUNT
from recorded_warnings import without_ours
from reference import both_generators, keras_generator, quiet

from imageloom import ImageDataGenerator
from imageloom._errors import ImageLoomError

EPOCHS = 3
SMALL: dict[str, Any] = {"target_size": (8, 8), "batch_size": 5, "shuffle": False}

# Random options hit Keras' exchanged axes all the time; the warning has tests of its own.
pytestmark = pytest.mark.filterwarnings("ignore:Keras exchanges two axes")


@pytest.fixture
def frame(class_folder: Path) -> pd.DataFrame:
    return make_frame(class_folder)


def make_frame(folder: Path) -> pd.DataFrame:
    """A row a file, in a mixed order, with columns for all kinds of targets."""
    files = sorted(str(p.relative_to(folder)) for p in folder.rglob("*.*") if p.name[0] != ".")
    files = [files[i] for i in np.random.RandomState(3).permutation(len(files))]
    count = len(files)
    names = [name.split(os.sep)[0] for name in files]
    several: list[Any] = [[name, CLASSES[i % 4]][i % 3 == 0 :] for i, name in enumerate(names)]
    several[1::4] = [tuple(labels) for labels in several[1::4]]
    several[2::5] = names[2::5]
    columns: dict[str, Any] = {
        "filename": files,
        "class": names,
        "labels": several,
        "size": np.arange(count) * 7,
        "vector": [(i, i / 2) for i in range(count)],
        "weight": np.linspace(0.5, 2, count),
        "whole weight": np.arange(count, dtype="int32"),
    }
    return pd.DataFrame(columns)


@pytest.mark.parametrize("number", range(104))
def test_three_epochs_are_those_of_keras(number: int, class_folder: Path) -> None:
    compare_frames(frame_configuration(number), class_folder, executor="serial")


@pytest.mark.parametrize("number", range(1000, 1004))
def test_worker_processes_give_what_keras_gives(number: int, class_folder: Path) -> None:
    compare_frames(frame_configuration(number), class_folder, executor="processes", cores=2)


@pytest.mark.long
@pytest.mark.parametrize("start", range(2000, 3500, 100))
def test_many_more_configurations(start: int, class_folder: Path) -> None:
    for number in range(start, start + 100):
        compare_frames(frame_configuration(number), class_folder, executor="serial")


def compare_frames(config: Configuration, folder: Path, **background: Any) -> None:
    frame = make_frame(folder)
    with quiet():  # `classes` without effect; compared below
        expected = keras_generator(**config.generator).flow_from_dataframe(frame, folder, **config.flow)
    ours = ImageDataGenerator(**config.generator, **background)
    agreement = Agreement()
    with quiet():
        iterator = ours.flow_from_dataframe(frame, folder, **config.flow)
    with iterator:
        assert_same_attributes(iterator, expected)
        for _ in range(EPOCHS * len(expected)):
            with quiet():
                wanted = next(expected)
            agreement.add(next(iterator), wanted)
    agreement.check(config)
    pd.testing.assert_frame_equal(frame, make_frame(folder))


def test_the_configurations_reach_every_kind_of_argument() -> None:
    flows = [frame_configuration(number).flow for number in range(104)]
    for targets in FRAME_TARGETS.values():
        assert any(targets.items() <= flow.items() for flow in flows), targets
    assert {flow.get("subset") for flow in flows} == {None, "training", "validation"}
    assert {flow.get("weight_col") for flow in flows} == {None, "weight", "whole weight"}
    assert {flow["validate_filenames"] for flow in flows} == {True, False}
    assert sum("classes" in flow for flow in flows) > 20


# One argument after the other


def outcome(generator: Any, frame: Any, folder: Any, **options: Any) -> dict[str, Any]:
    """The iterator or the error, and the warnings."""
    made: dict[str, Any] = {"error": None, "iterator": None}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            made["iterator"] = generator.flow_from_dataframe(frame, folder, **(SMALL | options))
        except Exception as error:
            made["error"] = error
    told = without_ours(caught)
    return made | {"warnings": [(c, text.partition(" The first one tried")[0]) for c, text in told]}


def compare(frame: Any, folder: Any, **options: Any) -> Any:
    """Compares what both make of it, with the first two epochs; returns ours."""
    generators = both_generators(validation_split=0.4)
    ours, theirs = (outcome(generator, frame, folder, **options) for generator in generators)
    assert ours["error"] is theirs["error"] is None, (ours, theirs)
    assert ours["warnings"] == theirs["warnings"]
    iterator, expected = ours["iterator"], theirs["iterator"]
    assert_same_attributes(iterator, expected)
    agreement = Agreement()
    for _ in range(2 * len(expected)):
        with quiet():
            agreement.add(next(iterator), next(expected))
    agreement.check(options)
    return iterator


@pytest.mark.parametrize("subset", [None, "training", "validation"])
@pytest.mark.parametrize("targets", FRAME_TARGETS)
def test_every_kind_of_target(
    targets: str, subset: str | None, class_folder: Path, frame: pd.DataFrame
) -> None:
    options = FRAME_TARGETS[targets]
    if targets == "binary":
        frame = frame[frame["class"].isin(["coffee", "coins"])]
    compare(frame, class_folder, weight_col="weight", subset=subset, **options)


@pytest.mark.parametrize("class_mode", ["categorical", "sparse"])
@pytest.mark.parametrize(
    "classes",
    [
        ["rocket", "chelsea"], ("rocket", "coins", "rocket", "coins"), ["nobody", "coffee"],
        [*reversed(CLASSES)], [], None, np.array(["coffee"]),
    ],
    ids=str,
)  # fmt: skip
def test_given_classes(class_mode: str, classes: Any, class_folder: Path, frame: pd.DataFrame) -> None:
    for y_col in ["class", "labels"][: 1 + (class_mode == "categorical")]:
        iterator = compare(frame, class_folder, classes=classes, class_mode=class_mode, y_col=y_col)
        if classes is not None and len(classes):
            assert list(iterator.class_indices) == list(dict.fromkeys(classes))


def test_labels_that_are_empty_lists_or_numbers(class_folder: Path, frame: pd.DataFrame) -> None:
    frame["labels"] = [[], ["b"], ("a", "b"), [], "a"] * (len(frame) // 5) + ["a"] * (len(frame) % 5)
    compare(frame, class_folder, y_col="labels")
    compare(frame, class_folder, y_col="labels", classes=["b"])
    frame["labels"] = [[i % 3, 5][: 1 + i % 2] for i in range(len(frame))]
    compare(frame, class_folder, y_col="labels")
    compare(frame, class_folder, y_col="labels", classes=[5, 1])


def test_rows_may_repeat_and_the_index_may_be_anything(class_folder: Path, frame: pd.DataFrame) -> None:
    twice = pd.concat([frame, frame[3:9], frame])
    assert compare(twice, class_folder).n == 2 * FILE_COUNT + 6
    frame.index = pd.Index([f"row {i}" for i in range(len(frame))][::-1])
    compare(frame, class_folder, subset="training", weight_col="weight", class_mode="raw", y_col="size")
    shuffled = frame.sample(frac=1, random_state=1)
    compare(shuffled, class_folder, subset="validation", classes=["coins", "coffee"])
    frame.index = pd.MultiIndex.from_product([["a"], range(len(frame))])
    compare(frame[::-1], class_folder, weight_col="whole weight")
    categories = frame.astype({"class": "category"})
    compare(categories, class_folder)


@pytest.mark.parametrize("validate", [True, False])
def test_absolute_paths_and_no_directory(
    validate: bool, class_folder: Path, frame: pd.DataFrame, tmp_path: Path
) -> None:
    frame["path"] = [str(class_folder / name) for name in frame["filename"]]
    options: dict[str, Any] = {"x_col": "path", "validate_filenames": validate}
    for directory in (None, "", tmp_path, class_folder, "no such folder"):
        compare(frame, directory, **options)


def test_names_are_relative_to_the_working_directory_without_a_directory(
    class_folder: Path, frame: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(class_folder)
    assert compare(frame, None).filepaths == frame["filename"].tolist()
    frame["filename"] = [os.path.join(".", name) for name in frame["filename"]]
    monkeypatch.chdir(class_folder.parent)
    compare(frame, class_folder.name)


@pytest.mark.parametrize("y_col", ["class", 1])
def test_columns_may_have_numbers_for_names(
    y_col: Any, class_folder: Path, frame: pd.DataFrame
) -> None:
    compare(frame.rename(columns={"filename": 0, "class": y_col}), class_folder, x_col=0, y_col=y_col)


INVALID = ["coins/nowhere.png", "coins", "coins/10.txt", "", "coffee/one.PNGX", "nested\0.png"]


def test_invalid_names_are_left_out_with_the_warning_of_keras(
    class_folder: Path, frame: pd.DataFrame
) -> None:
    extra = frame.iloc[: len(INVALID)].assign(filename=INVALID)
    mixed = pd.concat([frame[:4], extra, frame[4:]], ignore_index=True)
    for options in ({}, {"subset": "validation"}, {"class_mode": None}, {"weight_col": "weight"}):
        iterator = compare(mixed, class_folder, **options)
        assert not set(INVALID) & set(iterator.filenames)
    with pytest.warns(UserWarning, match=rf"Found {len(INVALID)} invalid .*x_col=\"filename\""):
        ImageDataGenerator(executor="serial").flow_from_dataframe(mixed, class_folder)


def test_names_that_are_not_validated_fail_at_their_batch_as_in_keras(
    class_folder: Path, frame: pd.DataFrame
) -> None:
    frame.loc[6, "filename"] = "coins/nowhere.png"
    options: dict[str, Any] = {"validate_filenames": False, **SMALL}
    ours, theirs = both_generators()
    expected = theirs.flow_from_dataframe(frame, class_folder, **options)
    iterator = ours.flow_from_dataframe(frame, class_folder, **options)
    assert_same_attributes(iterator, expected)
    next(expected)
    next(iterator)
    with pytest.raises(FileNotFoundError):
        next(expected)
    with pytest.raises(FileNotFoundError, match="nowhere"):
        next(iterator)


@pytest.mark.parametrize(
    "options",
    [
        {"has_ext": True},
        {"sort": False},
        {"drop_duplicates": True},
        {"class_mode": "other", "y_col": "size"},
        {"has_ext": 1, "sort": 1, "drop_duplicates": 1, "class_mode": "other"},
        *[{"classes": ["coins"], "class_mode": mode} for mode in ("raw", "input", None)],
        {"classes": ["coins"], "class_mode": "multi_output", "y_col": ["size"]},
    ],
    ids=str,
)
def test_warnings_are_of_the_kinds_that_keras_gives(
    options: dict[str, Any], class_folder: Path, frame: pd.DataFrame
) -> None:
    generators = both_generators()
    ours, theirs = (outcome(generator, frame, class_folder, **options) for generator in generators)
    kinds = [category for category, _ in theirs["warnings"]]
    assert sorted(map(str, kinds)) == sorted(str(category) for category, _ in ours["warnings"])
    assert len(kinds) == len(options) - ("y_col" in options) - ("classes" in options)
    assert_same_attributes(ours["iterator"], theirs["iterator"])


@pytest.mark.parametrize(
    ("options", "changes"),
    [
        *[({"class_mode": mode}, {}) for mode in ("binari", "", 3)],
        ({"class_mode": "multi_output", "y_col": "size"}, {}),
        ({"class_mode": "multi_output", "y_col": ("size", "weight")}, {}),
        ({}, {"filename": Path("coins/2.png")}),
        ({"validate_filenames": False}, {"filename": None}),
        ({}, {"filename": math.nan}),
        ({"x_col": "size"}, {}),
        *[({"class_mode": mode, "y_col": "size"}, {}) for mode in ("binary", "sparse", "categorical")],
        *[({"class_mode": mode}, {"class": None}) for mode in ("binary", "sparse", "categorical")],
        ({"class_mode": "sparse", "y_col": "labels"}, {}),
        ({}, {"class": {"coins"}}),
        ({"class_mode": "binary"}, {}),
        ({"class_mode": "binary", "classes": ["coins"]}, {}),
        ({"class_mode": "binary", "classes": ["coins", "coins"]}, {}),
        ({"class_mode": "binary", "classes": list(CLASSES)}, {}),
        *[({"weight_col": column}, {}) for column in ("class", "labels")],
        ({"weight_col": "weight"}, {"weight": "much"}),
        *[({name: "absent"}, {}) for name in ("x_col", "y_col", "weight_col")],
        *[({"y_col": ["size", "absent"], "class_mode": mode}, {}) for mode in ("raw", "multi_output")],
        ({"subset": "test"}, {}),
        ({"color_mode": "bgr"}, {}),
        *[({"target_size": size}, {}) for size in (None, 8)],
        ({"y_col": None, "class_mode": "raw"}, {}),
    ],
)
def test_keras_refuses_it_too_with_the_same_built_in_error(
    options: dict[str, Any], changes: dict[str, Any], class_folder: Path, frame: pd.DataFrame
) -> None:
    for column, value in changes.items():
        frame[column] = frame[column].astype(object)
        frame.at[2, column] = value
    generators = both_generators(validation_split=0.3)
    ours, theirs = (outcome(generator, frame, class_folder, **options) for generator in generators)
    assert type(theirs["error"]) in {ValueError, TypeError, KeyError}
    assert isinstance(ours["error"], type(theirs["error"])), ours
    assert isinstance(ours["error"], ImageLoomError)


@pytest.mark.parametrize("dtype", ["float16", "uint8", "Int64", "Float32", "boolean", "bool"])
def test_weights_of_other_dtypes(dtype: Any, class_folder: Path, frame: pd.DataFrame) -> None:
    frame["weight"] = (frame["size"] % 2).astype(dtype)
    generators = both_generators()
    ours, theirs = (
        outcome(generator, frame, class_folder, weight_col="weight") for generator in generators
    )
    if theirs["error"] is not None:
        assert isinstance(ours["error"], type(theirs["error"]))
        return
    assert ours["error"] is None, ours["error"]
    wanted = next(theirs["iterator"])[2]
    np.testing.assert_array_equal(next(ours["iterator"])[2], np.asarray(wanted))


@pytest.mark.parametrize(
    "dtype",
    ["Int64", "Float64", "string", "category", "datetime64[ns]",
     "datetime64[ns, UTC]"],
)  # fmt: skip
def test_raw_columns_of_the_dtypes_of_pandas_are_plain_arrays(
    dtype: Any, class_folder: Path, frame: pd.DataFrame
) -> None:
    frame["size"] = frame["size"].astype(dtype)
    options: dict[str, Any] = {"class_mode": "raw", "y_col": "size", "shuffle": False}
    generator, reference = both_generators()
    ours = next(generator.flow_from_dataframe(frame, class_folder, **options))[1]
    with quiet():
        theirs = next(reference.flow_from_dataframe(frame, class_folder, **options))[1]
    assert type(ours) is np.ndarray
    assert ours.dtype == np.asarray(theirs).dtype
    np.testing.assert_array_equal(ours, np.asarray(theirs))


@pytest.mark.parametrize(
    "options",
    [{}, {"validate_filenames": False}, {"class_mode": "raw"}, {"classes": ["coins"]}],
)
def test_the_line_that_is_printed_is_that_of_keras(
    options: dict[str, Any],
    class_folder: Path,
    frame: pd.DataFrame,
    capsys: pytest.CaptureFixture[str],
) -> None:
    said = []
    for generator in both_generators(validation_split=0.5):
        with quiet():
            generator.flow_from_dataframe(frame, class_folder, **options)
        said.append(" ".join(capsys.readouterr().out.split()))
    assert said[0] == said[1]
    assert re.match(r"Found \d+ (non-)?validated image filenames", said[0])


# Where we differ on purpose


def test_unknown_keywords_are_type_errors(class_folder: Path, frame: pd.DataFrame) -> None:
    """Keras swallows them, and whoever misspelt one is none the wiser."""
    with pytest.raises(TypeError, match="colour_mode"):
        ImageDataGenerator(executor="serial").flow_from_dataframe(
            frame, class_folder, colour_mode="rgb"
        )


@pytest.mark.parametrize("class_mode", ["categorical", "sparse", "raw", "input", None])
@pytest.mark.parametrize("columns", [True, False])
def test_an_empty_frame_gives_an_empty_iterator(
    columns: bool, class_mode: str | None, class_folder: Path, frame: pd.DataFrame
) -> None:
    empty = frame[:0] if columns else pd.DataFrame({"filename": [], "class": []})
    iterator = ImageDataGenerator(executor="serial").flow_from_dataframe(
        empty, class_folder, class_mode=class_mode
    )
    assert (iterator.n, len(iterator), iterator.filenames) == (0, 0, [])


def test_the_aspect_ratio_is_kept_on_request(class_folder: Path, frame: pd.DataFrame) -> None:
    """Keras' data frame method drops the argument; its directory method is the measure."""
    options: dict[str, Any] = {"keep_aspect_ratio": True, "class_mode": None, "shuffle": False,
                               "target_size": (20, 31), "interpolation": "nearest"}  # fmt: skip
    ours, theirs = both_generators()
    expected = theirs.flow_from_directory(str(class_folder), **options)
    ordered = pd.DataFrame({"filename": expected.filenames})
    iterator = ours.flow_from_dataframe(ordered, class_folder, **options)
    np.testing.assert_array_equal(next(iterator), next(expected))
    assert iterator.keep_aspect_ratio
