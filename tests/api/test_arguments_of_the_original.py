"""The original's own arguments and attributes, beyond those of Keras, in all three flows.

`get_batch_function` is in test_batch_function, arrays and tuples as samples in test_other_samples.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from executor_support import AUGMENTED, Lent, assert_same_batches, take
from numpy.typing import NDArray
from PIL import Image

from imageloom import ParallelImageDataGenerator
from imageloom._api.iterators.base import BatchIterator
from imageloom._errors import ArgumentTypeError, BatchShapeError
from imageloom._executors.base import Executor
from imageloom._executors.shared import make_executor

Pixels = NDArray[Any]
FLOWS = ("arrays", "directory", "dataframe")


@pytest.fixture(scope="module")
def executor() -> Iterator[Executor]:
    """Two worker processes for all tests of this module."""
    made = make_executor("processes", 2, disable_gpu=True)
    yield made
    made.close()


def files_of(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.*g"))


def open_flow(
    kind: str, generator: ParallelImageDataGenerator, folder: Path, **options: Any
) -> BatchIterator:
    """The same 23 images, in the same order, in each kind of flow."""
    options = {"batch_size": 4, "seed": 11, "shuffle": False} | options
    if kind == "directory":
        return generator.flow_from_directory(folder, (24, 24), **options)
    files = files_of(folder)
    classes = [Path(file).parts[0] for file in files]
    if kind == "dataframe":
        frame = pd.DataFrame({"filename": files, "class": classes})
        options.setdefault("interpolation", "bilinear")
        return generator.flow_from_dataframe(frame, folder, target_size=(24, 24), **options)
    images = [np.array(Image.open(folder / file).resize((24, 24))) for file in files]
    labels = np.unique(classes, return_inverse=True)[1]
    return generator.flow(np.stack(images), labels, ignore_class_split=True, **options)


def serial(**options: Any) -> ParallelImageDataGenerator:
    return ParallelImageDataGenerator(executor="serial", **options)


def lent(executor: Executor, **options: Any) -> ParallelImageDataGenerator:
    generator = ParallelImageDataGenerator(**options)
    generator._engine.lent = Lent(executor)  # type: ignore[assignment]
    return generator


# Hooks


def write_down(x: Pixels, params: Any, **told: Any) -> Pixels:
    """What a hook was told, as pixels."""
    names = told.get("batch_filenames", [])
    numbers = [
        told.get("class_id", -1),
        told.get("batch_index", -1),
        sum(told["batch_class_ids"]) if "batch_class_ids" in told else -1,
        len(names),
        names.index(told["filename"]) if names else -1,
        len(told.get("filename", "")),
        -1 if params is None else len(params.class_indices),
    ]
    x[0, : len(numbers), 0] = numbers
    return x


def by_position(params, x, class_id, filename, batch_index, batch_class_ids, batch_filenames):  # type: ignore[no-untyped-def]
    return write_down(
        x, params, class_id=class_id, filename=filename, batch_index=batch_index,
        batch_class_ids=batch_class_ids, batch_filenames=batch_filenames,
    )  # fmt: skip


def by_position_optional(  # type: ignore[no-untyped-def]
    params,
    x,
    batch_filenames=None,
    class_id=None,
    filename=None,
    batch_index=None,
    batch_class_ids=None,
):
    return by_position(params, x, class_id, filename, batch_index, batch_class_ids, batch_filenames)


def by_name(params, x, *, batch_class_ids, filename, class_id, batch_filenames=(), batch_index=None):  # type: ignore[no-untyped-def]
    return by_position(params, x, class_id, filename, batch_index, batch_class_ids, batch_filenames)


def by_any_name(params, x, **named):  # type: ignore[no-untyped-def]
    assert len(named) == 5
    return write_down(x, params, **named)


def mixed(params, x, filename, *other, batch_index, scale=1, **named):  # type: ignore[no-untyped-def]
    assert not other
    return write_down(x, params, filename=filename, batch_index=batch_index, **named)


@pytest.mark.slow
@pytest.mark.parametrize("hook", [by_position, by_position_optional, by_name, by_any_name, mixed])
@pytest.mark.parametrize("place", ["preprocessing_function", "noaug_preprocessing_function"])
def test_hooks_get_whatever_they_ask_for_by_name(
    place: str, hook: Callable[..., Any], crops: Path, executor: Executor
) -> None:
    with open_flow("directory", lent(executor, **{place: hook}), crops) as it:
        batches = take(it, 4)
    files, classes = files_of(crops), it._plan.source.class_ids  # type: ignore[attr-defined]
    for number, (images, _) in enumerate(batches):
        ids = classes[4 * number : 4 * number + 4]
        for i in range(4):
            told = [ids[i], i, ids.sum(), 4, i, len(files[4 * number + i]), 3]
            assert images[i, 0, :7, 0].tolist() == told


def only_some(params: Any, x: Pixels, batch_index: int, filename: str) -> Pixels:
    return write_down(x, params, batch_index=batch_index, filename=filename)


def like_keras(x: Pixels, *, class_id: int) -> Pixels:
    return write_down(x, None, class_id=class_id)


def test_hooks_get_nothing_else(crops: Path) -> None:
    it = open_flow("directory", serial(preprocessing_function=only_some), crops)
    length = len("astronaut/01.png")
    assert next(it)[0][1, 0, :7, 0].tolist() == [-1, 1, -1, 0, -1, length, 3]
    it = open_flow("directory", serial(preprocessing_function=like_keras), crops)
    assert it[5][0][1, 0, :7, 0].tolist() == [2, -1, -1, 0, -1, 0, -1]


def demanding(params: Any, x: Pixels, colour: str) -> Pixels:
    return x


def demanding_by_name(x: Pixels, *, colour: str) -> Pixels:
    return x


@pytest.mark.parametrize("hook", [demanding, demanding_by_name])
def test_hooks_that_ask_for_something_else_are_refused_at_once(hook: Callable[..., Any]) -> None:
    for place in ("preprocessing_function", "noaug_preprocessing_function"):
        with pytest.raises(ArgumentTypeError, match=f"{place}.*colour.*batch_filenames"):
            ParallelImageDataGenerator(**{place: hook})


@pytest.mark.filterwarnings("ignore:IL215")  # rows that are sorted
@pytest.mark.parametrize("kind", FLOWS)
def test_hooks_are_told_about_the_iterator(kind: str, crops: Path, tmp_path: Path) -> None:
    seen: list[Any] = []

    def early(params: Any, x: Pixels) -> Pixels:
        seen.append(params)
        return x

    def late(params: Any, x: Pixels, class_id: int | None, filename: str | None) -> Pixels:
        seen.append((class_id, filename))
        return x

    generator = serial(
        noaug_preprocessing_function=early,
        preprocessing_function=late,
        validation_split=0.25,
        dtype="float64",
        rotation_range=5,
        save_to_dir=str(tmp_path / "saved"),
        save_prefix="p",
        save_format="bmp",
    )
    next(open_flow(kind, generator, crops, subset="training"))
    params, about_first = seen[:2]
    of_files = kind != "arrays"
    assert {name: getattr(params, name) for name in (
        "n_classes", "class_indices", "dtype", "directory", "class_mode", "target_size", "batch_shape",
        "preprocessing_function", "noaug_preprocessing_function", "get_batch_function", "color_mode",
        "data_format", "save_to_dir", "save_prefix", "save_format", "interpolation",
        "validation_split", "split", "subset",
    )} == {
        "n_classes": 3 * of_files,
        "class_indices": {"astronaut": 0, "cat": 1, "cup": 2} if of_files else {},
        "dtype": "float64",
        "directory": str(crops) if of_files else None,
        "class_mode": "categorical" if of_files else None,
        "target_size": (24, 24) if of_files else None,
        "batch_shape": (4, 24, 24, 3),
        "preprocessing_function": late,
        "noaug_preprocessing_function": early,
        "get_batch_function": None,
        "color_mode": "rgb" if of_files else None,
        "data_format": "channels_last",
        "save_to_dir": str(tmp_path / "saved"),
        "save_prefix": "p",
        "save_format": "bmp",
        "interpolation": "bilinear" if of_files else None,
        "validation_split": 0.25,
        "split": (0.25, 1.0) if of_files else None,
        "subset": "training",
    }  # fmt: skip
    assert params.image_data_generator.rotation_range == 5
    assert isinstance(params.rng, np.random.Generator)
    first = {"directory": (0, "astronaut/02.jpg"), "dataframe": (0, "astronaut/05.png")}
    assert about_first == first.get(kind, (None, None))


def test_hooks_are_told_the_folder_to_save_to_as_a_string(crops: Path, tmp_path: Path) -> None:
    told: list[str] = []

    def hook(params: Any, x: Pixels) -> Pixels:
        told.append(params.save_to_dir)
        return x

    next(open_flow("directory", serial(preprocessing_function=hook, save_to_dir=tmp_path), crops))
    next(open_flow("directory", serial(preprocessing_function=hook), crops, save_to_dir=tmp_path))
    assert set(told) == {str(tmp_path)}


# The listing function


def list_backwards(**asked: Any) -> tuple[str, list[str]]:
    folder = Path(asked["base_directory"], asked["search_class"])
    names = sorted((p.relative_to(folder.parent).as_posix() for p in folder.iterdir()), reverse=True)
    start, stop = asked["split"] or (0, 1)
    return asked["search_class"], names[int(start * len(names)) : int(stop * len(names))]


def test_the_listing_function_is_called_by_name_once_a_class(crops: Path, tmp_path: Path) -> None:
    calls: list[dict[str, Any]] = []

    def listing(
        base_directory: str,
        search_class: str,
        white_list_formats: list[str],
        split: Any,
        follow_links: bool,
        shuffle_index_directory: str | None,
    ) -> Any:
        asked = {name: value for name, value in locals().items() if name != "calls"}
        calls.append(asked)
        return list_backwards(**asked)

    options: dict[str, Any] = {"list_valid_filenames_in_directory_function": listing}
    generator = serial(validation_split=0.25)
    it = open_flow("directory", generator, crops, **options)
    assert list(it._plan.source.filenames) == [
        name for c in ("astronaut", "cat", "cup") for name in reversed(files_of(crops)) if c in name
    ]
    images = next(it)[0]
    assert (images == next(open_flow("directory", serial(), crops))[0]).all() == np.False_
    options |= {"subset": "validation", "follow_links": True, "shuffle_index_dir": tmp_path}
    it = open_flow("directory", generator, crops, classes=["cup", "cat"], **options)
    assert list(it._plan.source.filenames) == ["cup/05.png", "cat/07.png", "cat/06.jpg"]
    assert [call.pop("search_class") for call in calls] == ["astronaut", "cat", "cup", "cup", "cat"]
    formats = ["png", "jpg", "jpeg", "bmp", "ppm", "tif", "tiff", "npy"]
    common = {"base_directory": str(crops), "white_list_formats": formats}
    of_all = {"split": None, "follow_links": False, "shuffle_index_directory": None}
    of_some = {"split": (0, 0.25), "follow_links": True, "shuffle_index_directory": str(tmp_path)}
    assert calls == [common | of_all] * 3 + [common | of_some] * 2
    assert not (tmp_path / ".index").exists()


@pytest.mark.parametrize(
    "returned",
    [None, ["astronaut/00.jpg"], ("cat", []), ("astronaut", "00.jpg"), ("astronaut", [3]),
     ("astronaut", [("a.png", 3)]), ("astronaut", [()]), ("astronaut", ["a.png", ("a.png", "b.png")]),
     ("astronaut", [("a.png",), ("a.png", "b.png")])],
    ids=repr,
)  # fmt: skip
def test_a_listing_of_another_form_is_an_error(returned: Any, crops: Path) -> None:
    options = {"list_valid_filenames_in_directory_function": lambda **_: returned}
    with pytest.raises(ArgumentTypeError, match="list_valid_filenames_in_directory_function"):
        open_flow("directory", serial(), crops, classes=["astronaut"], **options)


def test_counts_of_classes_are_told(crops: Path) -> None:
    counts = {"other": 5, "cat": 99}
    options: dict[str, Any] = {"class_counts": counts, "subset": "training"}
    open_flow("directory", serial(validation_split=0.2, max_samples_per_class=6), crops, **options)
    assert counts == {"other": 5, "astronaut": 6, "cat": 6, "cup": 5}
    options["list_valid_filenames_in_directory_function"] = list_backwards
    open_flow("directory", serial(max_samples_per_class=2), crops, **options)
    assert counts == {"other": 5, "astronaut": 2, "cat": 2, "cup": 2}


# Options of the constructor, in every flow


@pytest.mark.parametrize("kind", ["arrays", "dataframe"])
def test_the_limit_of_a_class_is_for_directories(kind: str, crops: Path) -> None:
    assert open_flow(kind, serial(max_samples_per_class=1), crops).n == 23


@pytest.mark.parametrize("kind", FLOWS)
def test_the_batch_size_of_the_generator_counts_in_every_flow(kind: str, crops: Path) -> None:
    sizes = {size: open_flow(kind, serial(batch_size=size), crops) for size in (7, -1)}
    assert [len(it) for it in sizes.values()] == [4, 1]
    assert [len(next(it)[0]) for it in sizes.values()] == [7, 23]
    assert [it.batch_shape for it in sizes.values()] == [(7, 24, 24, 3), (23, 24, 24, 3)]  # type: ignore[attr-defined]
    assert len(next(open_flow(kind, serial(), crops, batch_size=-1))[0]) == 23


@pytest.mark.filterwarnings("ignore:IL215")  # rows that are sorted
@pytest.mark.parametrize("kind", FLOWS)
def test_only_the_validation_subset_can_be_spared(kind: str, crops: Path) -> None:
    spared = serial(validation_augmentation_enabled=False, validation_split=0.4, **AUGMENTED)
    enabled = serial(validation_split=0.4, **AUGMENTED)
    plain = serial(validation_split=0.4, rescale=1 / 255)

    def batches(generator: ParallelImageDataGenerator, subset: str) -> list[Any]:
        return take(open_flow(kind, generator, crops, subset=subset), 2)

    if kind == "arrays":  # read with another resize, nothing else
        assert_same_batches(batches(spared, "validation"), batches(plain, "validation"))
    for (images, _), (right, _) in zip(
        batches(spared, "validation"), batches(plain, "validation"), strict=True
    ):
        assert np.abs(images - right).max() < 1.5 / 255
    assert_same_batches(batches(spared, "training"), batches(enabled, "training"))
    assert not np.array_equal(batches(enabled, "validation")[0][0], batches(plain, "validation")[0][0])


@pytest.mark.parametrize("kind", FLOWS)
def test_random_transforms_can_be_switched_off_in_every_flow(kind: str, crops: Path) -> None:
    quiet = serial(**{**AUGMENTED, "random_transforms_enabled": False, "brightness_range": (0.7, 1)})
    assert quiet.get_random_transform((24, 24, 3), 3) == quiet.default_transform
    for (images, _), (right, _) in zip(
        take(open_flow(kind, quiet, crops), 3),
        take(open_flow(kind, serial(rescale=1 / 255), crops), 3),
        strict=True,
    ):
        assert np.abs(images - right).max() < 1.5 / 255
    assert not np.array_equal(next(open_flow(kind, serial(**AUGMENTED), crops))[0], images[:4])


@pytest.mark.parametrize("kind", FLOWS)
def test_the_generators_folder_to_save_to_counts_in_every_flow(
    kind: str, crops: Path, tmp_path: Path, executor: Executor
) -> None:
    target, other = tmp_path / "a" / "b", tmp_path / "other"
    other.mkdir()
    saving: dict[str, Any] = {"save_to_dir": target, "save_prefix": "own", "save_format": "ppm"}
    with open_flow(kind, lent(executor, **saving), crops, save_to_dir=other, save_prefix="x") as it:
        assert not target.exists(), "nothing is written before the first batch"
        images = next(it)[0]
        saved = {path.name.split("_")[1]: path for path in target.glob("own_*.ppm")}
    assert {"0", "1", "2", "3"} <= saved.keys()
    stored = np.array(Image.open(saved["2"]))
    stretched = images[2] - images[2].min()
    np.testing.assert_allclose(stored, stretched / stretched.max() * 255, atol=1)
    assert list(other.iterdir()) == []


def middle(x: Pixels) -> Pixels:
    return x[:, 4:20] if x.shape[0] == 3 else x[4:20]


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_a_hook_may_crop_to_the_shape_of_the_batch(
    data_format: str, crops: Path, executor: Executor
) -> None:
    first = data_format == "channels_first"
    shape = (4, 3, 16, 24) if first else (4, 16, 24, 3)
    options: dict[str, Any] = {"rotation_range": 30, "data_format": data_format}
    whole = next(open_flow("directory", serial(**options), crops))[0]
    generator = lent(executor, preprocessing_function=middle, **options)
    with open_flow("directory", generator, crops, batch_shape=shape) as it:
        assert it.batch_shape == shape  # type: ignore[attr-defined]
        np.testing.assert_array_equal(next(it)[0], whole[:, :, 4:20] if first else whole[:, 4:20])
    with open_flow("directory", generator, crops) as it, pytest.raises(BatchShapeError, match="16"):
        next(it)
