"""What keeps an iterator in this process, because a user's function holds it."""

from __future__ import annotations

import mmap
import queue
import socket
import sqlite3
import threading
import warnings
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from executor_support import Lent, assert_same_batches, take, worker_processes
from holding_hooks import (
    STAYS,
    WAYS,
    Number,
    asked,
    assert_travels,
    by_way,
    enter,
    flow_of,
    flow_with,
    in_closure,
    on_object,
    serial_iterator,
)
from numpy.typing import NDArray
from ray_support import needs_ray

from imageloom import ParallelImageDataGenerator
from imageloom._executors.base import Executor
from imageloom._executors.shared import make_executor


@pytest.fixture(scope="module")
def workers() -> Iterator[Executor]:
    """Two worker processes, for the many tests that need some."""
    made = make_executor("processes", 2, disable_gpu=True)
    yield made
    made.close()


# What does not travel


class Refusing:
    """Says itself that it cannot be pickled."""

    amount = 3

    def __getstate__(self) -> Any:
        raise NotImplementedError("keep me here")


def equalised(clahe: Any) -> float:
    grey = np.arange(4096, dtype=np.uint8).reshape(64, 64)
    return float(clahe.apply(grey)[3, 5])


def logged(file: Any) -> float:
    return float(file.write("line\n") + 2)


def put(things: Any) -> float:
    things.put(1)
    return 6


def from_now_on() -> Iterator[float]:
    while True:
        yield 7.0


def memory() -> Any:
    database = sqlite3.connect(":memory:")
    database.execute("create table amounts (amount)")
    database.execute("insert into amounts values (8)")
    return database


def select(database: Any) -> float:
    return float(database.execute("select amount from amounts").fetchone()[0])


STAYING: dict[str, tuple[Callable[[Path], Any], Number, str]] = {
    "cv2": (lambda folder: cv2.createCLAHE(3.0), equalised, "cv2.CLAHE"),
    "log file": (lambda folder: (folder / "log").open("w"), logged, "TextIOWrapper"),
    "binary log": (lambda folder: (folder / "log").open("ab"), lambda file: 1.0, "BufferedWriter"),
    "socket": (lambda folder: socket.socket(), lambda s: float(s.family == socket.AF_INET), "socket"),
    "database": (lambda folder: memory(), select, "sqlite3.Connection"),
    "generator": (lambda folder: from_now_on(), next, "generator"),
    "queue": (lambda folder: queue.Queue(), put, "queue.Queue"),
    "simple queue": (lambda folder: queue.SimpleQueue(), put, "_queue.SimpleQueue"),
    "thread": (lambda folder: threading.current_thread(), lambda t: 1.5, "threading._MainThread"),
    "own class": (lambda folder: Refusing(), lambda thing: float(thing.amount), "Refusing"),
    "memory map": (lambda folder: mmap.mmap(-1, 8), lambda m: float(len(m)), "mmap.mmap"),
    "weak reference": (lambda folder: weakref.ref(Refusing), lambda r: r().amount, "weakref.Ref"),
}


def assert_stays(folder: Path, named: str, type_name: str, **options: Any) -> None:
    with flow_with(folder, kind="serial", **options) as it:
        expected = take(it, 8)
    running = worker_processes().keys()
    with flow_with(folder, **options) as it, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert_same_batches(take(it, 8), expected)
        it.batch_size = it.batch_size  # opens another channel
        next(it)
        assert worker_processes().keys() == running
    [warning] = [str(one.message) for one in caught if STAYS in str(one.message)]
    assert f"{named}, an object of type " in warning
    assert type_name.lower() in warning.lower()
    assert "executor=" in warning
    assert "inside the function" in warning
    [line] = {one.filename for one in caught}
    assert line == __file__ or "executor_support" in line


@pytest.mark.parametrize("kind", STAYING)
def test_what_stays(crops: Path, tmp_path: Path, kind: str) -> None:
    make, number, type_name = STAYING[kind]
    thing = make(tmp_path)
    assert_stays(crops, "`thing`", type_name, **in_closure(thing, number))
    if kind != "generator" and hasattr(thing, "close"):
        thing.close()


@by_way
def test_the_warning_names_it_in_any_way(crops: Path, way: Callable[..., dict[str, Any]]) -> None:
    assert_stays(crops, WAYS[way], "cv2.CLAHE", **way(cv2.createCLAHE(3.0), equalised))


def test_each_function_of_the_user_may_stay(crops: Path) -> None:
    clahe = cv2.createCLAHE(3.0)

    def whole(batch_index: int, filenames: Any, classes: Any, params: Any) -> Any:
        return batch_index, (np.full((len(filenames), 9), equalised(clahe), "f4"), np.array(classes))

    def before(x: NDArray[Any]) -> NDArray[Any]:
        return clahe.apply(x[..., 0])[..., None].repeat(3, -1)

    for name, function in {
        "get_batch_function": whole,
        "noaug_preprocessing_function": before,
    }.items():
        expected = take(flow_with(crops, kind="serial", **{name: function}), 3)
        said = f"^`{name}` cannot.*`clahe`"
        with flow_with(crops, **{name: function}) as it, pytest.warns(UserWarning, match=said):
            received = take(it, 3)
        assert_same_batches(received, expected)


def test_the_attribute_of_an_object_within_an_object(crops: Path) -> None:
    class Inner:
        def __init__(self) -> None:
            self.outer: Any = None
            self.lock = threading.Lock()
            self.reader = cv2.VideoCapture()

    class Outer:
        def __init__(self) -> None:
            self.inner = Inner()
            self.inner.outer = self  # neither of the two is the reason

        def __call__(self, x: NDArray[Any]) -> NDArray[Any]:
            return x + 1

    assert_stays(crops, "`Outer.inner.reader`", "cv2.VideoCapture", preprocessing_function=Outer())


