"""A pickle whose large parts are apart, so that what many iterators share travels once.

::

    values ──> pickler ──┬── small parts ───────────────> Packing, a part of a message
                         └── large parts, not copied ──> shared memory or an object store, by content

A function may refer to an array of 200 MB, which each iterator would send to each worker. What is large
(arrays, `bytes`, texts, or the sum of many small objects) is found while pickle writes: arrays offer
their memory by its protocol 5, and other large objects are written in one piece.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

__all__ = ["LARGE", "Packed", "Packing", "Pieces", "Places", "parts_at", "unpacked"]

# Bytes. Below this, a copy through a connection takes less time than anything else.
LARGE: Final = 2**20
# Where the large parts are in shared memory: the number of a parcel, the place there, and the size.
Places = tuple[tuple[int, int, int], ...]


@dataclass(frozen=True, slots=True)
class Packing:
    """Pickles one after the other, without their large parts.

    Attributes:
        stream: Their bytes; numbers are those of large parts that belong into these places.
        buffers: The numbers of the large parts that are the memory of arrays, in their order.
        before: What has to be unpacked, and used, before these can be.
    """

    stream: tuple[bytes | int, ...]
    buffers: tuple[int, ...] = ()
    before: Packing | None = None


@dataclass(frozen=True, slots=True)
class Packed:
    """The same with the large parts, which may be memory that the program goes on changing."""

    packing: Packing
    large: tuple[memoryview, ...] = ()

    @property
    def size(self) -> int:
        """Its bytes, the large parts included."""
        small = (piece for piece in self.packing.stream if isinstance(piece, bytes))
        return sum(map(len, small)) + sum(view.nbytes for view in self.large)

    @property
    def pickles(self) -> bytes:
        """The pickles themselves, without the memory of arrays."""
        return b"".join(
            piece if isinstance(piece, bytes) else bytes(self.large[piece])
            for piece in self.packing.stream
        )

    def behind(self, first: Packed) -> Packed:
        """This one, to be unpacked after another."""
        count = len(first.large)
        stream = tuple(
            piece if isinstance(piece, bytes) else piece + count for piece in self.packing.stream
        )
        buffers = tuple(number + count for number in self.packing.buffers)
        return Packed(Packing(stream, buffers, first.packing), (*first.large, *self.large))


class Pieces(io.RawIOBase):
    """What a pickler writes to; it tells large parts apart."""

    def __init__(self) -> None:
        """Nothing is written yet."""
        self._stream: list[bytes | int] = []
        self._small = bytearray()  # since the last large part
        self._large: list[memoryview] = []
        self._buffers: list[int] = []

    def write(self, written: Any) -> int:
        """Takes what the pickler writes: large objects in one piece, small ones together."""
        view = memoryview(written)
        if view.nbytes < LARGE:
            self._small += view
        else:
            self._end_small()
            self._stream.append(self._add(view))
        return view.nbytes

    def keep_apart(self, buffer: pickle.PickleBuffer) -> bool:
        """Takes the memory of an array if it is large; else the pickler is to write it."""
        view = buffer.raw()
        if view.nbytes < LARGE:
            return True
        self._buffers.append(self._add(view))
        return False

    def end_value(self) -> None:
        """Ends a pickle: if it is large, what follows is not in the same part."""
        if len(self._small) >= LARGE:
            self._end_small()

    def packed(self) -> Packed:
        """All that was written."""
        self._end_small()
        return Packed(Packing(tuple(self._stream), tuple(self._buffers)), tuple(self._large))

    def _end_small(self) -> None:
        small = bytes(self._small)
        self._small.clear()
        if small:
            self._stream.append(self._add(memoryview(small)) if len(small) >= LARGE else small)

    def _add(self, view: memoryview) -> int:
        self._large.append(view)
        return len(self._large) - 1


def parts_at(places: Places, parcels: Sequence[memoryview]) -> list[memoryview]:
    """The large parts, in the parcels that hold them."""
    return [parcels[number][offset : offset + size] for number, offset, size in places]


def unpacked(packing: Packing, large: Sequence[memoryview]) -> Any:
    """The last of the values. Arrays use the memory of `large`, whose parts are writable."""
    pieces = [
        memoryview(piece) if isinstance(piece, bytes) else large[piece] for piece in packing.stream
    ]
    stream = _Stream(pieces)
    file = io.BytesIO(pieces[0]) if len(pieces) == 1 else io.BufferedReader(stream)
    unpickler = pickle.Unpickler(file, buffers=[large[number] for number in packing.buffers])
    value: Any = None
    while file.peek(1) if isinstance(file, io.BufferedReader) else file.tell() < len(pieces[0]):
        value = unpickler.load()
    return value


class _Stream(io.RawIOBase):
    """Reads pieces one after the other."""

    def __init__(self, pieces: Sequence[memoryview]) -> None:
        self._left = list(reversed(pieces))

    def readable(self) -> bool:
        return True

    def readinto(self, out: Any) -> int:
        if not self._left:
            return 0
        piece = self._left.pop()
        count = min(len(piece), len(out))
        out[:count] = piece[:count]
        if count < len(piece):
            self._left.append(piece[count:])
        return count
