"""Users' functions that hold something, in every way in which a function can."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from executor_support import BATCH, SEED, SIZE, Lent, assert_same_batches, take
from numpy.typing import NDArray

from imageloom import DirectoryIterator, ImageDataGenerator
from imageloom._executors.base import Executor

STAYS = "cannot run in worker processes"
Number = Callable[[Any], float]


def flow_of(generator: ImageDataGenerator, folder: Path, batch_size: int = BATCH) -> Any:
    return generator.flow_from_directory(folder, SIZE, batch_size=batch_size, seed=SEED)


def flow_with(
    folder: Path, lent: Executor | None = None, kind: str = "processes", **options: Any
) -> DirectoryIterator:
    """An iterator of a generator of this kind, which may use workers that run already."""
    own = options.pop("cls", ImageDataGenerator)
    generator = own(executor=kind, cores=2, **options)
    if lent is not None:
        generator._engine.lent = Lent(lent)
    it: DirectoryIterator = flow_of(generator, folder)
    return it


# The ways in which a function reaches what it uses; each gives the options of a generator


def as_global(thing: Any, number: Number) -> dict[str, Any]:
    """A function of the main program, which no worker can import."""
    scope = {"__name__": "__main__", "thing": thing, "number": number}
    exec("def hook(x):\n    return x + number(thing)", scope)
    return {"preprocessing_function": scope["hook"]}


def in_closure(thing: Any, number: Number) -> dict[str, Any]:
    return {"preprocessing_function": lambda x: x + number(thing)}


def on_object(thing: Any, number: Number) -> dict[str, Any]:
    class Owner:
        def __init__(self) -> None:
            self.thing = thing

        def method(self, x: NDArray[Any]) -> NDArray[Any]:
            return x + np.float32(number(self.thing))

    return {"preprocessing_function": Owner().method}


def in_partial(thing: Any, number: Number) -> dict[str, Any]:
    def hook(x: NDArray[Any], used: Any = None) -> NDArray[Any]:
        return x + np.float32(number(used))

    return {"preprocessing_function": functools.partial(hook, used=thing)}


def in_container(thing: Any, number: Number) -> dict[str, Any]:
    things = {"first": [None, thing]}
    return {"preprocessing_function": lambda x: x + number(things["first"][1])}


def as_default(thing: Any, number: Number) -> dict[str, Any]:
    def hook(x: NDArray[Any], used: Any = thing) -> NDArray[Any]:
        return x + np.float32(number(used))

    return {"preprocessing_function": hook}


def on_subclass(thing: Any, number: Number) -> dict[str, Any]:
    class Own(ImageDataGenerator):
        def __init__(self, **options: Any) -> None:
            super().__init__(**options)
            self.thing = thing

        def standardize(self, x: NDArray[Any]) -> NDArray[Any]:
            return super().standardize(x) + np.float32(number(self.thing))

    return {"cls": Own}


def on_class(thing: Any, number: Number) -> dict[str, Any]:
    class Owner:
        shared = thing

        def __call__(self, x: NDArray[Any]) -> NDArray[Any]:
            return x + np.float32(number(self.shared))

    return {"preprocessing_function": Owner()}


WAYS = {
    as_global: "`thing`",
    in_closure: "`thing`",
    on_object: "`Owner.thing`",
    in_partial: "`preprocessing_function(used=...)`",
    in_container: "`things['first'][1]`",
    as_default: "`a default argument of as_default.<locals>.hook`",
    on_subclass: "`Own.thing`",
    on_class: "`Owner.shared`",
}
by_way = pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)


def enter(lock: Any) -> float:
    with lock:
        return 2


def serial_iterator(folder: Path) -> DirectoryIterator:
    return flow_with(folder, kind="serial")


def asked(it: Any) -> float:
    """What is left of an iterator."""
    assert len(it) == it.num_batches
    assert len(it.filenames) == it.n
    sizes = (*it.image_shape, *it.target_size, it.batch_size, it.num_classes, len(it.classes))
    return float(sum(sizes) + it.class_indices["cup"] + it.n + (it.subset is None))


def assert_travels(folder: Path, workers: Executor, **options: Any) -> None:
    with flow_with(folder, kind="serial", **options) as it:
        expected = take(it, 2)
    assert not np.array_equal(expected[0][0], next(flow_with(folder, kind="serial"))[0])
    with flow_with(folder, workers, **options) as it, warnings.catch_warnings():
        warnings.simplefilter("error")
        assert_same_batches(take(it, 2), expected)
