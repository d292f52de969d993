"""Calls the user's `get_batch_function`, which computes a whole batch, of any shapes, in a worker.

If the array of images that it returns fits the batch's shared memory, it is copied there and need
not be pickled. Everything else that the function returns is pickled.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imageloom._checks.values import in_words
from imageloom._errors import BatchShapeError
from imageloom._pipeline.hooks import ParallelProcessParams
from imageloom._pipeline.recipe import BatchTask, Recipe

__all__ = ["call_batch_function", "completed", "put_aside"]


class _InSlot:
    """Takes the place of the array that is in the batch's memory."""

    def __reduce__(self) -> str:
        return "_IN_SLOT"


_IN_SLOT: Final = _InSlot()


def call_batch_function(
    recipe: Recipe, task: BatchTask, params: ParallelProcessParams, images: NDArray[Any]
) -> tuple[Any]:
    """Calls the function, and copies the images that it returns into `images` if they fit.

    Returns:
        The batch in a tuple of one. If the images were copied, a placeholder is in their place.

    Raises:
        BatchShapeError: The function does not return (batch_index, batch).
    """
    assert recipe.user_code.batch_function is not None
    with recipe.user_code.turns:
        returned = recipe.user_code.batch_function(
            task.spec.index, list(task.filenames), list(task.class_ids), params
        )
    if not isinstance(returned, (tuple, list)) or len(returned) != 2:
        raise BatchShapeError(
            "`get_batch_function` must return (batch_index, (x, y)), but get_batch_function returned "
            f"{in_words(returned)}."
        )
    return (put_aside(returned[1], images),)


def put_aside(batch: Any, images: NDArray[Any]) -> Any:
    """Copies the images of a batch into `images` if they fit; a placeholder takes their place."""
    if isinstance(batch, tuple) and batch and _fits(batch[0], images):
        np.copyto(images, batch[0])
        return (_IN_SLOT, *batch[1:])
    if _fits(batch, images):
        np.copyto(images, batch)
        return _IN_SLOT
    return batch


def completed(batch: Any, images: NDArray[Any]) -> Any:
    """Returns the batch with `images` in the place of the placeholder."""
    if batch is _IN_SLOT:
        return images
    if isinstance(batch, tuple) and batch and batch[0] is _IN_SLOT:
        return (images, *batch[1:])
    return batch


def _fits(x: Any, images: NDArray[Any]) -> bool:
    return type(x) is np.ndarray and x.shape == images.shape and x.dtype == images.dtype
