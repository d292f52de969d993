"""What an iterator shows of its data set: weights of its classes, a sheet, its form in a notebook."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Final

import numpy as np

from imageloom.errors import ImageLoomError, InvalidArgumentError
from imageloom.recipe import Recipe
from imageloom.recipes import FrozenGenerator
from imageloom.sources.base import SampleSource
from imageloom.validation import check_int, check_seed

__all__ = ["IteratorViews"]

_THUMBNAILS: Final = 5


class IteratorViews(ABC):
    """Looks at the samples, and moves nothing."""

    image_data_generator: Any
    _source: SampleSource

    @abstractmethod
    def recipe(self, frozen: FrozenGenerator) -> Recipe:
        """The description of this iterator's batches, for those who compute them.

        Args:
            frozen: the generator as it is at the first batch.
        """

    @abstractmethod
    def empty_batch(self) -> Any:
        """A batch without samples: the structure, shapes and dtypes of all others."""

    def class_weights(self) -> dict[int, float]:
        """For Keras' `fit(class_weight=...)`: samples / (classes * samples of the class), by number.

        Raises:
            InvalidArgumentError: samples that do not have one class each.
        """
        numbers, counts = np.unique(self._source.class_numbers("class_weights()"), return_counts=True)
        weights = len(self._source) / (len(numbers) * counts)
        return {int(number): float(weight) for number, weight in zip(numbers, weights, strict=True)}

    def preview(self, samples: int = 4, versions: int = 5, seed: int = 0) -> Any:
        """A sheet of originals beside their transformed versions, with what was drawn below each.

        Notebooks show it; `.save("sheet.png")` writes it. Hooks run, normalisation does not. Nothing
        about the stream changes.

        Args:
            samples: rows of the sheet, taken evenly from the data set.
            versions: transformed versions of each.
            seed: of the transforms shown.

        Returns:
            A `PIL.Image.Image`.

        Raises:
            InvalidArgumentError: there is no image, or a number below 1.
        """
        from imageloom.preview import draw_sheet, make_specimens  # loads Pillow and OpenCV

        check_int("samples", samples, 1)
        check_int("versions", versions, 1)
        if len(self._source) == 0:
            raise InvalidArgumentError("There is no image to preview.")
        generator = self.image_data_generator
        indices = (
            np.linspace(0, len(self._source) - 1, min(samples, len(self._source))).astype(int).tolist()
        )
        specimens = make_specimens(
            self.recipe(generator.frozen()),
            self._source,
            indices,
            versions=versions,
            seed=check_seed(seed) or 0,
            draw=generator.get_random_transform,
        )
        return draw_sheet(specimens)

    def _repr_html_(self) -> str:
        """What a notebook shows: counts by class, and a few images as they are stored."""
        from imageloom.notebook import html_form

        names = {number: name for name, number in self._source.class_indices.items()}
        counts: dict[str, int] = {}
        if names:
            numbers, found = np.unique(self._source.class_numbers("counts"), return_counts=True)
            counts = {names[int(n)]: int(c) for n, c in zip(numbers, found, strict=True)}
        return html_form(repr(self), counts, self._thumbnails())

    def _thumbnails(self) -> list[tuple[str, Any]]:
        from imageloom.preview import make_specimens

        generator = self.image_data_generator
        indices = (
            np.linspace(0, len(self._source) - 1, min(_THUMBNAILS, len(self._source)))
            .astype(int)
            .tolist()
        )
        recipe = self.recipe(generator.frozen())
        try:
            shown = make_specimens(
                recipe, self._source, indices, versions=0, seed=0, draw=generator.get_random_transform
            )
        except ImageLoomError:  # a broken file is no reason to show nothing
            return []
        return [(one.name, one.original) for one in shown]

    def to_tf_dataset(self) -> Any:
        """A `tf.data.Dataset` of this iterator's batches, an epoch for each iteration of it.

        Its signature is exact but for the number of samples, as an epoch's last batch may be short.
        What are lists in a batch, such as several inputs, are tuples in the data set.

        Raises:
            MissingDependencyError: TensorFlow is not installed.
        """
        from imageloom.adapters.tf_data import tf_dataset

        return tf_dataset(self, self.empty_batch())

    def to_torch_dataset(self) -> Any:
        """A torch `IterableDataset` of whole batches, an epoch for each iteration of it.

        For `DataLoader(dataset, batch_size=None, num_workers=0)`, which makes tensors of the arrays
        without a copy. Torch wants `data_format="channels_first"`.

        Raises:
            MissingDependencyError: torch is not installed.
        """
        from imageloom.adapters.torch_data import torch_dataset

        return torch_dataset(self)
