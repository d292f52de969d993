"""The defects of the original, each by its number in the specification: ours has none of them."""

from __future__ import annotations

import gc
import itertools
import pickle
from collections.abc import Iterator
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
    HoldAt,
    Lent,
    RaiseAt,
    Signals,
    assert_same_batches,
    file_at,
    flow,
    take,
    wait_for,
    worker_processes,
)
from numpy.typing import NDArray
from PIL import Image
from programs import run_program
from reference import keras_generator, quiet

from imageloom import DirectoryIterator, ImageDataGenerator
from imageloom._executors.base import Executor
from imageloom._executors.shared import make_executor
from imageloom._executors.workers import messages, resources
from imageloom._sources import listing


@pytest.fixture
def executor() -> Iterator[Executor]:
    """Two worker processes."""
    made = make_executor("processes", 2, disable_gpu=True)
    yield made
    made.close()


def files_of_batches(number: int, filenames: list[str], classes: list[int], params: Any) -> Any:
    """Instead of images, which files a batch has."""
    return number, filenames


def write_images(folder: Path, *files: str) -> Path:
    for number, file in enumerate(files):
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (9, 9), (number, 2 * number, 3 * number)).save(folder / file)
    return folder


@pytest.mark.slow
def test_1_an_error_in_a_worker_reaches_the_consumer_with_its_type(
    executor: Executor, crops: Path
) -> None:
    expected = take(flow(crops, shuffle=False), BATCHES)
    hook = RaiseAt("astronaut/05.png", lambda: ZeroDivisionError("of the user's own"))
    with flow(crops, executor, shuffle=False, preprocessing_function=hook) as it:
        received = take(it, 1)
        with pytest.raises(ZeroDivisionError, match="own"):
            next(it)
        received += take(it, BATCHES - 2)
    assert_same_batches(received, [expected[0], *expected[2:]])


@pytest.mark.slow
def test_1_stop_iteration_in_a_hook_does_not_end_the_loop(executor: Executor, crops: Path) -> None:
    it = flow(crops, executor, preprocessing_function=lambda x: next(iter(())))
    with it, pytest.raises(RuntimeError, match="StopIteration"):
        list(it)


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 2, 3])
def test_2_a_data_set_of_less_than_half_a_batch(count: int, executor: Executor, tmp_path: Path) -> None:
    folder = write_images(tmp_path, *[f"only/{i}.png" for i in range(count)])
    generator = ImageDataGenerator()
    generator._engine.lent = Lent(executor)  # type: ignore[assignment]
    with generator.flow_from_directory(folder, (9, 9), batch_size=8, class_mode="sparse", seed=1) as it:
        assert len(it) == 1
        for images, labels in take(it, 5):
            assert images.shape == (count, 9, 9, 3)
            assert labels.shape == (count,)
            assert sorted(images[:, 0, 0, 0].tolist()) == list(range(count))


@pytest.mark.slow
@pytest.mark.parametrize("shuffle", [False, True])
def test_3_an_epoch_has_each_sample_once_and_its_last_batch_is_short(
    shuffle: bool, executor: Executor, crops: Path
) -> None:
    with flow(crops, executor, shuffle=shuffle, get_batch_function=files_of_batches) as it:
        for _ in range(2):
            epoch = take(it, BATCHES)
            assert [len(files) for files in epoch] == [BATCH] * (BATCHES - 1) + [SAMPLES % BATCH]
            assert sorted(itertools.chain(*epoch)) == sorted(map(str, it.filenames))


@pytest.mark.slow
def test_4_functions_of_the_main_program_reach_the_workers(crops: Path, tmp_path: Path) -> None:
    done = run_program("reliability/functions_of_the_main_program.py", crops, cwd=tmp_path)
    assert done.stderr == ""
    assert done.stdout.splitlines()[1:] == [
        f"[{2 * len('astronaut/00.jpg') + 7}.]",
        "Found 23 images belonging to 3 classes.",
        "12",
    ]


