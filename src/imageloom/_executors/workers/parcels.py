"""The large parts of recipes, in memory that all workers map, each content once.

::

    ChannelResources (parent)                          worker
      place(large parts) -> parcels --- handles -------> mapped privately: writing changes this copy
      the channel is closed: linger(parcels)             the mapping goes with the channel's pipeline
      the same content soon after: the same parcel

A program that reads one iterator after the other, with a function that refers to a large array, copies
that array once into a parcel. From then on it is only compared: what the array holds when an iterator
is opened is what its functions find, whatever the program or a worker has written there meanwhile.

No worker keeps a parcel. The parent keeps those of closed channels for as long as workers linger, and
not more of them than memory allows.
"""

from __future__ import annotations

import time
import weakref
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from imageloom._executors.packing import Places
from imageloom._executors.workers import staffing
from imageloom._executors.workers.shared_memory import Segment
from imageloom._locks import Lock
from imageloom._machine import free_memory

__all__ = ["Parcel", "ParcelStore"]

_MOST_PARCELS: Final = 8  # of a recipe, because each takes descriptors; small parts share the last one
_ALIGNMENT: Final = 64  # of each part, as that of NumPy's own arrays
_BLOCK: Final = 2**20  # that are compared at a time: a difference is mostly found early
_SHARE_OF_MEMORY: Final = 0.25  # of what is free, for parcels that nobody uses
Bytes = NDArray[np.uint8]


class Parcel:
    """Some parts, one after the other, in memory that is released with the last reference to this.

    Attributes:
        segment: The memory.
    """

    def __init__(self, parts: Sequence[Bytes]) -> None:
        """Copies the parts.

        Raises:
            BatchMemoryError: There is no memory for them.
        """
        self._sizes = [part.nbytes for part in parts]
        offsets = _offsets(self._sizes)
        self.segment = Segment(offsets[-1] + self._sizes[-1])
        weakref.finalize(self, self.segment.close).atexit = False
        for mine, part in zip(self._parts(), parts, strict=True):
            np.copyto(mine, part)

    @property
    def nbytes(self) -> int:
        """The size of the memory."""
        return self.segment.nbytes

    def holds(self, parts: Sequence[Bytes]) -> bool:
        """Whether it has exactly this content."""
        if [part.nbytes for part in parts] != self._sizes:
            return False
        return all(_equal(mine, part) for mine, part in zip(self._parts(), parts, strict=True))

    def _parts(self) -> list[Bytes]:
        memory = self.segment.memory
        assert memory is not None, "only the finalizer closes it"
        return [
            np.ndarray((size,), np.uint8, buffer=memory, offset=offset)
            for size, offset in zip(self._sizes, _offsets(self._sizes), strict=True)
        ]


@dataclass(frozen=True, slots=True)
class _Unused:
    """Parcels of a channel that was closed.

    Attributes:
        parcels: These.
        until: When they go.
    """

    parcels: tuple[Parcel, ...]
    until: float


class ParcelStore:
    """The parcels of one set of workers."""

    def __init__(self) -> None:
        """Starts without any."""
        self._lock = Lock()
        self._known: list[weakref.ref[Parcel]] = []
        self._unused: deque[_Unused] = deque()

    def place(self, large: Sequence[memoryview]) -> tuple[tuple[Parcel, ...], Places]:
        """Puts parts into parcels; those that hold the same already are used again.

        Returns:
            The parcels, and where in them the parts are.

        Raises:
            BatchMemoryError: There is no memory for them.
        """
        parts = [np.frombuffer(view, np.uint8) for view in large]
        groups = _groups(parts)
        places: dict[int, tuple[int, int, int]] = {}
        for number, group in enumerate(groups):
            sizes = [parts[i].nbytes for i in group]
            for i, size, offset in zip(group, sizes, _offsets(sizes), strict=True):
                places[i] = (number, offset, size)
        with self._lock:
            parcels = tuple(self._parcel([parts[i] for i in group]) for group in groups)
        return parcels, tuple(places[i] for i in range(len(parts)))

    def _parcel(self, parts: Sequence[Bytes]) -> Parcel:
        alive = [(reference, reference()) for reference in self._known]
        self._known = [reference for reference, parcel in alive if parcel is not None]
        for _, parcel in alive:
            if parcel is not None and parcel.holds(parts):
                return parcel
        made = Parcel(parts)
        self._known.append(weakref.ref(made))
        return made

    def linger(self, parcels: tuple[Parcel, ...]) -> None:
        """Keeps the parcels of a closed channel for a while; any thread may call this."""
        if parcels:
            self._unused.append(_Unused(parcels, time.monotonic() + staffing.LINGER_SECONDS))

    def drop_unused(self) -> None:
        """Drops parcels whose time is over, and the oldest ones if they take too much memory."""
        unused = self._unused
        if not unused:
            return
        now, room = time.monotonic(), _SHARE_OF_MEMORY * free_memory()
        while unused and (unused[0].until <= now or _nbytes(unused) > room):
            unused.popleft()

    def drop_all(self) -> None:
        """Drops all that no channel uses."""
        self._unused.clear()

    def seconds_to_wait(self) -> list[float]:
        """Seconds until `drop_unused` has something to do; [] if there is nothing."""
        return [max(0.0, entry.until - time.monotonic()) for entry in tuple(self._unused)[:1]]


def _groups(parts: Sequence[Bytes]) -> list[list[int]]:
    """The numbers of the parts that share a parcel; only the smallest ones do."""
    by_size = sorted(range(len(parts)), key=lambda i: -parts[i].nbytes)
    single = len(parts) if len(parts) <= _MOST_PARCELS else _MOST_PARCELS - 1
    rest = sorted(by_size[single:])
    return [[i] for i in by_size[:single]] + ([rest] if rest else [])


def _offsets(sizes: Sequence[int]) -> list[int]:
    offsets, end = [], 0
    for size in sizes:
        offsets.append(end)
        end += -(-size // _ALIGNMENT) * _ALIGNMENT
    return offsets


def _equal(a: Bytes, b: Bytes) -> bool:
    return all(
        np.array_equal(a[start : start + _BLOCK], b[start : start + _BLOCK])
        for start in range(0, len(a), _BLOCK)
    )


def _nbytes(unused: Sequence[_Unused]) -> int:
    return sum(parcel.nbytes for parcel in {p for entry in unused for p in entry.parcels})
