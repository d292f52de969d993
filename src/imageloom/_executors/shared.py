"""Shares one executor between iterators, for as long as any of them needs it."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from imageloom._executors.base import BatchFuture, Channel, ComputedBatch, Executor
from imageloom._executors.closing import Closer, Closers
from imageloom._executors.forwarding import ForwardingChannel
from imageloom._locks import Lock
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
    """Makes an executor for the first channel that is opened, and closes it after the last one."""

    def __init__(self, *, lingers: bool = False) -> None:
        """Makes no executor yet; with `lingers`, its workers stay a while after the last channel."""
        self._lock = Lock()  # the garbage collector may call `release` during `open`
        self._current: _InUse | None = None
        self._lingers = lingers
        self._owner = os.getpid()

    @property
    def inherited(self) -> bool:
        """Whether this process is a forked child, so that the executor belongs to its parent."""
        return self._current is not None and os.getpid() != self._owner

    @property
    def running(self) -> bool:
        """Whether there is an executor that works."""
        return self._current is not None and not self._current.executor.ended

    def open(
        self,
        make: Callable[[], Executor],
        recipe: Recipe,
        max_batches_pending: int,
        batch_timeout: float | None = None,
        *,
        workers: int | None = None,
    ) -> Channel:
        """Opens a channel of the common executor, which `make` makes if there is none that works."""
        with self._lock:
            if self._current is None or self._current.executor.ended:
                self._current, self._owner = _InUse(make()), os.getpid()
            used = self._current
            used.channels += 1
            try:
                channel = used.executor.open(
                    recipe, max_batches_pending, batch_timeout, workers=workers
                )
            except BaseException:
                self.release(used)
                raise
            return _SharedChannel(self, used, channel)

    def release(self, used: _InUse) -> None:
        """Counts one channel less; without channels, its executor lingers, or is closed."""
        with self._lock:
            used.channels -= 1
            if used.channels == 0 and not (
                self._lingers and used.executor.linger(partial(self._may_end, used))
            ):
                self._close(used)

    def give_back(self) -> None:
        """Closes the executor if it only lingers."""
        with self._lock:
            if self.inherited:
                return
            if self._current is not None and self._current.channels == 0:
                self._close(self._current)

    def _close(self, used: _InUse) -> None:
        if self._current is used:
            self._current = None  # first, because Ctrl-C may end the wait in `close`
        used.executor.close()

    def _may_end(self, used: _InUse) -> bool:
        """Asked by an executor that lingers. It is not made to wait: `give_back` may wait for it."""
        if not self._lock.acquire(blocking=False):
            return False
        try:
            if used.channels == 0 and self._current is used:
                self._current = None
            return used.channels == 0
        finally:
            self._lock.release()


@dataclass(eq=False, slots=True)
class _InUse:
    """An executor and the number of its open channels."""

    executor: Executor
    channels: int = 0


class _SharedChannel(ForwardingChannel):
    def __init__(self, shared: SharedExecutor, used: _InUse, channel: Channel) -> None:
        self._shared = shared
        self._channel = channel
        self._closers = Closers()
        self._closers.add(channel.closer())
        self._closers.add(partial(shared.release, used))

    @property
    def _used(self) -> Channel:
        return self._channel

    def at_once(self, task: BatchTask) -> ComputedBatch | None:
        return self._channel.at_once(task)

    def submit(self, task: BatchTask, *, urgent: bool) -> BatchFuture:
        return self._channel.submit(task, urgent=urgent)

    def prioritise(self, future: BatchFuture) -> None:
        self._channel.prioritise(future)

    def closer(self) -> Closer:
        return self._closers

    def give_back(self) -> None:
        self._shared.give_back()
