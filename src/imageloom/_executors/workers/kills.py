"""What becomes of a batch whose worker was killed from outside.

No decoder kills its own process: the system does so when memory runs out, or somebody else does. So
such a death accuses no file, but the memory. Several workers need more of it at the same time than one;
so the batch is computed again alone, while the other workers wait. That has an end, because another
worker may be busy for long, or hang.

Where control groups can be read, the kernel's count of its kills says whether it was memory.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Final, Protocol

from imageloom._errors import LESS_MEMORY
from imageloom._executors.base import QueuedTask, TaskQueue
from imageloom._machine import memory_kills

__all__ = ["Kills", "is_kill", "likely_cause"]

ALONE_SECONDS: Final = 10.0  # for how long a batch may keep the other workers waiting
# Guards against too little memory, such as earlyoom, ask with SIGTERM first.
_FROM_OUTSIDE: Final = frozenset({"signal SIGKILL", "signal SIGTERM"})


def is_kill(how: str) -> bool:
    """Whether a worker that ended in this way was ended from outside."""
    return how in _FROM_OUTSIDE


class _Busy(Protocol):
    """A worker, of which the task that it computes is of interest."""

    @property
    def item(self) -> QueuedTask[Any] | None:
        """That task."""
        ...


class Kills:
    """Notes which batches are to be computed alone, and whether the kernel has killed for memory."""

    def __init__(self, queue: TaskQueue[Any]) -> None:
        """`queue` has the tasks that no worker has begun."""
        self._queue = queue
        self._explained = memory_kills()
        self._lone = False  # a task is to be computed alone

    def note_death(self, item: QueuedTask[Any] | None, sample: int, how: str) -> bool | None:
        """Notes that a worker has died, over this sample of a task if it had one.

        Returns:
            Whether the kernel has counted one more kill for memory; None if that cannot be read, or if
            the worker was not killed. Each kill explains one death: the kernel may have killed two
            before the first is noticed.
        """
        killed = is_kill(how)
        if item is not None:
            (item.kills_at if killed else item.deaths_at).append(sample)
        if not killed:
            return None
        if item is not None:
            item.alone_until, self._lone = time.monotonic() + ALONE_SECONDS, True
        count = memory_kills()
        if count is None or self._explained is None:
            return None
        if count <= self._explained:
            return False
        self._explained += 1
        return True

    def others_wait(self, workers: Sequence[_Busy]) -> tuple[bool, QueuedTask[Any] | None]:
        """Says whether a task goes before all others, where these workers compute.

        Returns:
            Whether no other task may be begun now, and the one that is to be begun, if one is.
        """
        if not self._lone:
            return False, None
        now = time.monotonic()
        lone = [item for item in self._ever_lone(workers) if now < item.alone_until]
        self._lone = bool(lone)
        if not lone or any(worker.item is not None for worker in workers):
            return self._lone, None
        self._queue.prioritise(lone[0].future)
        return True, lone[0]

    def seconds_to_wait(self, workers: Sequence[_Busy]) -> list[float]:
        """Seconds until a task that was to be computed alone has to share the workers; [] for never."""
        if not self._lone:
            return []
        now = time.monotonic()
        return [max(0.0, item.alone_until - now) for item in self._ever_lone(workers)]

    def _ever_lone(self, workers: Sequence[_Busy]) -> list[QueuedTask[Any]]:
        computed = [worker.item for worker in workers if worker.item is not None]
        return [*(item for item in computed if item.alone_until > 0), *self._queue.lone_ones()]


def likely_cause(how: str, for_memory: bool | None = None) -> str:
    """A sentence on why a worker ended, and on what to change.

    Args:
        how: How it ended.
        for_memory: Whether the kernel says that it killed a process for memory; None if unknown.
    """
    if is_kill(how):
        if for_memory:
            return (
                f"Memory has run out: the kernel counts this among its kills for memory. {LESS_MEMORY}"
            )
        known = (
            "" if for_memory is None else ", although the kernel does not count this as its own kill"
        )
        return (
            "The likely cause is too little memory: the system, the container or a guard then kills "
            f"processes{known}. {LESS_MEMORY}"
        )
    if how.startswith("signal"):
        return "The likely cause is a decoder or a hook that crashes in native code."
    return "The likely cause is a hook that ends the process."
