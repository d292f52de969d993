"""`cache`: the batches are the same, later epochs decode nothing, and nothing is left behind."""

from __future__ import annotations

import gc
import itertools
import shutil
import sys
import warnings
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from executor_support import (
    AUGMENTED,
    BATCH,
    BATCHES,
    SAMPLES,
    SEED,
    assert_same_batches,
    draw_globally,
    flow,
    jitter,
    take,
    wait_for,
)
from numpy.typing import NDArray
from PIL import Image
from spoilt_images import in_order, spoil, told

from imageloom import DirectoryIterator, ImageDataGenerator, InvalidArgumentError

# See test_files_are_closed_before_they_are_forgotten.

EPOCHS = 3
KINDS = ["memory", "directory"]
EXECUTORS = [("serial", 1), ("threads", 2), ("processes", 1), ("processes", 2)]
ROW = 24 * 24 * 3 + 4  # bytes of an image and its mark

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="looks at mappings as Linux shows them")


def place(kind: str, tmp_path: Path) -> str:
    return "memory" if kind == "memory" else str(tmp_path / "kept")


def open_flow(
    folder: Path, constructor: dict[str, Any] | None = None, **options: Any
) -> DirectoryIterator:
    generator = ImageDataGenerator(**({"executor": "serial"} | (constructor or {})))
    usual: dict[str, Any] = {"target_size": (24, 24), "batch_size": BATCH, "seed": SEED}
    return generator.flow_from_directory(folder, **(usual | options))


def hits(it: DirectoryIterator) -> int:
    return it.report().cache_hits


# The same stream


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("executor", "cores"), EXECUTORS)
def test_batches_are_those_without_a_cache(
    executor: str, cores: int, kind: str, crops: Path, tmp_path: Path
) -> None:
    hooks: dict[str, Any] = {"preprocessing_function": jitter}
    if executor != "threads":  # they share the global generators
        hooks["noaug_preprocessing_function"] = draw_globally
    expected = take(flow(crops, **AUGMENTED, **hooks), EPOCHS * BATCHES)
    how: dict[str, Any] = {"executor": executor, "cores": cores, "cache": place(kind, tmp_path)}
    with open_flow(crops, {**how, **AUGMENTED, **hooks}) as it:
        assert_same_batches(take(it, EPOCHS * BATCHES), expected)
        # Batches of the second epoch may be computed while the last of the first one are.
        assert hits(it) >= SAMPLES


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("color_mode", ["grayscale", "rgba"])
@pytest.mark.parametrize("data_format", ["channels_first", "channels_last"])
def test_other_colours_and_layouts_are_the_same(
    data_format: str, color_mode: str, kind: str, crops: Path, tmp_path: Path
) -> None:
    options: dict[str, Any] = {"data_format": data_format, "rotation_range": 20}
    expected = take(open_flow(crops, options, color_mode=color_mode), 2 * BATCHES)
    options["cache"] = place(kind, tmp_path)
    it = open_flow(crops, options, color_mode=color_mode)
    assert_same_batches(take(it, 2 * BATCHES), expected)
    assert hits(it) == SAMPLES


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("executor", ["serial", "processes"])
def test_samples_that_are_tuples_of_files(
    executor: str, kind: str, crops: Path, tmp_path: Path
) -> None:
    def pairs(base_directory: str, search_class: str, split: Any, **_: Any) -> Any:
        names = sorted(f"{search_class}/{p.name}" for p in Path(base_directory, search_class).iterdir())
        return search_class, list(itertools.pairwise(names))

    listing: dict[str, Any] = {"list_valid_filenames_in_directory_function": pairs}
    plain = open_flow(crops, dict(AUGMENTED), **listing)
    expected = take(plain, 2 * len(plain))
    how = {**AUGMENTED, "cache": place(kind, tmp_path), "executor": executor, "cores": 1}
    with open_flow(crops, how, **listing) as it:
        for (x, y), (right, right_y) in zip(take(it, 2 * len(it)), expected, strict=True):
            np.testing.assert_array_equal(y, right_y)
            for part, right_part in zip(x, right, strict=True):
                np.testing.assert_array_equal(part, right_part)
        assert hits(it) == 2 * it.n, "both files of each sample, in the second epoch"


class Scribble:
    """A hook that notes what it sees, and then writes into it."""

    def __init__(self) -> None:
        self.seen: dict[str, list[NDArray[Any]]] = {}

    def __call__(self, params: Any, x: NDArray[Any], filename: str) -> NDArray[Any]:
        self.seen.setdefault(filename, []).append(x.copy())
        x[...] = 77
        return x


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("executor", ["serial", "threads"])
def test_an_early_hook_may_write_into_what_it_gets(
    executor: str, kind: str, crops: Path, tmp_path: Path
) -> None:
    look, plain = Scribble(), Scribble()
    take(flow(crops, noaug_preprocessing_function=plain), BATCHES)
    how: dict[str, Any] = {"executor": executor, "cores": 2, "cache": place(kind, tmp_path)}
    with open_flow(crops, {"noaug_preprocessing_function": look, **how}) as it:
        assert all((x == 77).all() for x, _ in take(it, EPOCHS * BATCHES))
        assert hits(it) >= SAMPLES
    assert len(look.seen) == SAMPLES
    for name, images in look.seen.items():
        assert len(images) >= EPOCHS
        for image in images:
            assert image.dtype == np.uint8
            np.testing.assert_array_equal(image, plain.seen[name][0])


