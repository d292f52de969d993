"""What the caches in memory of this program may still take.

The system gives memory page by page, as images are kept. So what is free just after an iterator was
opened is promised to its cache already, and another cache must not take it for its own.
"""

from __future__ import annotations

import mmap
import weakref
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from imageloom._pipeline.cache import CachePlan

__all__ = ["MARK", "note_memory", "note_promise", "promised"]

MARK: Final = np.dtype(np.uint32)  # what says of a row, before all rows, whether it is kept


@dataclass(slots=True)
class _Promise:
    """Of a plan; it holds neither the plan nor its memory.

    Attributes:
        rows, row_nbytes: What the plan says.
        memories: Where its rows are. A thread may compute before workers do, with rows of its own.
    """

    rows: int
    row_nbytes: int
    memories: list[weakref.ref[mmap.mmap]] = field(default_factory=list)

    def left(self) -> int:
        """The bytes that are not in use yet."""
        kept = max((self._kept(memory()) for memory in tuple(self.memories)), default=0)
        return (self.rows - kept) * self.row_nbytes

    def _kept(self, memory: mmap.mmap | None) -> int:
        if memory is None:
            return 0
        try:
            return int(np.count_nonzero(np.frombuffer(memory, MARK, self.rows)))
        except MemoryError:
            return 0  # as if all were still to come


_promises: Final[dict[int, _Promise]] = {}  # by the `id` of the plan, as long as that lives


def note_promise(plan: CachePlan) -> None:
    """Notes that a cache in memory is planned."""
    if plan.path is None and plan.rows:
        _promises[id(plan)] = _Promise(plan.rows, plan.row_nbytes)
        weakref.finalize(plan, _promises.pop, id(plan), None).atexit = False


def note_memory(plan: CachePlan, memory: mmap.mmap) -> None:
    """Notes where its rows are."""
    promise = _promises.get(id(plan))
    if promise is not None:
        promise.memories.append(weakref.ref(memory))


def promised() -> int:
    """The bytes that the caches of this process may still take."""
    return sum(promise.left() for promise in tuple(_promises.values()))
