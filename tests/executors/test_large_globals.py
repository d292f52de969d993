"""Functions that refer to large things: these travel once, and are right in each iterator."""

from __future__ import annotations

import itertools
import pickle
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from executor_support import Lent, assert_same_batches, take, wait_for, worker_processes
from holding_hooks import as_global, flow_of, in_closure, on_object, on_subclass
from numpy.typing import NDArray

from imageloom import ImageDataGenerator
from imageloom._executors.base import Executor
from imageloom._executors.packing import LARGE
from imageloom._executors.shared import make_executor
from imageloom._executors.workers import line, parcels

pytestmark = pytest.mark.slow
WAYS = {"global": as_global, "closure": in_closure, "object": on_object, "subclass": on_subclass}
IMAGES = np.arange(6 * 8 * 8 * 3, dtype=np.float32).reshape(6, 8, 8, 3)
NBYTES = 16 * LARGE
FLOWS: dict[str, Callable[[ImageDataGenerator, Path], Any]] = {
    "arrays": lambda generator, _: generator.flow(IMAGES, batch_size=2, seed=1),
    "directory": flow_of,
}


@pytest.fixture(scope="module")
def workers() -> Iterator[Executor]:
    """Two worker processes, for all tests here."""
    made = make_executor("processes", 2, disable_gpu=True)
    yield made
    made.close()


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of the messages that were sent to workers."""
    sizes: list[int] = []
    send = line.Line.send

    def counted(self: Any, message: Any, *more: Any) -> None:
        sizes.append(len(pickle.dumps(message)))
        send(self, message, *more)

    monkeypatch.setattr(line.Line, "send", counted)
    return sizes


@pytest.fixture
def placed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of the parcels that were made."""
    sizes: list[int] = []

    make = parcels.Parcel.__init__

    def counted(self: Any, parts: Any) -> None:
        sizes.append(sum(part.nbytes for part in parts))
        make(self, parts)

    monkeypatch.setattr(parcels.Parcel, "__init__", counted)
    return sizes


_different = itertools.count()


def numbers() -> NDArray[np.float64]:
    """An array that no other test has: the workers may still have the parcels of others."""
    array = np.arange(NBYTES // 8, dtype=np.float64)
    array[0] = next(_different)
    return array


def last(array: Any) -> np.float32:
    return np.float32(array[-1])


def batches(
    executor: Executor | None, kind: str, folder: Path, count: int = 3, **options: Any
) -> list[Any]:
    own = options.pop("cls", ImageDataGenerator)
    generator = own(executor="serial" if executor is None else "processes", **options)
    if executor is not None:
        generator._engine.lent = Lent(executor)
    with FLOWS[kind](generator, folder) as it:
        return take(it, count)


@pytest.mark.parametrize("kind", FLOWS)
@pytest.mark.parametrize("way", WAYS)
def test_ten_iterators_in_a_row_send_it_once(
    way: str, kind: str, workers: Executor, crops: Path, sent: list[int], placed: list[int]
) -> None:
    options = WAYS[way](numbers(), last)
    right = batches(None, kind, crops, **options)
    for _ in range(10):
        assert_same_batches(batches(workers, kind, crops, **options), right)
    assert sum(placed) == NBYTES
    assert sum(sent) < NBYTES / 4


@pytest.mark.parametrize("kind", FLOWS)
def test_a_change_between_two_iterators_is_seen_and_costs_one_copy(
    kind: str, workers: Executor, crops: Path, placed: list[int]
) -> None:
    array = numbers()
    for value in (1.0, 2.0, 3.0):
        array[-1] = value
        options = in_closure(array, last)
        assert_same_batches(
            batches(workers, kind, crops, **options), batches(None, kind, crops, **options)
        )
    assert sum(placed) == 3 * NBYTES


def test_a_change_while_an_iterator_is_read_is_not_seen(workers: Executor, crops: Path) -> None:
    array = numbers()
    options = in_closure(array, last)
    right = batches(None, "directory", crops, 6, **options)
    generator = ImageDataGenerator(**options)
    generator._engine.lent = Lent(workers)  # type: ignore[assignment]
    with flow_of(generator, crops) as it:
        received = take(it, 1)
        array[:] = -1
        received += take(it, 5)
    assert_same_batches(received, right)


def test_what_a_function_writes_stays_in_its_worker_and_iterator(
    workers: Executor, crops: Path
) -> None:
    array = numbers()

    def hook(x: NDArray[Any]) -> NDArray[Any]:
        before = last(array)
        array[-1] = -5
        return np.full_like(x, before)

    for _ in range(3):
        (x, _), *_ = batches(workers, "directory", crops, 1, preprocessing_function=hook)
        assert x[0, 0, 0, 0] == NBYTES // 8 - 1
        assert (x[1:] == -5).all()
    assert last(array) == NBYTES // 8 - 1


def test_of_several_large_things_only_the_changed_one_is_copied(
    workers: Executor, crops: Path, placed: list[int]
) -> None:
    kept, changed = numbers(), np.zeros(2 * LARGE, np.uint8)
    for value in range(3):
        changed[0] = value
        batches(workers, "arrays", crops, **in_closure((kept, changed), lambda pair: pair[1][0]))
    assert sum(placed) == kept.nbytes + 3 * changed.nbytes


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_no_worker_keeps_it_after_the_iterator(workers: Executor, crops: Path) -> None:
    def mapped() -> list[int]:
        found = []
        for process in worker_processes().values():
            maps = process.memory_maps(grouped=False)
            found.append(sum(m.size for m in maps if "memfd:imageloom" in m.path and m.size == NBYTES))
        return found

    generator = ImageDataGenerator(**in_closure(numbers(), last))
    generator._engine.lent = Lent(workers)  # type: ignore[assignment]
    with flow_of(generator, crops) as it:
        take(it, 6)
        assert NBYTES in mapped()
    wait_for(lambda: not any(mapped()), "workers that have let it go")
