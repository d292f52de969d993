"""Descriptions of an iterator: its repr, preview sheet, notebook display and class weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from imageloom._api.iterators.plans import IteratorPlan
from imageloom._api.planning import PlanningGenerator
from imageloom._errors import BadImageError, ImageLoomError, InvalidArgumentError
from imageloom._pipeline.recipe import BatchSpec, Recipe
from imageloom._preview.words import counted, geometry_notes, transforms_in_words
from imageloom._sources.base import SampleSource
from imageloom._stream.cursor import Cursor
from imageloom._stream.order import StreamOrder

if TYPE_CHECKING:
    from PIL import Image

    from imageloom._preview.html import Thumbnail

__all__ = ["IteratorViews", "class_weights"]

_THUMBNAILS: Final = 8


def class_weights(source: SampleSource) -> dict[int, float]:
    """The weight of each class, samples / (classes * samples of the class), by class number.

    Raises:
        InvalidArgumentError: a sample does not have exactly one class.
    """
    numbers, counts = np.unique(source.class_numbers("class_weights()"), return_counts=True)
    weights = len(source) / (len(numbers) * counts)
    return {int(number): float(weight) for number, weight in zip(numbers, weights, strict=True)}


def _order_in_words(order: StreamOrder, cursor: Cursor) -> tuple[str, str]:
    """The order of the samples, and the position in the stream, as text."""
    how = "in balanced random order" if order.balance else "shuffled"
    how = how if order.shuffle else "in their own order"
    if order.options.seed is not None:
        how += f", seed {order.options.seed}"
    index, shards = order.options.shard
    if shards > 1:
        how += f", shard {index} of {shards}"
    place = "empty"
    if len(order):
        place = f"at position {cursor.position}"
        if cursor.position:
            place += f" (epoch {cursor.epoch}, batch {cursor.batch_index})"
    return how, place


@dataclass(frozen=True, slots=True)
class IteratorViews:
    """Makes descriptions and pictures of an iterator without changing its position.

    Attributes:
        plan: the data set and the arguments of the iterator.
        generator: the iterator's generator.
        batch_size: number of samples in a batch.
    """

    plan: IteratorPlan
    generator: PlanningGenerator
    batch_size: int

    def summary(self, order: StreamOrder, cursor: Cursor, closed: bool) -> str:
        """A description of the data set, the batches and the position, in one line."""
        how, place = _order_in_words(order, cursor)
        shape = (self.batch_size, *self.plan.row_shape)
        batches = counted(len(order), "batch", "batches")
        parts = [
            self.contents(),
            f"{batches} of {shape} {self.plan.settings.dtype}, {how}",
            f"{place}, closed" if closed else place,
        ]
        return "; ".join(parts)

    def contents(self, *, named: bool = True) -> str:
        """A description of the data set; only with `named` it includes the path."""
        source, count = self.plan.source, len(self.plan.source)
        what = counted(count, "image")
        if source.images > 1:
            what = f"{counted(count, 'sample')} of {source.images} images"
        if source.masks:
            what += " with masks"
        if source.coordinates is not None:
            what += f" with {source.coordinates.kind}"
        if source.class_indices:
            what += f" of {counted(len(source.class_indices), 'class', 'classes')}"
        subset = self.plan.settings.subset
        of_subset = f" ({subset} subset)" if subset else ""
        return f"{what}{self.plan.origin(named)}{of_subset}"

    def sheet(self, samples: int, versions: int, seed: int) -> Image.Image:
        """A sheet of original images and transformed versions."""
        from imageloom._preview.sheet import preview_sheet  # loads Pillow and OpenCV

        return preview_sheet(
            self._recipe(),
            self.plan.source,
            samples=samples,
            versions=versions,
            seed=seed,
            title=self.contents(named=False),
            subtitle=transforms_in_words(self.generator),
            notes=geometry_notes(self.generator),
        )

    def replay(
        self, spec: BatchSpec, place: tuple[int, int], *, made_by_class: bool = False
    ) -> Image.Image:
        """A picture of one batch, which is batch `place[1]` of epoch `place[0]`."""
        from imageloom._preview.replayed import replay_sheet  # loads Pillow and OpenCV

        recipe = self._recipe()
        if made_by_class or recipe.user_code.makes_batches:
            raise InvalidArgumentError(
                "A function of yours makes whole batches here, so there are no single images to show. "
                "Look at the batch itself: it.batch(position)."
            )
        epoch, number = place
        return replay_sheet(
            recipe,
            self.plan.source,
            spec,
            title=f"Step {spec.position}: batch {number} of epoch {epoch}",
            subtitle=f"{self.contents(named=False)}; {transforms_in_words(self.generator)}",
            notes=geometry_notes(self.generator),
        )

    def html(self, headline: str) -> str:
        """The display in a notebook, below a headline."""
        from imageloom._preview.html import html_form

        return html_form(headline, self.plan.source.samples_by_class(), self._thumbnails())

    def _recipe(self) -> Recipe:
        return self.plan.recipe(self.generator._freeze().without_cache(), self.batch_size)

    def _thumbnails(self) -> list[Thumbnail]:
        from imageloom._preview.html import Thumbnail
        from imageloom._preview.originals import stored_image
        from imageloom._preview.pictures import grey_range, picture
        from imageloom._preview.samples import pick_samples

        source = self.plan.source
        try:
            recipe = self._recipe()
        except ImageLoomError:  # raised by the first batch, but not by the notebook display
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
