"""The large parts of recipes in the object store, each content once.

A program that reads one iterator after the other, with a function that refers to a large array, puts
that array into the store once. What was put last stays there until the connection ends, as long as it
takes no more than a small share of the store.
"""

from __future__ import annotations

import functools
import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from types import ModuleType
from typing import Final

import numpy as np

from imageloom._executors.ray.session import RaySession
from imageloom._locks import Lock

__all__ = ["LargeParts", "large_parts_of"]

_SHARE_OF_STORE: Final = 0.125  # for parts that may be of no iterator any more


@dataclass(frozen=True, slots=True)
class _Kept:
    reference: object
    nbytes: int


class LargeParts:
    """References to parts, by their content."""

    def __init__(self, ray: ModuleType) -> None:
        """Starts without any."""
        self._ray = ray
        self._lock = Lock()
        self._kept: OrderedDict[bytes, _Kept] = OrderedDict()  # the last used one is last

    def put(self, part: memoryview) -> object:
        """A reference to an object of this content, in the store."""
        content = hashlib.blake2b(part).digest()
        with self._lock:
            kept = self._kept.pop(content, None)
            if kept is None:
                kept = _Kept(self._ray.put(np.frombuffer(part, np.uint8)), part.nbytes)
            self._kept[content] = kept
            self._forget_oldest()
        return kept.reference

    def _forget_oldest(self) -> None:
        most = _SHARE_OF_STORE * self._ray.cluster_resources().get("object_store_memory", 0)
        total = sum(kept.nbytes for kept in self._kept.values())
        while total > most and self._kept:
            total -= self._kept.popitem(last=False)[1].nbytes


@functools.lru_cache(maxsize=1)
def _of_connection(identity: tuple[str, str] | None, ray: ModuleType) -> LargeParts:
    del identity  # another connection has another store
    return LargeParts(ray)


def large_parts_of(session: RaySession) -> LargeParts:
    """The parts that the program has put into the store of a connection, by whichever executor."""
    return _of_connection(session.identity, session.ray)