def test_functions_that_stay_take_turns(crops: Path) -> None:
    """Most of what cannot travel is not made for several threads: two would spoil its values."""
    thing, taken = cv2.createCLAHE(), threading.Lock()
    large = np.zeros((1000, 1000), np.uint8)

    def hook(x: NDArray[Any]) -> NDArray[Any]:
        assert taken.acquire(blocking=False), "two at the same time"
        try:
            return x + thing.apply(large)[0, 0]  # other threads run meanwhile
        finally:
            taken.release()

    with pytest.warns(UserWarning, match=STAYS), flow_with(crops, preprocessing_function=hook) as it:
        take(it, 6)


@pytest.mark.slow
def test_other_iterators_of_the_generator_stay_with_the_workers(crops: Path, workers: Executor) -> None:
    generator = ParallelImageDataGenerator(executor="processes", cores=2)
    generator._engine.lent = Lent(workers)  # type: ignore[assignment]
    thing = cv2.createCLAHE()
    generator.preprocessing_function = lambda x: x + equalised(thing)
    with flow_of(generator, crops) as first:
        with pytest.warns(UserWarning, match=STAYS):
            next(first)
        generator.preprocessing_function = lambda x: x * 0 + threading.active_count()
        with flow_of(generator, crops) as second:
            there = next(second)[0]
        assert there.max() < threading.active_count(), "it ran in this process, with all its threads"


def test_fit_of_an_iterator_whose_generator_stays(crops: Path) -> None:
    class Own(ParallelImageDataGenerator):
        def __init__(self, **options: Any) -> None:
            super().__init__(featurewise_center=True, **options)
            self.reader = cv2.VideoCapture()

        def random_transform(self, x: NDArray[Any], seed: int | None = None) -> NDArray[Any]:
            return x + 10 + (not self.reader.isOpened())

    found = []
    for kind in ("serial", "processes"):
        generator = Own(executor=kind)
        it = flow_of(generator, crops)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            generator.fit(it, augment=True, seed=1)
        texts = [str(one.message) for one in caught]
        assert len(texts) == (kind == "processes")
        assert all("`Own.reader`" in text and "corrected" not in text for text in texts)
        found.append(generator.mean)
    np.testing.assert_array_equal(*found)


def test_an_error_of_a_function_that_stays_keeps_its_type(crops: Path) -> None:
    thing = cv2.createCLAHE()

    def fails(x: NDArray[Any]) -> NDArray[Any]:
        raise ArithmeticError(f"not with {thing}")

    it = flow_with(crops, preprocessing_function=fails)
    with it, pytest.raises(ArithmeticError, match="not with"):
        next(it)


# What arrives and cannot be unpickled


class Poisoned:
    def __reduce__(self) -> Any:
        return int, ("not a number",)

    def __call__(self, x: NDArray[Any]) -> NDArray[Any]:
        return x + 1


def assert_comes_back(folder: Path, executor: Executor, **options: Any) -> None:
    expected = take(flow_with(folder, kind="serial", **options), 8)
    said = r"cannot be received there.*not a number"
    with flow_with(folder, executor, **options) as it, pytest.warns(UserWarning, match=said) as caught:
        assert_same_batches(take(it, 8), expected)
    assert len(caught) == 1


def test_what_cannot_be_received_is_computed_here(workers: Executor, crops: Path) -> None:
    assert_comes_back(crops, workers, preprocessing_function=Poisoned())
    assert_comes_back(crops, workers, preprocessing_function=Poisoned(), on_bad_image="replace")


def test_batches_that_were_guessed_in_vain_before_it_is_known(workers: Executor, crops: Path) -> None:
    options = in_closure(Poisoned(), lambda poisoned: 1.0)
    expected = flow_with(crops, kind="serial", **options)
    order = (5, 0, 3, 1, 4)  # each makes the window drop what it had guessed
    with flow_with(crops, workers, **options) as it, pytest.warns(UserWarning, match="received"):
        received = [it[index] for index in order]
    assert_same_batches(received, [expected[index] for index in order])


def test_a_generator_is_not_sent_unless_it_is_asked_for(workers: Executor, crops: Path) -> None:
    class Own(ParallelImageDataGenerator):
        def __init__(self, **options: Any) -> None:
            super().__init__(**options)
            self.everything = Refusing()

    def asks(params: Any, x: NDArray[Any]) -> NDArray[Any]:
        return x

    with flow_with(crops, workers, cls=Own, preprocessing_function=lambda x: x + 1) as it:
        next(it)
    said = r"^The generator cannot.*`Own.everything`, an object of type .*Refusing"
    it = flow_with(crops, cls=Own, preprocessing_function=asks)
    with it, pytest.warns(UserWarning, match=said):
        next(it)


@needs_ray
def test_on_a_ray_cluster(crops: Path, ray_on_two_cpus: Any) -> None:
    executor = make_executor("ray", 2, disable_gpu=True)
    try:
        for thing, number in ((threading.Lock(), enter), (serial_iterator(crops), asked)):
            assert_travels(crops, executor, **on_object(thing, number))
        assert_comes_back(crops, executor, preprocessing_function=Poisoned())
        with pytest.warns(UserWarning, match="`thing`, an object of type cv2.CLAHE"):
            next(flow_with(crops, executor, **in_closure(cv2.createCLAHE(), equalised)))
    finally:
        executor.close()
