"""The iterator over images in arrays."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from imageloom._api.iterators.base import BatchIterator
from imageloom._api.planning import FrozenGenerator, OutputSettings, make_recipe
from imageloom._errors import InvalidArgumentError
from imageloom._pipeline.recipe import Recipe
from imageloom._sources.arrays import ArraySource
from imageloom._stream.order import OrderOptions
from imageloom._stream.supply import BatchT_co, ChannelFactory

__all__ = ["NumpyArrayIterator"]


class NumpyArrayIterator(BatchIterator[BatchT_co]):
    """Batches of the images of an array; made by `flow`.

    Attributes:
        x: the images, as given: converted to `dtype` image by image, not here.
        x_misc: the further inputs.
        y: the targets, or None.
        sample_weight: the weights, or None.
        image_shape: shape of one image.
        data_format: `"channels_last"` or `"channels_first"`.
        dtype: of the images in a batch.
        subset: `"training"`, `"validation"` or None, as given.
        save_to_dir: where finished images are written, or None.
        save_prefix: start of the saved files' names.
        save_format: their format.
        settings: the same arguments, checked.
    """

    def __init__(
        self,
        source: ArraySource,
        settings: OutputSettings,
        open_channel: ChannelFactory,
        *,
        image_data_generator: Any,
        order: OrderOptions,
    ) -> None:
        """Made by the generator."""
        super().__init__(source, open_channel, batch_size=settings.batch_size, order=order)
        self.image_data_generator = image_data_generator
        self.settings = settings
        self.x: NDArray[Any] = source.x
        self.x_misc: list[NDArray[Any]] = source.x_misc
        self.y: NDArray[Any] | None = source.y
        self.sample_weight: NDArray[Any] | None = source.sample_weight
        self.image_shape: tuple[int, ...] = source.x.shape[1:]
        self.data_format: str = settings.data_format
        self.dtype: str = settings.dtype
        self.save_to_dir: str | None = settings.save_to_dir
        self.save_prefix: str = settings.save_prefix
        self.save_format: str = settings.save_format
        self.subset: str | None = settings.subset

    @property
    def batch_shape(self) -> tuple[int, ...]:
        """Shape of a full batch of images."""
        return (self.batch_size, *self.image_shape)

    def _arguments(self) -> dict[str, Any]:
        described: dict[str, Any] = self.image_data_generator.described()
        return {"subset": self.subset, **described}

    def recipe(self, frozen: FrozenGenerator) -> Recipe:
        """The description of this iterator's batches, for those who compute them.

        Args:
            frozen: the generator as it is at the first batch.

        Raises:
            InvalidArgumentError: the generator has a `get_batch_function`, which is for files.
        """
        if frozen.options.get_batch_function is not None:
            raise InvalidArgumentError(
                "`get_batch_function` makes batches of files, and `flow` has none: leave it out of "
                "this generator, or use preprocessing_function."
            )
        return make_recipe(
            frozen,
            self._source,
            self.settings,
            batch_size=self.batch_size,
            row_shape=self.image_shape,
            read=None,
            told={},
        )

    def _origin(self, named: bool) -> str:
        return f" out of an array of {self.x.dtype}" if named else ""
