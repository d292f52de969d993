"""`fit`: statistics of an array or an iterator, or from a file."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from imageloom._api.array_blocks import blocks_of, scaled
from imageloom._api.array_likes import check_images
from imageloom._api.iterators.base import BatchIterator
from imageloom._api.planning import FrozenGenerator, PlanningGenerator, recipe_for_fit
from imageloom._api.statistics_file import statistics_of_file
from imageloom._api.streamed_fit import stream_statistics
from imageloom._api.transforms import draw_from
from imageloom._checks.values import check_flag, check_int, check_seed, computing_dtype, in_words
from imageloom._errors import ArgumentTypeError, InvalidArgumentError
from imageloom._executors.base import Channel
from imageloom._imaging.augment.draw import TransformParams
from imageloom._imaging.moments import (
    check_whitening_fits,
    statistics_of_array,
    statistics_of_blocks,
)
from imageloom._imaging.normalise import FeatureStatistics
from imageloom._log import check_verbose
from imageloom._options import GeneratorOptions
from imageloom._pipeline.hooks import as_image
from imageloom._pipeline.recipe import Recipe
from imageloom._pipeline.seeds import StreamPurpose, drawing_from, fork, global_state
from imageloom._pipeline.user_methods import as_params
from imageloom._sources.arrays import as_array, rank_advice
from imageloom._sources.base import SampleSource
from imageloom._storage.stored_arrays import is_stored
from imageloom._warnings import Code, warn_user

__all__ = ["FittingGenerator", "statistics_for"]

_DRAWING_METHODS = frozenset({"get_random_transform", "default_transform"})


class FittingGenerator(PlanningGenerator, Protocol):
    """The part of a generator that `fit` uses: methods that a user may override, and workers."""

    def get_random_transform(
        self, img_shape: Sequence[int], seed: int | None = None
    ) -> TransformParams:
        """Draws a transform."""
        ...

    def apply_transform(self, x: NDArray[Any], transform_parameters: Mapping[str, Any]) -> NDArray[Any]:
        """Applies a transform."""
        ...

    def random_transform(self, x: NDArray[Any], seed: int | None = None) -> NDArray[Any]:
        """Draws a transform and applies it."""
        ...

    def _open_workers(
        self, options: GeneratorOptions, source: SampleSource, recipe: Recipe
    ) -> Channel: ...


def statistics_for(
    generator: FittingGenerator,
    x: ArrayLike | BatchIterator | str | os.PathLike[str],
    *,
    augment: bool,
    rounds: int,
    seed: int | None,
    verbose: bool | int | str,
) -> FeatureStatistics:
    """The statistics that the generator's options need; the arguments are those of `fit`."""
    bar = check_verbose(verbose)
    _check_augment(augment)
    check_int("rounds", rounds, 1)
    seed = check_seed(seed)
    if isinstance(x, (str, os.PathLike)):
        return statistics_of_file(x, generator._freeze().options)
    if not isinstance(x, BatchIterator):
        check_images(x, ", an iterator of this library, or a file that `imageloom stats` has written")
    frozen = generator._freeze()
    drawing = _Drawing(generator, frozen, seed) if augment else None
    if isinstance(x, BatchIterator):
        return _of_iterator(generator, frozen, x, drawing, rounds if augment else 1, bar)
    return _of_array(frozen.options, x, drawing, rounds)


class _Drawing:
    """The random transforms of `fit(augment=True)`.

    As in Keras, one random state is used for all images, one after the other. The contrast and the
    noise of each image use a separate stream. It depends on the seed, or without one on the
    global state.
    """

    def __init__(self, generator: FittingGenerator, frozen: FrozenGenerator, seed: int | None) -> None:
        self._generator = generator
        self._frozen = frozen
        self.seed = seed
        self.state = global_state() if seed is None else np.random.RandomState(seed)
        self._own = fork(self.state).entropy if seed is None else seed

    @property
    def by_user(self) -> bool:
        """Whether the user has overridden `random_transform`, which draws and applies."""
        return "random_transform" in self._frozen.overrides

    def params(
        self, shape: tuple[int, ...], count: int, *, crops: bool = False
    ) -> Iterator[TransformParams]:
        """The parameters of `count` images of one shape; iterators cut their windows themselves."""
        drawn_by_user = bool(_DRAWING_METHODS & self._frozen.overrides)
        for i in range(count):
            if drawn_by_user:
                with drawing_from(self.state):
                    drawn: Any = self._generator.get_random_transform(shape)
                as_params(drawn)  # raises if they are none
                yield drawn
            else:
                own = self._own_seed(i)
                yield draw_from(self.state, self._frozen.options, shape, own, crops=crops)

    def transformed(self, images: NDArray[Any], rounds: int) -> NDArray[Any]:
        """`rounds` versions of each image."""
        blocks = self.transformed_blocks([images] * rounds, rounds * len(images))
        versions = np.zeros((rounds, *images.shape), images.dtype)
        for number, block in enumerate(blocks):
            versions[number] = block
        return versions.reshape(-1, *images.shape[1:])

    def transformed_blocks(self, blocks: Iterable[NDArray[Any]], count: int) -> Iterator[NDArray[Any]]:
        """A version of each image of some blocks, which have `count` images together."""
        params: Iterator[TransformParams] | None = None
        for images in blocks:
            params = params or self.params(images.shape[1:], count, crops=True)
            versions = np.zeros_like(images)
            for i, image in enumerate(images):
                if self.by_user:
                    with drawing_from(self.state):
                        returned: Any = self._generator.random_transform(image)
                    versions[i] = as_image("random_transform", returned)
                else:
                    returned = self._generator.apply_transform(image, next(params))
                    versions[i] = as_image("apply_transform", returned)
            yield versions

    def _own_seed(self, image: int) -> np.random.SeedSequence:
        words = self._own if isinstance(self._own, Sequence) else (self._own,)
        return np.random.SeedSequence((*words, image, StreamPurpose.FIT))


