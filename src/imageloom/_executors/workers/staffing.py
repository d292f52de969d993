"""Decides how many workers there should be, and for how long.

All generators of a program share their workers. There are as many as the open channel wants that wants
most. When the last channel is closed, or one that wanted more than the others, the workers that nobody
needs stay for `LINGER_SECONDS`: most programs soon read another iterator, and a worker needs half a
second to start.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

__all__ = ["LINGER_SECONDS", "Staffing"]

LINGER_SECONDS: Final = 10.0
_ASK_AGAIN_SECONDS: Final = 0.05


class Staffing:
    """The number of workers that the open channels need.

    Any thread may call `attach`, `linger` and `limit`; only the dispatcher's thread calls the rest.
    """

    def __init__(self, workers: int) -> None:
        """There are no channels yet; for the first ones, there are this many workers."""
        self._wanted: dict[int, int] = {}  # by the key of the channel
        self._last = workers  # wanted when channels last came or went
        self._most: int | None = None
        self._may_end: Callable[[], bool] | None = None
        self._unneeded_since: float | None = None

    @property
    def size(self) -> int:
        """How many workers there should be."""
        return self._last if self._most is None else min(self._last, self._most)

    def limit(self, workers: int) -> None:
        """Notes that the system does not let more workers start."""
        self._most = workers

    def attach(self, key: int, workers: int) -> None:
        """Notes a channel that wants so many workers."""
        self._may_end = None
        self._wanted[key] = workers
        self._last = max(tuple(self._wanted.values()))

    def detach(self, key: int) -> None:
        """Notes that a channel is closed."""
        self._wanted.pop(key, None)
        wanted = tuple(self._wanted.values())
        if wanted:
            self._last = max(wanted)

    def linger(self, may_end: Callable[[], bool]) -> None:
        """Notes that no channel is open; `may_end` is asked when the time is over."""
        self._unneeded_since = time.monotonic()
        self._may_end = may_end

    def unneeded(self, workers: int) -> int:
        """How many of these workers have had no work for so long that they should end."""
        if self._may_end is None and workers <= self.size:
            self._unneeded_since = None
            return 0
        if self._seconds_left() > 0:
            return 0
        return max(0, workers - self.size)

    def is_over(self) -> bool:
        """Whether no channel has come for so long that all should end."""
        may_end = self._may_end
        return may_end is not None and self._seconds_left() <= 0 and may_end()

    def seconds_to_wait(self, workers: int) -> float | None:
        """Seconds until `unneeded` or `is_over` may change by themselves; None for never."""
        if self._may_end is None and workers <= self.size:
            return None
        return max(_ASK_AGAIN_SECONDS, self._seconds_left())

    def _seconds_left(self) -> float:
        now = time.monotonic()
        if self._unneeded_since is None:
            self._unneeded_since = now
        return self._unneeded_since + LINGER_SECONDS - now