# Nothing is decoded twice


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("executor", "cores"), EXECUTORS)
def test_later_epochs_do_without_the_files(
    executor: str, cores: int, kind: str, folder: Path, tmp_path: Path
) -> None:
    expected = take(flow(folder, **AUGMENTED), EPOCHS * BATCHES)
    how: dict[str, Any] = {"executor": executor, "cores": cores, "cache": place(kind, tmp_path)}
    with open_flow(folder, {**how, **AUGMENTED}) as it:
        # In the second epoch, samples that the first is still decoding may be decoded once more.
        received = take(it, 2 * BATCHES)
        shutil.rmtree(folder)
        assert_same_batches(received + take(it, (EPOCHS - 2) * BATCHES), expected)
        assert hits(it) >= (EPOCHS - 2) * SAMPLES


@pytest.mark.parametrize("kind", KINDS)
def test_fit_uses_it_too_and_finds_the_same(kind: str, crops: Path, tmp_path: Path) -> None:
    means = []
    for cache in (None, place(kind, tmp_path)):
        it = open_flow(crops, {"featurewise_center": True, "cache": cache})
        it.image_data_generator.fit(it)
        means.append(it.image_data_generator.mean)
        assert np.isfinite(next(it)[0]).all()
    np.testing.assert_array_equal(*means)


@pytest.mark.slow
def test_training_and_validation_have_places_of_their_own(crops: Path, tmp_path: Path) -> None:
    for cache in ("memory", str(tmp_path / "kept")):
        streams = []
        for constructor in ({}, {"cache": cache}):
            generator = ImageDataGenerator(
                executor="threads", cores=2, validation_split=0.3, **AUGMENTED, **constructor
            )
            flows = [
                generator.flow_from_directory(
                    crops, (24, 24), batch_size=BATCH, seed=SEED, subset=subset
                )
                for subset in ("training", "validation")
            ]
            taken: list[Any] = []
            for _ in range(3 * len(flows[0])):  # by turns, on common workers
                taken += [next(it) for it in flows]
            streams.append(taken)
            for it in flows:
                # A sample that epoch 2 asks for while epoch 1 still decodes it is decoded twice.
                assert (hits(it) >= it.n) == bool(constructor)
                it.close()
        assert_same_batches(streams[1], streams[0])
    assert len(list((tmp_path / "kept").glob("*.npy"))) == 2


# Limits


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("executor", ["serial", "processes"])
def test_only_the_first_images_are_kept_within_a_limit(
    executor: str, kind: str, folder: Path, tmp_path: Path
) -> None:
    expected = take(flow(folder, **AUGMENTED), 2 * BATCHES)
    limit = 7 * ROW + ROW - 1
    how: dict[str, Any] = {"cache": place(kind, tmp_path), "cache_limit": limit, "cores": 1}
    with open_flow(folder, {"executor": executor, **how, **AUGMENTED}) as it:
        received = take(it, BATCHES)
        for name in it.filenames[:7]:
            (folder / str(name)).unlink()
        assert_same_batches(received + take(it, BATCHES), expected)
        assert hits(it) == 7
    for file in tmp_path.glob("kept/*.npy"):
        assert np.load(file).shape == (7, 24, 24, 3)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("constructor", "interpolation", "why"),
    [({"cache_limit": ROW - 1}, "nearest", "`cache_limit` is smaller than one image"),
     ({}, None, "images are not resized to one size")],
)  # fmt: skip
def test_that_nothing_is_kept_is_said(
    constructor: dict[str, Any], interpolation: str | None, why: str, kind: str, tmp_path: Path
) -> None:
    folder = tmp_path / "images"
    write_grey(folder, "uint8")
    how = {"cache": place(kind, tmp_path), **constructor}
    expected = take(open_flow(folder, interpolation=interpolation), 2)
    it = open_flow(folder, how, interpolation=interpolation)
    with pytest.warns(UserWarning, match=f"`cache` keeps nothing: {why}") as caught:
        received = take(it, 2)
    assert len(caught) == 1
    assert_same_batches(received, expected)
    assert hits(it) == 0


@pytest.mark.parametrize("kind", KINDS)
def test_a_limit_of_one_image_keeps_one(kind: str, crops: Path, tmp_path: Path) -> None:
    it = flow(crops, cache=place(kind, tmp_path), cache_limit=ROW)
    take(it, 2 * BATCHES)
    assert hits(it) == 1


@pytest.mark.parametrize("limit", [0, -1, 1.5, "1 GB", True])
def test_a_limit_is_a_number_of_bytes(limit: Any) -> None:
    with pytest.raises((InvalidArgumentError, TypeError), match="cache_limit"):
        ImageDataGenerator(cache="memory", cache_limit=limit)


