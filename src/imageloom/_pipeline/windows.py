"""The random crop, and what else is drawn for the steps that Keras' generator lacks, in one batch.

Images that are cropped are read at their own sizes. The window is cut before anything else is drawn, so
that shifts, for example, are shares of the size that the image has in the batch.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from imageloom._imaging.augment.steps.crop import crop, crop_mask
from imageloom._imaging.augment.steps.draw import draw_steps, draw_window
from imageloom._pipeline.recipe import Recipe
from imageloom._pipeline.seeds import StreamPurpose, step_stream

__all__ = ["FurtherSteps"]


class FurtherSteps:
    """Draws the further steps of each image of a batch, and cuts the windows.

    Attributes:
        window: The parameters of the last image's crop, which its masks have, too; None without.
    """

    def __init__(self, recipe: Recipe, seed: int) -> None:
        """Takes the recipe, and the seed of the batch."""
        self._recipe = recipe
        self._seed = seed
        self.window: dict[str, Any] | None = None
        self._shape = (0, 0)  # of that image

    def cropped(self, x: NDArray[Any], image: int) -> NDArray[Any]:
        """Cuts the window of an image (height, width, channels); `image` is its number in the batch."""
        recipe, options = self._recipe, self._recipe.transform
        assert options is not None
        self._shape = (x.shape[0], x.shape[1])
        self.window = draw_window(options, self._shape, recipe.image_size, self._stream(image))
        read = recipe.read
        if read is None:
            return crop(x, self.window)
        exact = read.exact_resize or read.differing_share < 1
        method = read.interpolation or "bilinear"
        return crop(x, self.window, interpolation=method, exact=exact)

    def cropped_mask(self, x: NDArray[Any]) -> NDArray[Any]:
        """Cuts the window of the last image out of a mask of it."""
        return x if self.window is None else crop_mask(x, self.window, self._shape)

    def draw(self, params: dict[str, Any], image: int, height: int, width: int) -> None:
        """Adds what is drawn for an image of this size to its parameters."""
        options = self._recipe.transform
        assert options is not None
        if options.has_steps:
            draw_steps(params, options, height, width, self._stream(image))

    def with_window(self, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """The parameters of the last image together with its window."""
        return params if self.window is None else {"random_crop": self.window, **params}

    def _stream(self, image: int) -> Any:
        return step_stream((self._seed, image, StreamPurpose.COLOUR_AND_NOISE))
