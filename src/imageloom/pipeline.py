"""Computes one batch: read, draw, transform, normalise, straight into the batch's memory.

Per sample, in this order::

    read (decode, colour mode, resize) -> noaug_preprocessing_function
    -> draw the transform -> affine, channel shift, flips, brightness, contrast, noise
    -> preprocessing_function -> standardize -> the sample's row of the batch

All draws of the batch come from one `RandomState`, sample by sample; what Keras does not know of
(contrast, noise, hooks) has a stream of its own per sample. So the pixels are a function of the task.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imageloom.augment.apply import apply_transform
from imageloom.augment.draw import draw_transform
from imageloom.cache import DecodeAlways, PixelStore
from imageloom.conversion import array_to_img
from imageloom.errors import BatchShapeError, WorkerError
from imageloom.images import read_pixels
from imageloom.recipe import BatchReport, BatchTask, Recipe
from imageloom.statistics import standardize

__all__ = ["Pipeline", "seeded_globals"]

_SAVED_NAME_RANGE: Final = 10_000_000
# Purposes of the streams that are split off a sample's seed.
_OWN_DRAWS, _HOOK_DRAWS, _GLOBAL_DRAWS = 1, 2, 3
_SCALE_WARNING: Final = (
    "Brightness, contrast and noise work on the 0..255 scale, but pixels in {low:.4g}..{high:.4g} "
    "were found (first in {filename!r}). Scale with `rescale`, which runs after them, and not in "
    "`noaug_preprocessing_function`."
)


class Pipeline:
    """The machinery of a `Recipe`; one instance may be used by several threads."""

    def __init__(self, recipe: Recipe, store: PixelStore | None = None) -> None:
        """`store` keeps decoded pixels; by default nothing is kept."""
        self.recipe = recipe
        self.store = store or DecodeAlways()

    def run(self, task: BatchTask, arrays: Sequence[NDArray[Any]]) -> BatchReport:
        """Computes the batch into `arrays` (as `recipe.layout` describes them).

        Raises:
            Exception: whatever a hook or a file raised, with a note that names file and stage.
        """
        work = _BatchWork(self.recipe, self.store, task)
        images = arrays[0]
        try:
            for j in range(len(task)):
                work.compute(j, images[j])
            for copied in arrays[1:]:
                copied[...] = images
            if self.recipe.params.save_to_dir is not None:
                work.save(images)
        except StopIteration as error:
            # In a loop over batches it would end training without a word.
            failure = WorkerError("A hook raised StopIteration, which cannot be handed on.")
            failure.add_note(work.whereabouts())
            raise failure from error
        except Exception as error:
            error.add_note(work.whereabouts())
            raise
        return BatchReport(warnings=tuple(work.warnings.items()))


class _BatchWork:
    """One batch under way: its random state, and where it is, for the error that may come."""

    def __init__(self, recipe: Recipe, store: PixelStore, task: BatchTask) -> None:
        self.recipe = recipe
        self.store = store
        self.task = task
        self.state = task.spec.random_state()
        self.sample = 0
        self.stage = "reading"
        self.warnings: dict[str, str] = {}

    def whereabouts(self) -> str:
        filename = self.task.filenames[self.sample]
        return (
            f"imageloom: while {self.stage}, file {filename!r} "
            f"(sample {self.sample} of the batch at position {self.task.spec.position})"
        )

    def compute(self, j: int, row: NDArray[Any]) -> None:
        recipe, self.sample = self.recipe, j
        self.stage = "reading the image"
        path = self.task.paths[j]
        x = self.store.pixels(int(self.task.spec.indices[j]), lambda: read_pixels(path, recipe.read))
        if recipe.noaug_hook is not None:
            self.stage = "running noaug_preprocessing_function"
            x = self._call(recipe.noaug_hook, x.copy())
        x = self._float(x)
        if recipe.transform is not None:
            self.stage = "transforming the image"
            x = self._transform(x)
        if recipe.hook is not None:
            self.stage = "running preprocessing_function"
            x = self._float(self._call(recipe.hook, x))
        self.stage = "standardizing the image"
        if recipe.channels_first:
            x = np.moveaxis(x, -1, 0)
        if recipe.standardize.active:
            x = standardize(x, recipe.standardize)
        if x.shape != row.shape:
            raise BatchShapeError(
                f"The image has shape {x.shape} but the batch holds {row.shape}. A hook that changes "
                "the shape needs `batch_shape`, and images that are not resized "
                "(interpolation=None) need a hook that brings them to it."
            )
        np.copyto(row, x, casting="unsafe")

    def _transform(self, x: NDArray[Any]) -> NDArray[Any]:
        options = self.recipe.transform
        assert options is not None
        params = draw_transform(
            self.state,
            options,
            x.shape[0],
            x.shape[1],
            lambda: np.random.Generator(np.random.PCG64(self._entropy(_OWN_DRAWS))),
        )
        if options.recolours and self.sample == 0:
            self._check_scale(x)
        return apply_transform(x, params, options)

    def _check_scale(self, x: NDArray[Any]) -> None:
        low, high = float(x.min()), float(x.max())
        fractions = low >= 0 and high <= 1 and not np.all((x == 0) | (x == 1))
        if fractions or low < 0 or high > 255:
            filename = self.task.filenames[self.sample]
            text = _SCALE_WARNING.format(low=low, high=high, filename=filename)
            self.warnings["scale"] = text

    def _call(self, hook: Any, x: NDArray[Any]) -> NDArray[Any]:
        """Runs a hook on an image in the layout the user chose; ours is channels last."""
        task, j = self.task, self.sample
        extras = {
            "class_id": task.class_ids[j] if task.class_ids else None,
            "filename": task.filenames[j],
            "batch_index": j,
            "batch_class_ids": list(task.class_ids),
            "batch_filenames": list(task.filenames),
        }
        params = self.recipe.params.for_sample(self._entropy(_HOOK_DRAWS))
        if not self.recipe.channels_first:
            return hook(params, x, extras)  # type: ignore[no-any-return]
        return np.moveaxis(hook(params, np.moveaxis(x, -1, 0), extras), 0, -1)

    def _float(self, x: NDArray[Any]) -> NDArray[Any]:
        return x if x.dtype.kind == "f" else x.astype(np.float32)

    def _entropy(self, purpose: int) -> tuple[int, ...]:
        return (self.task.spec.seed, self.sample, purpose)

    def save(self, images: NDArray[Any]) -> None:
        """Writes the finished images, under Keras' names; the numbers in them are drawn last."""
        params = self.recipe.params
        self.stage = f"saving to {params.save_to_dir!r}"
        for j, index in enumerate(self.task.spec.indices):
            self.sample = j
            number = self.state.randint(_SAVED_NAME_RANGE)
            name = f"{params.save_prefix}_{index}_{number}.{params.save_format}"
            image = array_to_img(images[j], params.data_format, scale=True)
            image.save(os.path.join(params.save_to_dir or "", name))


@contextmanager
def seeded_globals(task: BatchTask, *, restore: bool) -> Iterator[None]:
    """Seeds `random` and `numpy.random` for a batch, so that hooks that draw from them repeat.

    With `restore` the caller's states come back afterwards.
    """
    states = (random.getstate(), np.random.get_state()) if restore else None
    words = np.random.SeedSequence((task.spec.seed, _GLOBAL_DRAWS)).generate_state(2)
    random.seed(int(words[0]))
    np.random.seed(int(words[1]))
    try:
        yield
    finally:
        if states is not None:
            random.setstate(states[0])
            np.random.set_state(states[1])
