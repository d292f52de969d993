"""How other processes open again what the program has opened: arrays in stores, and tables."""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

__all__ = ["Pickled", "Place", "pickled_if_small"]

_LARGEST_PICKLE: Final = 2**20  # bytes; a larger one contains the pixels


class Place(Protocol):
    """Where another process finds something."""

    def open(self) -> Any:
        """Opens it."""
        ...


@dataclass(frozen=True, slots=True)
class Pickled:
    """Anything with a small pickle, which names its files."""

    content: bytes

    def open(self) -> Any:
        """Opens it again."""
        return pickle.loads(self.content)


class _TooLargeError(Exception):
    """A pickle has become larger than a description."""


class _Limited(io.BytesIO):
    """Takes so many bytes, and no more: the pickle of what is in memory would be all of it."""

    def write(self, content: Any, /) -> int:
        if self.tell() + memoryview(content).nbytes > _LARGEST_PICKLE:
            raise _TooLargeError
        return super().write(content)


def pickled_if_small(value: Any) -> Pickled | None:
    """The pickle of a value; None if it has none, or a large one."""
    import cloudpickle

    sink = _Limited()
    dump: Callable[..., None] = cloudpickle.dump
    try:
        dump(value, sink)
        pickle.loads(sink.getvalue())
    except Exception:  # of the value's own methods, or because it is too large
        return None
    return Pickled(sink.getvalue())
