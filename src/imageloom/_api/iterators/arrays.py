"""The iterator over images in arrays."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from imageloom._api.iterators.base import BatchIterator
from imageloom._api.iterators.plans import ArrayPlan
from imageloom._api.planning import OutputSettings
from imageloom._public import public
from imageloom._sources.arrays import ArraySource
from imageloom._stream.order import OrderOptions
from imageloom._stream.supply import BatchT_co

__all__ = ["NumpyArrayIterator"]


@public
class NumpyArrayIterator(BatchIterator[BatchT_co]):
    """Batches of the images of an array; made by `flow`.

    Attributes:
        x: the images as given; each is converted to `dtype` when its batch is computed.
        x_misc: the further inputs, as a list of arrays.
        y: the targets, or None.
        sample_weight: the weights, or None.
        image_shape: shape of one image.
    """

    def __init__(
        self,
        source: ArraySource,
        settings: OutputSettings,
        *,
        image_data_generator: Any,
        order: OrderOptions,
    ) -> None:
        """Made by the generator."""
        super().__init__(
            ArrayPlan(source, settings), image_data_generator=image_data_generator, order=order
        )
        self.x: NDArray[Any] = source.x
        self.x_misc: list[NDArray[Any]] = source.x_misc
        self.y: NDArray[Any] | None = source.y
        self.sample_weight: NDArray[Any] | None = source.sample_weight
        self.image_shape: tuple[int, ...] = source.x.shape[1:]
