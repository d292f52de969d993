"""Which steps a device takes: what `finish="device"` takes over from the pipeline."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from imageloom._adapters.applications import ImageNetScaling

__all__ = ["BatchFinish", "FinishSteps", "ImageFinish", "Numbers", "finished_arrays"]

# Finishes the images of a batch: stored pixels (n, height, width, channels), geometry and colours as
# `_pipeline.unfinished` writes them.
ImageFinish = Callable[[Any, Any, Any], Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FinishSteps:
    """The steps between the stored pixels and the images of a batch.

    Attributes:
        images: The number of images of a sample.
        masks: The number of arrays of masks, and of boxes or points, which are finished already.
        repeats_images: Whether the images are the targets, too.
        moves: Whether pixels may move: by the affine step, or by flips.
        blends: Whether they are interpolated; else the nearest ones are taken.
        fill_mode: How images are continued beyond their borders.
        cval: The value there, with a constant mode.
        shifts_channels: Whether channel shifts may be drawn.
        brightens: Whether brightness factors may be drawn.
        contrasts: Whether contrast factors may be drawn.
        scaling: A `preprocess_input` of Keras; None for none.
        rescale: The factor; None for none.
        samplewise_center: Whether the mean of each image is subtracted.
        samplewise_std: Whether each image is divided by its standard deviation.
        mean: What is subtracted from all images; None for nothing.
        std: What they are divided by; None for nothing.
        whitening: The matrix that flat images are multiplied by; None for none.
        channels_first: Whether the images of the batch are (channels, height, width).
        dtype: The name of their dtype.
    """

    images: int
    masks: int
    repeats_images: bool
    moves: bool
    blends: bool
    fill_mode: str
    cval: float
    shifts_channels: bool
    brightens: bool
    contrasts: bool
    scaling: ImageNetScaling | None
    rescale: float | None
    samplewise_center: bool
    samplewise_std: bool
    mean: NDArray[Any] | None
    std: NDArray[Any] | None
    whitening: NDArray[Any] | None
    channels_first: bool
    dtype: str


@dataclass(frozen=True, slots=True, eq=False)
class BatchFinish:
    """How a moved batch is finished.

    Attributes:
        steps: What is done with its images.
        assemble: Makes the whole batch of its arrays: images, masks, and copies of images.
    """

    steps: FinishSteps
    assemble: Callable[[Sequence[Any]], Any]

    def batch(self, arrays: Sequence[Any], finish: ImageFinish, copy: Callable[[Any], Any]) -> Any:
        """The finished batch."""
        return self.assemble(finished_arrays(self.steps, arrays, finish, copy))


def finished_arrays(
    steps: FinishSteps, arrays: Sequence[Any], finish: ImageFinish, copy: Callable[[Any], Any]
) -> list[Any]:
    """The arrays of a finished batch.

    Args:
        steps: what is done with images.
        arrays: images, masks, and for each image its geometry and colours.
        finish: finishes images.
        copy: copies an array.
    """
    masks = list(arrays[steps.images : steps.images + steps.masks])
    drawn = arrays[steps.images + steps.masks :]
    images = [
        finish(image, drawn[2 * number], drawn[2 * number + 1])
        for number, image in enumerate(arrays[: steps.images])
    ]
    return [*images, *masks, *(map(copy, images) if steps.repeats_images else ())]


class Numbers(Protocol):
    """The operations of a framework that a finish consists of, by the names of NumPy.

    All arrays are float32, except those that are compared or are indices. Axes count from 0.
    """

    floor: Callable[[Any], Any]
    trunc: Callable[[Any], Any]
    isnan: Callable[[Any], Any]

    def where(self, condition: Any, one: Any, other: Any) -> Any:
        """Elements of `one` or `other`, which may be numbers."""
        ...

    def clip(self, x: Any, low: Any, high: Any) -> Any:
        """Values within bounds, which may be numbers or arrays."""
        ...

    def remainder(self, x: Any, divisor: int) -> Any:
        """The remainder of whole numbers, which is not negative."""
        ...

    def floats(self, x: Any) -> Any:
        """An array of float32."""
        ...

    def whole(self, x: Any) -> Any:
        """Whole numbers of 32 bits, or more."""
        ...

    def take(self, x: Any, row: Any, column: Any) -> Any:
        """Pixels (n, height, width, channels) at rows and columns (n, height, width)."""
        ...

    def extremes(self, x: Any) -> tuple[Any, Any]:
        """The least and the largest value of each image, (n, 1, 1, 1)."""
        ...

    def mean(self, x: Any) -> Any:
        """The mean of each image, (n, 1, 1, 1)."""
        ...

    def std(self, x: Any) -> Any:
        """The standard deviation of each image, (n, 1, 1, 1)."""
        ...

    def total(self, x: Any) -> Any:
        """The sum of whole numbers over each image, (n, 1, 1, 1)."""
        ...

    def flip(self, x: Any, axis: int) -> Any:
        """The array with an axis reversed."""
        ...

    def move_channels_first(self, x: Any) -> Any:
        """Images (n, channels, height, width) of (n, height, width, channels)."""
        ...

    def multiply(self, x: Any, matrix: Any) -> Any:
        """The product with a matrix, in full precision."""
        ...

    def join(self, x: Any, more: Any) -> Any:
        """The channels of both images."""
        ...

    def constant(self, value: np.ndarray[Any, Any]) -> Any:
        """An array of float32 that images are computed with."""
        ...

    def cast(self, x: Any, dtype: str) -> Any:
        """The array in another dtype, without fractions if that has none."""
        ...
