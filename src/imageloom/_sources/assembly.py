"""Puts a batch together: its images, and the labels that belong to them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imageloom._imaging.mixing import Mixture
from imageloom._pipeline.shortage import memory_told
from imageloom._sources.base import SampleSource
from imageloom._sources.mixed_targets import mixed_rows

__all__ = ["assembled"]


def assembled(
    source: SampleSource,
    arrays: Sequence[NDArray[Any]],
    indices: NDArray[np.int64],
    mixture: Mixture | None = None,
) -> Any:
    """Images, targets and weights in the form that Keras' iterators use.

    Args:
        source: the data set.
        arrays: the arrays that workers compute: images, and masks, boxes or points, or copies of the
            images.
        indices: the samples.
        mixture: how the images were mixed, if they were.

    Raises:
        BatchMemoryError: There is no memory for the labels.
    """
    with memory_told():
        return _assembled(source, arrays, indices, mixture)


def _assembled(
    source: SampleSource,
    arrays: Sequence[NDArray[Any]],
    indices: NDArray[np.int64],
    mixture: Mixture | None,
) -> Any:
    inputs = mixed_rows(mixture, list(source.inputs(indices)))
    parts = [*arrays[: source.images], *inputs]
    x = parts[0] if len(parts) == 1 else parts
    copies = arrays[source.images :]
    if copies:
        y: Any = source.computed_targets(copies)
    else:
        y = mixed_rows(mixture, source.targets(indices))
    if y is None:
        return x
    weights = mixed_rows(mixture, source.weights(indices))
    return (x, y) if weights is None else (x, y, weights)
