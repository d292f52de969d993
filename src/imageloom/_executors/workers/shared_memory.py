"""Where the pixels lie: slots of memory that the consumer and all workers see.

::

    SlotPool (parent)                                   AttachedSlots (worker)
      one Segment = slot 0 | slot 1 | ... | slot n-1      the same memory, mapped once
      lease() -> slot -> the worker writes --------------> arrays(slot, rows)
      hand_out(slot) -> arrays for the user; when the last of them dies, the slot is free again

The segment has no name anywhere: on Linux it is a memfd, elsewhere an unlinked temporary file (on
Windows a paging-file mapping). It reaches a worker through the connection to it. So nothing can be
left behind, whichever process is killed when, and `/dev/shm` may be as small as it likes. Memory is
taken page by page as slots are used; free slots are reused lowest first, so a loop that keeps up with
its batches touches few of them.

Order of teardown: the pool forgets the segment; the mapping itself lives until the last array over it
is gone, because every array holds it.
"""

from __future__ import annotations

import heapq
import mmap
import os
import sys
import tempfile
import threading
import uuid
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing import reduction
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imageloom._errors import BatchMemoryError, IteratorClosedError
from imageloom._pipeline.layout import BatchLayout, private_arrays

__all__ = ["AttachedSlots", "Segment", "SlotPool"]


class Segment:
    """Anonymous memory that can be mapped by several processes."""

    def __init__(self, nbytes: int) -> None:
        """So many bytes, zeros; pages are taken when they are written to."""
        self.nbytes = nbytes
        self._fd = -1
        self._tag = ""
        self.memory: mmap.mmap | None
        if sys.platform == "win32":
            self._tag = f"imageloom-{os.getpid()}-{uuid.uuid4().hex}"
            self.memory = mmap.mmap(-1, nbytes, tagname=self._tag)
            return
        try:
            self._fd = _anonymous_file(nbytes)
            self.memory = mmap.mmap(self._fd, nbytes)
        except OSError as error:
            self.memory = None
            self.close()
            raise BatchMemoryError(
                f"{nbytes / 2**20:,.0f} MiB of memory for the batches under way are not to be had "
                f"({error}). Smaller `batch_size`, `max_batches_pending` or `cores` take less."
            ) from error

    def send(self, connection: Connection, pid: int) -> None:
        """Lets the process at the other end map this memory too."""
        if sys.platform == "win32":
            connection.send(self._tag)
        else:
            reduction.send_handle(connection, self._fd, pid)

    @staticmethod
    def receive(connection: Connection, nbytes: int) -> mmap.mmap:
        """The memory that the process at the other end has sent."""
        if sys.platform == "win32":
            return mmap.mmap(-1, nbytes, tagname=connection.recv())
        fd = reduction.recv_handle(connection)
        try:
            return mmap.mmap(fd, nbytes)
        finally:
            os.close(fd)

    def close(self) -> None:
        """Lets go of the memory, which lives on as long as arrays lie on it."""
        self.memory = None
        fd, self._fd = self._fd, -1  # at once: a second close might hit somebody else's descriptor
        if fd >= 0:
            os.close(fd)


def _anonymous_file(nbytes: int) -> int:
    """A descriptor of `nbytes` of memory without a name."""
    if hasattr(os, "memfd_create"):
        with suppress(OSError):  # an old kernel or a sandbox; a file will do
            return _sized(os.memfd_create("imageloom", os.MFD_CLOEXEC), nbytes, os.ftruncate)
    with tempfile.TemporaryFile(prefix="imageloom-") as file:
        return _sized(os.dup(file.fileno()), nbytes, _allocate)


def _sized(fd: int, nbytes: int, size: Callable[[int, int], None]) -> int:
    try:
        size(fd, nbytes)
    except BaseException:
        os.close(fd)
        raise
    return fd


def _allocate(fd: int, nbytes: int) -> None:
    if hasattr(os, "posix_fallocate"):
        # Without this, a full disk would be a bus error in the middle of a batch.
        os.posix_fallocate(fd, 0, nbytes)
    else:
        os.ftruncate(fd, nbytes)


