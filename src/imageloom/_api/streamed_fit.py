"""`fit` of an iterator, for data that do not fit into memory.

The executor computes batches of all images once per round, in the order of the data set. Workers
reduce each batch to its moments, from which this process computes mean and deviation. For
whitening, this process also adds the pixels of each batch to a sum of outer products, and then
frees the batch.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Final

from imageloom._errors import InvalidArgumentError
from imageloom._executors.base import Channel, ComputedBatch
from imageloom._imaging.augment.draw import TransformParams
from imageloom._imaging.moments import (
    Doubles,
    FeatureMoments,
    OuterProducts,
    check_whitening_fits,
    per_value,
    statistics_of_moments,
    whitening_of_products,
)
from imageloom._imaging.normalise import FeatureStatistics
from imageloom._options import GeneratorOptions
from imageloom._pipeline.recipe import BatchTask, Recipe
from imageloom._preview.progress import progress_bar
from imageloom._sources.base import SampleSource
from imageloom._stream.order import Sampler
from imageloom._stream.window import BatchStream
from imageloom._warnings import Code, coded, warn_user

__all__ = ["stream_statistics"]

_SCALE_REMEDY: Final = ' With geometry="corrected" they are rescaled afterwards.'


def stream_statistics(
    source: SampleSource,
    recipe: Recipe,
    options: GeneratorOptions,
    *,
    open_channel: Callable[[Recipe], Channel],
    rounds: int,
    seed: int,
    draws: Iterator[TransformParams] | None,
    channel_axis: int,
    bar: bool = True,
) -> FeatureStatistics:
    """Computes mean, standard deviation and whitening matrix of all images of a data set.

    Args:
        source: the data set.
        recipe: the recipe for `fit`.
        options: the generator's options, which say which statistics are needed.
        open_channel: opens a channel to the workers.
        rounds: number of passes over the data set.
        seed: seed of the transforms that workers draw.
        draws: the transforms of all images of all rounds, one after the other; None if workers
            draw.
        channel_axis: axis of the channels in a batch.
        bar: whether a progress bar is shown.

    Raises:
        InvalidArgumentError: there are no images, or they are too large for whitening.
        Exception: the error of reading an image.
    """
    if len(source) == 0:
        raise InvalidArgumentError("`.fit()` needs at least one image; the iterator has none.")
    if options.zca_whitening:
        check_whitening_fits(recipe.layout.row_shape, recipe.layout.row_shape[channel_axis - 1])
    sampler = Sampler(len(source), recipe.layout.rows, shuffle=False, seed=seed)
    sums = _Sums(recipe, options, channel_axis)
    tasks = _Tasks(source, sampler, draws, recipe.images)
    stream = BatchStream(open_channel(recipe), tasks.at)
    try:
        stream.follow(range(rounds * len(sampler)))
        with progress_bar(rounds * len(source), "fit", "images", shown=bar) as progress:
            for position in range(rounds * len(sampler)):
                sums.add(stream.get(position))
                progress.update(len(sampler.spec(position).indices))
    finally:
        stream.close()
    for text, category in sums.warnings.values():
        warn_user(text, category)
    return sums.statistics()


class _Tasks:
    """Makes the task of each position, with the transforms that were drawn for it."""

    def __init__(
        self,
        source: SampleSource,
        sampler: Sampler,
        draws: Iterator[TransformParams] | None,
        images: int,
    ) -> None:
        self._source = source
        self._sampler = sampler
        self._draws = draws
        self._images = images
        self._next = 0

    def at(self, position: int) -> BatchTask:
        task = self._source.task(self._sampler.spec(position))
        task = dataclasses.replace(task, is_looked_at=position == 0)
        if self._draws is None:
            return task
        assert position == self._next, "the stream requests positions one after the other"
        self._next += 1
        transforms = tuple(islice(self._draws, len(task) * self._images))
        return dataclasses.replace(task, transforms=transforms)


class _Sums:
    """The sums over all batches so far."""

    def __init__(self, recipe: Recipe, options: GeneratorOptions, channel_axis: int) -> None:
        self._options = options
        self._row_shape = recipe.layout.row_shape
        self._channel_axis = channel_axis
        self._moments: FeatureMoments | None = None
        self._products: OuterProducts | None = None
        self.warnings: dict[str, tuple[str, type[Warning]]] = {}

    def add(self, batch: ComputedBatch) -> None:
        moments = batch.report.moments
        for bad in batch.replaced:
            self.warnings.setdefault(
                f"replaced {bad.filename}", (coded(Code.REPLACED_IMAGE, bad.in_words), UserWarning)
            )
        for key, text, category in batch.report.warnings:
            remedy = _SCALE_REMEDY if key == Code.COLOUR_SCALE else ""
            self.warnings.setdefault(key, (text + remedy, category))
        assert moments is not None
        self._moments = moments if self._moments is None else self._moments.merged(moments)
        if not self._options.zca_whitening:
            batch.discard()
            return
        if self._products is None:
            self._products = OuterProducts(self._per_value(moments.mean))
        for images in batch.hand_out():
            self._products.add(images.reshape(len(images), -1))

    def _per_value(self, per_channel: Doubles) -> Doubles:
        return per_value(per_channel, self._row_shape, self._channel_axis)

    def statistics(self) -> FeatureStatistics:
        assert self._moments is not None
        found = statistics_of_moments(self._moments, self._options, self._channel_axis)
        if self._products is None:
            return found
        mean = self._per_value(self._moments.mean)
        matrix = whitening_of_products(self._products, mean, self._options.zca_epsilon)
        return FeatureStatistics(mean=found.mean, std=found.std, zca_whitening_matrix=matrix)
