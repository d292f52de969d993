"""Shared memory for batches: slots that the consumer and all workers can access.

::

    SlotPool (parent)                                   AttachedSlots (worker)
      one Segment = slot 0 | slot 1 | ... | slot n-1      the same memory, mapped once
      lease() -> slot -> the worker writes --------------> arrays(slot, rows)
      hand_out(slot) -> arrays for the user; when the last of them dies, the slot is free again

The segment has no name: on Linux it is a memfd, elsewhere an unlinked temporary file (on Windows a
paging-file mapping). A worker receives it through its connection. So nothing is left behind,
whichever process is killed at whatever time, and the size of `/dev/shm` does not matter. The system
allocates memory page by page as slots are used. Free slots are reused lowest first, so a loop that
keeps up with its batches uses few of them. But first come those that the worker has used before:
each process has to be shown each page once, which takes half a microsecond or more.

When a pool is closed, it drops its reference to the mapping. Every array holds one too, so the
mapping lives until the last array over it is gone.
"""

from __future__ import annotations

import mmap
import os
import sys
import tempfile
import uuid
import weakref
from collections import deque
from collections.abc import Callable, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imageloom._errors import LESS_MEMORY, BatchMemoryError, IteratorClosedError
from imageloom._locks import Lock, forks
from imageloom._pipeline.layout import BatchLayout, private_arrays

__all__ = ["AttachedSlots", "Segment", "SlotPool", "Ticket"]

_POPULATE_WRITE: Final = 23  # MADV_POPULATE_WRITE, which Python does not name


@dataclass(frozen=True, slots=True)
class Ticket:
    """What another process opens the memory of a segment by.

    Attributes:
        nbytes: The size of the memory.
        tag: Its name on Windows; elsewhere "", as a descriptor opens it that travels beside this.
        private: Whether what is written there stays in the process that writes. Until then, such a
            mapping takes no memory of its own.
    """

    nbytes: int
    tag: str
    private: bool = False

    def open(self, take_descriptor: Callable[[], int]) -> mmap.mmap:
        """Maps the memory; `take_descriptor` returns its descriptor, which is closed then."""
        access = mmap.ACCESS_COPY if self.private else mmap.ACCESS_WRITE
        if sys.platform == "win32":
            return mmap.mmap(-1, self.nbytes, tagname=self.tag, access=access)
        fd = take_descriptor()
        try:
            return mmap.mmap(fd, self.nbytes, access=access)
        finally:
            _close(fd)


class Segment:
    """Anonymous memory that can be mapped by several processes."""

    def __init__(self, nbytes: int) -> None:
        """Maps `nbytes` zeros; the system allocates a page when it is first written to."""
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
                f"Could not allocate {nbytes / 2**20:,.0f} MiB of memory for the batches ({error}). "
                f"{LESS_MEMORY}"
            ) from error

    @property
    def ticket(self) -> Ticket:
        """What another process opens it by, together with the descriptors."""
        return Ticket(self.nbytes, self._tag)

    @property
    def descriptors(self) -> tuple[int, ...]:
        """The descriptor of the memory; none on Windows."""
        return () if sys.platform == "win32" else (self._fd,)

    def close(self) -> None:
        """Drops the references to the memory, which lives as long as there are arrays over it."""
        self.memory = None
        fd, self._fd = self._fd, -1  # at once: a second `close` could close another file
        if fd >= 0:
            _close(fd)


def _close(fd: int) -> None:
    with suppress(OSError):  # it is closed all the same, and nothing was to be written
        os.close(fd)


def _anonymous_file(nbytes: int) -> int:
    """Returns a descriptor of `nbytes` of memory without a name."""
    if hasattr(os, "memfd_create"):
        with suppress(OSError):  # an old kernel or a sandbox does not have it; a file works too
            return _sized(os.memfd_create("imageloom", os.MFD_CLOEXEC), nbytes, os.ftruncate)
    with tempfile.TemporaryFile(prefix="imageloom-") as file:
        return _sized(os.dup(file.fileno()), nbytes, _allocate)


def _sized(fd: int, nbytes: int, size: Callable[[int, int], None]) -> int:
    try:
        size(fd, nbytes)
    except BaseException:
        _close(fd)
        raise
    return fd


def _allocate(fd: int, nbytes: int) -> None:
    if hasattr(os, "posix_fallocate"):
        # Without this, a full disk would end the process with a bus error in the middle of a batch.
        os.posix_fallocate(fd, 0, nbytes)
    else:
        os.ftruncate(fd, nbytes)


