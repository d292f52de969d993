"""Masks, boxes and points of the samples of a batch, which follow the pixels of their image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imageloom._errors import BadImageError
from imageloom._imaging.augment.affine import Affine
from imageloom._imaging.augment.steps.apply import move_mask
from imageloom._pipeline.composing import SampleMasks, compose
from imageloom._pipeline.compositions import Composition
from imageloom._pipeline.coordinates import SampleCoordinates
from imageloom._pipeline.reading import BatchReader
from imageloom._pipeline.recipe import BatchTask, Recipe
from imageloom._pipeline.whereabouts import Whereabouts
from imageloom._pipeline.windows import FurtherSteps

__all__ = ["SampleTargets"]


class SampleTargets:
    """What goes through the geometry of the current image of a batch.

    Attributes:
        drawn: The parameters of the image, and its affine step if that is known; None if nothing was
            drawn for it.
        composed: What compositions of other libraries have done with the sample.
    """

    def __init__(
        self, recipe: Recipe, task: BatchTask, reader: BatchReader, steps: FurtherSteps, at: Whereabouts
    ) -> None:
        """Takes what the batch is computed with."""
        self.drawn: tuple[Mapping[str, Any], Affine | None] | None = None
        self.composed: list[str] = []
        self._recipe = recipe
        self._task = task
        self._reader = reader
        self._steps = steps
        self._at = at
        self._coordinates: SampleCoordinates | None = None
        self._masks: SampleMasks | None = None  # if a composition wants them with their image

    @property
    def follow_every_image(self) -> bool:
        """Whether each image's parameters are needed one by one, because points follow it."""
        return self._coordinates is not None

    def begin(self, x: NDArray[Any]) -> None:
        """Begins with an image, as it was read."""
        self.composed = []
        options, read = self._recipe.coordinates, self._recipe.read
        if options is None:
            return
        before, after = self._reader.size_in_file(x), (x.shape[0], x.shape[1])
        self._coordinates = SampleCoordinates(options, self._task.annotations[self._at.sample], before)
        if read is not None:
            self._coordinates.resize(read, before, after)
        self._coordinates.clip(after)

    def read_masks(self) -> list[BadImageError]:
        """Reads all masks before their image is computed; returns why some of them cannot be read."""
        self.drawn = None
        pixels, errors = [], []
        for k, dtype in enumerate(self._recipe.layout.mask_dtypes):
            self._at.mask = k
            try:
                pixels.append(self._reader.mask(np.dtype(dtype)))
            except BadImageError as error:
                errors.append(error)
        self._at.mask = -1
        self._masks = SampleMasks(pixels) if self._recipe.masks else None
        return errors

    def follow_crop(self) -> None:
        """Follows the window that was cut out of the image."""
        if self._coordinates is not None and self._steps.window is not None:
            self._coordinates.crop(self._steps.window)

    def follow(self, x: NDArray[Any], params: Mapping[str, Any], affine: Affine | None) -> None:
        """Follows what was drawn for an image, before it is applied."""
        if self._coordinates is not None and self._recipe.transform is not None:
            size = x.shape[0], x.shape[1]
            self._coordinates.transform(params, self._recipe.transform, size, affine)

    def compose(self, composition: Composition, x: NDArray[Any], *, of_bytes: bool) -> Any:
        """Calls a composition with the whole sample; returns what it has made of the image."""
        self._move_masks()
        found, words = compose(composition, x, self._masks, self._coordinates, of_bytes=of_bytes)
        self.composed += words
        return found

    def mask(self, dtype: np.dtype[Any], *, moves: bool) -> NDArray[Any]:
        """The current mask, moved as its image if `moves`.

        Raises:
            BadImageError: It cannot be read.
        """
        if self._masks is not None:
            self._move_masks()
            return self._masks.pixels[self._at.mask]
        mask = self._reader.mask(dtype)
        return self._moved(mask) if moves else mask

    def write(self, rows: Sequence[NDArray[Any]]) -> None:
        """Writes the boxes or points of the sample, if it has some."""
        if self._coordinates is not None:
            shape = self._recipe.layout.row_shape
            height, width = shape[1:] if self._recipe.channels_first else shape[:2]
            self._coordinates.write(rows, (height, width))

    def _move_masks(self) -> None:
        """Moves masks that a composition has, or gets now, as far as their image has moved."""
        if self._masks is not None and self.drawn is not None:
            self._masks.move(self._moved)

    def _moved(self, mask: NDArray[Any]) -> NDArray[Any]:
        options = self._recipe.transform
        if options is None or self.drawn is None:
            return mask
        self._at.enter("transform")
        params, affine = self.drawn
        return move_mask(self._steps.cropped_mask(mask), params, options, affine)
