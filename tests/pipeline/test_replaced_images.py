"""Files that cannot be read: the error that names them, and `on_bad_image="replace"`."""

from __future__ import annotations

import errno
import os
import random
import signal
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from executor_support import (
    AUGMENTED,
    BATCHES,
    SAMPLES,
    RaiseAt,
    assert_same_batches,
    flow,
    take,
)
from numpy.typing import NDArray
from programs import run_program
from spoilt_images import NO_IMAGE, in_order, joined, spoil, substitutes, told

from imageloom import BadImageError, ImageDataGenerator
from imageloom._executors.shared import make_executor

# Numbers of the files to spoil; 0-8, 9-16 and 17-22 are the classes.
PATTERNS = {
    "one": {5},
    "chain": {3, 4, 5},
    "end of a class": {7, 8},
    "last": {22},
    "around the end": {21, 22, 0},
    "class": set(range(9, 17)),
    "all but one": set(range(SAMPLES)) - {13},
}


@pytest.mark.parametrize("pattern", PATTERNS)
def test_the_next_readable_image_comes_with_its_own_target(
    pattern: str, crops: Path, folder: Path
) -> None:
    bad = PATTERNS[pattern]
    images, targets = joined(take(flow(crops, shuffle=False), BATCHES))
    names = spoil(folder, bad)
    order = substitutes(bad)
    it = in_order(folder)
    received, messages = told(it, 2 * BATCHES)
    for epoch in (received[:BATCHES], received[BATCHES:]):
        x, y = joined(epoch)
        np.testing.assert_array_equal(x, images[order])
        np.testing.assert_array_equal(y, targets[order])
    assert [(b.filename, b.substitute) for b in it.bad_images] == [
        (names[i], names[order[i]]) for i in sorted(bad)
    ]
    assert len(messages) == len(bad), "each file is reported once"
    for found in it.bad_images:
        (message,) = [m for m in messages if m.startswith(repr(found.filename))]
        assert repr(found.substitute) in message
        assert "not an image of a known format" in found.reason
    report = it.report()
    assert tuple(report.bad_images) == tuple(it.bad_images)
    assert all(name in str(report) for name in (names[i] for i in bad))


@pytest.mark.parametrize("subset", ["training", "validation"])
def test_substitutes_are_of_the_same_subset(subset: str, crops: Path, folder: Path) -> None:
    options: dict[str, Any] = {"validation_split": 0.3, "subset": subset}
    names = list(flow(crops, **options).filenames)
    bad = {1, len(names) - 1}
    for number in bad:
        (folder / names[number]).write_bytes(b"")
    length = len(flow(crops, **options))
    images, targets = joined(take(flow(crops, shuffle=False, **options), length))
    x, y = joined(told(in_order(folder, **options), length)[0])
    np.testing.assert_array_equal(x, images[substitutes(bad, len(names))])
    np.testing.assert_array_equal(y, targets[substitutes(bad, len(names))])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "workers"), [("serial", 1), ("threads", 2), ("processes", 1), ("processes", 2)]
)
def test_bytes_do_not_depend_on_who_finds_out_first(kind: str, workers: int, folder: Path) -> None:
    spoil(folder, {2, 3, 4, 11, 20, 22})
    options = {**AUGMENTED, "on_bad_image": "replace"}
    expected, messages = told(flow(folder, **options), 2 * BATCHES)
    executor = make_executor(kind, workers, disable_gpu=True)
    with flow(folder, executor, **options) as it:
        received, other_messages = told(it, 2 * BATCHES)
        assert len(it.bad_images) == 6
    assert_same_batches(received, expected)
    assert sorted(other_messages) == sorted(messages)
    for seed in range(2):
        order = random.Random(seed).sample(range(BATCHES), BATCHES)
        with flow(folder, executor, **options) as it, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert_same_batches([it[i] for i in order], [expected[i] for i in order])
    executor.close()