# What is not kept


def write_grey(folder: Path, dtype: str) -> None:
    (folder / "grey").mkdir(parents=True)
    for number in range(4):
        rng = np.random.default_rng(number)
        pixels = rng.integers(0, 250 if dtype == "uint8" else 60_000, (24, 24)).astype(dtype)
        Image.fromarray(pixels).save(folder / "grey" / f"{number}.png")


@pytest.mark.parametrize("kind", KINDS)
def test_images_of_16_bits_are_read_each_time(kind: str, tmp_path: Path) -> None:
    write_grey(tmp_path / "images", "uint16")
    mode: dict[str, Any] = {"color_mode": "grayscale"}
    expected = take(open_flow(tmp_path / "images", **mode), 3)
    assert max(x.max() for x, _ in expected) > 255
    it = open_flow(tmp_path / "images", {"cache": place(kind, tmp_path)}, **mode)
    assert_same_batches(take(it, 3), expected)
    assert hits(it) == 0


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("shape", "dtype", "data_format"),
    [((24, 24, 3), "float32", "channels_last"), ((24, 24, 3), "uint8", "channels_last"),
     ((3, 24, 24), "uint8", "channels_first"), ((24, 24, 3), "int16", "channels_last")],
)  # fmt: skip
def test_arrays_in_files_are_right(
    shape: Sequence[int], dtype: str, data_format: str, kind: str, tmp_path: Path
) -> None:
    (tmp_path / "images" / "arrays").mkdir(parents=True)
    for number in range(4):
        array = (np.random.default_rng(number).random(shape) * 250).astype(dtype)
        np.save(tmp_path / "images" / "arrays" / f"{number}.npy", array)
    expected = take(open_flow(tmp_path / "images", {"data_format": data_format}), 3)
    how = {"data_format": data_format, "cache": place(kind, tmp_path)}
    it = open_flow(tmp_path / "images", how)
    assert_same_batches(take(it, 3), expected)
    if dtype != "uint8":
        assert hits(it) == 0


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("executor", ["serial", "processes"])
def test_bad_images_are_replaced_and_never_kept(
    executor: str, kind: str, folder: Path, tmp_path: Path
) -> None:
    spoil(folder, {0, 7, 8, 22})
    gc.collect()  # or the garbage of other tests warns in this one
    expected, _ = told(in_order(folder), EPOCHS * BATCHES)
    how = {"cache": place(kind, tmp_path), "executor": executor, "cores": 2, "on_bad_image": "replace"}
    with open_flow(folder, how, shuffle=False) as it:
        received, messages = told(it, EPOCHS * BATCHES)
        assert_same_batches(received, expected)
        assert len(messages) == len(it.bad_images) == 4
        assert hits(it) >= SAMPLES
    for marks in tmp_path.glob("kept/*.marks"):
        assert set(np.flatnonzero(np.fromfile(marks, np.uint32) == 0)) == {0, 7, 8, 22}


# What is left behind


def mappings(nbytes: int) -> int:
    """How many shared mappings of this size this process has."""
    wanted, found = -(-nbytes // 4096) * 4096, 0
    for line in Path("/proc/self/maps").read_text().splitlines():
        start, end = (int(number, 16) for number in line.split()[0].split("-"))
        found += end - start == wanted and line.split()[1].endswith("s")
    return found


@pytest.mark.slow
@linux_only
@pytest.mark.parametrize(
    "executor",
    ["serial", "threads", "processes"],
)
def test_memory_is_given_back_when_it_closes_while_a_batch_lives_on(executor: str, crops: Path) -> None:
    side = 61  # a size that nothing else has
    nbytes = SAMPLES * (side * side * 3 + 4)
    how = {"executor": executor, "cores": 1, "cache": "memory"}
    gc.collect()
    before = mappings(nbytes)
    it = open_flow(crops, how, target_size=(side, side))
    images, _ = next(it)
    copied = images.copy()
    assert mappings(nbytes) == before + 1
    it.close()

    def given_back() -> bool:
        gc.collect()
        return mappings(nbytes) == before

    wait_for(given_back, "the memory of the cache")  # a thread may still be busy with a batch
    np.testing.assert_array_equal(images, copied)


@pytest.mark.slow
def test_memory_leaves_no_files(crops: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("TMPDIR", str(tmp_path / "here"))
    with open_flow(crops, {"cache": "memory", "executor": "processes", "cores": 1}) as it:
        take(it, 2 * BATCHES)
        assert list(Path().iterdir()) == []
    gone = weakref.ref(it)
    del it
    gc.collect()
    assert gone() is None
    assert list(Path().iterdir()) == []


def test_files_are_closed_before_they_are_forgotten(crops: Path, tmp_path: Path) -> None:
    with open_flow(crops, {"cache": str(tmp_path / "kept")}) as it:
        next(it)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        del it
        gc.collect()
    assert [str(w.message) for w in caught] == []
