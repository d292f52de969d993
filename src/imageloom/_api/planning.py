"""Turns the arguments of a generator and a flow method into the recipe of an iterator's batches."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from imageloom._api.masks import mask_dtypes_of, mask_shape_of
from imageloom._checks.coordinates import CoordinateOptions
from imageloom._checks.values import computing_dtype
from imageloom._errors import InvalidArgumentError
from imageloom._executors.base import KEPT_BATCHES, Channel
from imageloom._imaging.mixing import MixOptions
from imageloom._imaging.normalise import FeatureStatistics, StandardizeOptions
from imageloom._imaging.pillow_settings import PillowSettings, program_settings
from imageloom._machine import free_memory, worker_count
from imageloom._options import GeneratorOptions, ReadOptions
from imageloom._pipeline.cache import MARK, CachePlan
from imageloom._pipeline.cache_files import plan_cache
from imageloom._pipeline.cache_promises import note_promise, promised
from imageloom._pipeline.compositions import check_takes
from imageloom._pipeline.hearing import program_hearing
from imageloom._pipeline.hooks import Hook, ParallelProcessParams
from imageloom._pipeline.layout import BatchLayout
from imageloom._pipeline.recipe import Recipe, ReportOptions, UserCode
from imageloom._sources.base import SampleSource
from imageloom._sources.mixed_targets import check_can_mix
from imageloom._storage.access import present_access
from imageloom._warnings import Code, warn_user

__all__ = [
    "FrozenGenerator",
    "OutputSettings",
    "PlanningGenerator",
    "checked_mixing",
    "freeze",
    "make_recipe",
    "recipe_for_fit",
]

_WORKER_NBYTES: Final = 64 * 2**20  # of a worker, with the image that it is decoding
_OVERRIDABLE: Final = (
    "default_transform",
    "get_random_transform",
    "apply_transform",
    "random_transform",
    "standardize",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputSettings:
    """The checked arguments that all flow methods have; the fields have the arguments' names."""

    batch_size: int
    data_format: str
    dtype: str
    subset: str | None
    save_to_dir: str | None
    save_prefix: str
    save_format: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FrozenGenerator:
    """The state of a generator that batches are computed with.

    Attributes:
        options: the generator's options.
        statistics: the statistics that `fit` computed.
        generator: a copy, which hooks receive and whose overridden methods are called.
        overrides: the names of the methods that the user has overridden.
    """

    options: GeneratorOptions
    statistics: FeatureStatistics
    generator: Any
    overrides: frozenset[str]

    def without_cache(self) -> FrozenGenerator:
        """The same without a cache, for previews: planning a cache examines every file."""
        if self.options.cache is None:
            return self
        return dataclasses.replace(self, options=dataclasses.replace(self.options, cache=None))


class PlanningGenerator(Protocol):
    """The part of a generator that its iterators use.

    Attributes:
        _assignments: the number of times that an attribute was assigned.
    """

    _assignments: int

    def _freeze(self) -> FrozenGenerator:
        """The generator's present state."""
        ...

    def _open_channel(self, frozen: FrozenGenerator, source: SampleSource, recipe: Recipe) -> Channel:
        """Opens a channel for an iterator's batches to the workers that all iterators share."""
        ...


def freeze(
    generator: Any, base: type, options: GeneratorOptions, statistics: FeatureStatistics
) -> FrozenGenerator:
    """Records the present state of a generator.

    Args:
        generator: the generator; it is copied.
        base: the class whose methods a user may override, in a subclass or on the object itself.
        options: the generator's options, checked.
        statistics: the statistics that `fit` computed.
    """
    overrides = frozenset(
        name
        for name in _OVERRIDABLE
        if name in vars(generator) or getattr(type(generator), name) is not getattr(base, name)
    )
    frozen = _snapshot(generator, base)
    if (
        options.groups is not None
    ):  # the data set is divided already; they may be many, or cannot travel
        options = dataclasses.replace(options, groups=None)
        vars(frozen)["groups"] = None
    vars(frozen)["_frozen_options"] = options
    return FrozenGenerator(
        options=options, statistics=statistics, generator=frozen, overrides=overrides
    )


