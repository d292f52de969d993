"""Whether a step happens, as Keras' layers draw it."""

from __future__ import annotations

import numpy as np

__all__ = ["happens"]


def happens(rng: np.random.Generator, factor: tuple[float, float]) -> bool:
    """Draws whether a step happens: first its probability, within the bounds of `factor`."""
    probability = rng.uniform(*factor)
    return bool(rng.random() < probability)