class SlotPool:
    """The slots of one iterator, in the process of the consumer."""

    def __init__(self, layout: BatchLayout, in_flight: int, kept: int) -> None:
        """Slots for `in_flight` batches on their way and `kept` batches that the user holds.

        Args:
            layout: what a slot holds.
            in_flight: batches that may be waiting or in work at the same time.
            kept: batches the user may hold without a copy being made.
        """
        self.layout = layout
        self._kept_bound = kept
        self._kept = 0
        self._count = in_flight + kept
        self._segment = Segment(self._count * layout.nbytes)
        self._free = list(range(self._count))
        self._lock = threading.RLock()
        # Finalizers may run anywhere, even where the lock is held: they only append here.
        self._returned: deque[int] = deque()

    @property
    def nbytes(self) -> int:
        """Size of the memory."""
        return self._segment.nbytes

    def send(self, connection: Connection, pid: int) -> None:
        """Gives the process at the other end of `connection` access; it calls `AttachedSlots`."""
        self._segment.send(connection, pid)

    def lease(self) -> int | None:
        """A free slot, or None if all are in use."""
        with self._lock:
            self._collect()
            return heapq.heappop(self._free) if self._free else None

    def give_back(self, slot: int) -> None:
        """Frees a slot that was not handed out."""
        with self._lock:
            heapq.heappush(self._free, slot)

    def _collect(self) -> None:
        while self._returned:
            self._kept -= 1
            heapq.heappush(self._free, self._returned.popleft())

    def note_sample(self, slot: int, sample: int) -> None:
        """Sets the sample that the slot's worker is at."""
        if self._segment.memory is not None:
            self.layout.sample_cell(self._segment.memory, slot * self.layout.nbytes)[0] = sample

    def sample_at(self, slot: int) -> int:
        """The sample that the slot's worker is at, or was at when it died; -1 for none."""
        if self._segment.memory is None:
            return -1
        return int(self.layout.sample_cell(self._segment.memory, slot * self.layout.nbytes)[0])

    def raw_rows(self, slot: int, rows: int) -> NDArray[Any] | None:
        """Where the input rows of a leased slot go; None if there are none."""
        memory = self._segment.memory
        if memory is None:
            raise IteratorClosedError("The iterator was closed before this batch was computed.")
        return self.layout.raw_rows(memory, slot * self.layout.nbytes, rows)

    def hand_out(self, slot: int, rows: int) -> tuple[NDArray[Any], ...]:
        """The batch in a slot, as writable arrays that are the user's for as long as they like.

        No copy is made unless the user already holds `kept` batches; a copy then gives the slot back
        at once, so that keeping batches costs memory but can never stop the stream.
        """
        memory = self._segment.memory
        if memory is None:
            raise IteratorClosedError("The iterator was closed before this batch was handed out.")
        arrays = self.layout.arrays(memory, slot * self.layout.nbytes, rows)
        with self._lock:
            self._collect()
            full = self._kept >= self._kept_bound
            self._kept += not full
        if full:
            copies = private_arrays(self.layout, rows)
            for copy, array in zip(copies, arrays, strict=True):
                np.copyto(copy, array)
            self.give_back(slot)
            return copies
        lease = _Lease(len(arrays), slot, self._returned)
        for array in arrays:
            weakref.finalize(array, lease.drop).atexit = False
        return arrays

    def close(self) -> None:
        """Forgets the memory; arrays that are still in use keep it alive for themselves."""
        self._segment.close()


class _Lease:
    """Counts the living arrays of a slot that was handed out."""

    __slots__ = ("_returned", "_tokens")

    def __init__(self, arrays: int, slot: int, returned: deque[int]) -> None:
        self._tokens: list[int | None] = [slot, *[None] * (arrays - 1)]
        self._returned = returned

    def drop(self) -> None:
        # Arrays may die in two threads at once; list.pop is atomic, and the last pop gets the slot.
        slot = self._tokens.pop()
        if slot is not None:
            self._returned.append(slot)


class AttachedSlots:
    """The slots of an iterator, in a worker."""

    def __init__(self, connection: Connection, layout: BatchLayout, nbytes: int) -> None:
        """Receives what `SlotPool.send` sends at the other end."""
        self._layout = layout
        self._memory = Segment.receive(connection, nbytes)

    def arrays(self, slot: int, rows: int) -> Sequence[NDArray[Any]]:
        """The arrays of a slot, to write into."""
        return self._layout.arrays(self._memory, slot * self._layout.nbytes, rows)

    def sample_cell(self, slot: int) -> NDArray[np.int64]:
        """Where to write which sample of the batch is at work."""
        return self._layout.sample_cell(self._memory, slot * self._layout.nbytes)

    def raw_rows(self, slot: int, rows: int) -> NDArray[Any] | None:
        """The input rows that the parent has laid into a slot; None if there are none."""
        return self._layout.raw_rows(self._memory, slot * self._layout.nbytes, rows)