def _snapshot(generator: Any, base: Any) -> Any:
    """A copy that shares all values; it asks nothing of the user's class, which nobody copies in Keras.

    `copy.copy` would call the `__getstate__` of that class, which may raise, or leave out what only
    other processes cannot have.
    """
    snapshot = object.__new__(type(generator))
    base.__setstate__(snapshot, base.__getstate__(generator))
    return snapshot


def make_recipe(
    frozen: FrozenGenerator,
    source: SampleSource,
    settings: OutputSettings,
    *,
    batch_size: int,
    row_shape: tuple[int, ...],
    read: ReadOptions | None,
    hook_params: Mapping[str, Any],
    takes_batch_shape: bool = False,
) -> Recipe:
    """Makes the recipe of an iterator's batches.

    Args:
        frozen: the generator.
        source: the data set.
        settings: the checked arguments of the flow method.
        batch_size: the number of samples in a full batch.
        row_shape: the shape of one image in the batch.
        read: how files become arrays; None if the images are in an array.
        hook_params: the fields of `ParallelProcessParams` that only this kind of iterator has.
        takes_batch_shape: whether the flow method has an argument `batch_shape`.

    Raises:
        InvalidArgumentError: the data set has masks, boxes or points, and the user has overridden
            `random_transform`, which does not return the parameters that it draws.
    """
    follows = "masks" if source.masks else source.coordinates and source.coordinates.kind
    if follows and "random_transform" in frozen.overrides:
        mode = "image" if source.masks else follows
        raise InvalidArgumentError(
            f'class_mode="{mode}" transforms {follows} with the parameters that were drawn for their '
            "images, but an overridden `random_transform` does not return them: override "
            "`get_random_transform` and `apply_transform` instead."
        )
    options, rows = frozen.options, source.rows
    unaugmented = _is_unaugmented(options, settings.subset)
    params = ParallelProcessParams(
        image_data_generator=frozen.generator,
        data_format=settings.data_format,
        dtype=settings.dtype,
        validation_split=options.validation_share,
        subset=settings.subset,
        batch_shape=(batch_size, *row_shape),
        class_indices=dict(source.class_indices),
        n_classes=len(source.class_indices),
        save_to_dir=options.save_to_dir or settings.save_to_dir or None,
        save_prefix=options.save_prefix or settings.save_prefix,
        save_format=options.save_format or settings.save_format,
        preprocessing_function=options.preprocessing_function,
        noaug_preprocessing_function=options.noaug_preprocessing_function,
        get_batch_function=options.get_batch_function,
        **hook_params,
    )
    mixing = checked_mixing(options, source, settings.subset)
    pillow = program_settings()
    is_sent = rows is not None and not rows.reopens  # with the task, to the worker
    layout = BatchLayout(
        batch_size,
        row_shape,
        settings.dtype,
        copies=source.images * (2 if source.repeats_images else 1),
        raw_shape=rows.shape[1:] if is_sent and rows is not None else None,
        raw_dtype=rows.dtype if rows is not None else "uint8",
        mask_dtypes=() if read is None else mask_dtypes_of(source, read, mixing),
        mask_shape=mask_shape_of(row_shape, settings.data_format),
        coordinates=() if source.coordinates is None else source.coordinates.row_kinds,
    )
    transform = None if unaugmented else options.transform
    user_code = UserCode(
        noaug_hook=_hook(options, "noaug_preprocessing_function", source.coordinates),
        hook=_hook(options, "preprocessing_function", source.coordinates),
        batch_function=options.get_batch_function,
        overrides=frozen.overrides,
    )
    crops = transform is not None and transform.crops
    cached = None if read is None else read.at_own_size() if crops else read
    return Recipe(
        read=read,
        rows=rows,
        records=source.records,
        mask_records=source.mask_records,
        cache=None if cached is None else _cache_plan(options, source, cached, pillow, layout),
        images=source.images,
        masks=source.masks,
        transform=transform,
        coordinates=source.coordinates,
        standardize=StandardizeOptions.of(options, frozen.statistics),
        layout=layout,
        params=params,
        user_code=user_code,
        report=ReportOptions(
            all_bad_samples=options.on_bad_image == "replace" and rows is None,
            advises_replacing=options.on_bad_image == "raise" and rows is None,
            takes_batch_shape=takes_batch_shape,
        ),
        storage=present_access() if source.protocols else None,
        pillow=pillow,
        hearing=program_hearing() if user_code else None,
        channels_first=settings.data_format == "channels_first",
        working_dtype="float32" if rows is None else computing_dtype(settings.dtype),
        mixing=mixing,
        # Keras' values for file iterators and for array iterators.
        saved_name_range=10_000_000 if rows is None else 10_000,
    )