class SlotPool:
    """The slots of one channel, in the process of the consumer.

    Attributes:
        layout: The arrays in a slot.
        segment: Their memory.
    """

    def __init__(self, layout: BatchLayout, in_flight: int, kept: int) -> None:
        """Allocates `in_flight + kept` slots.

        Args:
            layout: The arrays in a slot.
            in_flight: How many batches may be computed or wait at the same time.
            kept: How many batches the user may hold before further ones are copied.
        """
        self.layout = layout
        self._kept_bound = kept
        self._kept = 0
        self._count = in_flight + kept
        self.segment = Segment(self._count * layout.nbytes)
        self._free = set(range(self._count))
        self._lock = Lock()
        # Finalizers may run anywhere, even in a method that holds the lock, so they only append
        # here.
        self._returned: deque[int] = deque()

    def lease(self, known: Set[int] = frozenset()) -> int | None:
        """Returns a free slot, which is now in use: one of the `known`, if possible. None for none."""
        with self._lock:
            self._collect()
            slot = min(self._free & known or self._free, default=None)
            self._free.discard(-1 if slot is None else slot)
            return slot

    def give_back(self, slot: int) -> None:
        """Frees a slot that was not handed out."""
        with self._lock:
            self._free.add(slot)

    def _collect(self) -> None:
        while self._returned:
            self._kept -= 1
            self._free.add(self._returned.popleft())

    def set_progress(self, slot: int, sample: int) -> None:
        """Sets the sample that the worker of a slot is working on; -1 for none."""
        if self.segment.memory is not None:
            self.layout.progress(self.segment.memory, slot * self.layout.nbytes)[0] = sample

    def progress_of(self, slot: int) -> int:
        """The sample that the worker of a slot is working on, or was when it died; -1 for none."""
        if self.segment.memory is None:
            return -1
        return int(self.layout.progress(self.segment.memory, slot * self.layout.nbytes)[0])

    def raw_rows(self, slot: int, rows: int) -> NDArray[Any] | None:
        """The part of a leased slot that receives the input rows; None if there are none."""
        memory = self.segment.memory
        if memory is None:
            raise IteratorClosedError("The iterator was closed before this batch was computed.")
        return self.layout.raw_rows(memory, slot * self.layout.nbytes, rows)

    def hand_out(self, slot: int, rows: int) -> tuple[NDArray[Any], ...]:
        """Returns the batch in a slot as writable arrays, which the user may keep.

        The arrays are copies only if the user already holds `kept` batches. The slot of a copy is
        free at once, so keeping batches takes memory but never blocks the stream.
        """
        memory = self.segment.memory
        if memory is None:
            raise IteratorClosedError("The iterator was closed before this batch was handed out.")
        forked_before = forks()
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
        lease = _Lease(len(arrays), slot, self._returned, forked_before)
        for array in arrays:
            weakref.finalize(array, lease.drop).atexit = False
        return arrays

    def close(self) -> None:
        """Drops the reference to the memory; arrays that are still in use keep it alive."""
        self.segment.close()


class _Lease:
    """Counts the arrays of a slot that was handed out, until the last one is gone.

    If the process has forked meanwhile, its child may have them for longer, and the slot is never free
    again.
    """

    __slots__ = ("_forked_before", "_returned", "_tokens")

    def __init__(self, arrays: int, slot: int, returned: deque[int], forked_before: int) -> None:
        self._forked_before = forked_before
        self._tokens: list[int | None] = [slot, *[None] * (arrays - 1)]
        self._returned = returned

    def drop(self) -> None:
        # Two threads may drop arrays at the same time. list.pop is atomic; the last gets the slot.
        slot = self._tokens.pop()
        if slot is not None and self._forked_before == forks():
            self._returned.append(slot)


def _show_pages(memory: mmap.mmap, start: int, nbytes: int) -> None:
    """Asks for many pages at once, in half of the time that they take when each is written to."""
    if sys.platform == "linux":
        begin = start - start % mmap.PAGESIZE
        # Linux before 5.14 cannot do it. If memory is short, it is when the pages are written to, too.
        with suppress(OSError, ValueError):
            memory.madvise(_POPULATE_WRITE, begin, start + nbytes - begin)


class AttachedSlots:
    """The slots of one channel, in a worker."""

    def __init__(self, layout: BatchLayout, memory: mmap.mmap) -> None:
        """`memory` is that of the pool's segment, mapped here."""
        self._layout = layout
        self._memory = memory
        self._shown: set[int] = set()  # slots whose pages this process has

    def arrays(self, slot: int, rows: int) -> Sequence[NDArray[Any]]:
        """The arrays of a slot, which the pipeline writes into."""
        return self._layout.arrays(self._memory, slot * self._layout.nbytes, rows)

    def show(self, slot: int, rows: int) -> None:
        """Fetches all pages of a slot at once, before a whole batch is first written into it."""
        if rows == self._layout.rows and slot not in self._shown:
            self._shown.add(slot)
            _show_pages(self._memory, slot * self._layout.nbytes, self._layout.nbytes)

    def progress(self, slot: int) -> NDArray[np.int64]:
        """One number in which the pipeline notes the sample that it is working on."""
        return self._layout.progress(self._memory, slot * self._layout.nbytes)

    def raw_rows(self, slot: int, rows: int) -> NDArray[Any] | None:
        """The input rows that the parent has copied into a slot; None if there are none."""
        return self._layout.raw_rows(self._memory, slot * self._layout.nbytes, rows)
