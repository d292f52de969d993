"""Shares one executor between all iterators of a generator, for as long as any of them needs it."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

from imageloom._executors.base import BatchFuture, Channel, Executor
from imageloom._executors.forwarding import ForwardingChannel
from imageloom._pipeline.recipe import BatchTask, Recipe

__all__ = ["SharedExecutor", "make_executor"]


def make_executor(kind: str, cores: float, *, disable_gpu: bool) -> Executor:
    """Makes the executor of this name, and imports only what that one needs.

    Args:
        kind: "serial", "threads", "processes" or "ray".
        cores: The number of workers; for Ray, also -1 for all CPUs of the cluster, or a share of
            them.
        disable_gpu: Whether GPUs are hidden from the workers.
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
    """Makes an executor for the first channel that is opened, and closes it with the last one."""

    def __init__(self) -> None:
        """Makes no executor yet."""
        self._lock = threading.RLock()  # the garbage collector may call `release` during `open`
        self._executor: Executor | None = None
        self._channels = 0
        self._owner = os.getpid()

    @property
    def inherited(self) -> bool:
        """Whether this process is a forked child, so that the executor belongs to its parent."""
        return self._executor is not None and os.getpid() != self._owner

    def open(
        self,
        make: Callable[[], Executor],
        recipe: Recipe,
        max_batches_pending: int,
        batch_timeout: float | None = None,
    ) -> Channel:
        """Opens a channel of the common executor, which `make` makes if there is none."""
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
        """Counts one channel less, and closes the executor if it was the last one."""
        with self._lock:
            self._channels -= 1
            self._close_unused()

    def _close_unused(self) -> None:
        if self._channels == 0 and self._executor is not None:
            self._executor.close()
            self._executor = None


class _SharedChannel(ForwardingChannel):
    def __init__(self, shared: SharedExecutor, channel: Channel) -> None:
        self._shared = shared
        self._channel = channel
        self._open = True

    @property
    def _used(self) -> Channel:
        return self._channel

    def submit(self, task: BatchTask, *, urgent: bool) -> BatchFuture:
        return self._channel.submit(task, urgent=urgent)

    def prioritise(self, future: BatchFuture) -> None:
        self._channel.prioritise(future)

    def close(self) -> None:
        if self._open:
            self._open = False
            self._channel.close()
            self._shared.release()