def _of_iterator(
    generator: FittingGenerator,
    frozen: FrozenGenerator,
    iterator: BatchIterator,
    drawing: _Drawing | None,
    rounds: int,
    bar: bool,
) -> FeatureStatistics:
    options, source = frozen.options, iterator._plan.source
    recipe = recipe_for_fit(
        iterator._plan.recipe(frozen, iterator.batch_size), options, augment=drawing is not None
    )
    draws: Iterator[TransformParams] | None = None
    seed: int | None = 0
    if drawing is not None and not drawing.by_user:
        draws = drawing.params(recipe.layout.row_shape, rounds * iterator.n * recipe.images)
    elif drawing is not None:  # the workers call the user's method, each batch with its own seed
        seed = drawing.seed
        if seed is None:
            seed = int(drawing.state.randint(0, 2**32, dtype=np.uint32))
    return stream_statistics(
        source,
        recipe,
        options,
        open_channel=partial(generator._open_workers, options, source),
        rounds=rounds,
        seed=seed or 0,
        draws=draws,
        channel_axis=_channel_axis(options),
        bar=bar,
    )


def _of_array(
    options: GeneratorOptions, x: ArrayLike, drawing: _Drawing | None, rounds: int
) -> FeatureStatistics:
    if not hasattr(x, "shape"):
        x = as_array("x", x)
    shape = np.shape(x)
    channel_axis = _channel_axis(options)
    _check_images(shape, options.data_format, channel_axis)
    if options.zca_whitening:
        check_whitening_fits(shape[1:], shape[channel_axis])
    # Keras rescales before it transforms here, which makes brightness ranges wrong.
    last = drawing is not None and options.geometry == "corrected"
    before = 1.0 if last else options.rescale or 1.0
    after = options.rescale or 1.0 if last else 1.0
    dtype = computing_dtype(options.dtype)
    if isinstance(x, np.memmap) or is_stored(x):
        rounds = 1 if drawing is None else rounds
        found = _looked_at(blocks_of(x, dtype, before, rounds), options, drawing)
        if drawing is not None:
            found = drawing.transformed_blocks(found, rounds * shape[0])
        return statistics_of_blocks((scaled(b, after) for b in found), options, channel_axis)
    images = scaled(np.array(x, dtype=dtype), before)
    if drawing is not None:
        (images,) = _looked_at([images], options, drawing)
        images = drawing.transformed(images, rounds)
    return statistics_of_array(scaled(images, after), options, channel_axis)


def _looked_at(
    blocks: Iterable[NDArray[Any]], options: GeneratorOptions, drawing: _Drawing | None
) -> Iterator[NDArray[Any]]:
    """The blocks; warns if the values of the first image do not suit what is drawn."""
    for number, block in enumerate(blocks):
        if number == 0 and drawing is not None and options.transform.recolours:
            _warn_of_scale(block[0])
        yield block


def _check_augment(augment: Any) -> None:
    if getattr(augment, "ndim", 0) or isinstance(augment, (list, tuple)):
        raise ArgumentTypeError(
            f"`augment` must be True or False; received {in_words(augment)}. `fit` takes images only, "
            "no targets."
        )
    check_flag("augment", augment)


def _channel_axis(options: GeneratorOptions) -> int:
    return 1 if options.data_format == "channels_first" else 3


def _warn_of_scale(image: NDArray[Any]) -> None:
    """Warns if the value range of the rescaled images does not suit the colour steps."""
    from imageloom._imaging.augment.apply import scale_warning  # loads OpenCV

    text = scale_warning(image, "the images given to `fit`, which are rescaled first")
    if text is not None:
        warn_user(
            f'{text} With geometry="corrected" they are rescaled afterwards.', code=Code.COLOUR_SCALE
        )


def _check_images(shape: tuple[int, ...], data_format: str, channel_axis: int) -> None:
    if len(shape) != 4:
        raise InvalidArgumentError(
            f"Input to `.fit()` should have rank 4. Got array with shape: {shape}."
            f"{rank_advice(shape, data_format)}"
        )
    if shape[0] == 0:
        raise InvalidArgumentError(f"`.fit()` needs at least one image; received shape {shape}.")
    if shape[channel_axis] not in (1, 3, 4):
        warn_user(
            "Expected input to be images (as Numpy array) following the data format convention "
            f'"{data_format}" (channels on axis {channel_axis}), i.e. expected either 1, 3 or 4 '
            f"channels on axis {channel_axis}. However, it was passed an array with shape {shape} "
            f"({shape[channel_axis]} channels).",
            code=Code.CHANNELS,
        )
