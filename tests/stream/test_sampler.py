"""The order of the stream: golden values, and what must hold for every seed and size."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imageloom._pipeline.recipe import BatchSpec
from imageloom._stream.order import Sampler

SIZES = st.integers(0, 60)
BATCH_SIZES = st.integers(1, 70)
SEEDS = st.integers(0, 2**32 - 1)
POSITIONS = st.integers(0, 10**12)


def same(one: BatchSpec, other: BatchSpec) -> bool:
    return (
        one.position == other.position
        and one.seed == other.seed
        and one.permuted == other.permuted
        and np.array_equal(one.indices, other.indices)
    )


def test_golden_order_of_keras() -> None:
    sampler = Sampler(7, 3, shuffle=True, seed=5)
    received = [sampler.spec(p).indices.tolist() for p in range(5)]
    assert received == [[6, 2, 4], [1, 0, 5], [3], [2, 0, 6], [5, 1, 4]]


@pytest.mark.parametrize(
    ("samples", "seed", "order"),
    [
        (10, 0, [2, 8, 4, 9, 1, 6, 7, 3, 0, 5]),
        (10, 123, [4, 0, 7, 5, 8, 3, 1, 6, 9, 2]),
        (10, 2**32 - 1, [6, 9, 5, 1, 8, 0, 7, 4, 2, 3]),
        (5, 42, [1, 4, 2, 0, 3]),
    ],
)
def test_frozen_permutations(samples: int, seed: int, order: list[int]) -> None:
    """Written down once: whoever changes them changes everybody's training runs."""
    assert Sampler(samples, 4, shuffle=True, seed=seed).order(0).tolist() == order


def test_frozen_draws() -> None:
    sampler = Sampler(7, 3, shuffle=True, seed=5)
    firsts = [int(sampler.spec(p).random_state().randint(10**6)) for p in range(4)]
    states = [np.random.RandomState(5 + p) for p in range(4)]
    for p in (0, 3):  # the epoch's first batch draws on where the permutation has left off
        states[p].permutation(7)
    assert firsts == [int(state.randint(10**6)) for state in states]
    assert firsts == [736999, 162698, 585903, 403592]


def test_without_shuffling_files_come_in_their_order() -> None:
    sampler = Sampler(7, 3, shuffle=False, seed=5)
    received = [sampler.spec(p).indices.tolist() for p in range(4)]
    assert received == [[0, 1, 2], [3, 4, 5], [6], [0, 1, 2]]
    assert [sampler.spec(p).permuted for p in range(4)] == [0] * 4
    assert [sampler.spec(p).seed for p in range(4)] == [5, 6, 7, 8]


@given(SIZES, BATCH_SIZES, st.booleans(), SEEDS, st.integers(0, 10**9))
def test_every_epoch_is_a_permutation(
    samples: int, batch_size: int, shuffle: bool, seed: int, epoch: int
) -> None:
    sampler = Sampler(samples, batch_size, shuffle=shuffle, seed=seed)
    first = epoch * len(sampler)
    batches = [sampler.spec(first + i).indices for i in range(len(sampler))]
    assert len(sampler) == np.ceil(samples / batch_size)
    assert all(len(batch) == batch_size for batch in batches[:-1])
    assert sorted(i for batch in batches for i in batch.tolist()) == list(range(samples))
    if shuffle and samples:
        np.testing.assert_array_equal(np.concatenate(batches), sampler.order(epoch))


@pytest.mark.slow
@given(st.integers(1, 60), BATCH_SIZES, st.booleans(), SEEDS, st.lists(POSITIONS, min_size=1))
def test_a_spec_is_a_pure_function_of_its_position(
    samples: int, batch_size: int, shuffle: bool, seed: int, positions: list[int]
) -> None:
    sampler = Sampler(samples, batch_size, shuffle=shuffle, seed=seed)
    specs = [sampler.spec(p) for p in positions]
    for position, spec in zip(reversed(positions), reversed(specs), strict=True):
        fresh = Sampler(samples, batch_size, shuffle=shuffle, seed=seed).spec(position)
        assert same(spec, fresh)
        assert same(spec, sampler.spec(position))
        draws = spec.random_state().random_sample(3)
        np.testing.assert_array_equal(draws, fresh.random_state().random_sample(3))


@given(st.integers(1, 60), BATCH_SIZES, SEEDS, POSITIONS)
def test_a_spec_is_what_its_formula_says(
    samples: int, batch_size: int, seed: int, position: int
) -> None:
    spec = Sampler(samples, batch_size, shuffle=True, seed=seed).spec(position)
    length = -(-samples // batch_size)
    epoch, index = divmod(position, length)
    order = np.random.RandomState((seed + epoch * length) % 2**32).permutation(samples)
    np.testing.assert_array_equal(spec.indices, order[index * batch_size :][:batch_size])
    assert spec.seed == (seed + position) % 2**32
    assert spec.permuted == (samples if index == 0 else 0)


@pytest.mark.slow
@given(st.integers(1, 60), BATCH_SIZES, POSITIONS)
def test_seeds_wrap(samples: int, batch_size: int, position: int) -> None:
    low = Sampler(samples, batch_size, shuffle=True, seed=0)
    length = len(low)
    high = Sampler(samples, batch_size, shuffle=True, seed=2**32 - length)
    later = high.spec(position + length)  # one epoch later it is where the other one starts
    np.testing.assert_array_equal(later.indices, low.spec(position).indices)
    assert later.seed == low.spec(position).seed


def test_last_seed_is_followed_by_the_first() -> None:
    sampler = Sampler(4, 4, shuffle=True, seed=2**32 - 1)
    assert [sampler.spec(p).seed for p in range(3)] == [2**32 - 1, 0, 1]
    expected = np.random.RandomState(0).permutation(4)
    np.testing.assert_array_equal(sampler.spec(1).indices, expected)


def test_no_samples() -> None:
    sampler = Sampler(0, 3, shuffle=True, seed=5)
    assert len(sampler) == 0
    assert sampler.spec(4).indices.size == 0
    sampler.spec(4).random_state()


def test_different_seeds_give_different_orders() -> None:
    orders = {tuple(Sampler(20, 4, shuffle=True, seed=s).order(0).tolist()) for s in range(50)}
    epochs = {tuple(Sampler(20, 4, shuffle=True, seed=7).order(e).tolist()) for e in range(50)}
    assert len(orders) == len(epochs) == 50
