"""Seeds, and the global random state of the user's program, which is theirs."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from executor_support import (
    AUGMENTED,
    BATCHES,
    assert_same_batches,
    draw_globally,
    flow,
    take,
    wait_for,
)
from numpy.typing import NDArray

from imageloom._executors.base import Executor
from imageloom._executors.shared import make_executor
from imageloom._executors.threads import ThreadExecutor


@pytest.fixture(params=["serial", "threads", "processes"])
def executor(request: pytest.FixtureRequest) -> Iterator[Executor]:
    """One of each kind."""
    made = make_executor(request.param, 2, disable_gpu=True)
    yield made
    made.close()


def global_state() -> tuple[Any, Any]:
    name, keys, *rest = np.random.get_state()
    return random.getstate(), (name, np.asarray(keys).tolist(), *rest)


@pytest.fixture
def kept_global_state() -> Iterator[None]:
    """Lets a test seed the global generators without consequences for others."""
    states = random.getstate(), np.random.get_state()
    yield
    random.setstate(states[0])
    np.random.set_state(states[1])


@pytest.mark.slow
@pytest.mark.parametrize("hook", [None, draw_globally], ids=["plain", "hook"])
def test_seeded_iterators_leave_the_global_state_alone(
    crops: Path, executor: Executor, hook: Any
) -> None:
    before = global_state()
    with flow(crops, executor, preprocessing_function=hook, **AUGMENTED) as it:
        it.on_epoch_begin()
        take(it, BATCHES + 1)
        it[2]
        it.on_epoch_end()
        it.reset()
    if isinstance(executor, ThreadExecutor):  # a function that is still running draws from its own
        wait_for(lambda: not executor._pool.running, "the threads")
    assert global_state() == before


def test_a_failing_hook_leaves_the_global_state_alone(crops: Path) -> None:
    def failing(x: NDArray[Any]) -> NDArray[Any]:
        random.random()
        raise ValueError(np.random.random())

    before = global_state()
    with flow(crops, preprocessing_function=failing) as it, pytest.raises(ValueError, match="0"):
        next(it)
    assert global_state() == before


@pytest.mark.slow
def test_without_a_seed_one_is_drawn_once(
    crops: Path, executor: Executor, kept_global_state: None
) -> None:
    np.random.seed(77)
    base = int(np.random.randint(0, 2**32, dtype=np.uint32))
    after_one_draw = global_state()
    np.random.seed(77)
    with flow(crops, executor, seed=None, **AUGMENTED) as it:
        untouched = global_state()
        assert untouched != after_one_draw
        received = take(it, 1)
        assert global_state() == after_one_draw
        it.reset()
        received += take(it, BATCHES + 1)
        assert global_state() == after_one_draw
        assert it.seed is None
    expected = take(flow(crops, seed=base, **AUGMENTED), BATCHES + 1)
    assert_same_batches(received, [expected[0], *expected])


def test_without_a_seed_every_iterator_has_its_own(crops: Path, kept_global_state: None) -> None:
    np.random.seed(5)
    one, other = (next(flow(crops, seed=None)) for _ in range(2))
    assert not np.array_equal(one[0], other[0])


@pytest.mark.parametrize(("seed", "error"), [(-1, ValueError), (2**32, ValueError), (1.5, TypeError)])
def test_seed_that_cannot_be(crops: Path, seed: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        flow(crops, seed=seed)
