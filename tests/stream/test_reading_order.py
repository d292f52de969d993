"""The guess at which batch is asked for next."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imageloom._adapters.keras import shuffled_batches
from imageloom._stream.guess import ReadingOrder


def test_starts_in_sequence() -> None:
    order = ReadingOrder(5)
    assert order.observe(0) == [1, 2, 3, 4]
    assert [order.observe(i) for i in (1, 2, 3, 4)] == [None] * 4
    assert not order.shuffled


def test_goes_on_in_sequence_from_anywhere() -> None:
    order = ReadingOrder(5)
    assert order.observe(3) == [4]
    assert order.observe(1) == [2, 3, 4]
    assert order.observe(2) is None


def test_takes_the_shuffled_batches_if_it_begins_like_it() -> None:
    order = ReadingOrder(5)
    order.begin([3, 0, 4, 1, 2])
    assert order.observe(3) == [0, 4, 1, 2]
    assert order.shuffled
    assert [order.observe(i) for i in (0, 4, 1, 2)] == [None] * 4


def test_takes_the_sequence_if_it_begins_like_that() -> None:
    order = ReadingOrder(5)
    order.begin([3, 0, 4, 1, 2])
    assert order.observe(0) == [1, 2, 3, 4]
    assert not order.shuffled


def test_a_peek_does_not_spoil_the_guess() -> None:
    """TensorFlow reads batches 0 and 1 before the pass begins, JAX and torch batch 0."""
    order = ReadingOrder(5)
    order.observe(0)
    order.observe(1)
    order.begin([3, 0, 4, 1, 2])
    assert order.observe(3) == [0, 4, 1, 2]


def test_an_unfinished_pass_goes_on_before_a_new_one_begins() -> None:
    """With `steps_per_epoch` Keras continues its pass over several of its epochs."""
    order = ReadingOrder(6)
    order.begin([3, 0, 4, 1, 2, 5])
    for i in (3, 0):
        order.observe(i)
    order.begin([4, 5, 3, 2, 1, 0])
    assert [order.observe(i) for i in (4, 1, 2, 5)] == [None] * 4
    assert order.shuffled


def test_a_peek_into_an_unfinished_pass_does_not_spoil_it() -> None:
    order = ReadingOrder(6)
    order.begin([3, 0, 4, 1, 2, 5])
    for i in (3, 0):
        order.observe(i)
    order.begin([5, 4, 3, 2, 1, 0])
    order.observe(0)
    assert order.observe(4) == [1, 2, 5]


def test_the_expected_order_of_the_next_pass() -> None:
    order = ReadingOrder(4)
    order.expect([2, 0, 3, 1])
    assert [order.observe(i) for i in (2, 0, 3, 1)] == [None] * 4


def test_a_wrong_expectation_is_given_up() -> None:
    order = ReadingOrder(4)
    order.expect([2, 0, 3, 1])
    order.begin([1, 3, 0, 2])
    assert order.observe(1) is not None
    assert order.observe(3) is None


@pytest.mark.slow
@given(st.integers(1, 12), st.randoms(use_true_random=False), st.data())
def test_whatever_is_asked_the_guess_names_only_batches_that_exist(
    batches: int, rng: random.Random, data: st.DataObject
) -> None:
    order = ReadingOrder(batches)
    for _ in range(data.draw(st.integers(1, 30))):
        if data.draw(st.booleans()):
            order.begin(rng.sample(range(batches), batches))
        index = data.draw(st.integers(0, batches - 1))
        guess = order.observe(index)
        if guess is not None:
            assert len(set(guess)) == len(guess)
            assert set(guess) <= set(range(batches)) - {index}


@given(st.integers(1, 40), st.integers(0, 2**31))
def test_a_shuffled_pass_is_followed_with_at_most_one_change(batches: int, seed: int) -> None:
    order = ReadingOrder(batches)
    asked = list(range(batches))
    random.Random(seed).shuffle(asked)
    order.begin(asked)
    changes = [order.observe(i) is not None for i in asked]
    assert sum(changes) == 1
    assert changes[0]


@pytest.mark.parametrize("batches", [0, 1, 5, 40])
def test_prediction_of_the_shuffle_leaves_the_state_alone(batches: int) -> None:
    before = random.getstate()
    try:
        predicted = shuffled_batches(batches)
        assert random.getstate() == before
        indices = list(range(batches))
        random.shuffle(indices)
        assert predicted == indices
    finally:
        random.setstate(before)
