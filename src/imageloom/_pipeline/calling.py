"""Calls the user's functions for the samples of one batch."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from imageloom._pipeline.hooks import Hook, SampleCall, as_image, params_for_sample
from imageloom._pipeline.reading import channels_last, in_user_layout
from imageloom._pipeline.recipe import BatchTask, Recipe
from imageloom._pipeline.seeds import StreamPurpose
from imageloom._pipeline.targets import SampleTargets
from imageloom._pipeline.whereabouts import Whereabouts

__all__ = ["SampleCalls"]


class SampleCalls:
    """The calls for the image that the work is at, and what they may ask about its sample."""

    def __init__(self, recipe: Recipe, task: BatchTask, at: Whereabouts) -> None:
        """Takes what the batch is computed with."""
        self._recipe = recipe
        self._task = task
        self._at = at

    @property
    def image_number(self) -> int:
        """The number of the current image within the batch."""
        return self._at.sample * self._recipe.images + self._at.part

    def entropy(self, purpose: StreamPurpose) -> tuple[int, ...]:
        """The seed of a random stream of the current image."""
        return (self._task.spec.seed, self.image_number, purpose)

    def about(self) -> SampleCall:
        """What hooks and the user's methods may ask about the current sample."""
        task, j = self._task, self._at.sample
        extras = {
            "class_id": task.class_ids[j] if task.class_ids else None,
            "filename": self._at.filename(),
            "batch_index": j,
            "batch_class_ids": list(task.class_ids),
            "batch_filenames": list(task.filenames),
        }
        params = params_for_sample(self._recipe.params, self.entropy(StreamPurpose.HOOK))
        return SampleCall(params, extras, self.entropy(StreamPurpose.COLOUR_AND_NOISE))

    def hook(
        self, hook: Hook, x: NDArray[Any], targets: SampleTargets, *, from_bytes: bool
    ) -> NDArray[Any]:
        """Runs a hook on an image, which it sees in the layout that the user has chosen.

        Args:
            hook: the function, or a composition of another library.
            x: the image (height, width, channels).
            targets: what a composition changes with the image.
            from_bytes: whether the image was stored as bytes.
        """
        recipe = self._recipe
        if hook.takes_image_only:
            with recipe.user_code.turns:
                returned = as_image(hook.name, hook.function(in_user_layout(x, recipe)))
            return channels_last(returned, recipe)
        call = self.about()
        if hook.composition is not None:
            of_bytes = from_bytes or x.dtype == np.uint8
            with recipe.user_code.turns:
                hook.seed(call.params)
                x = targets.compose(hook.composition, x, of_bytes=of_bytes)
            return as_image(hook.name, x)
        with recipe.user_code.turns:
            returned = hook(call.params, in_user_layout(x, recipe), call.extras)
        return channels_last(returned, recipe)
