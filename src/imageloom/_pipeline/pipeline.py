"""Computes one batch directly into its memory.

The steps for each sample, in this order::

    read (decode, colour mode, resize) -> noaug_preprocessing_function
    -> draw the transform -> affine, channel shift, flips, brightness, contrast, noise
    -> preprocessing_function -> standardize -> the sample's row of the batch

A method of the generator that the user has overridden replaces its step, and `get_batch_function`
replaces all steps.

All random numbers of the batch come from one `RandomState`, sample by sample. What Keras does not
have (contrast, noise, hooks) has a random stream of its own for each sample. So the pixels are a
function of the task.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imageloom._adapters.applications import ImageNetScaling, stand_in
from imageloom._checks.asking import is_a
from imageloom._errors import WorkerError
from imageloom._imaging.augment.fused import Fusion, fusion_of
from imageloom._pipeline.batch import BatchWork
from imageloom._pipeline.cache import PixelStore, open_store
from imageloom._pipeline.hook_randomness import HookRandomness
from imageloom._pipeline.naming import naming_in_logs, working_at
from imageloom._pipeline.recipe import BatchReport, BatchTask, Recipe
from imageloom._pipeline.shortage import NOTE, lacks_memory, memory_told, no_memory
from imageloom._pipeline.stages import USERS_STAGES
from imageloom._pipeline.user_methods import UserMethods
from imageloom._storage.access import use_access

__all__ = ["Pipeline"]


class Pipeline:
    """Computes the batches of one recipe; several threads may use one instance.

    Attributes:
        recipe: How they are computed.
        randomness: The generators that the user's functions draw from; who calls `run` seeds them.
    """

    def __init__(
        self,
        recipe: Recipe,
        store: PixelStore | None = None,
        randomness: HookRandomness | None = None,
    ) -> None:
        """Builds what all batches have in common.

        Args:
            recipe: How batches are computed.
            store: Keeps decoded pixels; by default it is opened as the recipe plans it.
            randomness: That of the recipe, if it was looked for already.
        """
        self.recipe = recipe
        self.randomness = HookRandomness(recipe) if randomness is None else randomness
        if recipe.storage is not None:
            use_access(recipe.storage)
        self._store = open_store(recipe.cache) if store is None else store
        self._methods = UserMethods(
            recipe.params.image_data_generator,
            recipe.user_code,
            channels_first=recipe.channels_first,
        )
        self._fusion = self._possible_fusion()

    @property
    def fills_memory(self) -> bool:
        """Whether batches fill their memory; those that the user's code makes may lie elsewhere."""
        return not self.recipe.user_code.makes_batches

    def _possible_fusion(self) -> Fusion | None:
        """What is done at once, if the recipe does nothing that needs single steps."""
        recipe = self.recipe
        plain = not (recipe.masks or recipe.report.transforms or recipe.unfinished)
        fusion = self._fusion_of_steps() if plain and recipe.rescale_first is None else None
        if fusion is None or (recipe.channels_first and fusion.normalises):
            return None
        return fusion

    def _fusion_of_steps(self) -> Fusion | None:
        recipe, normalises = self.recipe, self.recipe.standardize
        imagenet = self._scaling()
        if (recipe.user_code and imagenet is None) or normalises.zca_whitening:
            return None
        if imagenet is None and (not normalises.active or normalises.sole_factor is not None):
            to_bytes = recipe.layout.dtype == "uint8" and recipe.working_dtype == "float32"
            return fusion_of(recipe.transform, normalises.sole_factor, to_bytes=to_bytes)
        if recipe.working_dtype != "float32":
            return None
        fusion = fusion_of(recipe.transform, 1.0)
        further = normalises if normalises.active else None
        return None if fusion is None else replace(fusion, imagenet=imagenet, standardize=further)

    def _scaling(self) -> ImageNetScaling | None:
        """What the only function of the user does, if it is a known one of Keras."""
        code = self.recipe.user_code
        if code.hook is None or code.noaug_hook is not None or code.makes_batches or code.overrides:
            return None
        function: Any = code.hook.function
        # In another process, it has been replaced already.
        return function if is_a(function, ImageNetScaling) else stand_in(function)

    def _names_samples(self, work: BatchWork) -> AbstractContextManager[Any]:
        """Names the sample in what functions log, and to who shows what they warn of."""
        if not self.recipe.user_code:
            return nullcontext()
        stack = ExitStack()
        stack.enter_context(working_at(work.at.place))
        stack.enter_context(naming_in_logs)
        return stack

    def run(
        self,
        task: BatchTask,
        arrays: Sequence[NDArray[Any]],
        raw: NDArray[Any] | None = None,
        progress: NDArray[np.int64] | None = None,
        state: np.random.RandomState | None = None,
    ) -> BatchReport:
        """Computes the batch into `arrays` (as `recipe.layout` describes them).

        Args:
            task: The batch.
            arrays: The memory that it is written to.
            raw: The images themselves, where they come out of an array of another process.
            progress: One number that is set to the current sample, so that another process can read
                it when this one has died.
            state: What the transforms are drawn from; by default the state that the task describes.

        Raises:
            BatchMemoryError: There is not enough memory for a step of this library.
            Exception: What a hook or the decoder has raised, with a note that names file and stage.
        """
        with memory_told():
            work = BatchWork(
                task,
                raw,
                progress,
                recipe=self.recipe,
                store=self._store,
                methods=self._methods,
                fusion=self._fusion,
                state=state,
            )
        try:
            with self._names_samples(work):
                report = work.run(arrays)
            self.randomness.look_again()
            return report.with_warnings(self.randomness.warnings)
        except StopIteration as error:
            # A loop over batches would take it for the end, and training would stop silently.
            failure = WorkerError(
                "A hook raised StopIteration, which would end a loop over batches. "
                "Raise another exception."
            )
            failure.add_note(work.at.note())
            raise failure from error
        except Exception as error:
            error.add_note(work.at.note())
            if lacks_memory(error):
                if not self._is_users(work.at.stage):
                    raise no_memory(error) from error
                error.add_note(NOTE)
            raise
        finally:
            work.close()

    def _is_users(self, stage: str) -> bool:
        """Whether a function or method of the user may be what runs in a stage."""
        return bool(self.recipe.user_code.overrides) or stage in USERS_STAGES
