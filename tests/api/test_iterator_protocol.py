"""What an iterator promises: one endless stream, seen by `next`, by number, and by Keras."""

from __future__ import annotations

import copy
import pickle
import random
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
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
    call_as_keras,
    flow,
    take,
)
from programs import run_program

from imageloom import (
    DirectoryIterator,
    ImageDataGenerator,
    ImageLoomError,
    InvalidArgumentError,
    IteratorClosedError,
)
from imageloom._executors.base import Executor
from imageloom._executors.shared import make_executor


@pytest.fixture(scope="module")
def stream(crops: Path) -> list[Any]:
    """The first three epochs of the stream, by `next` of the serial executor."""
    return take(flow(crops, **AUGMENTED), 3 * BATCHES)


@pytest.fixture(params=["serial", "threads", "processes"])
def executor(request: pytest.FixtureRequest) -> Iterator[Executor]:
    """One of each kind."""
    made = make_executor(request.param, 2, disable_gpu=True)
    yield made
    made.close()


@pytest.fixture
def it(crops: Path) -> Iterator[DirectoryIterator]:
    """A serial iterator over `stream`."""
    with flow(crops, **AUGMENTED) as made:
        yield made


# Walking and asking by number


def test_next_and_its_method_walk_along_the_stream(it: DirectoryIterator, stream: list[Any]) -> None:
    received = [next(it) if p % 2 else it.next() for p in range(2 * BATCHES)]
    assert_same_batches(received, stream[: 2 * BATCHES])


def test_iter_is_the_iterator_and_never_ends(it: DirectoryIterator, stream: list[Any]) -> None:
    assert iter(it) is it
    received = [batch for batch, _ in zip(it, range(3), strict=False)]
    # zip has taken a fourth batch before it noticed that range is over.
    received += [batch for _, batch in zip(range(2), it, strict=False)]
    assert_same_batches(received, [*stream[:3], *stream[4:6]])


def test_number_i_is_a_place_in_the_current_epoch(it: DirectoryIterator, stream: list[Any]) -> None:
    order = [4, 0, 4, 5, 1, 0]
    assert_same_batches([it[i] for i in order], [stream[i] for i in order])
    assert it.total_batches_seen == 0, "asking by number does not move the iterator"
    take(it, BATCHES + 2)
    assert_same_batches([it[i] for i in order], [stream[BATCHES + i] for i in order])
    assert_same_batches(take(it, 1), [stream[BATCHES + 2]])


def test_negative_numbers_count_from_the_end(it: DirectoryIterator, stream: list[Any]) -> None:
    assert_same_batches([it[-1], it[-BATCHES]], [stream[BATCHES - 1], stream[0]])


def test_numpy_integers_are_numbers(it: DirectoryIterator, stream: list[Any]) -> None:
    numbers: list[Any] = [np.int64(2), np.uint8(3)]
    assert_same_batches([it[i] for i in numbers], stream[2:4])


@pytest.mark.parametrize("index", [BATCHES, -BATCHES - 1, 10**9])
def test_a_number_beyond_the_epoch(it: DirectoryIterator, index: int) -> None:
    with pytest.raises(IndexError) as info:
        it[index]
    assert isinstance(info.value, ValueError)
    assert isinstance(info.value, ImageLoomError)
    assert f"element {index}" in str(info.value)
    assert f"length {BATCHES}" in str(info.value)


@pytest.mark.parametrize("index", [slice(0, 2), 1.0, "1", None, (0, 1)], ids=repr)
def test_what_is_no_number(it: DirectoryIterator, index: Any) -> None:
    with pytest.raises(TypeError) as info:
        it[index]
    assert isinstance(info.value, ImageLoomError)


def test_length_and_numbers(it: DirectoryIterator) -> None:
    assert len(it) == it.num_batches == BATCHES
    assert it.n == it.samples == it.sample_count == SAMPLES
    assert (it.batch_size, it.seed, it.shuffle) == (BATCH, SEED, True)
    assert it.batch_shape == (BATCH, 24, 24, 3)
    seen = []
    for _ in range(BATCHES + 2):
        seen.append((it.total_batches_seen, it.batch_index))
        next(it)
    assert seen == [(p, p % BATCHES) for p in range(BATCHES + 2)]


def test_sizes_of_batches(stream: list[Any]) -> None:
    sizes = [BATCH] * (BATCHES - 1) + [SAMPLES % BATCH]
    assert [len(images) for images, _ in stream] == 3 * sizes
    assert [len(targets) for _, targets in stream] == 3 * sizes


