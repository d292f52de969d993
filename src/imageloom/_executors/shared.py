"""One executor for all iterators of a generator, for as long as any of them needs it."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

from imageloom._executors.base import BatchFuture, Channel, Executor
from imageloom._pipeline.recipe import BatchTask, Recipe

__all__ = ["SharedExecutor", "make_executor"]


def make_executor(kind: str, cores: float, *, disable_gpu: bool) -> Executor:
    """The executor of a name; imports only what that one needs.

    Args:
        kind: "serial", "threads", "processes" or "ray".
        cores: number of workers, -1 for all, or a share: of this machine's CPUs, or of the cluster's.
        disable_gpu: workers see no GPU.
    """
    if kind == "ray":
        from imageloom._executors.ray.channel import RayExecutor

        return RayExecutor(cores, disable_gpu=disable_gpu)
    workers = int(cores)
    if kind == "serial":
        from imageloom._executors.serial import SerialExecutor

        return SerialExecutor()
    if kind == "threads":
        from imageloom._executors.threads import ThreadExecutor

        return ThreadExecutor(workers)
    from imageloom._executors.workers.channel import ProcessExecutor

    return ProcessExecutor(workers, disable_gpu=disable_gpu)


class SharedExecutor:
    """Makes an executor for the first channel, closes it with the last."""

    def __init__(self) -> None:
        """Nothing is made yet."""
        self._lock = threading.RLock()  # the garbage collector may release in the middle of open
        self._executor: Executor | None = None
        self._channels = 0
        self._owner = os.getpid()

    @property
    def inherited(self) -> bool:
        """Whether this is a forked child, and the executor its parent's."""
        return self._executor is not None and os.getpid() != self._owner

    def open(
        self,
        make: Callable[[], Executor],
        recipe: Recipe,
        max_batches_pending: int,
        batch_timeout: float | None = None,
    ) -> Channel:
        """A channel of the common executor, which `make` makes if there is none."""
        with self._lock:
            if self._executor is None:
                self._executor, self._owner = make(), os.getpid()
            try:
                channel = self._executor.open(recipe, max_batches_pending, batch_timeout)
            except BaseException:
                self._close_unused()
                raise
            self._channels += 1
            return _SharedChannel(self, channel)

    def release(self) -> None:
        """One channel less."""
        with self._lock:
            self._channels -= 1
            self._close_unused()

    def _close_unused(self) -> None:
        if self._channels == 0 and self._executor is not None:
            self._executor.close()
            self._executor = None


class _SharedChannel:
    def __init__(self, shared: SharedExecutor, channel: Channel) -> None:
        self._shared = shared
        self._channel = channel
        self._open = True

    @property
    def cpus(self) -> int:
        return self._channel.cpus

    @property
    def lookahead(self) -> int:
        return self._channel.lookahead

    @property
    def workers(self) -> int:
        return self._channel.workers

    @property
    def restarts(self) -> int:
        return self._channel.restarts

    def submit(self, task: BatchTask, *, urgent: bool) -> BatchFuture:
        return self._channel.submit(task, urgent=urgent)

    def hurry(self, future: BatchFuture) -> None:
        self._channel.hurry(future)

    def close(self) -> None:
        if self._open:
            self._open = False
            self._channel.close()
            self._shared.release()
