"""Encodes the finished images of a batch for `save_to_dir`, under the names that Keras gives them.

A batch may be computed ahead and never be asked for, or be computed twice. So the worker only encodes
the pictures, and the consumer writes them when the batch is handed out (see `_stream.supply`).
"""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imageloom._imaging.convert import array_to_img
from imageloom._pipeline.recipe import BatchTask, Recipe
from imageloom._pipeline.whereabouts import Whereabouts

__all__ = ["encoded_pictures"]


class _NamedBuffer(io.BytesIO):
    """A file in memory. Pillow takes the format from its name, as it does with a file on disk."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name


def encoded_pictures(
    recipe: Recipe,
    task: BatchTask,
    images: Sequence[NDArray[Any]],
    state: np.random.RandomState,
    at: Whereabouts,
) -> tuple[tuple[str, bytes], ...]:
    """Returns the path and the content of one file for each image of a batch.

    Args:
        recipe: Says where to and in which format.
        task: The batch.
        images: One array for each image of a sample.
        state: The random state of the batch, which the numbers in the names are drawn from last.
        at: Receives the place of each image, for errors.
    """
    params = recipe.params
    at.enter("save")
    pictures = []
    for j, index in enumerate(task.spec.indices):
        for k, array in enumerate(images):
            at.sample, at.part = j, k
            number = state.randint(recipe.saved_name_range)
            name = f"{params.save_prefix}_{index}_{number}.{params.save_format}"
            path = os.path.join(params.save_to_dir or "", name)
            buffer = _NamedBuffer(path)
            array_to_img(array[j], params.data_format, scale=True, dtype="float32").save(buffer)
            pictures.append((path, buffer.getvalue()))
    at.enter("finish")
    return tuple(pictures)
