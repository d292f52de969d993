"""How a pickle is taken apart, and put together again."""

from __future__ import annotations

import gc
import time
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from imageloom._executors import packing
from imageloom._executors.packing import LARGE, Packed, unpacked
from imageloom._executors.portable import packed
from imageloom._executors.workers import parcels, staffing
from imageloom._executors.workers.parcels import ParcelStore

RANDOM = np.random.default_rng(0)
NUMBERS = RANDOM.random((400, 500))  # 1.6 MB
LARGE_VALUES: dict[str, Callable[[], Any]] = {
    "array": NUMBERS.copy,
    "array in the order of Fortran": lambda: np.asfortranarray(NUMBERS),
    "read-only array": lambda: np.frombuffer(NUMBERS.tobytes()),
    "part of an array": lambda: np.concatenate([NUMBERS, NUMBERS])[:, ::2],
    "array of objects": lambda: np.array([RANDOM.bytes(50) for _ in range(30_000)], dtype=object),
    "bytes": NUMBERS.tobytes,
    "bytearray": lambda: bytearray(NUMBERS.tobytes()),
    "text": lambda: "ä" * LARGE,
    "many small objects": lambda: {str(i): [i, float(i)] for i in range(100_000)},
    "many arrays": lambda: [NUMBERS * i for i in range(12)],
}


def arrived(sent: Packed) -> Any:
    return unpacked(sent.packing, [memoryview(bytearray(part)) for part in sent.large])


def assert_equal(a: Any, b: Any) -> None:
    if isinstance(b, np.ndarray):
        np.testing.assert_array_equal(a, b)
        assert a.flags.writeable == b.flags.writeable
    elif isinstance(b, list):
        for one, other in zip(a, b, strict=True):
            assert_equal(one, other)
    else:
        assert a == b


@pytest.mark.parametrize("kind", LARGE_VALUES)
def test_large_values_are_apart_and_arrive(kind: str) -> None:
    value = LARGE_VALUES[kind]()
    sent = packed(value, {"value": value, "more": 1})
    assert sum(part.nbytes for part in sent.large) >= LARGE
    rest = sum(len(piece) for piece in sent.packing.stream if isinstance(piece, bytes))
    assert rest < 20_000
    received = arrived(sent)
    assert received["more"] == 1
    assert_equal(received["value"], value)


@pytest.mark.parametrize("kind", LARGE_VALUES)
def test_what_comes_first_gives_the_same_large_parts_whatever_follows(kind: str) -> None:
    value = LARGE_VALUES[kind]()
    parts = [
        [bytes(part) for part in packed(value, (value, follows)).large] for follows in ("a", ["b"] * 99)
    ]
    assert parts[0] == parts[1]


def test_small_values_stay_in_one_piece() -> None:
    value = [np.zeros(1000), b"x" * 100_000, "y" * 100_000]
    sent = packed(1, value)
    assert len(sent.packing.stream) == 1
    assert (sent.packing.buffers, sent.large) == ((), ())
    assert_equal(arrived(sent), value)


def test_the_large_parts_are_not_copied() -> None:
    array = np.zeros(LARGE)
    (part,) = packed(array).large
    array[0] = 1
    assert bytes(part[:8]) == array[:1].tobytes()


def test_what_two_values_share_is_one_object_where_it_arrives() -> None:
    array = np.zeros(LARGE)
    received = arrived(packed([array], {"a": array, "b": [array]}))
    assert received["a"] is received["b"][0]


# Parcels


def views(*arrays: Any) -> list[memoryview]:
    return [memoryview(array).cast("B") for array in arrays]


def read(placed: tuple[Any, packing.Places]) -> list[bytes]:
    found, places = placed
    memories = [memoryview(parcel.segment.memory) for parcel in found]
    return [bytes(part) for part in packing.parts_at(places, memories)]


def test_the_same_content_is_the_same_parcel() -> None:
    store = ParcelStore()
    first, _ = store.place(views(np.arange(10.0), np.ones(10)))
    again, _ = store.place(views(np.arange(10.0), np.zeros(10)))
    assert len(set(first) & set(again)) == 1


def test_a_parcel_keeps_what_was_placed() -> None:
    store, array = ParcelStore(), np.arange(10.0)
    placed = store.place(views(array))
    before = array.tobytes()
    array[:] = 0
    assert read(placed) == [before]
    assert read(store.place(views(array))) == [array.tobytes()]


@pytest.mark.parametrize("place", [0, 2**20 - 1, 2**20, 3 * 2**20 - 1])
def test_a_single_changed_byte_is_seen(place: int) -> None:
    store, array = ParcelStore(), np.zeros(3 * 2**20, np.uint8)
    (before,), _ = store.place(views(array))
    array[place] = 1
    (after,), _ = store.place(views(array))
    assert after is not before
    array[place] = 0
    assert store.place(views(array))[0] == (before,)


@pytest.mark.parametrize("count", [1, 8, 9, 40])
def test_many_parts_are_in_few_parcels(count: int) -> None:
    parts = [np.full(100 + 7 * (i % 5), i, np.uint8) for i in range(count)]
    placed = ParcelStore().place(views(*parts))
    assert len(placed[0]) == min(count, 8)
    assert read(placed) == [part.tobytes() for part in parts]


def alive_after_drop(store: ParcelStore, *references: weakref.ref[Any]) -> list[bool]:
    store.drop_unused()
    gc.collect()
    return [reference() is not None for reference in references]


@pytest.mark.slow
def test_parcels_of_closed_channels_stay_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    store = ParcelStore()
    assert store.seconds_to_wait() == []
    found, _ = store.place(views(np.arange(10.0)))
    reference = weakref.ref(found[0])
    store.linger(found)
    del found
    assert alive_after_drop(store, reference) == [True]
    assert 0 < store.seconds_to_wait()[0] <= staffing.LINGER_SECONDS
    now = time.monotonic()
    monkeypatch.setattr(parcels.time, "monotonic", lambda: now + staffing.LINGER_SECONDS + 1)
    assert store.seconds_to_wait() == [0]
    assert alive_after_drop(store, reference) == [False]


@pytest.mark.slow
def test_the_oldest_unused_parcels_go_when_memory_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parcels, "free_memory", lambda: 4 * 2500)
    store, references = ParcelStore(), []
    for i in range(3):
        found, _ = store.place(views(np.full(1000, i, np.uint8)))
        references.append(weakref.ref(found[0]))
        store.linger(found)
        del found
    assert alive_after_drop(store, *references) == [False, True, True]
    monkeypatch.setattr(parcels, "free_memory", lambda: 0)
    assert alive_after_drop(store, *references) == [False] * 3


def test_a_parcel_that_is_in_use_outlasts_all_that() -> None:
    store = ParcelStore()
    found, _ = store.place(views(np.arange(10.0)))
    store.linger(found)
    store.drop_all()
    assert store.place(views(np.arange(10.0)))[0] == found
