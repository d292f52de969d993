"""Computes batches in the caller's thread when they are asked for: the reference implementation."""

from __future__ import annotations

from concurrent.futures import Future

from imageloom._executors.base import BatchFuture, Channel, ComputedBatch, Executor, WorkersCompute
from imageloom._executors.closing import Closer, Closers
from imageloom._executors.here import computed_here
from imageloom._machine import available_cpus
from imageloom._pipeline.pipeline import Pipeline
from imageloom._pipeline.recipe import BatchTask, Recipe

__all__ = ["SerialExecutor"]


class SerialExecutor(Executor):
    """Starts no threads and no processes, and computes nothing ahead of time."""

    def open(
        self,
        recipe: Recipe,
        max_batches_pending: int,
        batch_timeout: float | None = None,
        *,
        workers: int | None = None,
    ) -> Channel:
        """Opens a channel that computes at once, which no timeout can interrupt."""
        del max_batches_pending, batch_timeout, workers
        return _SerialChannel(recipe)

    def close(self) -> None:
        """Does nothing: there is nothing to release."""


class _SerialChannel(WorkersCompute):
    lookahead = 0
    workers = 1
    restarts = 0

    def __init__(self, recipe: Recipe) -> None:
        self.cpus = available_cpus()
        self._pipeline = Pipeline(recipe)

    def at_once(self, task: BatchTask) -> ComputedBatch:
        return computed_here(self._pipeline, task)

    def submit(self, task: BatchTask, *, urgent: bool) -> BatchFuture:
        del urgent
        future: BatchFuture = Future()
        future.set_running_or_notify_cancel()
        try:
            future.set_result(computed_here(self._pipeline, task, waits=False))
        except Exception as error:
            future.set_exception(error)
        return future

    def prioritise(self, future: BatchFuture) -> None:
        """Does nothing: `submit` has computed the batch already."""

    def closer(self) -> Closer:
        return Closers()  # there is nothing to close
