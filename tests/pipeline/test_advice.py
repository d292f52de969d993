"""Errors of a batch say what to change, and the flow that has made it allows the change."""

from __future__ import annotations

import ast
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from ray_support import needs_ray

from imageloom import (
    BadImageError,
    BatchShapeError,
    DirectoryIterator,
    ImageDataGenerator,
    ImageLoomError,
    preview,
)
from imageloom._errors import ArgumentTypeError

pytestmark = pytest.mark.slow

EXECUTORS = ["serial", "threads", "processes"]
FLOWS = ("arrays", "directory", "dataframe")
Pixels = NDArray[Any]


def generator_of(executor: str, **options: Any) -> ImageDataGenerator:
    return ImageDataGenerator(executor=executor, cores=1, **options)


def open_flow(kind: str, generator: ImageDataGenerator, folder: Path, **options: Any) -> Any:
    options = {"batch_size": 4, "seed": 1, "shuffle": False} | options
    if kind == "arrays":
        return generator.flow(np.zeros((6, 24, 24, 3), "uint8"), **options)
    if kind == "directory":
        return generator.flow_from_directory(folder, (24, 24), **options)
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.*g"))
    frame = pd.DataFrame({"filename": files, "class": [Path(file).parts[0] for file in files]})
    return generator.flow_from_dataframe(frame, folder, target_size=(24, 24), **options)


def error_of(it: Any, kind: type[Exception] = Exception) -> Exception:
    with it, pytest.raises(kind) as caught:
        next(it)
    return caught.value


# Functions that return no image


def without_return(x: Pixels) -> None:
    x += 1


def with_params(params: Any, x: Pixels, filename: str) -> None:
    x += 1


RETURNED: dict[str, tuple[Callable[..., Any], str]] = {
    "nothing": (without_return, "None"),
    "nothing with params": (with_params, "None"),
    "a pair": (lambda x: (x, 3), r"\(array"),
    "a dictionary": (lambda x: {"image": x}, r"\{'image'"),
    "a word": (lambda x: "image", "'image'"),
    "a function": (lambda x: len, "<built-in"),
}


@pytest.mark.parametrize("place", ["preprocessing_function", "noaug_preprocessing_function"])
@pytest.mark.parametrize("kind", FLOWS)
@pytest.mark.parametrize("executor", EXECUTORS)
def test_a_hook_without_return(executor: str, kind: str, place: str, crops: Path) -> None:
    generator = generator_of(executor, **{place: without_return})
    error = error_of(open_flow(kind, generator, crops))
    assert isinstance(error, (ImageLoomError, TypeError))
    first = str(error).splitlines()[0]
    assert first.startswith(f"{place} returned None")
    assert "`return`" in first


@pytest.mark.parametrize("returned", RETURNED)
@pytest.mark.parametrize("place", ["preprocessing_function", "noaug_preprocessing_function"])
def test_whatever_else_a_hook_returns(place: str, returned: str, crops: Path) -> None:
    hook, words = RETURNED[returned]
    error = error_of(open_flow("directory", generator_of("serial", **{place: hook}), crops))
    assert isinstance(error, ArgumentTypeError)
    assert re.match(f"{place} returned {words}", str(error))
    if place == "preprocessing_function":
        with pytest.raises(ArgumentTypeError, match=f"{place} returned {words}"):
            ImageDataGenerator(**{place: hook}).standardize(np.zeros((4, 4, 3), "float32"))


@pytest.mark.parametrize("hook", [np.ndarray.tolist, lambda x: x > 3, lambda x: x.astype("float16")])
def test_what_numpy_takes_for_an_image_is_one(hook: Callable[..., Any], crops: Path) -> None:
    generator = generator_of("serial", preprocessing_function=hook)
    assert next(open_flow("directory", generator, crops))[0].shape == (4, 24, 24, 3)


@pytest.mark.parametrize(
    "method", ["random_transform", "get_random_transform", "apply_transform", "standardize"]
)
@pytest.mark.parametrize("kind", FLOWS)
def test_an_overridden_method_without_return(kind: str, method: str, crops: Path) -> None:
    own = type("Own", (ImageDataGenerator,), {method: lambda *_, **__: None})
    error = error_of(open_flow(kind, own(executor="serial"), crops))
    assert isinstance(error, ArgumentTypeError)
    assert str(error).startswith(f"{method} returned None")


@pytest.mark.parametrize("method", ["random_transform", "get_random_transform", "apply_transform"])
def test_fit_does_not_take_nothing_for_an_image(method: str) -> None:
    own = type("Own", (ImageDataGenerator,), {method: lambda *_, **__: None})
    generator = own(featurewise_center=True)
    with pytest.raises(ArgumentTypeError, match=f"{method} returned None"):
        generator.fit(np.zeros((3, 8, 8, 3)), augment=True)
    assert generator.mean is None


@pytest.mark.parametrize("returned", [None, 3, "batch"])
@pytest.mark.parametrize("executor", ["serial", "processes"])
def test_a_batch_function_without_a_batch(executor: str, returned: Any, crops: Path) -> None:
    generator = generator_of(executor, get_batch_function=lambda *_: returned)
    error = error_of(open_flow("directory", generator, crops), BatchShapeError)
    assert "`get_batch_function` must return (batch_index, (x, y))" in str(error)
    assert f"get_batch_function returned {returned!r}" in str(error)


class OfAUser(DirectoryIterator[Any]):
    def _get_batches_of_transformed_samples(self, index_array: Any) -> Any:
        super()._get_batches_of_transformed_samples(index_array)