@pytest.mark.slow
def test_no_images_at_all(tmp_path: Path, executor: Executor) -> None:
    with flow(tmp_path, executor, class_mode=None) as it:
        assert len(it) == 0
        assert next(it).shape == (0, 24, 24, 3)
        with pytest.raises(IndexError):
            it[0]
        with pytest.raises(InvalidArgumentError, match="no images"):  # `fit` says so at once
            it.on_epoch_begin()
        it.on_epoch_end()
        it.reset()


# Epochs


def test_epoch_ends_once_every_batch_was_asked_for(it: DirectoryIterator, stream: list[Any]) -> None:
    for epoch in range(3):
        it.on_epoch_begin()
        received = [it[i] for i in reversed(range(BATCHES))][::-1]
        it.on_epoch_end()
        assert_same_batches(received, stream[epoch * BATCHES : (epoch + 1) * BATCHES])


def test_epoch_stays_while_a_batch_is_missing(it: DirectoryIterator, stream: list[Any]) -> None:
    for i in (*range(BATCHES - 1), 0, 1):
        it[i]
    call_as_keras(it.on_epoch_end)
    assert_same_batches([it[0]], [stream[0]])
    it[BATCHES - 1]
    call_as_keras(it.on_epoch_end)
    assert_same_batches([it[0]], [stream[BATCHES]])


def test_a_loop_of_the_user_ends_the_epoch_at_once(it: DirectoryIterator, stream: list[Any]) -> None:
    it[0], it[1]
    it.on_epoch_end()
    assert_same_batches([it[0]], [stream[BATCHES]])


def test_a_second_end_of_the_epoch_changes_nothing(it: DirectoryIterator, stream: list[Any]) -> None:
    for i in range(BATCHES):
        it[i]
    it.on_epoch_end()
    it.on_epoch_end()
    assert_same_batches([it[0], next(it)], [stream[BATCHES], stream[BATCHES]])


def test_next_ends_its_epoch_by_itself(it: DirectoryIterator, stream: list[Any]) -> None:
    take(it, BATCHES)
    it.on_epoch_end()
    assert_same_batches([it[1]], [stream[BATCHES + 1]])


def test_peeking_as_keras_does_loses_nothing(it: DirectoryIterator, stream: list[Any]) -> None:
    it.on_epoch_begin()
    it[0], it[1]
    call_as_keras(it.on_epoch_end)
    it.on_epoch_begin()
    assert_same_batches([it[i] for i in range(BATCHES)], stream[:BATCHES])


@pytest.mark.parametrize("taken", [0, 2, BATCHES, BATCHES + 3])
def test_reset_goes_to_the_start_of_the_epoch(
    it: DirectoryIterator, stream: list[Any], taken: int
) -> None:
    take(it, taken)
    it.reset()
    first = taken // BATCHES * BATCHES
    assert it.total_batches_seen == first
    assert_same_batches(take(it, BATCHES), stream[first : first + BATCHES])


@pytest.mark.slow
def test_shuffle_assigned(crops: Path, executor: Executor) -> None:
    ordered = flow(crops, shuffle=False, **AUGMENTED)
    shuffled = flow(crops, **AUGMENTED)
    with flow(crops, executor, **AUGMENTED) as it:
        first = take(it, 2)
        it.shuffle = False
        second = take(it, BATCHES)
        it.shuffle = True
        third = take(it, 2)
    # As in Keras, an epoch that has begun keeps its order.
    whole, plain = take(shuffled, 10), take(ordered, BATCHES + 2)
    assert_same_batches(first + second, [*whole[:BATCHES], *plain[BATCHES:]])
    assert_same_batches(third, take(ordered, 2))


@pytest.mark.slow
def test_batch_size_assigned(crops: Path, executor: Executor) -> None:
    with flow(crops, executor, shuffle=False) as it:
        take(it, 2)
        it.batch_size = 10
        assert (len(it), it.batch_size, it.batch_index, it.total_batches_seen) == (3, 10, 2, 2)
        assert it.batch_shape == (10, 24, 24, 3)
        received = take(it, 4)
        it.batch_size = -1
        everything = take(it, 1)[0] if it.batch_index == 0 else take(it, 2)[1]
    assert [len(images) for images, _ in received] == [3, 10, 10, 3]
    received = received[1:]
    np.testing.assert_array_equal(np.concatenate([images for images, _ in received]), everything[0])


