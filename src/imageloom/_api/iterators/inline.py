"""Computes a batch of any samples in the calling thread, as the method of Keras' iterators does it.

`_get_batches_of_transformed_samples` of an iterator draws from NumPy's global generator, as in Keras.
A user's class may call it from a method of its own, also in another process.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from imageloom._pipeline.batch_function import completed
from imageloom._pipeline.batch_method import current_call
from imageloom._pipeline.layout import private_arrays
from imageloom._pipeline.pipeline import Pipeline
from imageloom._pipeline.recipe import BatchSpec, Recipe
from imageloom._pipeline.seeds import global_state
from imageloom._pipeline.writing import write_pictures
from imageloom._sources.assembly import assembled
from imageloom._sources.base import SampleSource
from imageloom._warnings import warn_user

__all__ = ["InlineBatches"]


class InlineBatches:
    """The batches of one data set and recipe."""

    def __init__(self, recipe: Recipe, source: SampleSource) -> None:
        """Takes the recipe without a cache, which belongs to the workers."""
        report = dataclasses.replace(recipe.report, all_bad_samples=False, advises_replacing=False)
        self._recipe = dataclasses.replace(recipe, report=report)
        self._source = source
        self._pipeline: Pipeline | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_pipeline": None}

    def __call__(self, index_array: ArrayLike) -> Any:
        """Returns the batch of these samples, in the form that Keras' iterators use."""
        is_first = self._pipeline is None
        if self._pipeline is None:
            rows = self._source.rows  # those that a recipe has do not travel
            self._pipeline = Pipeline(dataclasses.replace(self._recipe, rows=rows))
        call = current_call.get()
        indices = np.asarray(index_array, dtype=np.int64).reshape(-1)
        seed = 0 if call is None else call.seed
        task = self._source.task(BatchSpec(0, 0, indices, seed, 0))
        task = dataclasses.replace(task, is_looked_at=is_first)
        arrays = private_arrays(self._recipe.layout, len(task))
        report = self._pipeline.run(task, arrays, state=global_state())
        if call is None:
            write_pictures(report.pictures)
            for _, text, category in report.warnings:
                warn_user(text, category)
        else:
            call.pictures.extend(report.pictures)
            call.warnings.update((warning[0], warning) for warning in report.warnings)
        if report.batch is not None:
            return completed(report.batch[0], arrays[0])
        return assembled(self._source, arrays, indices, report.mixture)
