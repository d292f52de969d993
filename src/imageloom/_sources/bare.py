"""Numbered samples of which nothing is known: what they are, a user's batch method says."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from imageloom._pipeline.recipe import BatchSpec, BatchTask
from imageloom._sources.base import SampleSource

__all__ = ["BareSource"]


class BareSource(SampleSource):
    """The numbers 0 to n - 1."""

    def __init__(self, samples: int) -> None:
        """Takes their number."""
        self._samples = samples
        self.class_indices: dict[str, int] = {}

    def __len__(self) -> int:
        """Their number."""
        return self._samples

    def task(self, spec: BatchSpec) -> BatchTask:
        """The numbers alone."""
        return BatchTask(spec=spec)

    def targets(self, indices: NDArray[np.int64]) -> None:
        """None, because the batch method makes them."""
        del indices

    def fingerprint(self) -> dict[str, Any]:
        """The number of samples."""
        return {"samples": self._samples}
