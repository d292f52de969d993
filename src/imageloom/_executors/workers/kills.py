"""What becomes of a batch whose worker was killed from outside.

No decoder kills its own process: the system does so when memory runs out, or somebody else does. So
such a death accuses no file, but the memory. Several workers need more of it at the same time than one;
so the batch is computed again alone, while the other workers wait. That has an end, because another
worker may be busy for long, or hang.

Where control groups can be read, the kernel's count of its kills says whether it was memory.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any, Final

from imageloom._errors import LESS_MEMORY
from imageloom._executors.base import QueuedTask
from imageloom._machine import memory_kills

__all__ = [
    "ALONE_SECONDS",
    "KillWatch",
    "is_kill",
    "likely_cause",
    "seconds_alone",
    "wants_to_be_alone",
]

ALONE_SECONDS: Final = 10.0  # for how long a batch may keep the other workers waiting
# Guards against too little memory, such as earlyoom, ask with SIGTERM first.
_FROM_OUTSIDE: Final = frozenset({"signal SIGKILL", "signal SIGTERM"})


def is_kill(how: str) -> bool:
    """Whether a worker that ended in this way was ended from outside."""
    return how in _FROM_OUTSIDE


class KillWatch:
    """Compares the deaths of workers with the kernel's count of processes that it killed for memory."""

    def __init__(self) -> None:
        """Notes the count as it is now."""
        self._explained = memory_kills()

    def was_for_memory(self) -> bool | None:
        """Whether one more kill is in the count; None if it cannot be read.

        Each kill explains one death: the kernel may have killed two before the first is noticed.
        """
        count = memory_kills()
        if count is None or self._explained is None:
            return None
        if count <= self._explained:
            return False
        self._explained += 1
        return True


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


def wants_to_be_alone(item: QueuedTask[Any]) -> bool:
    """Whether a batch is to be computed while no other is."""
    return item.alone_until > 0 and time.monotonic() < item.alone_until


def seconds_alone(items: Iterable[QueuedTask[Any]]) -> float | None:
    """Seconds until the last of these may share the workers again; None if all may."""
    until = max((item.alone_until for item in items), default=0.0)
    left = until - time.monotonic() if until > 0 else 0.0
    return left if left > 0 else None
