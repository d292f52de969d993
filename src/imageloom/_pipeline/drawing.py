"""Draws the transforms of the images of one batch."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imageloom._imaging.augment.affine import Affine
from imageloom._imaging.augment.batch import BatchTransforms, MirroredWarp
from imageloom._imaging.augment.grid import Within
from imageloom._pipeline.calling import SampleCalls
from imageloom._pipeline.recipe import BatchTask, Recipe
from imageloom._pipeline.seeds import own_stream
from imageloom._pipeline.user_methods import UserMethods
from imageloom._pipeline.windows import FurtherSteps

__all__ = ["ImageDraws"]

_UNMOVED: Final = MirroredWarp(None, horizontal=False, vertical=False)


class ImageDraws:
    """What is drawn for the image that the work is at.

    Attributes:
        active: False if no image would change, and nobody sees what is drawn.
    """

    def __init__(
        self,
        recipe: Recipe,
        task: BatchTask,
        methods: UserMethods,
        steps: FurtherSteps,
        calls: SampleCalls,
        state: np.random.RandomState,
    ) -> None:
        """Takes what the batch is computed with; `state` is what the transforms are drawn from."""
        self._recipe = recipe
        self._task = task
        self._methods = methods
        self._steps = steps
        self._calls = calls
        self._state = state
        self.active = self._is_seen()
        self._batch = self._of_batch() if self.active else None

    def _is_seen(self) -> bool:
        recipe = self._recipe
        if recipe.transform is None:
            return False
        seen = (
            recipe.user_code
            or recipe.report.transforms
            or recipe.params.save_to_dir is not None  # the names of the files are drawn, too
            or self._task.transforms is not None
        )
        return bool(seen) or not recipe.transform.changes_nothing

    def _of_batch(self) -> BatchTransforms:
        assert self._recipe.transform is not None
        images = len(self._task) * self._recipe.images
        # A method of this object would form a cycle, which would keep the memory of the batch
        # mapped.
        stream = functools.partial(own_stream, self._task.spec.seed)
        return BatchTransforms(self._state, self._recipe.transform, images, stream)

    def of(self, x: NDArray[Any]) -> tuple[Mapping[str, Any], Affine | None]:
        """The parameters of an image, and its affine step if that is known and not the identity."""
        number = self._calls.image_number
        if self._task.transforms is not None:
            return self._task.transforms[number], None
        if self._methods.draws:
            return self._methods.draw(self._calls.about(), self._state, x), None
        assert self._batch is not None
        height, width = x.shape[:2]
        params, affine = self._batch.of(number, height, width)
        self._steps.draw(params, number, height, width)
        return params, affine

    def within(self, x: NDArray[Any], affine: Affine | None) -> Within | None:
        """What is not beyond a constant border, if that is known and there is such an affine step."""
        if affine is None or self._batch is None:
            return None
        return self._batch.within(self._calls.image_number, x.shape[0], x.shape[1])

    def warp(
        self, x: NDArray[Any], *, recolours: bool
    ) -> tuple[MirroredWarp, Mapping[str, Any] | None]:
        """Only the geometry of an image, and the parameters of its colours if it `recolours`."""
        if self._batch is None:
            return _UNMOVED, None
        number, height, width = self._calls.image_number, x.shape[0], x.shape[1]
        if recolours:
            return self._batch.warp_and_colours_of(number, height, width)
        return self._batch.warp_of(number, height, width), None