@pytest.mark.parametrize("executor", ["serial", "threads"])
def test_a_batch_method_without_return(executor: str, crops: Path) -> None:
    error = error_of(OfAUser(crops, generator_of(executor), (24, 24)), ArgumentTypeError)
    assert "_get_batches_of_transformed_samples returned None" in str(error)


# Shapes


def upper(x: Pixels) -> Pixels:
    return x[:20]


@pytest.mark.parametrize("executor", EXECUTORS)
def test_another_shape_in_a_folder_has_an_argument(executor: str, crops: Path) -> None:
    generator = generator_of(executor, preprocessing_function=upper)
    text = str(error_of(open_flow("directory", generator, crops), BatchShapeError))
    found = re.search(r"pass batch_shape=(\(.*?\)) to flow_from_directory", text)
    assert found is not None, text
    shape = ast.literal_eval(found[1])
    with open_flow("directory", generator, crops, batch_shape=shape) as it:
        assert next(it)[0].shape == (4, 20, 24, 3)


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_another_shape_in_a_table_is_assigned(data_format: str, crops: Path) -> None:
    generator = generator_of("serial", preprocessing_function=upper, data_format=data_format)
    if data_format == "channels_first":
        generator.preprocessing_function = lambda x: x[:, :20]
    text = str(error_of(open_flow("dataframe", generator, crops), BatchShapeError))
    assert "batch_shape" not in text, "flow_from_dataframe does not take it"
    found = re.search(r"assign image_shape=(\(.*?\)) to the iterator", text)
    assert found is not None, text
    with open_flow("dataframe", generator, crops) as it:
        it.image_shape = ast.literal_eval(found[1])
        assert next(it)[0].shape == (4, *it.image_shape)
        assert 20 in it.image_shape


def test_another_shape_of_an_array_has_neither(crops: Path) -> None:
    generator = generator_of("serial", preprocessing_function=upper)
    text = str(error_of(open_flow("arrays", generator, crops), BatchShapeError))
    assert "batch_shape" not in text
    assert "image_shape" not in text
    assert "before they are passed to `flow`" in text


# On a cluster


@needs_ray
@pytest.mark.slow
def test_a_cluster_gives_the_same_advice(ray_on_two_cpus: Any, crops: Path, spoilt: Path) -> None:
    for place in ("preprocessing_function", "noaug_preprocessing_function"):
        generator = generator_of("ray", **{place: without_return})
        first = str(error_of(open_flow("directory", generator, crops))).splitlines()[0]
        assert first.startswith(f"{place} returned None")
    generator = generator_of("ray", preprocessing_function=upper)
    error = error_of(open_flow("directory", generator, crops), BatchShapeError)
    assert "pass batch_shape=(4, 20, 24, 3) to flow_from_directory" in str(error)
    error = error_of(open_flow("directory", generator_of("ray"), spoilt), BadImageError)
    assert 'on_bad_image="replace"' in str(error).splitlines()[0]


# Files that cannot be read


@pytest.fixture
def spoilt(crops: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "spoilt"
    shutil.copytree(crops, folder)
    sorted(folder.rglob("*.*g"))[1].write_bytes(b"no picture\n\x00")
    return folder


@pytest.mark.parametrize("kind", ["directory", "dataframe"])
@pytest.mark.parametrize("executor", EXECUTORS)
def test_the_first_line_says_how_to_go_on(executor: str, kind: str, spoilt: Path) -> None:
    error = error_of(open_flow(kind, generator_of(executor), spoilt), BadImageError)
    first = str(error).splitlines()[0]
    assert str(sorted(spoilt.rglob("*.*g"))[1]) in first
    assert 'on_bad_image="replace"' in first
    with (
        open_flow(kind, generator_of(executor, on_bad_image="replace"), spoilt) as it,
        pytest.warns(UserWarning, match="not an image"),
    ):
        assert len(next(it)[0]) == 4


@pytest.mark.parametrize("damage", ["gone", "folder", "truncated", "array"])
def test_so_does_that_of_every_other_damage(damage: str, spoilt: Path) -> None:
    file = sorted(spoilt.rglob("*.*g"))[1]
    if damage == "truncated":
        file.write_bytes(sorted(spoilt.rglob("*.png"))[3].read_bytes()[:150])
    it = open_flow("directory", generator_of("serial"), spoilt)
    if damage in ("gone", "folder"):
        file.unlink()
    if damage == "folder":
        file.mkdir()
    if damage == "array":
        it.close()
        file.unlink()
        file.with_suffix(".npy").write_bytes(b"no array")
        frame = pd.DataFrame({"filename": [str(file.with_suffix(".npy"))], "class": ["a"]})
        it = generator_of("serial").flow_from_dataframe(frame, validate_filenames=False)
    assert 'on_bad_image="replace"' in str(error_of(it, BadImageError)).splitlines()[0]


def test_fit_says_so_too(spoilt: Path) -> None:
    generator = generator_of("serial", featurewise_center=True)
    it = open_flow("directory", generator, spoilt)
    with pytest.raises(BadImageError, match='on_bad_image="replace"'):
        generator.fit(it)


def test_where_it_would_not_help_it_is_not_advised(spoilt: Path) -> None:
    """A user's batch method makes whole batches; a sheet shows which files are bad."""
    it = OfAUser(spoilt, generator_of("serial"), (24, 24), shuffle=False)
    assert "on_bad_image" not in str(error_of(it, BadImageError))
    only_bad = spoilt.parent / "bad"
    only_bad.mkdir()
    (only_bad / "1.png").write_bytes(b"no picture")
    with pytest.raises(BadImageError) as caught:
        preview(ImageDataGenerator(), only_bad)
    assert "on_bad_image" not in str(caught.value)
