"""Channels that pass their tasks on to another channel."""

from __future__ import annotations

from abc import ABC, abstractmethod

from imageloom._executors.base import BatchFuture, Channel, ComputedBatch
from imageloom._executors.closing import Closer
from imageloom._pipeline.recipe import BatchTask

__all__ = ["ForwardingChannel"]


class ForwardingChannel(ABC):
    """Has the figures of the channel that it passes tasks to."""

    @property
    @abstractmethod
    def _used(self) -> Channel:
        """The channel that tasks are passed to."""

    @property
    def cpus(self) -> int:
        """The same as the channel that is used."""
        return self._used.cpus

    @property
    def lookahead(self) -> int:
        """The same as the channel that is used."""
        return self._used.lookahead

    @property
    def workers(self) -> int:
        """The same as the channel that is used."""
        return self._used.workers

    @property
    def restarts(self) -> int:
        """The same as the channel that is used."""
        return self._used.restarts

    @property
    def ready(self) -> bool:
        """The same as the channel that is used."""
        return self._used.ready

    def at_once(self, task: BatchTask) -> ComputedBatch | None:
        """None: who forwards tasks has to see what becomes of them."""
        del task
        return None

    def work_on(self, future: BatchFuture) -> None:
        """Passes it on."""
        self._used.work_on(future)

    def close(self) -> None:
        """Closes the channels that tasks are passed to."""
        self.closer()()

    @abstractmethod
    def closer(self) -> Closer:
        """Returns what does the same, and refers to nothing of the recipe."""

    def give_back(self) -> None:
        """Passes it on."""
        self._used.give_back()
