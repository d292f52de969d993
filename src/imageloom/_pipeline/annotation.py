"""The boxes or points of a sample, as the user has given them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imageloom._pipeline.records import quickly_pickled

__all__ = ["Annotation"]


@quickly_pickled
@dataclass(frozen=True, slots=True, eq=False)
class Annotation:
    """The boxes or points of one sample.

    Attributes:
        coordinates: (n, 4) or (n, 2), in the user's format.
        labels: The class of each box, or whether each point is visible (not 0), (n,).
    """

    coordinates: NDArray[np.float64]
    labels: NDArray[np.int32]
