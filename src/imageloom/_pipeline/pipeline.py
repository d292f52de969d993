"""Computes one batch: read, draw, transform, normalise, straight into the batch's memory.

Per sample, in this order::

    read (decode, colour mode, resize) -> noaug_preprocessing_function
    -> draw the transform -> affine, channel shift, flips, brightness, contrast, noise
    -> preprocessing_function -> standardize -> the sample's row of the batch

Where the user has overridden a method of the generator, theirs runs in the place of that step, and
`get_batch_function` in the place of all of them.

All draws of the batch come from one `RandomState`, sample by sample; what Keras does not know of
(contrast, noise, hooks) has a stream of its own per sample. So the pixels are a function of the task.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imageloom._errors import WorkerError
from imageloom._imaging.augment.fused import can_fuse
from imageloom._pipeline.batch import BatchWork
from imageloom._pipeline.cache import PixelStore, open_store
from imageloom._pipeline.recipe import BatchReport, BatchTask, Recipe
from imageloom._pipeline.user_methods import UserMethods
from imageloom._storage.places import use_fsspec_options

__all__ = ["Pipeline"]


class Pipeline:
    """The machinery of a `Recipe`; one instance may be used by several threads."""

    def __init__(self, recipe: Recipe, store: PixelStore | None = None) -> None:
        """`store` keeps decoded pixels; by default one of this process, as the recipe plans it."""
        self.recipe = recipe
        if recipe.storage is not None:
            use_fsspec_options(recipe.storage)
        self.store = open_store(recipe.cache) if store is None else store
        self.own = UserMethods(
            recipe.params.image_data_generator,
            recipe.overrides,
            channels_first=recipe.channels_first,
        )
        self.fused_factor = self._fused_factor()

    def _fused_factor(self) -> float | None:
        """The factor that pixels are multiplied by, if that and the geometry is all there is."""
        recipe = self.recipe
        plain = not (
            recipe.has_hooks or recipe.channels_first or recipe.masks or recipe.tells_transforms
        )
        if not plain or recipe.rescale_first is not None or recipe.transform is None:
            return None
        return recipe.standardize.sole_factor if can_fuse(recipe.transform) else None

    def run(
        self,
        task: BatchTask,
        arrays: Sequence[NDArray[Any]],
        raw: NDArray[Any] | None = None,
        cell: NDArray[np.int64] | None = None,
    ) -> BatchReport:
        """Computes the batch into `arrays` (as `recipe.layout` describes them).

        Args:
            task: which batch.
            arrays: where to.
            raw: the images themselves, where they come out of an array of another process.
            cell: tells, for whoever looks at it when this process has died, which sample is at work.

        Raises:
            Exception: whatever a hook or a file raised, with a note that names file and stage.
        """
        work = BatchWork(
            task,
            raw,
            cell,
            recipe=self.recipe,
            store=self.store,
            own=self.own,
            fused_factor=self.fused_factor,
        )
        try:
            return work.run(arrays)
        except StopIteration as error:
            # In a loop over batches it would end training without a word.
            failure = WorkerError("A hook raised StopIteration, which cannot be handed on.")
            failure.add_note(work.whereabouts())
            raise failure from error
        except Exception as error:
            error.add_note(work.whereabouts())
            raise
        finally:
            work.end()
