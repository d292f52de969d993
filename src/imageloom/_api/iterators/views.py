"""What an iterator shows of its data set: weights of its classes, a sheet, its form in a notebook."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from imageloom._api.planning import FrozenGenerator
from imageloom._errors import BadImageError, ImageLoomError
from imageloom._pipeline.recipe import Recipe
from imageloom._preview.words import counted, geometry_notes, transforms_in_words
from imageloom._sources.base import SampleSource

if TYPE_CHECKING:
    from PIL import Image

    from imageloom._preview.html import Thumbnail

__all__ = ["IteratorViews"]

_THUMBNAILS: Final = 8


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
    def one_pass(self) -> Iterator[Any]:
        """The batches of an epoch in order."""

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

    def preview(self, samples: int = 4, versions: int = 5, seed: int = 0) -> Image.Image:
        """A sheet of originals beside their transformed versions, with what was drawn below each.

        Notebooks show it; `.save("sheet.png")` writes it. Each version is what a batch would hold
        before normalisation; hooks run, in this process. Nothing about the stream changes. Of a file
        that cannot be read the sheet says so.

        Args:
            samples: rows of the sheet, of as many classes as can be.
            versions: transformed versions of each.
            seed: of what is drawn; each version has its own, made of this one.

        Returns:
            A `PIL.Image.Image`, whose `info["versions"]` lists what was drawn, in full.

        Raises:
            InvalidArgumentError: there is no image; a number below 1; a `get_batch_function`.
            BadImageError: none of the samples can be read.
        """
        from imageloom._preview.sheet import preview_sheet  # loads Pillow and OpenCV

        generator = self.image_data_generator
        return preview_sheet(
            self.recipe(generator.frozen().without_cache()),
            self._source,
            samples=samples,
            versions=versions,
            seed=seed,
            title=self._headline(),
            subtitle=transforms_in_words(generator),
            notes=geometry_notes(generator),
        )

    def __repr__(self) -> str:
        """What there is, how it comes, and where it stands."""
        it: Any = self  # what stands here is defined by the iterators
        length, position = len(it), it.total_batches_seen
        order = "in balanced random order" if it.balance else "shuffled"
        order = order if it.shuffle else "in their own order"
        seed = "" if it.seed is None else f", seed {it.seed}"
        index, shards = it.shard
        if shards > 1:
            seed += f", shard {index} of {shards}"
        place = "empty"
        if length:
            place = f"at position {position}"
            place += f" (epoch {position // length}, batch {position % length})" * (position > 0)
        parts = [
            self._contents(),
            f"{counted(length, 'batch', 'batches')} of {it.batch_shape} {it.dtype}, {order}{seed}",
            f"{place}, closed" if it.is_shutdown else place,
        ]
        return f"<{type(self).__name__}: {'; '.join(parts)}>"

    def _headline(self) -> str:
        """What the data set is, without how it is read."""
        return self._contents(named=False)

    def _contents(self, *, named: bool = True) -> str:
        source, count = self._source, len(self._source)
        what = counted(count, "image")
        if source.images > 1:
            what = f"{counted(count, 'sample')} of {source.images} images"
        if source.masks:
            what += " with masks"
        if source.class_indices:
            what += f" of {counted(len(source.class_indices), 'class', 'classes')}"
        subset = getattr(self, "subset", None)
        subset = f" ({subset} subset)" if subset else ""
        return f"{what}{self._origin(named)}{subset}"

    @abstractmethod
    def _origin(self, named: bool) -> str:
        """Where the images come from, as the end of a phrase; `named` tells how exactly."""

    def _repr_html_(self) -> str:
        """What a notebook shows: counts by class, and a few images as they are stored."""
        from imageloom._preview.html import html_form

        return html_form(repr(self), self._source.samples_by_class(), self._thumbnails())

    def _thumbnails(self) -> list[Thumbnail]:
        from imageloom._preview.html import Thumbnail
        from imageloom._preview.pictures import grey_range, picture
        from imageloom._preview.samples import pick_samples, stored_image

        source = self._source
        try:
            recipe = self.recipe(self.image_data_generator.frozen().without_cache())
        except ImageLoomError:  # what is wrong with the generator is told when batches are asked for
            return []
        found: list[tuple[str, str, Any]] = []
        for index in pick_samples(source, _THUMBNAILS):
            name = source.filenames[index] if source.filenames else f"image {index}"
            try:
                pixels = stored_image(recipe, source, index, small=True)
            except BadImageError:
                pixels = None
            shown = name if isinstance(name, str) else ", ".join(name)
            found.append((shown, source.class_name(index), pixels))
        values = grey_range([pixels for *_, pixels in found if pixels is not None])
        return [
            Thumbnail(name, class_name, None if pixels is None else picture(pixels, values))
            for name, class_name, pixels in found
        ]

    def to_tf_dataset(self) -> Any:
        """A `tf.data.Dataset` of this iterator's batches, an epoch for each iteration of it.

        Its signature is exact but for the number of samples, as an epoch's last batch may be short.
        What are lists in a batch, such as several inputs, are tuples in the data set, and several
        inputs without targets are a tuple in a tuple of one, as Keras wants them. Iterations that run
        side by side see the same epoch; one that is broken off leaves it to the next.

        An error of a file or a hook arrives as one of `tf.errors`, with the whole text of the original.
        `state_dict` names the start of the epoch being read, until its last batch was read.
        `get_batch_function` decides about shapes itself, so there the first batch is computed now.

        Raises:
            MissingDependencyError: TensorFlow is not installed.
        """
        from imageloom._adapters.tf_data import tf_dataset

        own = self.image_data_generator.get_batch_function is not None
        return tf_dataset(self, next(self.one_pass()) if own else self.empty_batch())

    def to_torch_dataset(self) -> Any:
        """A torch `IterableDataset` of whole batches, an epoch for each iteration of it.

        For `DataLoader(dataset, batch_size=None, num_workers=0)`, which makes tensors of the arrays
        without a copy; they are writable. Torch wants `data_format="channels_first"`, and targets that
        are numbers of classes (`class_mode="sparse"`) as `y.long()`. Iterations that run side by side
        see the same epoch; one that is broken off leaves it to the next. `state_dict` names the start
        of the epoch being read, until its last batch was read.

        Raises:
            MissingDependencyError: torch is not installed.
        """
        from imageloom._adapters.torch_data import torch_dataset

        return torch_dataset(self)