@pytest.mark.parametrize(("size", "error"), [(0, ValueError), (-2, ValueError), (2.5, TypeError)])
def test_batch_size_that_cannot_be(it: DirectoryIterator, size: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        it.batch_size = size
    assert it.batch_size == BATCH
    next(it)


# Threads


@pytest.mark.slow
def test_eight_threads_ask_by_number(crops: Path, executor: Executor, stream: list[Any]) -> None:
    numbers = [*range(BATCHES)] * 8
    random.Random(6).shuffle(numbers)
    start = threading.Barrier(8)

    def read(share: list[int]) -> list[Any]:
        start.wait(20)
        return [shared[i] for i in share]

    with flow(crops, executor, pending=2, **AUGMENTED) as shared, ThreadPoolExecutor(8) as readers:
        shares = [numbers[k::8] for k in range(8)]
        for share, batches in zip(shares, readers.map(read, shares), strict=True):
            assert_same_batches(batches, [stream[i] for i in share])


@pytest.fixture
def hasty_threads() -> Iterator[None]:
    """Threads take turns so often that what is not guarded shows."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.slow
def test_eight_threads_share_the_stream(crops: Path, executor: Executor, hasty_threads: None) -> None:
    start = threading.Barrier(8)

    def read(_: int) -> list[Any]:
        start.wait(20)
        return take(shared, 2 * BATCHES)

    with flow(crops, executor, pending=2) as shared, ThreadPoolExecutor(8) as readers:
        received = [batch for batches in readers.map(read, range(8)) for batch in batches]
        assert shared.total_batches_seen == 16 * BATCHES
    prints = sorted(images.tobytes() for images, _ in received)
    assert prints == sorted(images.tobytes() for images, _ in take(flow(crops), 16 * BATCHES))


# Being an object


def test_repr_says_what_and_where(it: DirectoryIterator, crops: Path) -> None:
    take(it, 2)
    text = repr(it)
    assert "DirectoryIterator" in text
    assert f"{SAMPLES} images" in text
    assert "3 classes" in text
    assert str(crops) in text
    assert "position 2" in text


@pytest.mark.parametrize("copying", [pickle.dumps, copy.copy, copy.deepcopy])
def test_iterators_are_not_copied(it: DirectoryIterator, copying: Any) -> None:
    with pytest.raises(TypeError, match="generator") as info:
        copying(it)
    assert isinstance(info.value, ImageLoomError)


def test_generators_are_copied(it: DirectoryIterator, crops: Path, stream: list[Any]) -> None:
    next(it)
    twin = pickle.loads(pickle.dumps(it.image_data_generator))
    again = twin.flow_from_directory(crops, target_size=(24, 24), batch_size=BATCH, seed=SEED)
    assert_same_batches(take(again, 2), stream[:2])


@pytest.mark.slow
def test_closed_iterator(crops: Path, executor: Executor) -> None:
    it = flow(crops, executor)
    assert not it.is_running
    assert not it.is_shutdown
    with it as entered:
        assert entered is it
        next(it)
        assert it.is_running
    assert it.is_shutdown
    assert not it.is_running
    it.shutdown(wait=True)
    for use in (lambda: next(it), lambda: it[0], it.next):
        with pytest.raises(IteratorClosedError, match="closed") as info:
            use()
        assert isinstance(info.value, RuntimeError)
    it.reset()
    it.on_epoch_end()
    assert len(it) == BATCHES


def test_never_read_iterator_closes(crops: Path) -> None:
    it = ImageDataGenerator(cores=1).flow_from_directory(crops)
    it.close()
    with pytest.raises(IteratorClosedError):
        next(it)


def test_what_keras_asks_for(it: DirectoryIterator) -> None:
    assert (it.workers, it.use_multiprocessing, it.max_queue_size) == (1, False, 10)
    it.workers = 3
    assert it.workers == 3
    it.use_multiprocessing = False
    with pytest.warns(UserWarning, match="cores"):
        it.use_multiprocessing = True
    assert it.use_multiprocessing is False


@pytest.mark.slow
def test_import_is_quick_and_loads_nothing_heavy(tmp_path: Path) -> None:
    runs = [run_program("api/import_alone.py", cwd=tmp_path) for _ in range(3)]
    assert all(run.returncode == 0 for run in runs), runs[0].stderr
    assert all(run.stdout.splitlines()[1] == "[]" for run in runs)
    assert min(float(run.stdout.splitlines()[0]) for run in runs) < 0.5