@pytest.mark.slow
def test_5_the_parameters_travel_once_a_worker(
    executor: Executor, crops: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[int] = []
    computed: list[int] = []

    def open_channel(*arguments: Any) -> messages.OpenChannel:
        message = messages.OpenChannel(*arguments)
        opened.append(len(pickle.dumps(message)))
        return message

    def compute(*arguments: Any) -> messages.Compute:
        message = messages.Compute(*arguments)
        computed.append(len(pickle.dumps(message)))
        return message

    monkeypatch.setattr(resources, "OpenChannel", open_channel)
    monkeypatch.setattr(resources, "Compute", compute)
    big = np.random.default_rng(1).random(100_000)
    with flow(crops, executor, preprocessing_function=lambda x: x + big[0]) as it:
        take(it, 4 * BATCHES)
    assert 1 <= len(opened) <= 2
    assert min(opened) > big.nbytes
    assert len(computed) >= 4 * BATCHES
    assert max(computed) < 2000


@pytest.mark.slow
def test_6_workers_start_late_and_a_shutdown_in_mid_epoch_waits_for_nobody(
    crops: Path, signals: Signals
) -> None:
    files = [file_at(flow(crops), position) for position in (1, 2, 3)]
    generator = ImageDataGenerator(cores=2, preprocessing_function=HoldAt(signals, *files))
    it = generator.flow_from_directory(crops, (24, 24), batch_size=BATCH, seed=SEED)
    assert worker_processes() == {}
    next(it)
    assert len(worker_processes()) == 2
    wait_for(lambda: len(signals.starting("held-")) == 2, "two hooks that hang")
    it.shutdown(wait=True)
    assert not signals.given("go"), "they hang for good"
    wait_for(lambda: not worker_processes(), "the end of the workers", seconds=2)


@pytest.mark.slow
def test_6_a_generator_that_is_thrown_away_takes_its_workers_along(
    crops: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("imageloom._executors.workers.staffing.LINGER_SECONDS", 0.05)
    it: DirectoryIterator | None = ImageDataGenerator(cores=1).flow_from_directory(crops, (24, 24))
    next(it)  # type: ignore[arg-type]
    assert len(worker_processes()) == 1
    it = None
    gc.collect()
    wait_for(lambda: not worker_processes(), "the end of the worker", seconds=2)


@pytest.mark.parametrize("subset", ["training", "validation", None])
def test_7_split_and_order_are_those_of_keras(subset: str | None, tmp_path: Path) -> None:
    files = [f"a/{name}.png" for name in ("s0", "s1", "q/s3", "q/a", "t/0", "t/x/1", "b")]
    folder = write_images(tmp_path, *files, *[f"b/{i}.png" for i in range(5)])
    options: dict[str, Any] = {"subset": subset, "target_size": (9, 9), "shuffle": False}
    it = ImageDataGenerator(executor="serial", validation_split=0.3).flow_from_directory(
        folder, **options
    )
    with quiet():
        expected = keras_generator(validation_split=0.3).flow_from_directory(str(folder), **options)
    assert it.filenames == expected.filenames
    if subset == "validation":
        assert len(it.filenames) == 2 + 1, "the number of files times the share, rounded down"
    if subset is None:
        assert [Path(str(name)).as_posix() for name in it.filenames[2:5]] == [
            "a/s1.png", "a/q/a.png", "a/q/s3.png",
        ]  # fmt: skip


def test_8_a_class_without_samples_is_a_warning_and_each_class_is_walked_through_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_images(tmp_path, "a/0.png", "a/sub/1.png", "b/0.png", "never/0.png")
    (folder / "empty").mkdir()
    walked: list[str] = []
    genuine = listing.os.walk

    def walk(top: str, **options: Any) -> Any:
        walked.append(Path(top).relative_to(folder).as_posix())
        return genuine(top, **options)

    monkeypatch.setattr(listing.os, "walk", walk)
    generator = ImageDataGenerator(executor="serial")
    with pytest.warns(UserWarning, match="'empty'"):
        it = generator.flow_from_directory(folder, (9, 9), classes=["a", "empty", "b"])
    assert walked == ["a", "empty", "b"]
    assert next(it)[1].sum(axis=0).tolist() == [2, 0, 1]
    split = ImageDataGenerator(executor="serial", validation_split=0.5)
    with pytest.warns(UserWarning, match="'b'"):  # one file: half of it is none
        validation = split.flow_from_directory(folder, (9, 9), classes=["a", "b"], subset="validation")
    assert validation.n == 1


def test_9_the_seed_of_a_single_transform_counts() -> None:
    ours, keras = ImageDataGenerator(**AUGMENTED), keras_generator(rotation_range=20)
    shape = (30, 30, 3)
    x = np.random.default_rng(1).integers(0, 256, shape).astype("float32")
    assert ours.get_random_transform(shape, 5) == ours.get_random_transform(shape, seed=5)
    assert ours.get_random_transform(shape, 5) != ours.get_random_transform(shape, 6)
    np.testing.assert_array_equal(ours.random_transform(x, 5), ours.random_transform(x, seed=5))
    assert not np.array_equal(ours.random_transform(x, 5), ours.random_transform(x, 6))
    theta = keras.get_random_transform(shape, seed=5)["theta"]
    assert ours.get_random_transform(shape, seed=5)["theta"] == theta


@pytest.mark.slow
def test_10_the_end_of_an_epoch_changes_the_order_at_once(executor: Executor, crops: Path) -> None:
    expected = take(flow(crops, get_batch_function=files_of_batches), 2 * BATCHES)
    with flow(crops, executor, get_batch_function=files_of_batches) as it:
        first = [it[i] for i in range(BATCHES)]
        assert [it[i] for i in range(BATCHES)] == first, "until then it stays"
        it.on_epoch_end()
        assert [it[i] for i in range(BATCHES)] == expected[BATCHES:]
    assert first == expected[:BATCHES]
    assert first != expected[BATCHES:]


@pytest.mark.slow
def test_11_nobody_looks_at_the_name_of_the_caller(executor: Executor, crops: Path) -> None:
    def peek(it: DirectoryIterator) -> Any:
        return next(it)

    def _peek_and_restore(it: DirectoryIterator) -> Any:
        return next(it)

    expected = take(flow(crops), 3)
    with flow(crops, executor) as it:
        assert_same_batches([peek(it), _peek_and_restore(it), next(it)], expected)


@pytest.mark.slow
def test_12_tuples_as_their_own_targets_are_copied_deeply(executor: Executor, crops: Path) -> None:
    def listing_function(search_class: str, **_: Any) -> Any:
        return search_class, [("cat/00.jpg", "cat/01.png"), ("cat/02.jpg", "cat/03.png")]

    generator = ImageDataGenerator()
    generator._engine.lent = Lent(executor)  # type: ignore[assignment]
    with generator.flow_from_directory(
        crops, (24, 24), classes=["cat"], class_mode="input", seed=1,
        list_valid_filenames_in_directory_function=listing_function,
    ) as it:  # fmt: skip
        x, y = next(it)
    kept = [part.copy() for part in y]
    for part in x:
        part[...] = -1
    for part, before in zip(y, kept, strict=True):
        np.testing.assert_array_equal(part, before)
        assert part.min() >= 0


def test_13_the_number_of_images_is_printed(crops: Path, capsys: pytest.CaptureFixture[str]) -> None:
    generator = ImageDataGenerator(executor="serial", validation_split=0.3, max_samples_per_class=2)
    for options, line in (
        ({}, "Found 6 images belonging to 3 classes."),
        ({"subset": "validation", "classes": ["cup"]}, "Found 1 images belonging to 1 classes."),
    ):
        generator.flow_from_directory(crops, **options)  # type: ignore[arg-type]
        assert capsys.readouterr() == (line + "\n", "")


@pytest.mark.slow
def test_14_what_a_hook_prints_comes_out_where_it_was_printed(crops: Path, tmp_path: Path) -> None:
    done = run_program("reliability/talking_hook.py", crops, cwd=tmp_path)
    hooks = [line for line in done.stdout.splitlines() if line.startswith("hook:")]
    complaints = done.stderr.splitlines()
    files = sorted(path.relative_to(crops).as_posix() for path in crops.rglob("*.*g"))
    assert hooks[:SAMPLES] == [f"hook: {file}" for file in files]
    assert complaints[:SAMPLES] == [f"complaint: {file}" for file in files]


@pytest.mark.slow
def test_14_what_hooks_of_finished_batches_have_printed_is_not_lost(
    crops: Path, tmp_path: Path
) -> None:
    buffered = {"PYTHONUNBUFFERED": ""}
    done = run_program("reliability/hanging_hook.py", crops, cwd=tmp_path, environment=buffered)
    assert done.stderr == ""
    assert "hook: astronaut/00.jpg" in done.stdout.splitlines()


@pytest.mark.slow
def test_14_nothing_else_is_printed_by_the_workers(crops: Path, tmp_path: Path) -> None:
    done = run_program("reliability/talking_hook.py", crops, "silent", cwd=tmp_path)
    assert done.stdout == "Found 23 images belonging to 3 classes.\n"
    assert done.stderr == ""


def test_further_pixels_of_16_bits_do_not_wrap_on_their_way_to_a_hook(tmp_path: Path) -> None:
    """The original lays every image into an uint8 array before its hook sees it."""
    (tmp_path / "deep").mkdir()
    Image.fromarray(np.full((9, 9), 40_000, np.uint16)).save(tmp_path / "deep" / "x.png")
    seen: list[NDArray[Any]] = []

    def look(x: NDArray[Any]) -> NDArray[Any]:
        seen.append(x.copy())
        return x

    generator = ImageDataGenerator(executor="serial", noaug_preprocessing_function=look)
    it = generator.flow_from_directory(tmp_path, (9, 9), color_mode="grayscale")
    assert next(it)[0].max() == 40_000
    assert seen[0].max() == 40_000
