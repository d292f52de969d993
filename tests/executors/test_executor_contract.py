"""The contract of executors: one suite for all of them, with several numbers of workers."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from functools import partial
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
    Note,
    RaiseAt,
    Signals,
    assert_same_batches,
    file_at,
    flow,
    jitter,
    open_channel,
    take,
    wait_for,
)
from numpy.typing import NDArray
from PIL import Image
from ray_support import needs_ray

from imageloom import DirectoryIterator, ImageDataGenerator, ImageLoomError, IteratorClosedError
from imageloom._errors import BatchShapeError, WorkerError
from imageloom._executors.base import Executor
from imageloom._executors.shared import make_executor

RAY = pytest.param(("ray", 2), marks=needs_ray)
MANY = [pytest.param((k, n), marks=pytest.mark.slow) for k in ("threads", "processes") for n in (1, 5)]
KINDS = [("serial", 1), ("threads", 2), ("processes", 2), *MANY, RAY]
FAR, WAIT_SECONDS = ("processes", "ray"), 20  # where errors travel


def name_of(parameter: tuple[str, int]) -> str:
    return f"{parameter[0]}-{parameter[1]}"


@pytest.fixture(scope="module", params=KINDS, ids=name_of)
def kind(request: pytest.FixtureRequest) -> tuple[str, int]:
    """Name and number of workers."""
    return request.param[0], request.param[1]


@pytest.fixture(scope="module")
def executor(kind: tuple[str, int], request: pytest.FixtureRequest) -> Iterator[Executor]:
    """Used by many tests, one after the other, as it is by many iterators."""
    if kind[0] == "ray":
        request.getfixturevalue("ray_on_two_cpus")
    made = make_executor(kind[0], kind[1], disable_gpu=True)
    yield made
    made.close()


@pytest.fixture(params=[("serial", 1), ("threads", 2), ("processes", 2), RAY], ids=name_of)
def own_executor(request: pytest.FixtureRequest) -> Iterator[Executor]:
    """One that a test may close."""
    if request.param[0] == "ray":
        request.getfixturevalue("ray_on_two_cpus")
    made = make_executor(request.param[0], request.param[1], disable_gpu=True)
    yield made
    made.close()


class OwnError(Exception):
    """Of the test module, as a user's of theirs."""


class FussyError(Exception):
    """Cannot be unpickled: its constructor wants more than `args` holds."""

    def __init__(self, file: str, reason: str) -> None:
        super().__init__(f"{file}: {reason}")


def a_file(folder: Path, position: int, row: int = 1) -> str:
    """The file that stands there in every iterator that `flow` makes."""
    return file_at(flow(folder), position, row)


# The bytes of a batch depend on its task alone


@pytest.mark.slow
def test_two_epochs_are_those_of_the_serial_executor(executor: Executor, crops: Path) -> None:
    options = {**AUGMENTED, "preprocessing_function": jitter}
    expected = take(flow(crops, **options), 2 * BATCHES)
    assert [len(images) for images, _ in expected] == 2 * [*[BATCH] * (BATCHES - 1), SAMPLES % BATCH]
    assert not np.array_equal(expected[0][0], expected[BATCHES][0]), "epochs must differ"
    with flow(crops, executor, **options) as it:
        assert_same_batches(take(it, 2 * BATCHES), expected)


@pytest.mark.slow
def test_batches_asked_for_in_any_order_and_again(executor: Executor, crops: Path) -> None:
    serial = flow(crops, **AUGMENTED)
    expected = [serial[i] for i in range(BATCHES)]
    order = [*range(BATCHES), *range(BATCHES), *range(BATCHES)]
    random.Random(4).shuffle(order)
    with flow(crops, executor, **AUGMENTED) as it:
        assert_same_batches([it[i] for i in order], [expected[i] for i in order])


