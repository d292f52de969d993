"""Saves finished images to `save_to_dir`, under the names that Keras gives them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imageloom._imaging.convert import array_to_img
from imageloom._pipeline.recipe import BatchTask, Recipe
from imageloom._pipeline.whereabouts import Whereabouts

__all__ = ["save_images"]


def save_images(
    recipe: Recipe,
    task: BatchTask,
    images: Sequence[NDArray[Any]],
    state: np.random.RandomState,
    at: Whereabouts,
) -> None:
    """Saves all images of a batch.

    Args:
        recipe: Says where to and in which format.
        task: The batch.
        images: One array for each image of a sample.
        state: The random state of the batch, which the numbers in the names are drawn from last.
        at: Receives the place of each image, for errors.
    """
    params = recipe.params
    at.enter("save")
    for j, index in enumerate(task.spec.indices):
        for k, array in enumerate(images):
            at.sample, at.part = j, k
            number = state.randint(recipe.saved_name_range)
            name = f"{params.save_prefix}_{index}_{number}.{params.save_format}"
            image = array_to_img(array[j], params.data_format, scale=True, dtype="float32")
            image.save(os.path.join(params.save_to_dir or "", name))
    at.enter("finish")
