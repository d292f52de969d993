"""A user's class of generators that refuses to be copied works as with Keras, which copies none."""

from __future__ import annotations

import threading
import warnings
from typing import Any, NoReturn

import numpy as np
import pytest
from reference import keras_generator, quiet

from imageloom import ImageDataGenerator

EXECUTORS = ["serial", "threads", "processes"]
PIXELS = np.random.RandomState(5).uniform(0, 255, (10, 8, 8, 3)).astype("float32")


class _Amount:
    """What the classes below have in common: a value of their own, and a method that uses it."""

    amount: float

    def standardize(self, x: Any) -> Any:
        return super().standardize(x) + self.amount  # type: ignore[misc]


class Raising(_Amount):
    def __getstate__(self) -> NoReturn:
        raise NotImplementedError("nobody copies me")


class Unreducible(_Amount):
    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise TypeError("nobody copies me")


class Uncopied(_Amount):
    def __copy__(self) -> NoReturn:
        raise NotImplementedError("nobody copies me")


class Nothing(_Amount):
    def __getstate__(self) -> None:
        return None


class Text(_Amount):
    def __getstate__(self) -> str:
        return "something else"


class OwnNames(_Amount):
    def __getstate__(self) -> tuple[float]:
        return (self.amount,)

    def __setstate__(self, state: Any) -> NoReturn:
        raise NotImplementedError("nobody restores me")


class Slots(_Amount):
    __slots__ = ("amount", "unset")


class Guarded(_Amount):
    def __setattr__(self, name: str, value: Any) -> None:
        if not name.startswith("_") and hasattr(self, "amount"):
            raise AttributeError(f"{name} is settled")
        super().__setattr__(name, value)


class WithLock(_Amount):
    """The lock is in no state of it."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.lock = threading.Lock()

    def standardize(self, x: Any) -> Any:
        with self.lock:
            return super().standardize(x)


KINDS = [Raising, Unreducible, Uncopied, Nothing, Text, OwnNames, Slots, Guarded, WithLock]


def made(kind: type[Any], base: type[Any], **options: Any) -> Any:
    namespace = {"__slots__": ()} if kind is Slots else {}
    generator = type(kind.__name__, (kind, base), namespace)(rotation_range=30, **options)
    generator.amount = 7.0
    return generator


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("executor", EXECUTORS)
def test_its_batches_are_those_of_keras(kind: type[Any], executor: str) -> None:
    flow: dict[str, Any] = {"batch_size": 4, "seed": 3}
    with quiet():
        theirs = made(kind, type(keras_generator())).flow(PIXELS, **flow)
        expected = [next(theirs) for _ in range(4)]
    ours = made(kind, ImageDataGenerator, executor=executor, cores=2)
    with warnings.catch_warnings(record=True) as caught, ours.flow(PIXELS, **flow) as it:
        warnings.simplefilter("always")
        for images in expected:
            np.testing.assert_allclose(next(it), images, atol=1.0)
    assert len(caught) <= 1, "one says where the batches are computed"
    assert all("cannot run in worker processes" in str(one.message) for one in caught)


@pytest.mark.parametrize("kind", KINDS)
def test_later_assignments_do_not_change_what_has_begun(kind: type[Any]) -> None:
    """The same values as those of the copies that pickle's protocol would make."""
    generator = made(kind, ImageDataGenerator, executor="serial")
    with generator.flow(PIXELS, batch_size=4, seed=3) as it:
        first = it[0]
        object.__setattr__(generator, "amount", 100.0)
        np.testing.assert_array_equal(it[0], first)
