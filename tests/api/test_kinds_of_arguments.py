"""Every argument of the generator and of its methods, with every kind of value that it does not take.

The error comes with the call, is one of ours and one of Keras', and names the argument.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from imageloom import ImageDataGenerator, ImageLoomError, ParallelImageDataGenerator
from imageloom import image as keras_names

SOMETHING = object()
SERIES = pd.Series(["a", "b"], name="class")
FRAME = pd.DataFrame({"filename": ["a.png", "b.png"], "class": ["a", "b"]})
PATHS: list[Any] = [3, True, ["a"], {}, b"a", SOMETHING]

# Values that are not what an annotation says. A new annotation needs a row here.
WRONG: dict[str, list[Any]] = {
    "bool": ["yes", "False", [True], {}, (), np.zeros(2), SERIES, SOMETHING],
    "bool | int | str": ["yes", 3, -1, 1.5, None, [1], {}, np.zeros(2), SERIES, SOMETHING],
    "bool | str": ["slow", [True], {}, np.zeros(2), SOMETHING],
    "float": ["5", [5], {}, True, np.zeros(2), SOMETHING],
    "float | None": ["5", [5], {}, True, np.zeros(2), SOMETHING],
    "ShiftRange": ["0.1", {}, [[1]], [None], np.zeros((2, 2)), SOMETHING],
    "Sequence[float] | None": [0.1, "ab", [1], [1, "2"], {}, True, np.zeros(2), SOMETHING],
    "float | Sequence[float]": ["12", None, [1], [1, 2, 3], {}, {1, 2}, SOMETHING],
    "bool | float | None": ["0.5", 2, -1, [0.5], {}, np.zeros(2), SERIES, SOMETHING],
    "int | Sequence[int] | None": ["80", True, 0.5, 0, [10], [90, 10], [0, 50], {}, SERIES, SOMETHING],
    "StepOption": ["yes", -1, [1, 2, 3], [None], {"nothing": 1}, np.zeros((2, 2)), SERIES, SOMETHING],
    "int": ["8", 2.5, None, [1], {}, True, np.zeros(2), SOMETHING],
    "int | None": ["8", 2.5, [1], {}, True, np.zeros(2), SOMETHING],
    "str": [3, True, ["a"], {}, b"a", SERIES, SOMETHING],
    "str | int": [0, -3, 2.5, True, ["a"], {}, b"a", "cmyk", SERIES, SOMETHING],
    "str | Collection[str] | None": ["webp", b"webp", 3, True, [0], [None], [], ["xyz"], SOMETHING],
    "str | None": [3, True, ["a"], {}, b"a", SERIES, SOMETHING],
    "str | os.PathLike[str]": [*PATHS, None],
    "str | os.PathLike[str] | None": PATHS,
    "Callable[..., Any] | None": [3, True, "f", [len], {}, SOMETHING],
    "str | Noise | Sequence[str | Noise] | None": [3, True, {}, [3], [None], SOMETHING],
    "ArrayLike | tuple[Any, Any]": [None, 3, True, "photos", {}, iter([]), FRAME, SERIES, SOMETHING],
    "ArrayLike | BatchIterator | str | os.PathLike[str]": [None, 3, {}, iter([]), FRAME, SOMETHING],
    "ArrayLike | None": [3, True, "ab", b"ab", {}, {1, 2}, iter([]), np.array(3), SOMETHING],
    "ArrayLike | Sequence[Any] | Mapping[str, Any] | None": [3, True, "ab", {}, iter([]), SOMETHING],
    "tuple[int, int]": [8, None, "88", (8,), (8, 8, 3), [8.5, 8], [True, "a"], {}, SOMETHING],
    "float | Sequence[float] | None": ["1", -1, [1], [1, 2, 3], {}, {1, 2}, True, SERIES, SOMETHING],
    "Groups": [3, True, {}, {1, 2}, iter([]), np.zeros((2, 2)), FRAME, SOMETHING],
    "tuple[int, int] | None": ["01", 2, True, (0, 1, 2), (0.0, 2), {}, np.zeros(2), SOMETHING],
    "tuple[int, int] | str | None": ["all", 2, True, (0, 1, 2), (0.0, 2), {}, np.zeros(2), SOMETHING],
    "Sequence[str] | None": ["cat", b"cat", 3, True, [0, 1], [None], SOMETHING],
    "Sequence[int] | None": [8, True, "8888", (8, 8, 3), (8, 8.5, 8, 3), {}, SOMETHING],
    "dict[str, int] | None": [3, True, "a", ["a"], SOMETHING],
    "str | list[str]": [None, True, SERIES, {}, ["class"], ["class", "filename"], np.array(["class"])],
    "Any": [None, 3, True, "table.csv", {}, [], SERIES, np.zeros((2, 2)), SOMETHING],  # the frame
}


def flow(**arguments: Any) -> Any:
    given = {"x": np.zeros((2, 8, 8, 3)), "y": [0, 1]} | arguments
    return ImageDataGenerator(executor="serial").flow(**given)


def fit(**arguments: Any) -> Any:
    return ImageDataGenerator().fit(**({"x": np.zeros((2, 8, 8, 3))} | arguments))


def folder_of(kind: type[ImageDataGenerator]) -> Callable[..., Any]:
    def open_folder(**arguments: Any) -> Any:
        return kind(executor="serial").flow_from_directory(**({"directory": "."} | arguments))

    return open_folder


def frame(**arguments: Any) -> Any:
    given = {"dataframe": FRAME, "class_mode": "sparse", "validate_filenames": False} | arguments
    return ImageDataGenerator(executor="serial").flow_from_dataframe(**given)


def array_iterator(**arguments: Any) -> Any:
    given = {"x": np.zeros((2, 8, 8, 3)), "y": [0, 1], "image_data_generator": None} | arguments
    return keras_names.NumpyArrayIterator(**given)


def folder_iterator(**arguments: Any) -> Any:
    return keras_names.DirectoryIterator(
        **({"directory": ".", "image_data_generator": None} | arguments)
    )


def frame_iterator(**arguments: Any) -> Any:
    given = {"dataframe": FRAME, "class_mode": "sparse", "validate_filenames": False} | arguments
    return keras_names.DataFrameIterator(**given)


CALLS: dict[str, tuple[Any, Callable[..., Any]]] = {
    "ImageDataGenerator": (ImageDataGenerator, ImageDataGenerator),
    "ParallelImageDataGenerator": (ParallelImageDataGenerator, ParallelImageDataGenerator),
    "flow": (ImageDataGenerator.flow, flow),
    "flow_from_directory": (ImageDataGenerator.flow_from_directory, folder_of(ImageDataGenerator)),
    "flow_from_directory of MLTK": (
        ParallelImageDataGenerator.flow_from_directory,
        folder_of(ParallelImageDataGenerator),
    ),
    "flow_from_dataframe": (ImageDataGenerator.flow_from_dataframe, frame),
    "fit": (ImageDataGenerator.fit, fit),
    "NumpyArrayIterator": (keras_names.NumpyArrayIterator, array_iterator),
    "DirectoryIterator": (keras_names.DirectoryIterator, folder_iterator),
    "DataFrameIterator": (keras_names.DataFrameIterator, frame_iterator),
}


def arguments_of(function: Any) -> dict[str, str]:
    """The annotation of each argument, as it is written."""
    parameters = inspect.signature(function).parameters.values()
    return {
        p.name: str(p.annotation)
        for p in parameters
        if p.kind is not p.VAR_KEYWORD and p.name not in ("self", "image_data_generator")
    }


def cases() -> Iterator[Any]:
    for call, (function, _) in CALLS.items():
        for name, annotation in arguments_of(function).items():
            yield pytest.param(call, name, annotation, id=f"{call}-{name}")


@pytest.fixture
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.png").write_bytes(b"not read")
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("in_a_folder")
@pytest.mark.parametrize(("call", "name", "annotation"), [*cases()])
def test_each_kind_of_wrong_value_is_refused_by_name(call: str, name: str, annotation: str) -> None:
    for value in WRONG[annotation]:
        with pytest.raises(ImageLoomError) as caught:
            CALLS[call][1](**{name: value})
        assert isinstance(caught.value, (TypeError, ValueError)), value
        assert re.search(rf"\b{name}\b", str(caught.value)), (value, str(caught.value))
        assert "\n" not in str(caught.value), "a table or an array fills the screen"


@pytest.mark.usefixtures("in_a_folder")
@pytest.mark.parametrize("call", ["flow", "flow_from_directory", "flow_from_dataframe", "fit"])
def test_the_calls_themselves_are_right(call: str, capsys: pytest.CaptureFixture[str]) -> None:
    CALLS[call][1]()
    capsys.readouterr()


@pytest.mark.parametrize("name", ["rotation_range", "shear_range"])
def test_none_is_no_range_as_in_keras(name: str) -> None:
    generator = ImageDataGenerator(**{name: None})
    assert getattr(generator, name) is None
    same = ImageDataGenerator().get_random_transform((8, 8, 3), seed=3)
    assert generator.get_random_transform((8, 8, 3), seed=3) == same


@pytest.mark.parametrize("name", ["horizontal_flip", "zca_whitening", "debug"])
@pytest.mark.parametrize("value", [True, False, 0, 1, 1.0, None, np.True_, np.int64(0)])
def test_what_keras_takes_for_a_truth_value_is_taken(name: str, value: Any) -> None:
    generator = ImageDataGenerator(featurewise_center=True, **{name: value})
    assert getattr(generator, name) is value


@pytest.mark.parametrize("value", [0.3, 2, -1])
def test_a_probability_in_the_place_of_a_truth_value_is_told(value: float) -> None:
    with pytest.warns(UserWarning, match=f"`vertical_flip` is either .* {value} counts"):
        ImageDataGenerator(vertical_flip=value)  # type: ignore[arg-type]
    with pytest.warns(UserWarning, match="`shuffle` is either"):  # the size of a buffer elsewhere
        flow(shuffle=1000)


@pytest.mark.parametrize(
    ("call", "arguments"),
    [
        ("flow", {"subset": "train"}),
        ("flow", {"seed": "3"}),
        ("flow", {"sample_weight": 3}),
        ("flow_from_directory", {"class_mode": "int"}),
        ("flow_from_directory", {"interpolation": "cubic"}),
        ("flow_from_directory", {"classes": "cat"}),
        ("flow_from_directory", {"batch_shape": 3}),
        ("flow_from_directory", {"class_counts": 3}),
        ("flow_from_directory", {"shuffle_index_dir": 3}),
        ("flow_from_directory", {"list_valid_filenames_in_directory_function": 3}),
        ("flow_from_dataframe", {"class_mode": "regression"}),
        ("flow_from_dataframe", {"weight_col": ["w"]}),
        ("flow_from_dataframe", {"directory": 3}),
        ("ImageDataGenerator", {"cores": "all"}),
        ("ImageDataGenerator", {"cache": 3}),
        ("ImageDataGenerator", {"cache_limit": "1GB"}),
        ("ImageDataGenerator", {"batch_timeout": "1s"}),
        ("ImageDataGenerator", {"brightness_range": 0.2}),
        ("ImageDataGenerator", {"data_format": "last"}),
        ("ImageDataGenerator", {"dtype": "picture"}),
        ("ImageDataGenerator", {"rescale": "1/255"}),
        ("ImageDataGenerator", {"validation_split": "half"}),
        ("ImageDataGenerator", {"save_to_dir": 3}),
        ("ImageDataGenerator", {"preprocessing_function": 3}),
    ],
    ids=repr,
)
@pytest.mark.usefixtures("in_a_folder")
def test_none_is_named_where_it_is_allowed(call: str, arguments: dict[str, Any]) -> None:
    with pytest.raises(ImageLoomError, match=r"\bNone\b"):
        CALLS[call][1](**arguments)


@pytest.mark.usefixtures("in_a_folder")
@pytest.mark.parametrize(
    ("call", "name"),
    [("flow", "seed"), ("flow_from_directory", "color_mode"), ("flow_from_directory", "target_size"),
     ("ImageDataGenerator", "fill_mode"), ("ImageDataGenerator", "executor"), ("flow", "batch_size"),
     ("flow_from_dataframe", "x_col")],
)  # fmt: skip
def test_none_is_not_named_where_it_is_not(call: str, name: str) -> None:
    if name == "seed":
        CALLS[call][1](seed=None)
        return
    with pytest.raises(ImageLoomError) as caught:
        CALLS[call][1](**{name: None})
    assert "or None" not in str(caught.value)


def test_assigned_attributes_are_checked_when_they_are_used() -> None:
    generator = ImageDataGenerator()
    generator.horizontal_flip = "yes"  # type: ignore[assignment]
    with pytest.raises(ImageLoomError, match="`horizontal_flip` must be True or False"):
        generator.flow(np.zeros((2, 8, 8, 3)))
