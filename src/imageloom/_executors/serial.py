"""Computes batches in the caller's thread when they are asked for: the reference implementation."""

from __future__ import annotations

from concurrent.futures import Future

from imageloom._executors.base import BatchFuture, Channel, ComputedBatch, Executor, WorkersCompute
from imageloom._machine import available_cpus
from imageloom._pipeline.layout import private_arrays
from imageloom._pipeline.pipeline import Pipeline
from imageloom._pipeline.recipe import BatchTask, Recipe
from imageloom._pipeline.seeds import seeded_for_hooks

__all__ = ["SerialExecutor"]


class SerialExecutor(Executor):
    """Starts no threads and no processes, and computes nothing ahead of time."""

    def open(
        self, recipe: Recipe, max_batches_pending: int, batch_timeout: float | None = None
    ) -> Channel:
        """Opens a channel that computes in `submit`, which no timeout can interrupt."""
        del max_batches_pending, batch_timeout
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

    def submit(self, task: BatchTask, *, urgent: bool) -> BatchFuture:
        del urgent
        future: BatchFuture = Future()
        future.set_running_or_notify_cancel()
        recipe = self._pipeline.recipe
        arrays = private_arrays(recipe.layout, len(task))
        try:
            with seeded_for_hooks(recipe, task, restore=True):
                report = self._pipeline.run(task, arrays)
        except Exception as error:
            future.set_exception(error)
        else:
            future.set_result(ComputedBatch(lambda: arrays, lambda: None, report))
        return future

    def prioritise(self, future: BatchFuture) -> None:
        """Does nothing: `submit` has computed the batch already."""

    def close(self) -> None:
        """Does nothing: there is nothing to release."""
