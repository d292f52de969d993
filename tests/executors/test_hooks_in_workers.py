"""Users' functions in worker processes: of which kinds they may be, and what they may draw."""

from __future__ import annotations

import functools
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from executor_support import (
    AUGMENTED,
    BATCHES,
    Note,
    Signals,
    assert_same_batches,
    draw_globally,
    flow,
    jitter,
    take,
    worker_processes,
)
from numpy.typing import NDArray

from imageloom import ImageLoomError
from imageloom._errors import ArgumentTypeError
from imageloom._executors.base import Executor
from imageloom._executors.shared import make_executor


@pytest.fixture
def executor() -> Iterator[Executor]:
    """Two worker processes."""
    made = make_executor("processes", 2, disable_gpu=True)
    yield made
    made.close()


class Tinted:
    """An object with a method, and callable itself."""

    def __init__(self, amount: float) -> None:
        self.amount = amount

    def method(self, x: NDArray[Any]) -> NDArray[Any]:
        return x + np.float32(self.amount)

    def __call__(self, x: NDArray[Any]) -> NDArray[Any]:
        return x - np.float32(self.amount)


def tint(amount: float, x: NDArray[Any]) -> NDArray[Any]:
    return x * np.float32(amount)


def closure() -> Callable[[NDArray[Any]], NDArray[Any]]:
    amounts = [3.0]

    def inner(x: NDArray[Any]) -> NDArray[Any]:
        return x / np.float32(amounts[0])

    return inner


@pytest.mark.slow
@pytest.mark.parametrize(
    "hook",
    [
        lambda x: 255 - x,
        closure(),
        Tinted(4.5).method,
        Tinted(5.5),
        functools.partial(tint, 0.25),
        np.sqrt,
        jitter,
    ],
    ids=["lambda", "closure", "method", "object", "partial", "ufunc", "function"],
)
def test_kinds_of_hooks(executor: Executor, crops: Path, hook: Callable[..., Any]) -> None:
    plain = take(flow(crops), 3)
    expected = take(flow(crops, preprocessing_function=hook), 3)
    assert not np.array_equal(expected[0][0], plain[0][0]), "the hook must do something"
    with flow(crops, executor, preprocessing_function=hook) as it:
        assert_same_batches(take(it, 3), expected)


def test_hook_that_cannot_be_sent(executor: Executor, crops: Path, tmp_path: Path) -> None:
    with (tmp_path / "log").open("w") as log:

        def writing(x: NDArray[Any]) -> NDArray[Any]:
            log.write("x")
            return x

        it = flow(crops, executor, preprocessing_function=writing)
        with pytest.raises(TypeError, match="threads") as info:
            next(it)
        it.close()
    assert isinstance(info.value, ArgumentTypeError)
    assert isinstance(info.value, ImageLoomError)
    assert info.value.__cause__ is not None
    assert worker_processes() == {}


@pytest.mark.slow
def test_hook_that_cannot_be_received(executor: Executor, crops: Path) -> None:
    class Poisoned:
        def __reduce__(self) -> Any:
            return int, ("not a number",)

        def __call__(self, x: NDArray[Any]) -> NDArray[Any]:
            return x

    with flow(crops, executor, preprocessing_function=Poisoned()) as it:
        for _ in range(2):
            with pytest.raises(ValueError, match="not a number"):
                next(it)


@pytest.mark.slow
def test_hook_keeps_its_state_out_of_the_stream(
    executor: Executor, crops: Path, signals: Signals
) -> None:
    """What a hook remembers stays in its worker; the pixels it is given do not change with it."""
    with flow(crops, executor, preprocessing_function=Note(signals)) as it:
        assert_same_batches(take(it, BATCHES), take(flow(crops), BATCHES))
    assert len(signals.starting("batch-")) >= BATCHES


# Global random state


@pytest.mark.slow
def test_hooks_that_draw_globally_are_reproducible(crops: Path) -> None:
    options = {**AUGMENTED, "preprocessing_function": draw_globally}
    expected = take(flow(crops, **options), BATCHES)
    again = take(flow(crops, **options), BATCHES)
    assert_same_batches(again, expected)
    for workers in (1, 3):
        executor = make_executor("processes", workers, disable_gpu=True)
        with flow(crops, executor, **options) as it:
            assert_same_batches(take(it, BATCHES), expected)
        executor.close()


def test_hooks_that_draw_globally_draw_anew_for_each_batch(executor: Executor, crops: Path) -> None:
    def draws(x: NDArray[Any]) -> NDArray[Any]:
        x[...] = np.random.randint(0, 2**20) + random.randrange(2**20) / 2**20
        return x

    with flow(crops, executor, preprocessing_function=draws) as it:
        values = np.concatenate([images[:, 0, 0, 0] for images, _ in take(it, BATCHES)])
    assert len(np.unique(values)) == len(values)


@pytest.mark.slow
def test_draws_of_a_hook_do_not_shift_the_transforms(executor: Executor, crops: Path) -> None:
    def wasteful(x: NDArray[Any]) -> NDArray[Any]:
        np.random.random(1000)
        random.random()
        return x

    expected = take(flow(crops, **AUGMENTED), 2)
    assert_same_batches(take(flow(crops, preprocessing_function=wasteful, **AUGMENTED), 2), expected)
    with flow(crops, executor, preprocessing_function=wasteful, **AUGMENTED) as it:
        assert_same_batches(take(it, 2), expected)
