"""What travels to workers of that which users' functions hold, and what programs see of it."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from executor_support import assert_same_batches
from holding_hooks import (
    Number,
    asked,
    assert_travels,
    by_way,
    enter,
    flow_with,
    in_closure,
    on_object,
    on_subclass,
    serial_iterator,
)
from programs import run_program

from imageloom import IteratorClosedError, ParallelImageDataGenerator
from imageloom._executors.base import Executor
from imageloom._executors.shared import make_executor


@pytest.fixture(scope="module")
def workers() -> Iterator[Executor]:
    """Two worker processes, for the many tests that need some."""
    made = make_executor("processes", 2, disable_gpu=True)
    yield made
    made.close()


# What travels


def read_line(file: Any) -> float:
    file.seek(2)
    return float(file.read(2))


def of_local() -> threading.local:
    local = threading.local()
    local.amount = 5
    return local


def opened(folder: Path, mode: str) -> Any:
    (folder / "numbers").write_bytes(b"1 23 4")
    return (folder / "numbers").open(mode)


def closed(folder: Path, mode: str) -> Any:
    with opened(folder, mode) as file:
        return file


@functools.lru_cache
def of_this_module(x: int) -> int:
    return x + 1


def of_main() -> Any:
    """A cached function of the main program, which calls itself."""
    scope: dict[str, Any] = {"__name__": "__main__", "functools": functools}
    exec("@functools.lru_cache(4)\ndef f(n):\n    return f(n - 1) + 1 if n else 0", scope)
    return scope["f"]


TRAVELS: dict[str, tuple[Callable[[Path, Path], Any], Number]] = {
    "lock": (lambda crops, folder: threading.Lock(), enter),
    "reentrant lock": (lambda crops, folder: threading.RLock(), enter),
    "condition": (lambda crops, folder: threading.Condition(), enter),
    "semaphore": (lambda crops, folder: threading.Semaphore(3), enter),
    "event": (lambda crops, folder: threading.Event(), lambda event: float(not event.is_set())),
    "local": (lambda crops, folder: of_local(), lambda local: float(local.amount)),
    "binary file": (lambda crops, folder: opened(folder, "rb"), read_line),
    "text file": (lambda crops, folder: opened(folder, "r"), read_line),
    "closed file": (lambda crops, folder: closed(folder, "rb"), lambda file: float(file.closed)),
    "closed text": (lambda crops, folder: closed(folder, "w"), lambda file: float(file.closed)),
    "cache": (lambda crops, folder: of_main(), lambda f: float(f(7))),
    "cache of a module": (lambda crops, folder: of_this_module, lambda f: float(f(7))),
    "iterator": (lambda crops, folder: serial_iterator(crops), asked),
    "generator": (
        lambda crops, folder: ParallelImageDataGenerator(zca_epsilon=3),
        lambda generator: float(generator.zca_epsilon),
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", TRAVELS)
@pytest.mark.parametrize("way", [in_closure, on_object, on_subclass], ids=lambda way: way.__name__)
def test_what_travels(
    workers: Executor, crops: Path, tmp_path: Path, kind: str, way: Callable[..., dict[str, Any]]
) -> None:
    make, number = TRAVELS[kind]
    thing = make(crops, tmp_path)
    assert_travels(crops, workers, **way(thing, number))
    if hasattr(thing, "close"):
        thing.close()


@pytest.mark.slow
@by_way
def test_a_lock_that_is_held_travels_in_any_way(
    workers: Executor, crops: Path, way: Callable[..., dict[str, Any]]
) -> None:
    lock = threading.Lock()
    options = way(lock, enter)
    with flow_with(crops, kind="serial", **options) as it:
        expected = next(it)
    with lock, flow_with(crops, workers, **options) as it:
        assert_same_batches([next(it)], [expected])


def test_one_lock_in_two_places_stays_one(workers: Executor, crops: Path) -> None:
    lock = threading.RLock()
    both = (lock, threading.Condition(lock))
    assert_travels(
        crops,
        workers,
        **in_closure(both, lambda pair: float(pair[1]._lock is pair[0])),
    )


def test_an_iterator_that_is_asked_for_a_batch_in_a_worker_says_what_to_do(
    workers: Executor, crops: Path
) -> None:
    other = serial_iterator(crops)
    asks: tuple[Callable[[Any], Any], ...] = (next, lambda it: it[0], lambda it: it.next(), list)
    for ask in asks:
        options = in_closure(other, ask)
        said = r'DirectoryIterator.*executor="threads"'
        with flow_with(crops, workers, **options) as it, pytest.raises(IteratorClosedError, match=said):
            next(it)
    options = in_closure(other, lambda it: it.report())
    said = r"'report'.*threads"
    with flow_with(crops, workers, **options) as it, pytest.raises(AttributeError, match=said):
        next(it)


# Programs


@pytest.mark.slow
def test_a_script_with_everything_in_one_object(tmp_path: Path, crops: Path) -> None:
    done = run_program("executors/everything_in_one_object.py", crops, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr
    assert done.stdout.splitlines()[-1] == "same True"


@pytest.mark.long
@pytest.mark.frameworks("keras", "tensorflow", "torch")
def test_models_and_iterators_of_frameworks(tmp_path: Path, crops: Path) -> None:
    done = run_program("executors/models_in_hooks.py", crops, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if not line.startswith("Found")]
    assert lines == ["keras True []", "iterator True []", "torch True []", "traced True ['`traced`']"]