def test_other_images_of_a_batch_keep_their_transforms(crops: Path, folder: Path) -> None:
    """The draws belong to the place in the batch: all images are of one size."""
    spoil(folder, {1})
    spoilt = told(in_order(folder, **AUGMENTED), 2)[0]
    whole = take(flow(crops, shuffle=False, **AUGMENTED), 2)
    np.testing.assert_array_equal(spoilt[0][0][[0, 2, 3]], whole[0][0][[0, 2, 3]])
    assert not np.array_equal(spoilt[0][0][1], whole[0][0][1])
    np.testing.assert_array_equal(spoilt[1][0], whole[1][0])


@pytest.mark.slow
def test_nothing_that_can_be_read_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "class").mkdir()
    for number in range(3):
        (tmp_path / "class" / f"{number}.png").write_bytes(NO_IMAGE)
    run = run_program("pipeline/nothing_can_be_read.py", cwd=tmp_path, timeout=20)
    assert run.returncode == 0, run.stderr
    assert run.stdout.count("BadImageError None of the 3 images can be read") == 6


# What belongs to an image follows it


def labelled(folder: Path, names: list[str], **options: Any) -> Any:
    import pandas as pd

    count = len(names)
    frame = pd.DataFrame(
        {
            "filename": names,
            "class": [name.split("/", maxsplit=1)[0] for name in names],
            "number": np.arange(count),
            "minus": -np.arange(count),
            "weight": np.arange(count) / 4,
        }
    )
    generator = ImageDataGenerator(executor="serial", on_bad_image="replace")
    return generator.flow_from_dataframe(
        frame, folder, target_size=(8, 8), batch_size=-1, shuffle=False, **options
    )


def test_columns_and_weights_are_the_substitutes(folder: Path) -> None:
    bad = {4, 5, 22}
    names, order = spoil(folder, bad), substitutes(bad)
    options: dict[str, Any] = {"class_mode": "multi_output", "y_col": ["number", "minus"]}
    ((_, (number, minus), weights),), _ = told(
        labelled(folder, names, weight_col="weight", **options), 1
    )
    assert number.tolist() == order
    assert (-minus).tolist() == order
    assert (4 * weights).tolist() == order
    ((_, raw),), _ = told(labelled(folder, names, class_mode="raw", y_col="number"), 1)
    assert raw.tolist() == order


def test_images_as_targets_are_the_substitutes(folder: Path) -> None:
    spoil(folder, {1})
    ((x, y),), _ = told(in_order(folder, class_mode="input"), 1)
    np.testing.assert_array_equal(x, y)
    np.testing.assert_array_equal(x[1], x[2])


def test_hooks_and_saved_files_are_told_of_the_substitute(folder: Path, tmp_path: Path) -> None:
    bad = {8, 9}
    names, seen = spoil(folder, bad), []

    def look(params: Any, x: Any, filename: str, class_id: int, batch_filenames: list[str]) -> Any:
        seen.append((filename, class_id))
        assert filename in batch_filenames
        return x

    told(in_order(folder, preprocessing_function=look, save_to_dir=tmp_path / "saved"), 3)
    assert names[10].startswith("cat")
    assert seen[-4:] == [(names[i], 1) for i in (10, 10, 10, 11)]
    saved = sorted(int(path.name.split("_")[1]) for path in (tmp_path / "saved").iterdir())
    assert saved == sorted(substitutes(bad)[:12])