@pytest.mark.parametrize("augmented", [True, False])
def test_validation_subset(executor: Executor, crops: Path, augmented: bool) -> None:
    options = {
        **AUGMENTED,
        "validation_split": 0.3,
        "validation_augmentation_enabled": augmented,
        "subset": "validation",
        "shuffle": False,
    }
    expected = take(flow(crops, **options), 2)
    with flow(crops, executor, **options) as it:
        assert it.n == 2 + 2 + 1  # of 9, 8 and 6
        assert_same_batches(take(it, 2), expected)


def test_input_as_target(executor: Executor, crops: Path) -> None:
    expected = take(flow(crops, class_mode="input", **AUGMENTED), BATCHES)
    with flow(crops, executor, class_mode="input", **AUGMENTED) as it:
        received = take(it, BATCHES)
    assert_same_batches(received, expected)
    for images, targets in received:
        np.testing.assert_array_equal(images, targets)
        assert not np.shares_memory(images, targets)


def test_iterators_side_by_side(executor: Executor, crops: Path) -> None:
    plain, augmented = take(flow(crops), BATCHES), take(flow(crops, **AUGMENTED), BATCHES)
    with flow(crops, executor) as one, flow(crops, executor, **AUGMENTED) as other:
        pairs = [(next(one), next(other)) for _ in range(BATCHES // 2)]
        one.close()
        rest = take(other, BATCHES - len(pairs))
    assert_same_batches([first for first, _ in pairs], plain[: len(pairs)])
    assert_same_batches([*[second for _, second in pairs], *rest], augmented)


# Errors come at the batch they belong to, and only there


def assert_only_batch_fails(
    it: DirectoryIterator, folder: Path, position: int, error: type[Exception], text: str = ""
) -> Exception:
    """All batches of an epoch are right but one, which raises this."""
    expected = take(flow(folder), BATCHES)
    assert_same_batches(take(it, position), expected[:position])
    with pytest.raises(error) as info:
        next(it)
    assert text in str(info.value)
    assert_same_batches(take(it, BATCHES - position - 1), expected[position + 1 :])
    return info.value


def test_error_of_a_hook(executor: Executor, kind: tuple[str, int], crops: Path) -> None:
    file = a_file(crops, 2)
    hook = RaiseAt(file, lambda: OwnError("no such luck", 7))
    with flow(crops, executor, preprocessing_function=hook) as it:
        error = assert_only_batch_fails(it, crops, 2, OwnError, "no such luck")
    assert type(error) is OwnError
    assert error.args == ("no such luck", 7)
    note = "\n".join(error.__notes__)
    assert file in note
    assert "preprocessing_function" in note
    if kind[0] in FAR:
        assert isinstance(error.__cause__, WorkerError)
        assert "raise self.make()" in str(error.__cause__), "the worker's traceback"
        assert file in str(error.__cause__)


def test_error_of_the_other_hook_names_its_stage(executor: Executor, crops: Path) -> None:
    hook = RaiseAt(a_file(crops, 1), lambda: ZeroDivisionError("stage"))
    with flow(crops, executor, noaug_preprocessing_function=hook) as it:
        error = assert_only_batch_fails(it, crops, 1, ZeroDivisionError)
    assert any("noaug_preprocessing_function" in note for note in error.__notes__)


def test_error_class_that_has_no_module_of_its_own(executor: Executor, crops: Path) -> None:
    scope: dict[str, Any] = {"__name__": "__main__"}
    exec("class NotebookError(ValueError):\n    pass\n", scope)
    dynamic: type[Exception] = scope["NotebookError"]
    hook = RaiseAt(a_file(crops, 0), lambda: dynamic("of a notebook"))
    with flow(crops, executor, preprocessing_function=hook) as it:
        error = assert_only_batch_fails(it, crops, 0, dynamic, "of a notebook")
    assert type(error) is dynamic


def test_error_that_cannot_travel_is_told_all_the_same(
    executor: Executor, kind: tuple[str, int], crops: Path
) -> None:
    file = a_file(crops, 3)
    hook = RaiseAt(file, lambda: FussyError("picture", "too blue"))
    expected = WorkerError if kind[0] in FAR else FussyError
    with flow(crops, executor, preprocessing_function=hook) as it:
        error = assert_only_batch_fails(it, crops, 3, expected, "too blue")
    text = f"{error}\n{getattr(error, '__notes__', '')}"
    assert file in text
    if kind[0] in FAR:
        assert "FussyError" in text


@pytest.mark.parametrize("make", [TimeoutError, CancelledError, OSError, AssertionError])
def test_error_that_the_machinery_uses_itself(
    executor: Executor, crops: Path, make: Callable[[], Exception]
) -> None:
    hook = RaiseAt(a_file(crops, 1), make)
    with flow(crops, executor, preprocessing_function=hook) as it:
        error = assert_only_batch_fails(it, crops, 1, Exception)
    assert type(error) is make


def test_stop_iteration_of_a_hook_does_not_end_the_loop_in_silence(
    executor: Executor, crops: Path
) -> None:
    hook = RaiseAt(a_file(crops, 2), StopIteration)
    with flow(crops, executor, preprocessing_function=hook) as it:
        take(it, 2)
        with pytest.raises(RuntimeError):  # the loop itself would take a StopIteration for its end
            next(it)


def test_pixels_of_a_wrong_shape(executor: Executor, crops: Path) -> None:
    file = a_file(crops, 2)

    def crop(params: Any, x: NDArray[Any], filename: str) -> NDArray[Any]:
        return x[1:] if filename == file else x

    with flow(crops, executor, preprocessing_function=crop) as it:
        error = assert_only_batch_fails(it, crops, 2, BatchShapeError, "batch_shape")
    assert isinstance(error, ValueError)


@pytest.mark.parametrize("content", ["text", "torn", "gone"])
def test_unreadable_image(executor: Executor, crops: Path, tmp_path: Path, content: str) -> None:
    folder = tmp_path / "images"
    for file in crops.glob("*/*"):
        target = folder / file.relative_to(crops)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(file.read_bytes())
    with flow(folder, executor) as it:
        name = file_at(it, 2)
        bad = folder / name
        if content == "text":
            bad.write_text("not an image")
        elif content == "torn":
            with Image.open(bad) as image:
                noisy = np.random.default_rng(1).integers(0, 256, (*image.size[::-1], 3))
            Image.fromarray(noisy.astype(np.uint8)).save(bad)
            bad.write_bytes(bad.read_bytes()[:900])
        else:
            bad.unlink()
        error = assert_only_batch_fails(it, crops, 2, OSError)
    assert isinstance(error, ImageLoomError)
    assert isinstance(error, FileNotFoundError) == (content == "gone")
    assert Path(name).name in str(error)


def test_warning_of_a_batch_reaches_the_user_once(executor: Executor, crops: Path) -> None:
    def to_unit_scale(x: NDArray[Any]) -> NDArray[Any]:
        return x / 255

    options: dict[str, Any] = {
        "noaug_preprocessing_function": to_unit_scale,
        "brightness_range": (0.5, 1.5),
    }
    with (
        flow(crops, executor, **options) as it,
        pytest.warns(UserWarning, match="0..255 scale") as caught,
    ):
        take(it, 1)
    texts = {str(warning.message) for warning in caught}
    assert len(texts) == len(caught) == 1


# Order and cancellation, at the channel


def test_cancelled_before_it_starts_never_runs(
    executor: Executor, kind: tuple[str, int], crops: Path, signals: Signals
) -> None:
    if kind[0] == "serial":
        pytest.skip("submitting is computing")
    hold = HoldAt(signals)
    note = Note(signals)
    held, held_task = open_channel(crops, executor, preprocessing_function=hold)
    noted, noted_task = open_channel(crops, executor, preprocessing_function=note)
    busy = [held.submit(held_task(i), urgent=False) for i in range(kind[1])]
    wait_for(lambda: all(future.running() for future in busy), "all workers to be at work")
    waiting = [noted.submit(noted_task(i), urgent=False) for i in range(3)]
    assert waiting[1].cancel()
    signals.give("go")
    for future in (waiting[0], waiting[2], *busy):
        future.result(WAIT_SECONDS).discard()
    held.close()
    noted.close()
    seen = {f"batch-{noted_task(i).filenames[0]}".replace("/", "-") for i in (0, 2)}
    assert signals.starting("batch-") == seen


@pytest.mark.slow
@pytest.mark.parametrize("name", ["threads", "processes"])
def test_urgent_and_hurried_go_first(crops: Path, signals: Signals, name: str) -> None:
    done: list[int] = []
    executor = make_executor(name, 1, disable_gpu=True)
    held, held_task = open_channel(crops, executor, preprocessing_function=HoldAt(signals))
    channel, task = open_channel(crops, executor, pending=6)
    busy = held.submit(held_task(0), urgent=False)
    wait_for(busy.running, "the worker to be at work")
    futures = [channel.submit(task(i), urgent=i == 3) for i in range(5)]
    channel.prioritise(futures[2])
    for i, future in enumerate(futures):
        future.add_done_callback(partial(lambda number, _: done.append(number), i))
    signals.give("go")
    for future in (busy, *futures):
        future.result(WAIT_SECONDS).discard()
    held.close()
    channel.close()
    executor.close()
    assert done == [2, 3, 0, 1, 4]


# Closing


@pytest.mark.slow
def test_close_twice_and_use_after_it(own_executor: Executor, crops: Path) -> None:
    it = flow(crops, own_executor)
    kept = next(it)
    copy = kept[0].copy()
    it.close()
    it.close()
    own_executor.close()
    own_executor.close()
    with pytest.raises(IteratorClosedError):
        next(it)
    with pytest.raises(RuntimeError):
        it[0]
    np.testing.assert_array_equal(kept[0], copy)


@pytest.mark.parametrize("name", ["threads", "processes"])
def test_closed_executor_fails_what_is_submitted(crops: Path, name: str) -> None:
    executor = make_executor(name, 2, disable_gpu=True)
    channel, task = open_channel(crops, executor)
    channel.submit(task(0), urgent=False).result(WAIT_SECONDS)
    executor.close()
    with pytest.raises(IteratorClosedError):
        channel.submit(task(1), urgent=False).result(WAIT_SECONDS)
    channel.close()


@pytest.mark.slow
@pytest.mark.parametrize("beside_another", [False, True], ids=["alone", "beside another"])
@pytest.mark.parametrize("name", ["threads", "processes"])
def test_closing_releases_who_waits(
    crops: Path, signals: Signals, name: str, beside_another: bool
) -> None:
    """Even for a hook that hangs, and while other iterators need the workers."""
    generator = ImageDataGenerator(
        executor=name, cores=2, preprocessing_function=HoldAt(signals, a_file(crops, 1))
    )
    options: dict[str, Any] = {"target_size": (24, 24), "batch_size": BATCH, "seed": SEED}
    it, other = (generator.flow_from_directory(crops, **options) for _ in range(2))
    caught: list[BaseException] = []

    def wait_for_a_batch() -> None:
        try:
            it[1]
        except BaseException as error:
            caught.append(error)

    if beside_another:
        next(other)
    consumer = threading.Thread(target=wait_for_a_batch)
    consumer.start()
    try:
        signals.wait(f"held-{a_file(crops, 1)}")
        it.close()
        consumer.join(2)
        released = not consumer.is_alive()
    finally:
        signals.give("go")
        consumer.join(WAIT_SECONDS)
        it.close()
        other.close()
    assert released, "the consumer still waits for a batch of a closed iterator"
    assert [type(error) for error in caught] == [IteratorClosedError]
