"""Parts of one stream for several training processes, and orders that are computed on demand."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from executor_support import assert_same_batches, take
from hypothesis import given, settings
from hypothesis import strategies as st

from imageloom import ImageDataGenerator, InvalidArgumentError, StateMismatchError
from imageloom._adapters.ranks import own_shard
from imageloom._stream.order import Sampler
from imageloom._stream.permutation import KeyedPermutation

SEEDS = st.integers(0, 2**32 - 1)
ORDERS: Any = st.sampled_from([True, False, "fast", "balanced"])
EXECUTORS = ["serial", "threads", "processes"]


def make_sampler(samples: int, order: Any, **options: Any) -> Sampler:
    balanced = order == "balanced"
    classes = np.arange(samples) % 3 if balanced else None
    return Sampler(samples, shuffle=balanced or order, class_numbers=classes, **options)


@pytest.mark.slow
@given(
    samples=st.integers(1, 80),
    batch_size=st.integers(1, 10),
    order=ORDERS,
    seed=SEEDS,
    count=st.integers(1, 6),
    epoch=st.integers(0, 10**6),
)
def test_shards_are_the_rounds_of_the_whole_stream(
    samples: int, batch_size: int, order: Any, seed: int, count: int, epoch: int
) -> None:
    options: dict[str, Any] = {"batch_size": batch_size, "seed": seed}
    whole = make_sampler(samples, order, **options)
    parts = [make_sampler(samples, order, shard=(i, count), **options) for i in range(count)]
    rounds = len(whole) // count
    assert [len(part) for part in parts] == [rounds] * count
    for number in range(rounds):
        for index, part in enumerate(parts):
            spec = part.spec(epoch * rounds + number)
            expected = whole.spec(epoch * len(whole) + number * count + index)
            assert (spec.seed, spec.permuted, spec.index) == (
                expected.seed, expected.permuted, expected.index,
            )  # fmt: skip
            np.testing.assert_array_equal(spec.indices, expected.indices)


# The order that is computed on demand


@pytest.mark.slow
@given(n=st.integers(1, 700), key=st.tuples(SEEDS, st.integers(0, 9)))
def test_a_keyed_permutation_is_one(n: int, key: tuple[int, int]) -> None:
    permutation = KeyedPermutation(n, key)
    images = permutation(np.arange(n))
    assert sorted(images.tolist()) == list(range(n))
    np.testing.assert_array_equal(KeyedPermutation(n, key)(np.arange(n)[::-1]), images[::-1])


@settings(max_examples=20)
@given(n=st.integers(2**20, 2**62), key=SEEDS)
def test_a_keyed_permutation_of_any_size_costs_what_is_asked_for(n: int, key: int) -> None:
    items = np.unique(np.random.default_rng(key).integers(0, n, 200))
    images = KeyedPermutation(n, (key,))(items)
    assert images.min() >= 0
    assert images.max() < n
    assert len(np.unique(images)) == len(items)


def test_frozen_fast_order() -> None:
    """Written down once: whoever changes it changes everybody's training runs."""
    sampler = Sampler(10, 4, shuffle="fast", seed=5)
    assert [sampler.spec(p).indices.tolist() for p in range(6)] == GOLDEN
    assert KeyedPermutation(10**9, (1, 2))(np.arange(3)).tolist() == GOLDEN_OF_A_BILLION


GOLDEN = [[8, 0, 7, 4], [3, 2, 1, 9], [5, 6], [6, 3, 9, 5], [8, 0, 2, 1], [4, 7]]
GOLDEN_OF_A_BILLION = [985496365, 442618097, 409223328]


def test_a_fast_order_is_as_random_as_a_drawn_one() -> None:
    """Every item comes to every place equally often, and so does every pair of neighbours."""
    n, epochs = 200, 1000
    orders = np.array([KeyedPermutation(n, (epoch, 6))(np.arange(n)) for epoch in range(epochs)])
    placed = np.zeros((n, n))
    followed = np.zeros((n, n))
    for place in range(n):
        np.add.at(placed[place], orders[:, place], 1)
    for one, other in zip(orders.T[:-1], orders.T[1:], strict=True):
        np.add.at(followed, (one, other), 1)
    pairs = followed[~np.eye(n, dtype=bool)]
    for counts, free in ((placed, (n - 1) ** 2), (pairs, n * (n - 1) - 1)):
        expected = counts.mean()
        chi_square = ((counts - expected) ** 2 / expected).sum()
        assert abs(chi_square - free) < 5 * np.sqrt(2 * free)


