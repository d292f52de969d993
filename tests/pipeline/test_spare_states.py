"""States that are lent again draw what new ones would."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from imageloom._pipeline.spare_states import (
    borrowed_state,
    drawn_permutation,
    give_back,
    permuted_state,
    seeded_state,
)

SEEDS = st.integers(0, 2**32 - 1)


@given(st.lists(st.tuples(SEEDS, st.integers(0, 3)), min_size=1, max_size=20))
def test_a_state_draws_what_a_new_one_draws(uses: list[tuple[int, int]]) -> None:
    for seed, normals in uses:
        with borrowed_state(seed) as state:
            new = np.random.RandomState(seed)
            assert state.permutation(7).tolist() == new.permutation(7).tolist()
            assert state.uniform(size=3).tolist() == new.uniform(size=3).tolist()
            # An odd number leaves one over, which the next user must not get.
            assert state.normal(size=normals).tolist() == new.normal(size=normals).tolist()


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 9), st.booleans()), max_size=20))
def test_a_batch_goes_on_where_its_order_was_drawn(uses: list[tuple[int, int, bool]]) -> None:
    for seed, items, draws_the_order in uses:
        new = np.random.RandomState(seed)
        order = new.permutation(items).tolist()
        if draws_the_order:
            assert drawn_permutation(seed, items).tolist() == order
        state = permuted_state(seed, items)
        assert state.uniform(size=3).tolist() == new.uniform(size=3).tolist()
        give_back(state)


def test_an_order_is_drawn_once_for_its_first_batch() -> None:
    drawn_permutation(1, 5)
    first, second = permuted_state(1, 5), permuted_state(1, 5)
    assert first is not second
    assert first.uniform() == second.uniform()
    drawn_permutation(2, 5)
    drawn_permutation(3, 5)  # whose state is that of the order that nobody has gone on with
    assert permuted_state(2, 5).uniform() != permuted_state(3, 5).uniform()


def test_nobody_shares_a_state() -> None:
    with borrowed_state(1) as one, borrowed_state(1) as other:
        assert one is not other
        assert one.uniform() == other.uniform()


def test_a_state_is_used_again() -> None:
    state = seeded_state(1)
    give_back(state)
    assert seeded_state(2) is state
