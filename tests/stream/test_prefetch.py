"""What is computed in advance at the end of an epoch."""

from __future__ import annotations

import random
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from device_support import Recorder, wait_until_computed
from executor_support import BATCHES, assert_same_batches, flow, flow_with, take

from imageloom._stream.prefetch import Prefetch

DEPTH = 3 * BATCHES


class _Follower:
    """Notes the last plan."""

    def __init__(self) -> None:
        self.plan: list[int] = []

    def follow(self, plan: Iterable[int]) -> None:
        self.plan = list(islice(plan, DEPTH))


def test_the_pass_after_this_one_is_planned() -> None:
    follower = _Follower()
    prefetch = Prefetch(follower, 4)
    prefetch.ask(0, 0)
    assert follower.plan == list(range(8))
    prefetch.ask(0, 2)  # something else than was expected
    assert follower.plan == [2, 3, 4, 5, 6, 7]
    prefetch.next_pass(4)
    assert follower.plan == list(range(4, 12))


def test_after_a_shuffled_pass_a_shuffled_one_is_planned() -> None:
    follower = _Follower()
    prefetch = Prefetch(follower, 5)
    random.seed(3)
    prefetch.begin_epoch()
    asked = list(range(5))
    random.shuffle(asked)
    for index in asked:
        prefetch.ask(0, index)
    upcoming = list(range(5))
    state = random.getstate()
    random.shuffle(upcoming)
    random.setstate(state)
    prefetch.next_pass(5)
    assert follower.plan[:5] == [5 + index for index in upcoming]
    assert sorted(follower.plan[5:]) == list(range(10, 15))


def test_nothing_is_planned_of_an_epoch_whose_order_a_user_draws() -> None:
    follower = _Follower()
    prefetch = Prefetch(follower, 4, draws_itself=True)
    prefetch.ask(0, 0)
    assert follower.plan == [0, 1, 2, 3]
    prefetch.next_pass(4)
    assert follower.plan == [4, 5, 6, 7]


def window(it: Any) -> list[int]:
    return list(it._stream.supply._stream._window)


@pytest.mark.parametrize("way", [pytest.param("for", marks=pytest.mark.frameworks("torch")), "keras"])
def test_the_next_epoch_is_computed_before_this_one_has_ended(crops: Path, way: str) -> None:
    with flow_with(crops, "threads") as it:
        if way == "for":
            batches = iter(it.to_torch_dataset())
            for _ in range(BATCHES - 1):
                next(batches)
        else:
            for index in range(BATCHES - 1):
                it[index]
        assert window(it)[:2] == [BATCHES - 1, BATCHES]


def test_what_is_on_its_way_to_a_device_is_not_computed_again(crops: Path) -> None:
    expected = take(flow(crops), 3 * BATCHES)
    with flow_with(crops, "threads") as it:
        mover, received = Recorder(), []
        for _ in range(3):
            for batch in it._stream.one_pass(mover):
                received.append(batch)
                wait_until_computed(it)
        assert_same_batches(received, expected)
        assert mover.moves <= 3 * BATCHES + 2
        assert not set(window(it)) & set(it._stream.supply._ahead._batches)