def test_a_fast_order_draws_its_random_numbers_by_position() -> None:
    sampler = Sampler(10, 4, shuffle="fast", seed=5)
    assert [sampler.spec(p).permuted for p in range(6)] == [0] * 6
    assert [sampler.spec(p).seed for p in range(6)] == list(range(5, 11))
    np.testing.assert_array_equal(
        np.concatenate([sampler.spec(p).indices for p in (3, 4, 5)]), sampler.order(1)
    )


# Iterators


def open_folder(folder: Path, executor: str = "serial", **options: Any) -> Any:
    generator = ImageDataGenerator(executor=executor, cores=2, rotation_range=20, noise="gauss")
    usual: dict[str, Any] = {"target_size": (12, 12), "batch_size": 2, "seed": 3}
    return generator.flow_from_directory(folder, **(usual | options))


@pytest.mark.slow
@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.parametrize("options", [{}, {"shuffle": "fast"}, {"balance": True}], ids=repr)
def test_parts_are_together_the_whole(
    executor: str, options: dict[str, Any], class_folder: Path
) -> None:
    with open_folder(class_folder, **options) as whole:
        assert len(whole) == 10
        expected = take(whole, 20)
    rounds = []
    for index in range(3):
        with open_folder(class_folder, executor, shard=(index, 3), **options) as part:
            assert len(part) == 3
            assert part.shard == (index, 3)
            assert part.n == 19
            assert f"shard {index} of 3" in repr(part)
            rounds.append(take(part, 6))
    received = [batch for together in zip(*rounds, strict=True) for batch in together]
    assert_same_batches(received, expected[:9] + expected[10:19])


def test_parts_of_arrays_and_frames(class_folder: Path) -> None:
    generator = ImageDataGenerator(executor="serial", width_shift_range=0.2, height_shift_range=0.2)
    names = sorted(str(path.relative_to(class_folder)) for path in class_folder.glob("*/*.png"))
    frame = pd.DataFrame({"filename": names})
    x = np.random.default_rng(1).integers(0, 255, (len(names), 9, 9, 3), dtype=np.uint8)

    def array(**options: Any) -> Any:
        return generator.flow(x, batch_size=1, seed=1, **options)

    def table(**options: Any) -> Any:
        return generator.flow_from_dataframe(
            frame, class_folder, class_mode=None, batch_size=1, seed=1, target_size=(9, 9), **options
        )

    for make in (array, table):
        whole = take(make(), 2 * len(make()))
        parts = [take(make(shard=(index, 2)), 2) for index in range(2)]
        assert_same_batches([b for pair in zip(*parts, strict=True) for b in pair], whole[:4])


def test_keras_protocol_sees_the_part(class_folder: Path) -> None:
    whole = open_folder(class_folder)
    part = open_folder(class_folder, shard=(1, 3))
    assert_same_batches([part[i] for i in (2, 0, 1)], [whole[i] for i in (7, 1, 4)])
    part.on_epoch_end()
    [whole[i] for i in range(10)]
    whole.on_epoch_end()
    assert_same_batches([part[0]], [whole[1]])


# Resuming


def test_any_shards_state_is_every_shards(class_folder: Path) -> None:
    first = open_folder(class_folder, shard=(0, 3))
    take(first, 2)
    state = json.loads(json.dumps(first.state_dict()))
    other = open_folder(class_folder, shard=(2, 3))
    expected = take(open_folder(class_folder, shard=(2, 3)), 6)
    other.load_state_dict(state)
    assert_same_batches(take(other, 4), expected[2:])


@pytest.mark.parametrize(("before", "after"), [((1, 2), (0, 3)), ((0, 1), (1, 4)), ((2, 4), (0, 1))])
def test_another_number_of_shards_goes_on_at_an_epochs_start(
    before: tuple[int, int], after: tuple[int, int], class_folder: Path
) -> None:
    it = open_folder(class_folder, shard=before)
    take(it, len(it))
    state = it.state_dict()
    resumed = open_folder(class_folder, shard=after)
    resumed.load_state_dict(state)
    fresh = open_folder(class_folder, shard=after)
    expected = take(fresh, 2 * len(fresh))
    assert_same_batches(take(resumed, len(fresh)), expected[len(fresh) :])
    next(it)
    with pytest.raises(StateMismatchError, match="start of an epoch"):
        resumed.load_state_dict(it.state_dict())


