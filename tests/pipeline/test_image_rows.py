"""Images out of an array: of each batch its rows travel, of a memory-mapped file nothing does."""

from __future__ import annotations

import builtins
import errno
import os
import pickle
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np
import pytest
from executor_support import Lent, assert_same_batches, take
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from imageloom import ImageDataGenerator, MissingImageError, NumpyArrayIterator, StorageError
from imageloom._executors.base import Executor
from imageloom._executors.shared import make_executor
from imageloom._pipeline.recipe import Recipe
from imageloom._pipeline.rows import ImageRows

unlinks_open_files = pytest.mark.skipif(sys.platform == "win32", reason="no such thing there")


@pytest.fixture(scope="module")
def executor() -> Iterator[Executor]:
    """Two worker processes for all tests of this module."""
    made = make_executor("processes", 2, disable_gpu=True)
    yield made
    made.close()


def images(shape: tuple[int, ...] = (10, 6, 5, 3), dtype: str = "uint8") -> NDArray[Any]:
    return np.random.default_rng(3).integers(0, 256, shape).astype(dtype)


def mapped(
    folder: Path, content: NDArray[Any], mode: Any = "r", offset: int = 0
) -> np.memmap[Any, Any]:
    """A memory-mapped file with this content behind some other bytes."""
    path = folder / "images.bin"
    path.write_bytes(b"\xaa" * offset + content.tobytes())
    return np.memmap(path, content.dtype, mode, offset, content.shape)


def travelled(rows: ImageRows) -> ImageRows:
    """As another process gets it."""
    copied = pickle.loads(pickle.dumps(rows))
    assert isinstance(copied, ImageRows)
    return copied


def flow(x: Any, executor: Executor | None = None, **options: Any) -> NumpyArrayIterator:
    generator = ImageDataGenerator(executor="serial", **options)
    if executor is not None:
        generator._engine.lent = Lent(executor)  # type: ignore[assignment]
    return generator.flow(x, batch_size=4, seed=7)


def recipe_of(x: Any) -> Recipe:
    it = flow(x)
    generator = it.image_data_generator
    return it._plan.recipe(generator._freeze(), it.batch_size)


def assert_workers_see(x: Any, executor: Executor, expected: Any) -> None:
    with flow(x, executor) as it:
        assert_same_batches(take(it, 4), take(flow(np.array(expected)), 4))


# What travels


def test_the_pixels_of_an_array_do_not_travel_with_the_recipe() -> None:
    sizes = {len(cloudpickle.dumps(recipe_of(images((n, 32, 32, 3))))) for n in (100, 200)}
    assert len(sizes) == 1
    assert sizes.pop() < 8192 < 100 * 32 * 32 * 3


def test_a_pickled_array_says_that_it_needs_its_rows() -> None:
    rows = travelled(ImageRows(images()))
    assert not rows.reopens
    assert rows.shape == (10, 6, 5, 3)
    assert rows.dtype == "|u1"
    with pytest.raises(AssertionError, match="in memory"):
        rows[0]


@pytest.mark.parametrize("dtype", ["uint8", "float32", "uint16"])
def test_the_slot_of_a_batch_has_room_for_its_raw_rows_alone(dtype: str) -> None:
    layout = recipe_of(images((200, 6, 5, 3), dtype)).layout
    assert (layout.rows, layout.raw_shape) == (4, (6, 5, 3))
    assert np.dtype(layout.raw_dtype) == dtype
    of_one = 6 * 5 * 3 * (4 + np.dtype(dtype).itemsize)  # as float32, and as it is
    assert 4 * of_one <= layout.nbytes < 4 * of_one + 2 * 4096 < 200 * of_one


def test_the_slot_of_a_batch_has_no_raw_rows_of_a_file(tmp_path: Path) -> None:
    layout = recipe_of(mapped(tmp_path, images())).layout
    assert layout.raw_shape is None
    assert layout.nbytes == 4096


