"""Puts a batch together: its images, and the labels that belong to them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imageloom._pipeline.shortage import memory_told
from imageloom._sources.base import SampleSource

__all__ = ["assembled"]


def assembled(source: SampleSource, arrays: Sequence[NDArray[Any]], indices: NDArray[np.int64]) -> Any:
    """Images, targets and weights in the form that Keras' iterators use.

    Args:
        source: the data set.
        arrays: the arrays that workers compute: images, and masks, boxes or points, or copies of the
            images.
        indices: the samples.

    Raises:
        BatchMemoryError: There is no memory for the labels.
    """
    with memory_told():
        return _assembled(source, arrays, indices)


def _assembled(source: SampleSource, arrays: Sequence[NDArray[Any]], indices: NDArray[np.int64]) -> Any:
    parts = [*arrays[: source.images], *source.inputs(indices)]
    x = parts[0] if len(parts) == 1 else parts
    copies = arrays[source.images :]
    if copies:
        y: Any = source.computed_targets(copies)
    else:
        y = source.targets(indices)
    if y is None:
        return x
    weights = source.weights(indices)
    return (x, y) if weights is None else (x, y, weights)
