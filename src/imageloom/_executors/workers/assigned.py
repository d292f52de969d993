"""What the dispatcher knows about each worker: its process, its tasks, and when it has to answer."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

from imageloom._executors.base import QueuedTask
from imageloom._executors.workers.resources import ChannelResources
from imageloom._executors.workers.shared_memory import SlotPool
from imageloom._executors.workers.spawning import WorkerProcess
from imageloom._log import logger

__all__ = ["Task", "Worker", "end_all"]

_START_SECONDS: Final = 120.0  # how long a worker may take to import what it needs

Task = QueuedTask[ChannelResources]


class Worker:
    """What the dispatcher knows about one worker.

    Attributes:
        ready: Whether it has imported everything.
        channels: The keys of the channels that it knows, and the slots of each that it has used.
        item, slot: The task that it is computing, and where to.
        following: The task that it has received beside that one, and its slot.
        short: The key of the channel whose last batch here was short; -1 for none.
        deadline: When it must have answered; None for no limit.
    """

    def __init__(self, environment: dict[str, str]) -> None:
        """Starts its process.

        Raises:
            OSError, MemoryError, WorkerStartError: That is not possible.
        """
        self.process = WorkerProcess(environment)
        logger.debug("Started worker process %d.", self.process.pid)
        self.ready = False
        self.channels: dict[int, set[int]] = {}
        self.item: Task | None = None
        self.slot = -1
        self.following: tuple[Task, int] | None = None
        self.short = -1
        self.deadline: float | None = time.monotonic() + _START_SECONDS

    def may_have_next(self, channel: ChannelResources) -> bool:
        """Whether it may get a task beside its own: one of the same short kind, without a limit."""
        assert self.item is not None
        same = channel is self.item.channel and channel.key == self.short
        return same and channel.batch_timeout is None

    @property
    def sample(self) -> int:
        """The sample of its task that it is working on, or was when it died; -1 for none."""
        return -1 if self.item is None else self.item.channel.slots.progress_of(self.slot)

    def end(self, grace: float) -> str:
        """Ends its process, which may go on for `grace` seconds, and returns how it has ended."""
        how = self.process.end(grace)
        logger.warning("Worker process %d has ended with %s.", self.process.pid, how)
        return how

    def free(self, slot: int, slots: SlotPool) -> None:
        """Frees a slot that it was given, once it has ended."""
        if self.process.gone:  # otherwise it may still write there
            slots.give_back(slot)


def end_all(workers: Sequence[Worker], error: Exception, grace: float) -> None:
    """Ends workers, which may compute for `grace` seconds more; what they do not finish fails."""
    for worker in workers:
        worker.process.hang_up()
    until = time.monotonic() + grace
    for worker in workers:
        # One that is still importing has nothing to finish.
        worker.process.end(max(0.0, until - time.monotonic()) if worker.ready else 0.0)
        for item in (worker.item, worker.following and worker.following[0]):
            if item is not None:
                item.fail(error)
