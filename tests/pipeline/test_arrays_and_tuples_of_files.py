"""Samples that are `.npy` files or tuples of files, and the original's members of iterators."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from executor_support import (
    AUGMENTED,
    BATCHES,
    HoldAt,
    Lent,
    Signals,
    assert_same_batches,
    flow,
    take,
    wait_for,
    worker_processes,
)
from numpy.typing import NDArray
from PIL import Image

from imageloom import DirectoryIterator, ImageDataGenerator, IteratorClosedError
from imageloom._errors import BadImageError, BatchShapeError, MissingImageError
from imageloom._executors.base import Executor
from imageloom._executors.shared import make_executor

Pixels = NDArray[Any]


@pytest.fixture(scope="module")
def executor() -> Iterator[Executor]:
    """Two worker processes for all tests of this module."""
    made = make_executor("processes", 2, disable_gpu=True)
    yield made
    made.close()


def open_folder(
    folder: Path,
    executor: Executor | None = None,
    constructor: dict[str, Any] | None = None,
    **options: Any,
) -> DirectoryIterator:
    generator = ImageDataGenerator(executor="serial", **(constructor or {}))
    if executor is not None:
        generator._engine.lent = Lent(executor)  # type: ignore[assignment]
    usual: dict[str, Any] = {"target_size": (5, 4), "shuffle": False, "seed": 2, "batch_size": 3}
    return generator.flow_from_directory(folder, **(usual | options))


# Arrays in files


def save_arrays(folder: Path, *arrays: Pixels, name: str = "cat") -> Path:
    (folder / name).mkdir(parents=True)
    for number, array in enumerate(arrays):
        np.save(folder / name / f"{number}.npy", array)
    return folder


def pixels(*shape: int, dtype: str = "uint8") -> Pixels:
    return np.random.default_rng(1).integers(0, 250, shape).astype(dtype)


def test_arrays_count_where_a_class_has_no_image(tmp_path: Path) -> None:
    folder = save_arrays(tmp_path, *pixels(2, 5, 4, 3), name="arrays")
    save_arrays(tmp_path, *pixels(2, 5, 4, 3), name="both")
    Image.new("RGB", (4, 5)).save(folder / "both" / "x.png")
    it = open_folder(folder)
    assert [Path(str(n)).as_posix() for n in it.filenames] == [
        "arrays/0.npy", "arrays/1.npy", "both/x.png",
    ]  # fmt: skip


@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64", "int16", "bool"])
@pytest.mark.parametrize("executor_name", ["serial", "processes"])
def test_arrays_come_as_they_are(
    dtype: str, executor_name: str, tmp_path: Path, executor: Executor
) -> None:
    arrays = pixels(3, 5, 4, 3, dtype=dtype)
    folder = save_arrays(tmp_path, *arrays)
    with open_folder(folder, executor if executor_name == "processes" else None) as it:
        images = next(it)[0]
    assert images.dtype == "float32"
    np.testing.assert_array_equal(images, arrays)


def test_arrays_without_channels_are_grey(tmp_path: Path) -> None:
    arrays = pixels(3, 5, 4, dtype="float64") / 7
    folder = save_arrays(tmp_path, *arrays)
    images = next(open_folder(folder, color_mode="grayscale"))[0]
    np.testing.assert_array_equal(images, arrays[..., None].astype("float32"))
    with pytest.raises(BatchShapeError, match=r"\(5, 4, 1\).*\.npy"):
        next(open_folder(folder))


def test_arrays_are_transformed_like_images(tmp_path: Path) -> None:
    arrays = pixels(3, 5, 4, 3)
    options: dict[str, Any] = {"vertical_flip": True, "rescale": 0.5}
    images = next(open_folder(save_arrays(tmp_path / "arrays", *arrays), constructor=options))[0]
    (tmp_path / "images" / "cat").mkdir(parents=True)
    for number, array in enumerate(arrays):
        Image.fromarray(array).save(tmp_path / "images" / "cat" / f"{number}.png")
    np.testing.assert_array_equal(
        images, next(open_folder(tmp_path / "images", constructor=options))[0]
    )


def test_arrays_of_another_size_need_a_hook(tmp_path: Path) -> None:
    arrays = pixels(3, 50, 40, 3)
    folder = save_arrays(tmp_path, *arrays)
    with pytest.raises(BatchShapeError, match=r"\(50, 40, 3\)"):
        next(open_folder(folder))
    constructor = {"noaug_preprocessing_function": lambda x: x[10:15, 7:11]}
    images = next(open_folder(folder, constructor=constructor))[0]
    np.testing.assert_array_equal(images, arrays[:, 10:15, 7:11])


@pytest.mark.parametrize("hook", [None, "preprocessing_function", "noaug_preprocessing_function"])
@pytest.mark.parametrize(
    ("shape", "color_mode"),
    [((3, 3, 5, 4), "rgb"), ((3, 1, 5, 4), "grayscale"), ((3, 5, 4), "grayscale")],
)
def test_arrays_are_in_the_layout_of_the_generator(
    shape: tuple[int, ...], color_mode: str, hook: str | None, tmp_path: Path
) -> None:
    arrays = pixels(*shape)
    folder = save_arrays(tmp_path, *arrays)
    seen = []

    def look(x: Pixels) -> Pixels:
        seen.append(x.shape)
        return x

    options: dict[str, Any] = {"data_format": "channels_first"} | ({} if hook is None else {hook: look})
    images = next(open_folder(folder, constructor=options, color_mode=color_mode))[0]
    np.testing.assert_array_equal(images, arrays.reshape(3, -1, 5, 4))
    early = hook == "noaug_preprocessing_function"
    assert hook is None or set(seen) == {shape[1:] if early else images.shape[1:]}


def test_arrays_of_a_name_in_capitals_are_read_as_they_are_listed(tmp_path: Path) -> None:
    arrays = pixels(1, 5, 4, 3)
    folder = save_arrays(tmp_path, *arrays)
    (folder / "cat" / "0.npy").rename(folder / "cat" / "0.NPY")
    it = open_folder(folder)
    assert it.n == 1
    np.testing.assert_array_equal(next(it)[0], arrays)


def object_array(path: Path) -> None:
    np.save(path, np.array([{"a": 1}, None], object), allow_pickle=True)


def archive(path: Path) -> None:
    with path.open("wb") as file:
        np.savez(file, a=np.zeros(3))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"no array at all"),
        lambda path: path.write_bytes(path.read_bytes()[:-5]),
        lambda path: path.write_bytes(path.read_bytes()[:40]),
        object_array,
        archive,
        lambda path: np.save(path, np.zeros((5, 4, 3), complex)),
        lambda path: np.save(path, np.full((5, 4, 3), "text")),
    ],
    ids=["empty", "text", "cut", "cut-header", "pickled", "archive", "complex", "strings"],
)
def test_arrays_that_cannot_be_read_are_an_error_that_names_the_file(
    spoil: Any, tmp_path: Path, executor: Executor
) -> None:
    folder = save_arrays(tmp_path, *pixels(4, 5, 4, 3))
    spoil(folder / "cat" / "2.npy")
    for where in (None, executor):
        with open_folder(folder, where) as it:
            with pytest.raises(BadImageError, match=r"2\.npy"):
                next(it)
            assert len(next(it)[0]) == 1


# Tuples of files


def pairs(count: int = 2) -> Any:
    """A listing function: samples are tuples of a file and the ones behind it."""

    def listing(base_directory: str, search_class: str, split: Any, **_: Any) -> Any:
        names = sorted(f"{search_class}/{p.name}" for p in Path(base_directory, search_class).iterdir())
        return search_class, [tuple(names[i : i + count]) for i in range(len(names) - count + 1)]

    return listing


def of_pairs(folder: Path, executor: Executor | None = None, **options: Any) -> DirectoryIterator:
    options = {"list_valid_filenames_in_directory_function": pairs(), "target_size": (24, 24)} | options
    return open_folder(folder, executor, **options)


def test_batches_of_tuples_are_lists_of_arrays(crops: Path, executor: Executor) -> None:
    singles = np.concatenate([images for images, _ in take(flow(crops, shuffle=False), BATCHES)])
    for where in (None, executor):
        with of_pairs(crops, where) as it:
            assert it.n == 20
            assert it.filenames[0] == ("astronaut/00.jpg", "astronaut/01.png")
            folder = str(crops)
            assert it.filepaths[0] == tuple(os.path.join(folder, name) for name in it.filenames[0])
            for number in range(2):
                x, y = next(it)
                assert isinstance(x, list)
                assert [part.shape for part in x] == [(3, 24, 24, 3)] * 2
                np.testing.assert_array_equal(x[0], singles[3 * number : 3 * number + 3])
                np.testing.assert_array_equal(x[1], singles[3 * number + 1 : 3 * number + 4])
                assert y.tolist() == [[1, 0, 0]] * 3


def test_the_images_of_a_tuple_are_transformed_independently(crops: Path, executor: Executor) -> None:
    def twice(search_class: str, **_: Any) -> Any:
        return search_class, [(f"{search_class}/00.jpg",) * 3]

    options: dict[str, Any] = {"constructor": AUGMENTED, "classes": ["cat"]}
    options["list_valid_filenames_in_directory_function"] = twice
    one, two, three = next(of_pairs(crops, **options))[0]
    assert not np.array_equal(one, two)
    assert not np.array_equal(two, three)
    with of_pairs(crops, executor, **options) as it:
        for image, right in zip(next(it)[0], (one, two, three), strict=True):
            np.testing.assert_array_equal(image, right)


@pytest.mark.parametrize("executor_name", ["serial", "processes"])
def test_tuples_as_their_own_targets_are_independent_copies(
    executor_name: str, crops: Path, executor: Executor
) -> None:
    with of_pairs(crops, executor if executor_name == "processes" else None, class_mode="input") as it:
        x, y = next(it)
    assert len(x) == len(y) == 2
    for image, copy in zip(x, y, strict=True):
        np.testing.assert_array_equal(image, copy)
    x[0][...] = -1
    x[1][...] = -1
    assert min(part.min() for part in y) >= 0


def test_hooks_see_each_file_of_a_tuple(crops: Path) -> None:
    seen = []

    def look(params: Any, x: Pixels, filename: str, batch_index: int, batch_filenames: Any) -> Pixels:
        seen.append((filename, batch_index, batch_filenames[batch_index]))
        return x

    it = of_pairs(crops, constructor={"preprocessing_function": look}, batch_size=2)
    next(it)
    assert seen == [(name, i, it.filenames[i]) for i in range(2) for name in it.filenames[i]]


def test_all_images_of_tuples_are_saved(crops: Path, tmp_path: Path) -> None:
    target = tmp_path / "saved"
    next(of_pairs(crops, constructor={"save_to_dir": target}))
    assert sorted(path.name.split("_")[1] for path in target.iterdir()) == [
        "0",
        "0",
        "1",
        "1",
        "2",
        "2",
    ]


def test_a_missing_file_of_a_tuple_is_named(crops: Path) -> None:
    def listing(search_class: str, **_: Any) -> Any:
        return search_class, [("cat/00.jpg", "cat/lost.jpg")]

    it = of_pairs(crops, classes=["cat"], list_valid_filenames_in_directory_function=listing)
    with pytest.raises(MissingImageError, match=r"lost\.jpg") as caught:
        next(it)
    assert any("file 'cat/lost.jpg'" in note for note in caught.value.__notes__)


# Members of iterators


@pytest.mark.parametrize("wait", [True, False, None])
def test_shutdown(wait: bool | None, crops: Path) -> None:
    others = worker_processes().keys()
    generator = ImageDataGenerator(cores=1)
    it = generator.flow_from_directory(crops, (24, 24), batch_size=4)
    assert (it.is_running, it.is_shutdown) == (False, False)
    assert (it.sample_count, it.samples, it.n) == (23, 23, 23)
    images = next(it)[0]
    assert (it.is_running, it.is_shutdown) == (True, False)
    it.shutdown() if wait is None else it.shutdown(wait=wait)
    assert (it.is_running, it.is_shutdown) == (False, True)
    wait_for(lambda: worker_processes().keys() == others, "the end of the worker", seconds=2)
    it.shutdown()
    assert images.min() >= 0, "what was handed out stays"
    for ask in (lambda: next(it), lambda: it[0]):
        with pytest.raises(IteratorClosedError):
            ask()


def test_reset_goes_back_to_the_start_of_the_epoch(crops: Path, executor: Executor) -> None:
    expected = take(flow(crops, **AUGMENTED), BATCHES + 3)
    with flow(crops, executor, **AUGMENTED) as it:
        assert_same_batches(take(it, BATCHES + 3), expected)
        it.reset()
        assert_same_batches(take(it, 3), expected[BATCHES:])


@pytest.mark.parametrize("changed", [{"executor": "threads"}, {"debug": True}], ids=repr)
def test_where_batches_are_computed_may_be_changed_before_the_first(
    changed: dict[str, Any], crops: Path, signals: Signals
) -> None:
    signals.give("go")
    others = worker_processes().keys()
    generator = ImageDataGenerator(preprocessing_function=HoldAt(signals, "cat/00.jpg"), cores=1)
    it = generator.flow_from_directory(crops, (24, 24), batch_size=4, shuffle=False)
    for name, value in changed.items():
        setattr(generator, name, value)
    generator.rescale = 1 / 255
    with it:
        assert max(images.max() for images, _ in take(it, 3)) <= 1
        assert signals.content("held-cat/00.jpg") == str(os.getpid())
        assert worker_processes().keys() == others


def test_saving_and_limits_may_be_changed_before_the_first_batch(crops: Path, tmp_path: Path) -> None:
    generator = ImageDataGenerator(executor="serial", validation_split=0.4, rotation_range=80)
    generator.batch_size, generator.max_samples_per_class = 5, 2
    it = generator.flow_from_directory(crops, (24, 24), subset="validation", shuffle=False)
    assert (it.n, it.batch_size) == (6, 5)
    generator.validation_augmentation_enabled = False
    generator.save_to_dir, generator.save_prefix = str(tmp_path / "saved"), "late"
    images, _ = next(it)
    assert len([p for p in (tmp_path / "saved").iterdir() if p.name.startswith("late_")]) == 5
    generator = ImageDataGenerator(executor="serial", validation_split=0.4, max_samples_per_class=2)
    plain = generator.flow_from_directory(
        crops, (24, 24), subset="validation", shuffle=False, batch_size=5
    )
    np.testing.assert_array_equal(images, next(plain)[0])
