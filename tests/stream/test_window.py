"""How far ahead batches are computed: as far as promised, no further, and in the right order."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from executor_support import (
    BATCHES,
    Note,
    Signals,
    assert_same_batches,
    file_at,
    flow,
    take,
    wait_for,
)

from imageloom import DirectoryIterator
from imageloom._adapters.keras import shuffled_batches
from imageloom._executors.base import Executor
from imageloom._executors.shared import make_executor

BACKGROUND = [("threads", 1), ("threads", 3), ("processes", 1), ("processes", 2)]


@pytest.fixture(params=BACKGROUND, ids=lambda p: f"{p[0]}-{p[1]}")
def background(request: pytest.FixtureRequest) -> Iterator[tuple[Executor, int]]:
    """A background executor, and how many workers it has."""
    kind, workers = request.param
    made = make_executor(kind, workers, disable_gpu=True)
    yield made, workers
    made.close()


@pytest.fixture
def executor(background: tuple[Executor, int]) -> Executor:
    """The executor of `background`."""
    return background[0]


@pytest.fixture
def workers(background: tuple[Executor, int]) -> int:
    """The number of workers of `background`."""
    return background[1]


def settle(it: DirectoryIterator) -> list[int]:
    """Waits until everything that was submitted is computed; the positions that wait, in order.

    Only a request submits more, so after this nothing happens until the next one.
    """
    stream = it._stream.supply._stream
    assert stream is not None
    wait_for(lambda: all(future.done() for future in stream._window.values()), "the window to settle")
    return list(stream._window)


def computed(it: DirectoryIterator, signals: Signals, positions: int) -> set[int]:
    """Positions, of so many, that some worker has computed, as `Note` tells."""
    seen = signals.starting("batch-")
    first = {p: f"batch-{file_at(it, p)}".replace("/", "-") for p in range(positions)}
    assert seen <= set(first.values()), "something far ahead was computed"
    return {position for position, name in first.items() if name in seen}


@pytest.mark.slow
@pytest.mark.parametrize("pending", [1, 4])
def test_a_consumer_that_stops_is_not_run_away_from(
    executor: Executor, workers: int, crops: Path, signals: Signals, pending: int
) -> None:
    with flow(
        crops, executor, pending=pending, shuffle=False, preprocessing_function=Note(signals)
    ) as it:
        for taken in (1, 2):
            next(it)
            ahead = settle(it)
            assert len(ahead) == pending + workers
            assert ahead == list(range(taken, taken + pending + workers))
    expected = {position % BATCHES for position in range(2 + pending + workers)}
    assert computed(it, signals, BATCHES) == expected


def test_the_window_reaches_into_the_next_epoch(executor: Executor, workers: int, crops: Path) -> None:
    with flow(crops, executor, pending=2) as it:
        take(it, BATCHES - 1)
        assert settle(it) == [BATCHES - 1 + i for i in range(2 + workers)]


def test_a_batch_of_the_past_leaves_what_is_ahead_in_its_order(
    executor: Executor, workers: int, crops: Path
) -> None:
    with flow(crops, executor, pending=2) as it:
        take(it, 2)
        ahead = settle(it)
        assert ahead == [2 + i for i in range(2 + workers)]
        for past in (0, 40):
            it.batch(past)
            assert settle(it) == ahead, "also what had to make room is computed again in its turn"
        next(it)
        assert settle(it) == [3 + i for i in range(2 + workers)]


@pytest.mark.slow
@pytest.mark.parametrize(
    "order",
    [range(BATCHES), range(BATCHES - 1, -1, -1), [3, 0, 5, 1, 4, 2], [0, 0, 3, 3, 2]],
    ids=["forward", "backward", "mixed", "repeated"],
)
def test_any_order_gets_the_right_batches_and_keeps_the_bound(
    executor: Executor, workers: int, crops: Path, order: Sequence[int]
) -> None:
    serial = flow(crops)
    with flow(crops, executor, pending=2) as it:
        for index in order:
            assert_same_batches([it[index]], [serial[index]])
            assert len(settle(it)) <= 2 + workers


def test_prefetch_follows_the_order_in_which_keras_will_ask(
    executor: Executor, workers: int, crops: Path, global_random_state: None
) -> None:
    with flow(crops, executor, pending=1) as it:
        random.seed(8)
        it.on_epoch_begin()
        order = list(range(BATCHES))
        random.shuffle(order)
        assert order != sorted(order)
        upcoming = [*order, *(BATCHES + i for i in shuffled_batches(BATCHES))]
        for asked in range(BATCHES):
            it[order[asked]]
            assert settle(it) == upcoming[asked + 1 : asked + 2 + workers]


def test_next_epoch_is_prefetched_in_the_expected_order(
    executor: Executor, workers: int, crops: Path, global_random_state: None
) -> None:
    with flow(crops, executor, pending=1) as it:
        random.seed(9)
        it.on_epoch_begin()
        order = list(range(BATCHES))
        random.shuffle(order)
        for index in order:
            it[index]
        it.on_epoch_end()
        following = list(range(BATCHES))
        random.shuffle(following)  # as Keras will when it begins the epoch
        assert settle(it) == [BATCHES + i for i in following[: 1 + workers]]


def test_window_is_dropped_where_the_user_turns_elsewhere(
    executor: Executor, workers: int, crops: Path
) -> None:
    changes: list[Callable[[DirectoryIterator], object]] = [
        lambda it: setattr(it, "shuffle", False),
        lambda it: setattr(it, "batch_size", 5),
        lambda it: it.reset(),
    ]
    for change in changes:
        it, serial = flow(crops, executor, pending=1), flow(crops)
        take(it, 2)
        take(serial, 2)
        change(it)
        change(serial)
        assert_same_batches(take(it, 3), take(serial, 3))
        assert len(settle(it)) == 1 + workers
        it.close()


@pytest.mark.slow
def test_abandoned_requests_give_their_slots_back(crops: Path) -> None:
    """Jumping about drops what was prefetched, finished or not; the memory for it must not run out."""
    executor = make_executor("processes", 1, disable_gpu=True)
    jumps = random.Random(2).choices(range(BATCHES), k=60)
    with flow(crops, executor, pending=1) as it:
        for index in jumps:
            it[index]
        settle(it)
        stream = it._stream.supply._stream
        assert stream is not None
        slots = stream._channel._resources.slots  # type: ignore[attr-defined]
        stream.follow(())
        wait_for(lambda: _free(slots) == slots._count, "all slots to be free again")
    executor.close()


def _free(slots: object) -> int:
    leases = []
    while (slot := slots.lease()) is not None:  # type: ignore[attr-defined]
        leases.append(slot)
    for slot in leases:
        slots.give_back(slot)  # type: ignore[attr-defined]
    return len(leases)


@pytest.fixture
def global_random_state() -> Iterator[None]:
    """Lets a test seed Python's global generator without consequences for others."""
    state = random.getstate()
    yield
    random.setstate(state)
