"""Batches that are moved to a device before they are asked for."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import chain, islice
from typing import Final

from imageloom._adapters.moving import Moved, Mover
from imageloom._executors.base import ComputedBatch
from imageloom._locks import Lock
from imageloom._pipeline.recipe import BatchTask
from imageloom._stream.window import BatchStream

__all__ = ["MovedAhead", "OnItsWay"]

_AHEAD: Final = 2


@dataclass(frozen=True, slots=True)
class OnItsWay:
    """A computed batch that is being moved.

    Attributes:
        task: What was computed.
        computed: The result; its arrays have been taken.
        moved: The whole batch, with labels.
    """

    task: BatchTask
    computed: ComputedBatch
    moved: Moved


class MovedAhead:
    """Takes finished batches out of the window, two at most, and moves them.

    Only finished ones: nobody waits for a batch while one that was asked for is there.
    """

    def __init__(self) -> None:
        """Moves nothing yet."""
        self._lock = Lock()
        self._mover: Mover | None = None
        self._batches: dict[int, OnItsWay] = {}
        self._used: weakref.WeakSet[Mover] | None = None

    def take(self, position: int, task: BatchTask, mover: Mover) -> OnItsWay | None:
        """Returns the batch of a position, if it was moved by this mover; None otherwise.

        A batch that was computed for another task, before the program has changed something, is
        dropped, and so are batches that were moved to another device.
        """
        with self._lock:
            if mover is not self._mover:
                self._batches.clear()
                self._mover = mover
                self._used = weakref.WeakSet() if self._used is None else self._used
                self._used.add(mover)
            found = self._batches.pop(position, None)
        return found if found is not None and found.task.is_same(task) else None

    def fill(
        self,
        stream: BatchStream,
        mover: Mover,
        move: Callable[[BatchTask, ComputedBatch, Mover], Moved],
    ) -> None:
        """Moves the next batches, as far as they are finished.

        Args:
            stream: the window.
            mover: moves them; nothing is done if another one has been used since.
            move: takes the arrays of a batch, and moves them with their labels.
        """
        while True:
            with self._lock:
                if mover is not self._mover or len(self._batches) >= _AHEAD:
                    return
            found = stream.take_finished()
            if found is None:
                return
            position, task, computed = found
            try:
                way = OnItsWay(task, computed, move(task, computed, mover))
            except Exception:  # it is computed again, and raised then, when that batch is asked for
                return
            with self._lock:
                if mover is self._mover:
                    self._batches[position] = way

    def keep(self, plan: Iterable[int]) -> Iterable[int]:
        """Drops what was moved ahead of another plan; returns the rest of this one."""
        if not self._batches:
            return plan
        upcoming = iter(plan)
        first = list(islice(upcoming, _AHEAD))
        with self._lock:
            self._batches = {p: way for p, way in self._batches.items() if p in first}
            return chain([p for p in first if p not in self._batches], upcoming)

    def clear(self) -> None:
        """Drops what was moved ahead."""
        with self._lock:
            self._batches.clear()

    def release(self) -> None:
        """Drops it, and lets all movers give back what they keep."""
        self.clear()
        for mover in tuple(self._used or ()):
            mover.release()
