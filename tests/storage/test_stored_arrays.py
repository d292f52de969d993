"""`flow` of arrays in files and stores: the batches of the same array in memory, read by slices."""

from __future__ import annotations

import io
import os
import pickle
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from executor_support import assert_same_batches, take
from numpy.typing import NDArray
from ray_support import needs_ray

from imageloom import BadImageError, ImageDataGenerator, InvalidArgumentError, MissingImageError
from imageloom._storage.stored_arrays import StoredArray, is_stored

h5py = pytest.importorskip("h5py")
IMAGES = np.random.default_rng(2).integers(0, 256, (23, 9, 8, 3), dtype=np.uint8)
TARGETS = np.arange(23) % 3
OPTIONS: dict[str, Any] = {
    "rotation_range": 20,
    "horizontal_flip": True,
    "geometry": "corrected",
    "validation_split": 0.3,
}
FLOWS: dict[str, dict[str, Any]] = {
    "shuffled": {},
    "in order": {"shuffle": False},
    "subset": {"subset": "training", "ignore_class_split": True},
    "shard": {"shard": (1, 2)},
    "balanced": {"balance": True},
}


class Slices:
    """An array that is read by slices, has a small pickle, and notes what was read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.shape = np.load(path, mmap_mode="r").shape
        self.dtype = np.dtype("uint8")
        self.asked: list[Any] = []

    def __getitem__(self, key: Any) -> NDArray[Any]:
        self.asked.append(key)
        return np.array(np.load(self.path, mmap_mode="r")[key])


class OnlyHere(Slices):
    """The same, which no other process can have."""

    def __reduce__(self) -> Any:
        raise TypeError("it stays here")


@pytest.fixture
def hdf5(tmp_path: Path) -> Iterator[Any]:
    with h5py.File(tmp_path / "images.h5", "w") as file:
        file.create_dataset("set/x", data=IMAGES, chunks=(4, 9, 8, 3), compression="gzip")
    with h5py.File(tmp_path / "images.h5", "r") as file:
        yield file["set/x"]


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    np.save(tmp_path / "images.npy", IMAGES)
    return tmp_path / "images.npy"


def batches(x: Any, executor: str, count: int = 4, **flow: Any) -> list[Any]:
    generator = ImageDataGenerator(executor=executor, cores=2, **OPTIONS)
    with generator.flow(x, TARGETS, batch_size=5, seed=4, **flow) as it:
        return [*take(it, count), it[1], it[0]]


@pytest.mark.parametrize("flow", FLOWS)
def test_batches_are_those_of_memory(flow: str, hdf5: Any, saved: Path) -> None:
    expected = batches(IMAGES, "serial", **FLOWS[flow])
    for x in (hdf5, Slices(saved), OnlyHere(saved)):
        assert_same_batches(batches(x, "serial", **FLOWS[flow]), expected)


@pytest.mark.parametrize("executor", ["threads", "processes", pytest.param("ray", marks=needs_ray)])
def test_all_executors_agree(executor: str, hdf5: Any, saved: Path, request: Any) -> None:
    if executor == "ray":
        request.getfixturevalue("ray_on_two_cpus")
    expected = batches(IMAGES, "serial")
    for x in (hdf5, Slices(saved), OnlyHere(saved)):
        assert_same_batches(batches(x, executor), expected)


@pytest.mark.parametrize("executor", ["serial", "processes"])
def test_random_subsets(executor: str, hdf5: Any, saved: Path) -> None:
    def of(x: Any) -> list[Any]:
        generator = ImageDataGenerator(
            executor=executor,
            cores=2,
            validation_split=0.4,
            split="random",
            rotation_range=9,
            geometry="corrected",
        )
        with generator.flow(x, TARGETS, batch_size=4, seed=4, subset="validation") as it:
            return [it.n, *take(it, 3)]

    expected = of(IMAGES)
    for x in (hdf5, OnlyHere(saved)):
        found = of(x)
        assert found[0] == expected[0]
        assert_same_batches(found[1:], expected[1:])


def test_each_batch_reads_its_rows_once_and_sorted(saved: Path) -> None:
    x = Slices(saved)
    it = ImageDataGenerator(executor="serial").flow(x, batch_size=6, seed=1)
    assert x.asked == [], "nothing is read before the first batch"
    x.asked.clear()
    next(it)
    starts = [key.start for key in x.asked]
    assert starts == sorted(set(starts))
    assert sum(key.stop - key.start for key in x.asked) == 6


def test_rows_of_a_chunk_are_read_together() -> None:
    class Chunked:
        shape, dtype, chunks = IMAGES.shape, IMAGES.dtype, (10, 9, 8, 3)
        asked: ClassVar[list[Any]] = []

        def __getitem__(self, key: Any) -> NDArray[Any]:
            self.asked.append((key.start, key.stop))
            return IMAGES[key]

    wanted = np.array([17, 2, 9, 2, 12, 22])
    np.testing.assert_array_equal(StoredArray(Chunked()).read(wanted), IMAGES[wanted])
    assert Chunked.asked == [(2, 10), (12, 18), (22, 23)]


def test_workers_open_the_file_again(hdf5: Any) -> None:
    rows = pickle.loads(pickle.dumps(StoredArray(hdf5)))
    assert len(pickle.dumps(rows)) < 2000
    np.testing.assert_array_equal(rows[3], IMAGES[3])
    part = StoredArray(hdf5)[5:11][np.array([4, 0])]
    np.testing.assert_array_equal(np.asarray(part), IMAGES[[9, 5]])
    assert part.shape == (2, 9, 8, 3)


def test_the_program_may_close_the_file(tmp_path: Path, hdf5: Any) -> None:
    it = ImageDataGenerator(executor="serial").flow(hdf5, shuffle=False)
    hdf5.file.close()
    np.testing.assert_array_equal(next(it), IMAGES)
    with pytest.raises(InvalidArgumentError, match="is closed: open its file again"):
        ImageDataGenerator().flow(hdf5)


@pytest.mark.parametrize("kind", ["written", "in memory"])
@pytest.mark.parametrize("executor", ["serial", "processes"])
def test_what_cannot_be_opened_again_is_read_here(tmp_path: Path, kind: str, executor: str) -> None:
    where: Any = io.BytesIO() if kind == "in memory" else tmp_path / "open.h5"
    with h5py.File(where, "w") as file:
        x = file.create_dataset("x", data=IMAGES)
        assert not StoredArray(x).reopens
        assert_same_batches(batches(x, executor), batches(IMAGES, "serial"))


def test_replaced_and_deleted_files(tmp_path: Path, hdf5: Any) -> None:
    rows = pickle.loads(pickle.dumps(StoredArray(hdf5)))
    hdf5.file.close()
    other = tmp_path / "other.h5"
    with h5py.File(other, "w") as file:
        file.create_dataset("set/x", data=IMAGES)
    os.replace(other, tmp_path / "images.h5")
    with pytest.raises(MissingImageError, match="it has been replaced"):
        rows[0]
    os.unlink(tmp_path / "images.h5")
    with pytest.raises(MissingImageError, match="does not exist any more"):
        rows[0]


@pytest.mark.parametrize("executor", ["serial", "threads", "processes"])
def test_errors_name_the_row(tmp_path: Path, executor: str) -> None:
    with h5py.File(tmp_path / "images.h5", "w") as file:
        x = file.create_dataset("x", data=IMAGES, chunks=(1, 9, 8, 3), compression="gzip")
        place = x.id.get_chunk_info(13).byte_offset
    with (tmp_path / "images.h5").open("r+b") as raw:
        raw.seek(place)
        raw.write(b"\xff" * 20)
    with h5py.File(tmp_path / "images.h5", "r") as file:
        generator = ImageDataGenerator(executor=executor, cores=2)
        with generator.flow(file["x"], batch_size=5, shuffle=False) as it:
            take(it, 2)
            with pytest.raises(BadImageError, match="Could not read row 13 of '/x'") as caught:
                next(it)
    assert "image 13 (sample 3 of the batch at position 2)" in "".join(caught.value.__notes__)


def test_a_state_belongs_to_the_same_array(hdf5: Any, saved: Path) -> None:
    generator = ImageDataGenerator(executor="serial")
    it = generator.flow(hdf5, seed=1, batch_size=5)
    next(it)
    state, expected = it.state_dict(), next(it)
    again = generator.flow(Slices(saved), seed=1, batch_size=5)
    again.load_state_dict(state)
    assert_same_batches([next(again)], [expected])


def test_fit_reads_the_same_statistics(hdf5: Any) -> None:
    one, other = (ImageDataGenerator(featurewise_center=True) for _ in range(2))
    one.fit(hdf5)
    other.fit(IMAGES)
    np.testing.assert_array_equal(one.mean, other.mean)


def test_nothing_keeps_the_file_open(hdf5: Any, saved: Path) -> None:
    x = Slices(saved)
    gone = weakref.ref(x)
    it = ImageDataGenerator(executor="serial").flow(x)
    next(it)
    it.close()
    del it, x
    assert gone() is None


def test_what_is_in_memory_is_no_stored_array() -> None:
    import torch

    for value in (IMAGES, torch.zeros(2, 3), [IMAGES], "a", IMAGES.tolist(), memoryview(b"ab")):
        assert not is_stored(value)


def test_wrong_shapes(saved: Path) -> None:
    x = Slices(saved)
    x.shape = (23, 9, 8)
    with pytest.raises(InvalidArgumentError, match="should have rank 4"):
        ImageDataGenerator().flow(x)
    x.shape = (40, 9, 8, 3)
    it = ImageDataGenerator(executor="serial").flow(x, shuffle=False, batch_size=30)
    with pytest.raises(BadImageError, match=r"have the shape \(\d+, 9, 8, 3\) instead of"):
        take(it, 2)


@pytest.fixture
def zarr() -> Iterator[Any]:
    """zarr, whose event loop and its thread would otherwise go on until the program ends."""
    module = pytest.importorskip("zarr")
    yield module
    module.core.sync.cleanup_resources()


def test_zarr(zarr: Any, tmp_path: Path) -> None:
    x = zarr.open(str(tmp_path / "z"), mode="w", shape=IMAGES.shape, chunks=(7, 9, 8, 3), dtype="u1")
    x[:] = IMAGES
    assert StoredArray(x).reopens
    assert_same_batches(batches(x, "processes"), batches(IMAGES, "serial"))
