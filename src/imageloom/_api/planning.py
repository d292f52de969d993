"""From what an iterator was asked for to the description of its batches."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np

from imageloom._errors import BadImageError, InvalidArgumentError
from imageloom._executors.base import Channel
from imageloom._imaging.normalise import FeatureStatistics, StandardizeOptions
from imageloom._machine import free_memory
from imageloom._options import GeneratorOptions, ReadOptions
from imageloom._pipeline.cache import CachePlan
from imageloom._pipeline.cache_files import plan_cache
from imageloom._pipeline.hooks import Hook, ParallelProcessParams
from imageloom._pipeline.layout import BatchLayout
from imageloom._pipeline.recipe import BatchSpec, Recipe, ReportOptions, UserCode
from imageloom._sources.base import SampleSource
from imageloom._storage.places import fsspec_options
from imageloom._warnings import warn_user

__all__ = ["FrozenGenerator", "OutputSettings", "PlanningGenerator", "make_recipe", "recipe_for_fit"]

_MASKS_LOOKED_AT: Final = 100  # for one that can be read


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputSettings:
    """What all flow methods know about the batches to come; the names are theirs."""

    batch_size: int
    data_format: str
    dtype: str
    subset: str | None
    save_to_dir: str | None
    save_prefix: str
    save_format: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FrozenGenerator:
    """A generator at the moment an iterator hands out its first batch.

    Attributes:
        options: its options.
        statistics: what `fit` has found.
        generator: a copy, for hooks to look at and for the user's own methods.
        overrides: the methods that the user has replaced.
    """

    options: GeneratorOptions
    statistics: FeatureStatistics
    generator: Any
    overrides: frozenset[str]

    def without_cache(self) -> FrozenGenerator:
        """The same for a look at a few images: a cache would first look at every file."""
        if self.options.cache is None:
            return self
        return dataclasses.replace(self, options=dataclasses.replace(self.options, cache=None))


class PlanningGenerator(Protocol):
    """What an iterator needs of the generator that made it."""

    def _freeze(self) -> FrozenGenerator:
        """The generator as it is now."""
        ...

    def _open_channel(self, frozen: FrozenGenerator, source: SampleSource, recipe: Recipe) -> Channel:
        """Lets an iterator's batches into the workers that all its iterators share."""
        ...


def make_recipe(
    frozen: FrozenGenerator,
    source: SampleSource,
    settings: OutputSettings,
    *,
    batch_size: int,
    row_shape: tuple[int, ...],
    read: ReadOptions | None,
    hook_params: Mapping[str, Any],
) -> Recipe:
    """The description of an iterator's batches.

    Args:
        frozen: the generator.
        source: the data set.
        settings: the iterator's.
        batch_size: of a full batch.
        row_shape: shape of one image in the batch.
        read: how files become arrays; None if the images come out of an array.
        hook_params: fields of `ParallelProcessParams` that only such iterators have.

    Raises:
        InvalidArgumentError: masks, and a `random_transform` of the user's that keeps its parameters.
    """
    if source.masks and "random_transform" in frozen.overrides:
        raise InvalidArgumentError(
            'class_mode="image" turns masks by the parameters that were drawn for their images, and an '
            "overridden `random_transform` does not tell them: override `get_random_transform` and "
            "`apply_transform` instead."
        )
    options, rows = frozen.options, source.rows
    spared = settings.subset == "validation" and not options.validation_augmentation_enabled
    params = ParallelProcessParams(
        image_data_generator=frozen.generator,
        data_format=settings.data_format,
        dtype=settings.dtype,
        validation_split=options.split,
        subset=settings.subset,
        batch_shape=(batch_size, *row_shape),
        class_indices=dict(source.class_indices),
        n_classes=len(source.class_indices),
        save_to_dir=options.save_to_dir or settings.save_to_dir,
        save_prefix=options.save_prefix or settings.save_prefix,
        save_format=options.save_format or settings.save_format,
        preprocessing_function=options.preprocessing_function,
        noaug_preprocessing_function=options.noaug_preprocessing_function,
        get_batch_function=options.get_batch_function,
        **hook_params,
    )
    travels = rows is not None and not rows.reopens
    return Recipe(
        read=read,
        rows=rows,
        cache=None if read is None else _cache_plan(options, source, read),
        images=source.images,
        masks=source.masks,
        transform=None if spared else options.transform,
        standardize=StandardizeOptions.of(options, frozen.statistics),
        layout=BatchLayout(
            batch_size,
            row_shape,
            settings.dtype,
            copies=source.images * (2 if source.repeats_images else 1),
            raw_shape=rows.shape[1:] if travels and rows is not None else None,
            raw_dtype=rows.dtype if rows is not None else "uint8",
            mask_dtypes=() if read is None else _mask_dtypes(source, read),
            mask_shape=_mask_shape(row_shape, settings.data_format),
        ),
        params=params,
        user_code=UserCode(
            noaug_hook=_hook(options, "noaug_preprocessing_function"),
            hook=_hook(options, "preprocessing_function"),
            batch_function=options.get_batch_function,
            overrides=frozen.overrides,
        ),
        report=ReportOptions(all_bad_samples=options.on_bad_image == "replace" and rows is None),
        storage=fsspec_options() if source.protocols else None,
        channels_first=settings.data_format == "channels_first",
        working_dtype="float32" if rows is None else settings.dtype,
        # Keras', of file iterators and of array iterators.
        saved_name_range=10_000_000 if rows is None else 10_000,
    )