def test_only_the_rows_of_each_batch_are_copied(
    executor: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied: list[tuple[list[int], tuple[int, ...]]] = []
    genuine = ImageRows.copy_rows

    def record(self: ImageRows, indices: NDArray[np.int64], out: NDArray[Any]) -> None:
        copied.append((indices.tolist(), out.shape))
        genuine(self, indices, out)

    monkeypatch.setattr(ImageRows, "copy_rows", record)
    with flow(images(), executor) as it:
        take(it, 3)
        order = it.index_array.tolist()
    for batch in (order[:4], order[4:8], order[8:]):
        assert (batch, (len(batch), 6, 5, 3)) in copied


def test_of_a_mapped_file_nothing_is_copied_by_the_parent(
    executor: Executor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = images()
    monkeypatch.setattr(ImageRows, "copy_rows", None)
    assert_workers_see(mapped(tmp_path, content), executor, content)


def test_rows_are_copied_in_the_order_of_their_numbers() -> None:
    content = images(dtype=">u2")[::-1, :, ::2]
    out = np.empty((4, 6, 3, 3), content.dtype)
    ImageRows(content).copy_rows(np.array([9, 0, 0, 4]), out)
    np.testing.assert_array_equal(out, content[[9, 0, 0, 4]])


ARRAYS: dict[str, NDArray[Any]] = {
    "bool": images() > 99,
    "big-endian": images(dtype=">f4"),
    "half": images(dtype="float16"),
    "double": images(dtype="float64"),
    "signed": images(dtype="int16") - 100,
    "columns-first": np.asfortranarray(images()),
    "transposed": images((5, 6, 10, 3)).transpose(2, 1, 0, 3),
    "backwards": images()[::-1, ::-1],
    "strided": images((30, 12, 5, 3))[::3, ::2],
    "broadcast": np.broadcast_to(images((6, 5, 3)), (10, 6, 5, 3)),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_workers_see_arrays_of_every_kind(name: str, executor: Executor) -> None:
    array = ARRAYS[name]
    turning: dict[str, Any] = {"rotation_range": 40, "vertical_flip": True, "geometry": "corrected"}
    with flow(array, executor, **turning) as it:
        assert_same_batches(take(it, 4), take(flow(np.array(array), **turning), 4))


# Mapped files


@pytest.mark.parametrize("mode", ["r", "r+", "w+"])
@pytest.mark.parametrize("offset", [0, 128, 4096, 70_001])
def test_a_mapped_file_is_opened_again(mode: Any, offset: int, tmp_path: Path) -> None:
    content = images(dtype="float32")
    array = mapped(tmp_path, content, "r+" if mode == "w+" else mode, offset)
    if mode == "w+":
        array = np.memmap(tmp_path / "images.bin", "float32", mode, offset, content.shape)
        array[:] = content
    rows = travelled(ImageRows(array))
    assert rows.reopens
    for number, row in enumerate(content):
        np.testing.assert_array_equal(rows[number], row)
    with pytest.raises(ValueError, match="read-only"):
        rows[0][...] = 0


def test_what_is_written_to_a_mapped_file_is_seen(tmp_path: Path, executor: Executor) -> None:
    array = mapped(tmp_path, images(), "r+")
    array[3] = 77
    assert_workers_see(array, executor, array)


def test_a_file_of_numpy_is_opened_again(tmp_path: Path) -> None:
    content = images(dtype="uint16")
    np.save(tmp_path / "x.npy", content)
    rows = travelled(ImageRows(np.load(tmp_path / "x.npy", mmap_mode="r")))
    np.testing.assert_array_equal(rows[9], content[9])


def test_a_mapped_file_is_found_after_a_change_of_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = images()
    mapped(tmp_path, content)
    monkeypatch.chdir(tmp_path)
    rows = ImageRows(np.memmap("images.bin", "uint8", "r", shape=content.shape))
    monkeypatch.chdir(tmp_path.parent)
    np.testing.assert_array_equal(travelled(rows)[2], content[2])


SHAPE = (7, 4, 5, 3)


@pytest.mark.slow
@settings(max_examples=150)
@given(
    st.tuples(*map(st.slices, SHAPE)),
    st.permutations(range(4)),
    st.sampled_from([0, 5, 5000]),
    st.sampled_from(["u1", ">u2", "<f4", "?"]),
)
def test_views_of_mapped_files_are_opened_again(
    slices: tuple[slice, ...], axes: list[int], offset: int, dtype: str
) -> None:
    content = images(SHAPE).astype(dtype)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        view = mapped(Path(folder), content, "r", offset)[slices].transpose(axes)
        rows = ImageRows(view)
        assert rows.reopens or view.size == 0
        if rows.reopens:
            rows = travelled(rows)
        expected = content[slices].transpose(axes)
        assert rows.shape == expected.shape
        for number in range(len(expected)):
            np.testing.assert_array_equal(rows[number], expected[number])
            assert rows[number].dtype == expected.dtype


def test_a_view_of_another_dtype_is_opened_again(tmp_path: Path) -> None:
    view = mapped(tmp_path, images(dtype="uint16"), offset=6).view("uint8")[1:, ..., 1:]
    rows = ImageRows(view)
    assert rows.reopens
    np.testing.assert_array_equal(travelled(rows)[4], np.array(view)[4])


def test_a_subset_of_a_mapped_file_is_opened_again(tmp_path: Path, executor: Executor) -> None:
    content = images()
    generator = ImageDataGenerator(executor="serial", validation_split=0.3)
    generator._engine.lent = Lent(executor)  # type: ignore[assignment]
    with generator.flow(
        mapped(tmp_path, content), subset="training", shuffle=False, batch_size=4, seed=1
    ) as it:
        assert it._plan.source.rows is not None
        assert it._plan.source.rows.reopens
        np.testing.assert_array_equal(np.concatenate(take(it, 2)), content[3:])


# Mapped files that are none


def test_a_private_mapping_counts_as_memory(tmp_path: Path, executor: Executor) -> None:
    """Its changes are this process' own."""
    array = mapped(tmp_path, images(), "c")
    array[2] = 5
    assert not ImageRows(array).reopens
    assert_workers_see(array, executor, array)


@pytest.mark.parametrize(
    "compute",
    [lambda m: m + 1, lambda m: m[[3, 1, 1, 0]], lambda m: m.copy(), np.sqrt,
     lambda m: m.astype("float32"), np.asarray, lambda m: m[..., :1].repeat(3, 3)],
    ids=["sum", "chosen", "copy", "ufunc", "cast", "asarray", "repeat"],
)  # fmt: skip
def test_what_was_computed_from_a_mapped_file_counts_as_memory(
    compute: Any, tmp_path: Path, executor: Executor
) -> None:
    array = compute(mapped(tmp_path, images()))
    assert not ImageRows(array).reopens
    assert_workers_see(array, executor, array)


@unlinks_open_files
def test_a_mapping_whose_file_has_vanished_counts_as_memory(tmp_path: Path, executor: Executor) -> None:
    content = images()
    array = mapped(tmp_path, content)
    os.unlink(tmp_path / "images.bin")
    assert not ImageRows(array).reopens
    assert_workers_see(array, executor, content)


@unlinks_open_files
def test_a_file_that_vanishes_later_is_an_error_that_names_it(
    tmp_path: Path, executor: Executor
) -> None:
    with flow(mapped(tmp_path, images()), executor) as it:
        os.unlink(tmp_path / "images.bin")
        with pytest.raises(MissingImageError, match=r"images\.bin"):
            next(it)


@pytest.mark.parametrize("code", [errno.EMFILE, errno.EIO])
@pytest.mark.parametrize("whole", [False, True], ids=["a row", "the whole"])
@pytest.mark.parametrize("call", [(builtins, "open"), (os, "fstat")], ids=["open", "fstat"])
def test_a_file_that_the_system_does_not_open_is_an_error_of_the_storage(
    call: tuple[Any, str], code: int, whole: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a worker, which opens it anew."""
    rows = pickle.loads(pickle.dumps(ImageRows(mapped(tmp_path, images()))))

    def refusing(*_: Any, **__: Any) -> Any:
        raise OSError(code, "injected")

    monkeypatch.setattr(*call, refusing)
    if whole:
        with pytest.raises(StorageError, match=r"images\.bin.*injected") as caught:
            _ = rows.array
    else:
        with pytest.raises(StorageError, match=r"images\.bin.*injected") as caught:
            _ = rows[1]
    monkeypatch.undo()
    assert caught.value.errno == code
    np.testing.assert_array_equal(rows[1], images()[1])  # once it does


def test_a_mapping_of_a_nameless_file_counts_as_memory() -> None:
    content = images()
    with tempfile.TemporaryFile() as file:
        file.write(content.tobytes())
        file.flush()
        array = np.memmap(file, "uint8", "r", shape=content.shape)
    rows = ImageRows(array)
    assert not rows.reopens
    np.testing.assert_array_equal(rows[1], content[1])
