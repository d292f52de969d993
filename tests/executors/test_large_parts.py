"""Which large parts stay in an object store."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from imageloom._executors.ray.large_parts import LargeParts


class Store:
    """As the parts of Ray that are used."""

    def __init__(self, size: int) -> None:
        self.put_sizes: list[int] = []
        self._size = size

    def put(self, value: Any) -> object:
        self.put_sizes.append(value.nbytes)
        return SimpleNamespace(content=value.tobytes())

    def cluster_resources(self) -> dict[str, float]:
        return {"object_store_memory": float(self._size)}


def test_the_same_content_is_put_once() -> None:
    store = Store(8 * 1000)
    parts = LargeParts(cast("Any", store))
    first = parts.put(memoryview(b"a" * 100))
    assert parts.put(memoryview(bytearray(b"a" * 100))) is first
    assert parts.put(memoryview(b"b" * 100)) is not first
    assert store.put_sizes == [100, 100]


def test_what_was_not_used_for_longest_goes_first() -> None:
    store = Store(8 * 250)  # an eighth of it holds two parts
    parts = LargeParts(cast("Any", store))
    a, b, c = (memoryview(letter * 100) for letter in (b"a", b"b", b"c"))
    first = parts.put(a)
    parts.put(b)
    parts.put(a)
    parts.put(c)
    assert parts.put(a) is first
    parts.put(b)
    assert len(store.put_sizes) == 4


def test_a_part_that_is_larger_than_the_share_is_put_each_time() -> None:
    store = Store(80)
    parts = LargeParts(cast("Any", store))
    large = memoryview(b"a" * 100)
    assert parts.put(large) is not parts.put(large)