@pytest.mark.parametrize("shards", [0, -1, "2", True])
def test_damaged_states(shards: Any, class_folder: Path) -> None:
    it = open_folder(class_folder)
    with pytest.raises(InvalidArgumentError, match="damaged"):
        it.load_state_dict({**it.state_dict(), "shards": shards})


# What cannot work


def test_parts_need_a_common_seed_and_enough_batches(class_folder: Path) -> None:
    with pytest.raises(InvalidArgumentError, match="seed"):
        open_folder(class_folder, shard=(0, 2), seed=None)
    with pytest.raises(InvalidArgumentError, match="too few"):
        open_folder(class_folder, shard=(0, 11))
    it = open_folder(class_folder, shard=(0, 10))
    with pytest.raises(InvalidArgumentError, match="too few"):
        it.batch_size = 3
    assert it.batch_size == 2
    with pytest.raises(InvalidArgumentError, match="balance"):
        open_folder(class_folder, balance=True, shuffle="fast")


# shard="auto"


def framework(rank: int, count: int, *, initialized: bool = True) -> dict[str, Any]:
    """What torch and JAX answer, of which only one is put where it is looked for."""
    return {
        "torch.distributed": SimpleNamespace(
            is_available=lambda: True,
            is_initialized=lambda: initialized,
            get_rank=lambda: rank,
            get_world_size=lambda: count,
        ),
        "jax": SimpleNamespace(
            distributed=SimpleNamespace(is_initialized=lambda: initialized),
            process_index=lambda: rank,
            process_count=lambda: count,
        ),
    }


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Puts frameworks in place of those loaded."""
    monkeypatch.delenv("TF_CONFIG", raising=False)

    def put(**modules: Any) -> None:
        for name in ("torch.distributed", "jax"):
            monkeypatch.setitem(sys.modules, name, modules.get(name.partition(".")[0]))

    put()
    return put


def test_alone_it_is_the_whole(loaded: Callable[..., None], class_folder: Path) -> None:
    assert own_shard() == (0, 1)
    loaded(
        torch=framework(1, 2, initialized=False)["torch.distributed"],
        jax=framework(1, 2, initialized=False)["jax"],
    )
    assert own_shard() == (0, 1)
    with open_folder(class_folder, shard="auto", seed=None) as it:
        assert it.shard == (0, 1)


def test_frameworks_are_asked(loaded: Callable[..., None], class_folder: Path) -> None:
    loaded(torch=framework(1, 3)["torch.distributed"])
    assert own_shard() == (1, 3)
    loaded(jax=framework(2, 4)["jax"])
    assert own_shard() == (2, 4)
    assert open_folder(class_folder, shard="auto").shard == (2, 4)
    loaded(torch=framework(1, 3)["torch.distributed"], jax=framework(2, 4)["jax"])
    with pytest.raises(InvalidArgumentError, match=r"1 of 3.*2 of 4"):
        own_shard()


@pytest.mark.parametrize(("client", "expected"), [(None, (0, 1)), (object(), (2, 4))])
def test_an_old_jax_is_asked_in_its_way(
    client: object,
    expected: tuple[int, int],
    loaded: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    old = SimpleNamespace(
        distributed=SimpleNamespace(), process_index=lambda: 2, process_count=lambda: 4
    )
    loaded(jax=old)
    state = SimpleNamespace(global_state=SimpleNamespace(client=client))
    monkeypatch.setitem(sys.modules, "jax._src.distributed", state)
    assert own_shard() == expected


@pytest.mark.parametrize(
    ("task", "expected"),
    [
        ({"type": "chief", "index": 0}, (0, 3)),
        ({"type": "worker", "index": 1}, (2, 3)),
        ({"type": "evaluator", "index": 0}, (0, 1)),
    ],
)
@pytest.mark.usefixtures("loaded")
def test_tensorflows_environment_is_read(
    task: dict[str, Any], expected: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = {"chief": ["a:1"], "worker": ["b:1", "c:1"], "ps": ["d:1"]}
    monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": cluster, "task": task}))
    assert own_shard() == expected


@pytest.mark.parametrize("text", ["{", "[1]", '{"task": {"type": "worker"}}'])
@pytest.mark.usefixtures("loaded")
def test_an_unreadable_environment_is_an_error(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(InvalidArgumentError, match="TF_CONFIG"):
        own_shard()
