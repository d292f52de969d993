"""Mixes the finished images of a batch with one another, in the place of Keras' layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imageloom._imaging.mixing import Mixture, draw_mixture
from imageloom._pipeline.recipe import BatchTask, Recipe
from imageloom._pipeline.seeds import StreamPurpose

__all__ = ["mixed_batch"]


def mixed_batch(recipe: Recipe, task: BatchTask, arrays: Sequence[NDArray[Any]]) -> Mixture:
    """Mixes all images and masks of a batch in place, and returns how.

    Args:
        recipe: says how, and in which order the axes are.
        task: the batch, whose seed is that of the mixture.
        arrays: one array for each image of a sample, and for each of its masks.
    """
    assert recipe.mixing is not None
    height, width = arrays[0].shape[2:] if recipe.channels_first else arrays[0].shape[1:3]
    random = np.random.Generator(np.random.PCG64((task.spec.seed, StreamPurpose.MIXTURE)))
    mixture = draw_mixture(recipe.mixing, random, len(task), (height, width))
    for array in arrays:
        mixture.mix(array, channels_first=recipe.channels_first)
    return mixture
