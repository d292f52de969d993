"""Whatever is done to an iterator, on whatever executor: a position has the same bytes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import hypothesis
import pytest
from executor_support import (
    AUGMENTED,
    BATCHES,
    assert_same_batches,
    flow,
    jitter,
    take,
    worker_processes,
)
from hypothesis import strategies as st

from imageloom import DirectoryIterator
from imageloom._executors.base import Executor
from imageloom._executors.shared import make_executor

NAMES: Final = ("serial-1", *(f"{kind}-{n}" for kind in ("threads", "processes") for n in (1, 2, 3)))
OPTIONS: Final[Mapping[str, Any]] = {**AUGMENTED, "preprocessing_function": jitter}
EPOCHS: Final = 12
MOST_KILLS: Final = 2  # of an executor: three over one batch, or at the start, are an error


class Lenders(dict[str, Executor]):
    """An executor for each name; its workers start when they are first used."""

    def __missing__(self, name: str) -> Executor:
        kind, workers = name.split("-")
        self[name] = make_executor(kind, int(workers), disable_gpu=True)
        return self[name]

    def close(self) -> None:
        while self:
            self.popitem()[1].close()


class Streams(dict[bool, list[Any]]):
    """The serial reference, shuffled and not: read by `next` from the start."""

    def __repr__(self) -> str:
        """Short, for hypothesis shows it."""
        return "streams"


@pytest.fixture(scope="module")
def executors() -> Iterator[Lenders]:
    made = Lenders()
    yield made
    made.close()


@pytest.fixture(scope="module")
def streams(crops: Path) -> Streams:
    return Streams(
        (shuffle, take(flow(crops, shuffle=shuffle, **OPTIONS), EPOCHS * BATCHES))
        for shuffle in (True, False)
    )


class Walk:
    """An iterator, and where it should stand."""

    def __init__(self, make: Callable[[str], DirectoryIterator], name: str, stream: list[Any]) -> None:
        self.make, self.name, self.stream = make, name, stream
        self.it = make(name)
        self.position = self.pass_start = self.kills = 0

    def next(self, times: int) -> None:
        for _ in range(times):
            assert_same_batches([next(self.it)], [self.stream[self.position]])
            self.position += 1
            self.pass_start = self.position // BATCHES * BATCHES

    def random_access(self, indices: Sequence[int]) -> None:
        for index in indices:
            assert_same_batches([self.it[index]], [self.stream[self.pass_start + index]])

    def whole_pass(self, order: Sequence[int]) -> None:
        self.it.on_epoch_begin()
        self.random_access(order)
        self.it.on_epoch_end()
        self.pass_start += BATCHES
        self.position = self.pass_start

    def reset(self, _: object) -> None:
        self.it.reset()
        self.position = self.pass_start = self.position // BATCHES * BATCHES

    def kill(self, which: int) -> None:
        """Kills a worker process, of this executor or of another: busy, idle or not yet begun."""
        workers = worker_processes()
        if workers and self.kills < MOST_KILLS:
            self.kills += 1
            workers[sorted(workers)[which % len(workers)]].kill()

    def close_and_start_again(self, name: str) -> None:
        self.it.close()
        self.it = self.make(name)
        self.position = self.pass_start = 0

    def resume(self, name: str) -> None:
        state = json.dumps(self.it.state_dict())
        self.it.close()
        self.it = self.make(name)
        self.it.load_state_dict(json.loads(state))
        self.pass_start = self.position

    def load_in_place(self, position: int) -> None:
        self.it.load_state_dict({**self.it.state_dict(), "position": position})
        self.position = self.pass_start = position


indices = st.integers(0, BATCHES - 1)
names = st.sampled_from(NAMES)
ACTIONS: Final = st.one_of(
    st.tuples(st.just(Walk.next), st.integers(1, BATCHES + 1)),
    st.tuples(st.just(Walk.random_access), st.lists(indices, min_size=1, max_size=5)),
    st.tuples(st.just(Walk.whole_pass), st.permutations(range(BATCHES))),
    st.tuples(st.just(Walk.reset), st.none()),
    st.tuples(st.just(Walk.kill), st.integers(0, 5)),
    st.tuples(st.just(Walk.close_and_start_again), names),
    st.tuples(st.just(Walk.resume), names),
    st.tuples(st.just(Walk.load_in_place), st.integers(0, 2 * BATCHES)),
)


@st.composite
def plans(draw: st.DrawFn) -> dict[str, Any]:
    """What is done, in which order, with which executors."""
    return {
        "name": draw(names),
        "shuffle": draw(st.booleans()),
        "pending": draw(st.integers(1, 6)),
        "actions": draw(st.lists(ACTIONS, min_size=2, max_size=8)),
    }


def follow(
    plan: Mapping[str, Any],
    crops: Path,
    executors: Lenders,
    streams: Streams,
) -> None:
    shuffle = plan["shuffle"]

    def make(name: str) -> DirectoryIterator:
        executor = executors[name]
        return flow(crops, executor, pending=plan["pending"], shuffle=shuffle, **OPTIONS)

    walk = Walk(make, plan["name"], streams[shuffle])
    try:
        for action, argument in plan["actions"]:
            action(walk, argument)
            assert walk.it.total_batches_seen == walk.position
        walk.next(2)
    finally:
        walk.it.close()
        if walk.kills:  # three workers in a row that die while they start are an error, too
            executors.close()


@pytest.mark.slow
@hypothesis.given(plan=plans())
@hypothesis.settings(max_examples=12)
def test_every_position_has_the_bytes_of_the_serial_reference(
    plan: Mapping[str, Any],
    crops: Path,
    executors: Lenders,
    streams: Streams,
) -> None:
    follow(plan, crops, executors, streams)


@pytest.mark.long
@pytest.mark.timeout(1200)
@hypothesis.given(plan=plans())
@hypothesis.settings(max_examples=120)
def test_every_position_has_the_bytes_of_the_serial_reference_in_many_more_cases(
    plan: Mapping[str, Any],
    crops: Path,
    executors: Lenders,
    streams: Streams,
) -> None:
    follow(plan, crops, executors, streams)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2, 3])
def test_a_worker_killed_in_every_epoch_changes_nothing(
    workers: int, crops: Path, streams: Streams
) -> None:
    others = worker_processes().keys()
    executor = make_executor("processes", workers, disable_gpu=True)
    with flow(crops, executor, pending=3, **OPTIONS) as it:
        received = take(it, 2)
        for _ in range(2):
            living = worker_processes()
            living[max(living.keys() - others)].kill()
            received += take(it, 2 * BATCHES)
        restarts = it.report().restarts
    executor.close()
    assert_same_batches(received, streams[True][: len(received)])
    assert restarts >= 1


def test_the_reference_differs_from_position_to_position(streams: Streams) -> None:
    """Or the comparisons above would show nothing."""
    for stream in streams.values():
        assert len({images.tobytes() for images, _ in stream}) == EPOCHS * BATCHES