def test_a_tuple_is_replaced_as_a_whole(crops: Path, folder: Path) -> None:
    names = [f"cat/{path.name}" for path in sorted((folder / "cat").iterdir())]

    def listing(search_class: str, **_: Any) -> Any:
        return search_class, list(zip(names[::2], names[1::2], strict=True))

    def batch(of: Path) -> tuple[Any, Any]:
        generator = ImageDataGenerator(executor="serial", on_bad_image="replace")
        it = generator.flow_from_directory(
            of, (24, 24), classes=["cat"], batch_size=-1, shuffle=False,
            list_valid_filenames_in_directory_function=listing,
        )  # fmt: skip
        return told(it, 1)[0][0][0], it.bad_images

    (folder / names[3]).write_bytes(b"")  # the second of the second
    (whole, _), (x, bad) = batch(crops), batch(folder)
    for part, right in zip(x, whole, strict=True):
        np.testing.assert_array_equal(part, right[[0, 2, 2, 3]])
    assert [(b.filename, b.substitute) for b in bad] == [((names[2], names[3]), (names[4], names[5]))]
    assert names[3] in bad[0].reason


def test_fit_sees_the_substitutes(crops: Path, folder: Path) -> None:
    bad = {0, 14, 22}
    images, _ = joined(take(flow(crops, shuffle=False), BATCHES))
    spoil(folder, bad)
    it = in_order(folder)
    generator = ImageDataGenerator(executor="serial", on_bad_image="replace", featurewise_center=True)
    with pytest.warns(UserWarning, match="cannot be read and is replaced") as caught:
        generator.fit(it)
    assert len(caught) == 3
    wanted = images[substitutes(bad)].mean(axis=(0, 1, 2), dtype=np.float64)
    np.testing.assert_allclose(generator.mean.ravel(), wanted, rtol=1e-6)


# Crashes, and what is not the file's fault


class CrashAt:
    """A hook that stands in for a decoder that crashes over one file."""

    def __init__(self, file: str) -> None:
        self.file = file

    def __call__(self, params: Any, x: NDArray[Any], filename: str) -> NDArray[Any]:
        if filename == self.file:
            os.kill(os.getpid(), signal.SIGSEGV)
        return x


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="sends a POSIX signal")
def test_a_file_that_kills_its_worker_is_replaced(crops: Path, folder: Path) -> None:
    images, targets = joined(take(flow(crops, shuffle=False), BATCHES))
    names = spoil(folder, {7})  # in the same batch
    executor = make_executor("processes", 2, disable_gpu=True)
    hook = CrashAt(names[6])
    with flow(
        folder, executor, shuffle=False, on_bad_image="replace", noaug_preprocessing_function=hook
    ) as it:
        received, messages = told(it, BATCHES)
        bad = it.bad_images
    executor.close()
    x, y = joined(received)
    np.testing.assert_array_equal(x, images[substitutes({6, 7})])
    np.testing.assert_array_equal(y, targets[substitutes({6, 7})])
    assert [b.filename for b in bad] == names[6:8]
    assert "signal SIGSEGV" in bad[0].reason
    assert len(messages) == 2


@pytest.mark.parametrize("error", [ValueError("mine"), OSError("mine"), BadImageError("mine")])
def test_an_error_of_a_hook_is_not_replaced(error: Exception, crops: Path) -> None:
    file = str(flow(crops).filenames[1])
    it = in_order(crops, preprocessing_function=RaiseAt(file, lambda: error))
    with pytest.raises(type(error), match="mine"):
        next(it)
    next(it)
    assert it.bad_images == []


@pytest.mark.parametrize("mode", ["raise", "replace"])
def test_a_lack_of_descriptors_is_not_blamed_on_the_file(
    mode: str, crops: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise OSError(errno.EMFILE, "Too many open files")

    it = flow(crops, on_bad_image=mode)
    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(OSError, match="Too many open files") as caught:
        next(it)
    assert not isinstance(caught.value, BadImageError)
    monkeypatch.undo()
    next(it)
    assert it.bad_images == []


def test_what_was_found_outlasts_a_change_of_the_batches(folder: Path) -> None:
    names = spoil(folder, {5})
    it = in_order(folder)
    assert len(told(it, BATCHES)[1]) == 1
    it.batch_size = 2
    assert told(it, 1)[1] == []
    assert [b.filename for b in it.bad_images] == [names[5]]
