"""What an iterator needs to know about its data set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from imageloom.recipe import BatchTask
from imageloom.sampler import BatchSpec

__all__ = ["LABEL_MODES", "SampleSource", "encode_classes"]

LABEL_MODES = ("categorical", "binary", "sparse")


class SampleSource(Protocol):
    """A table of samples."""

    @property
    def filenames(self) -> Sequence[str]:
        """The files, as hooks see them."""
        ...

    @property
    def class_indices(self) -> Mapping[str, int]:
        """Class name to number; empty without classes."""
        ...

    def __len__(self) -> int:
        """Number of samples."""
        ...

    def task(self, spec: BatchSpec) -> BatchTask:
        """What a worker must know to compute the batch."""
        ...

    def targets(self, indices: NDArray[np.int64]) -> Any:
        """The targets of some samples, or None where the images are all there is."""
        ...


def encode_classes(
    class_ids: NDArray[np.int32], class_mode: str | None, classes: int, dtype: str
) -> NDArray[Any] | None:
    """Targets of a batch: one-hot rows (n, classes) or numbers (n,), of the iterator's dtype."""
    if class_mode not in LABEL_MODES:
        return None
    if class_mode != "categorical":
        return class_ids.astype(dtype)
    one_hot = np.zeros((len(class_ids), classes), dtype=dtype)
    one_hot[np.arange(len(class_ids)), class_ids] = 1
    return one_hot