def recipe_for_fit(recipe: Recipe, options: GeneratorOptions, *, augment: bool) -> Recipe:
    """The same images as `fit` looks at them: rescaled, perhaps transformed, and past no hook.

    Keras rescales before it transforms here, which brightness does not survive; "corrected" does as in
    batches.
    """
    last = options.geometry == "corrected"
    standardize = dataclasses.replace(
        recipe.standardize,
        rescale=options.rescale if last else None,
        samplewise_center=False,
        samplewise_std_normalization=False,
        featurewise_center=False,
        featurewise_std_normalization=False,
        zca_whitening=False,
    )
    return dataclasses.replace(
        recipe,
        masks=0,
        transform=options.transform if augment else None,
        standardize=standardize,
        layout=dataclasses.replace(recipe.layout, copies=recipe.images, mask_dtypes=()),
        params=dataclasses.replace(recipe.params, save_to_dir=None),
        user_code=UserCode(
            overrides=recipe.user_code.overrides - {"standardize"} if augment else frozenset()
        ),
        rescale_first=None if last else options.rescale,
        report=dataclasses.replace(recipe.report, moments=True),
    )


def _mask_shape(row_shape: tuple[int, ...], data_format: str) -> tuple[int, ...]:
    """A single channel."""
    return (*row_shape[:-1], 1) if data_format == "channels_last" else (1, *row_shape[1:])


def _mask_dtypes(source: SampleSource, read: ReadOptions) -> tuple[str, ...]:
    """How masks are stored, going by the first that can be read, of each of a sample's masks."""
    if source.masks == 0:
        return ()
    from imageloom._imaging.decode import read_stored  # loads Pillow

    found: list[str | None] = [None] * source.masks
    for index in range(min(len(source), _MASKS_LOOKED_AT)):
        task = source.task(BatchSpec(0, 0, np.array([index], dtype=np.int64), 0, 0))
        for number, name in enumerate(task.masks[0]):
            if found[number] is None:
                with suppress(BadImageError):  # which is told when its batch is computed
                    found[number] = read_stored(task.root, name, read.for_masks()).dtype.str
        if all(found):
            break
    return tuple(dtype or "|u1" for dtype in found)


def _cache_plan(options: GeneratorOptions, source: SampleSource, read: ReadOptions) -> CachePlan | None:
    if options.cache is None:
        return None
    names = [part for name in source.filenames for part in ((name,) if isinstance(name, str) else name)]
    plan = plan_cache(
        options.cache,
        options.cache_limit,
        root=source.root,
        names=names,
        stamps=source.stamps,
        read=read,
        free_memory=free_memory,
    )
    if plan is None or plan.rows == 0:
        why = (
            "images are not resized to one size" if plan is None else "`cache_limit` is below one image"
        )
        warn_user(f"`cache` keeps nothing: {why}.")
    return plan


def _hook(options: GeneratorOptions, name: str) -> Hook | None:
    function = getattr(options, name)
    return None if function is None else Hook(name, function)