def recipe_for_fit(recipe: Recipe, options: GeneratorOptions, *, augment: bool) -> Recipe:
    """The recipe for `fit`: images are rescaled, transformed if `augment`, and no hook is called.

    In `fit`, Keras rescales before it transforms, which makes brightness ranges wrong.
    `geometry="corrected"` rescales afterwards, as in batches.
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
        coordinates=None,
        transform=options.transform if augment else None,
        cache=None if augment and options.transform.crops else recipe.cache,
        standardize=standardize,
        layout=dataclasses.replace(
            recipe.layout,
            dtype=computing_dtype(recipe.layout.dtype),
            copies=recipe.images,
            mask_dtypes=(),
            coordinates=(),
        ),
        params=dataclasses.replace(recipe.params, save_to_dir=None),
        user_code=UserCode(
            overrides=recipe.user_code.overrides - {"standardize"} if augment else frozenset()
        ),
        rescale_first=None if last else options.rescale,
        mixing=None,
        report=dataclasses.replace(recipe.report, moments=True),
    )


def _is_unaugmented(options: GeneratorOptions, subset: str | None) -> bool:
    return subset == "validation" and not options.validation_augmentation_enabled


def checked_mixing(
    options: GeneratorOptions, source: SampleSource, subset: str | None
) -> MixOptions | None:
    """How the batches of a data set are mixed; None if they are not.

    Raises:
        InvalidArgumentError, ArgumentTypeError: its targets cannot be mixed.
    """
    if not options.random_transforms_enabled or _is_unaugmented(options, subset):
        return None
    if not (options.mixup or options.cutmix):
        return None
    check_can_mix(source, "mixup" if options.mixup else "cutmix")
    cutmix = options.cutmix or None
    low, high = cutmix if isinstance(cutmix, (tuple, list)) else (0.0, cutmix or 0.0)
    return MixOptions(float(options.mixup or 0), (float(low), float(high)) if cutmix else None)


def _free_for_cache(options: GeneratorOptions, layout: BatchLayout) -> int:
    """What batches, workers and other caches leave of the free memory; a cache gets a share of it."""
    kind = "threads" if options.debug else options.executor
    workers = 0 if kind == "serial" else worker_count(options.cores)
    batches = options.max_batches_pending + workers + 1 + KEPT_BATCHES
    needed = batches * layout.nbytes + promised()
    if kind == "processes":
        needed += workers * _WORKER_NBYTES
    return max(0, free_memory() - needed)


def _cache_plan(
    options: GeneratorOptions,
    source: SampleSource,
    read: ReadOptions,
    pillow: PillowSettings | None,
    layout: BatchLayout,
) -> CachePlan | None:
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
        pillow=pillow,
        free_memory=lambda: _free_for_cache(options, layout),
    )
    if plan is not None:
        note_promise(plan)
    if plan is None or plan.rows == 0:
        why = "there is no room for one image"
        if plan is None:
            why = "images are not resized to one size"
            if options.used_steps[:1] == ["random_crop"]:
                why = "`random_crop` cuts windows out of images at their own sizes"
        elif options.cache_limit is not None and options.cache_limit < plan.row_nbytes + MARK.itemsize:
            why = "`cache_limit` is smaller than one image"
        warn_user(f"`cache` keeps nothing: {why}.", code=Code.CACHE_KEEPS_NOTHING)
    return plan


def _hook(options: GeneratorOptions, name: str, coordinates: CoordinateOptions | None) -> Hook | None:
    function = getattr(options, name)
    if function is None:
        return None
    hook = Hook(name, function)
    check_takes(name, hook.composition, coordinates)
    return hook
