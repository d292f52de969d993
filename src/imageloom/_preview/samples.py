"""Samples of a data set for people: which ones, and versions of them as batches would hold them.

Versions are computed with the pipeline of the batches, including hooks, but without the normalisation
at the end, whose results cannot be shown as pictures. Nothing here starts a worker or changes a random
state of the caller.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imageloom._errors import BadImageError, InvalidArgumentError
from imageloom._executors.here import seeded_here
from imageloom._pipeline.layout import private_arrays
from imageloom._pipeline.pipeline import Pipeline
from imageloom._pipeline.reading import channels_last
from imageloom._pipeline.recipe import BatchSpec, Recipe, ReportOptions, UserCode
from imageloom._preview.marks import Marks, marks_of
from imageloom._preview.originals import (
    clipped_share,
    names_of,
    stored_image,
    stored_masks,
)
from imageloom._preview.progress import progress_bar
from imageloom._sources.base import SampleSource
from imageloom._warnings import warn_user

__all__ = [
    "PreviewImage",
    "Version",
    "make_preview_images",
    "not_normalised",
    "pick_samples",
    "spread",
    "stored_marks",
    "why_not_augmented",
    "without_copies",
]

Pixels = NDArray[Any]

_NOT_NORMALISED: Final[dict[str, Any]] = {
    "rescale": None,
    "samplewise_center": False,
    "samplewise_std_normalization": False,
    "featurewise_center": False,
    "featurewise_std_normalization": False,
    "zca_whitening": False,
}


@dataclass(frozen=True, slots=True)
class Version:
    """An image as a batch would hold it before normalisation, (height, width, channels).

    Attributes:
        image: the image.
        masks: its masks.
        params: the drawn parameters; None if nothing was drawn, or if a method of the user drew them
            without returning them.
        seed: seed of the batch that holds this sample only.
        marks: its boxes or points; None without.
    """

    image: Pixels
    masks: list[Pixels]
    params: Mapping[str, Any] | None
    seed: int
    marks: Marks | None = None


@dataclass(frozen=True, slots=True)
class PreviewImage:
    """One image of a sample, as stored, with its transformed versions.

    Attributes:
        name: name of the file, or number of the row.
        class_name: name of the class; "" without classes, or with several.
        class_number: number of the class; None without classes, or with several.
        image: the image after decoding and resizing, (height, width, channels).
        masks: its masks, decoded and resized as well.
        versions: the transformed versions.
        error: why the file cannot be read, in which case the image is empty.
        clipped: share of the pixels of a file of 16 bits that are above 255 and become 255.
        marks: its boxes or points; None without.
    """

    name: str
    class_name: str
    image: Pixels
    masks: list[Pixels] = field(default_factory=list)
    versions: list[Version] = field(default_factory=list)
    error: str = ""
    class_number: int | None = None
    clipped: float = 0.0
    marks: Marks | None = None


def pick_samples(source: SampleSource, count: int, seed: int = 0) -> list[int]:
    """Chooses the numbers of samples to show, spread evenly over as many classes as possible.

    Each seed chooses others: successive ones go through all samples before one comes again.
    """
    total = len(source)
    count = min(count, total)
    try:
        numbers = source.class_numbers("preview")
    except InvalidArgumentError:  # the samples have no class, or several each
        return spread(total, count, seed)
    classes = np.unique(numbers)
    classes = classes[spread(len(classes), min(count, len(classes)), seed)]
    picked: list[int] = []
    for place, number in enumerate(classes):
        members = np.flatnonzero(numbers == number)
        wanted = count // len(classes) + (place < count % len(classes))
        picked += members[spread(len(members), min(wanted, len(members)), seed)].tolist()
    if len(picked) < count:  # small classes have fewer than their share
        others = np.setdiff1d(np.arange(total), picked)
        picked += others[spread(len(others), count - len(picked), seed)].tolist()
    return picked


def spread(total: int, count: int, seed: int = 0) -> list[int]:
    """Returns `count` of the numbers 0..total-1, one of each of equal parts.

    The seed 0 takes the first number of each part, the seed 1 the second, and so on. When the parts
    are used up, they are made anew of the shuffled numbers.
    """
    if count == 0:
        return []
    again, page = divmod(seed, total // count)
    places = [place * total // count + page for place in range(count)]
    if again == 0 or count == total:
        return places
    shuffled = np.random.RandomState(again).permutation(total)
    return sorted(shuffled[places].tolist())


def why_not_augmented(recipe: Recipe, images: Sequence[PreviewImage]) -> str:
    """Says so, with the reason, if no version differs from the others by chance; else ""."""
    transform = recipe.transform
    if recipe.mixing is not None or (transform is not None and not transform.changes_nothing):
        return ""
    if recipe.user_code and not all(map(_are_alike, images)):
        return ""
    same = "so all versions of an image are the same."
    if transform is None:
        return f"No augmentation: validation_augmentation_enabled=False, {same}"
    if not transform.random_transforms_enabled:
        return f"No augmentation: random_transforms_enabled=False, {same}"
    return (
        f"No augmentation: the generator changes nothing at random, {same} "
        "Pass, for example, rotation_range=20 or horizontal_flip=True."
    )


def _are_alike(one: PreviewImage) -> bool:
    if len(one.versions) < 2:  # there is nothing to compare with, but a function may draw numbers
        return bool(one.error)
    first, *others = one.versions
    return all(np.array_equal(first.image, each.image) for each in others)


def make_preview_images(
    recipe: Recipe,
    source: SampleSource,
    indices: Sequence[int],
    *,
    versions: int,
    seed: int,
    first_place: int = 0,
    natural_size: bool = False,
) -> list[PreviewImage]:
    """Computes what a sheet shows: one entry for each image of each sample.

    The seed of a version depends on `seed`, on the place of its sample and on its own place. A version
    is what a batch of this sample only would hold with that seed, without normalisation. The entry
    of a file that cannot be read has an error instead of an image.

    Args:
        recipe: the recipe of the iterator's batches, without a cache.
        source: the data set.
        indices: numbers of the samples to show.
        versions: number of transformed versions of each image.
        seed: seed of all versions.
        first_place: place of the first sample among those that are shown.
        natural_size: whether each image keeps its own size.

    Raises:
        InvalidArgumentError: the generator has a `get_batch_function`.
        Exception: a hook raised it.
    """
    if recipe.user_code.batch_function is not None:
        raise InvalidArgumentError(
            "This generator has a `get_batch_function`, which makes whole batches instead of the "
            "transforms, so there are no single images to preview. Look at a batch: next(iterator)."
        )
    shown: list[PreviewImage] = []
    with progress_bar(len(indices), "preview", "images", shown=len(indices) > 1) as bar:
        for place, index in enumerate(indices, first_place):
            seeds = _seeds(seed, place, versions)
            shown += _of_sample(recipe, source, index, seeds, natural_size=natural_size)
            bar.update()
    return shown


def _of_sample(
    recipe: Recipe,
    source: SampleSource,
    index: int,
    seeds: Sequence[int],
    *,
    natural_size: bool,
) -> list[PreviewImage]:
    names = names_of(source, index)
    class_name = source.class_name(index)
    number = source.class_indices.get(class_name)
    try:
        stored = [stored_image(recipe, source, index, part) for part in range(recipe.images)]
        masks = stored_masks(recipe, source, index)
        shown = _shown(recipe, stored[0].shape if natural_size else None)
        marks = stored_marks(shown, source, index)
        computed = [_versions_of(shown, source, index, each) for each in seeds]
    except BadImageError as error:
        empty = np.empty((0, 0, 3), np.uint8)
        return [
            PreviewImage(name, class_name, empty, error=str(error), class_number=number)
            for name in names[:1]
        ]
    return [
        PreviewImage(
            name,
            class_name,
            image,
            masks,
            [version[part] for version in computed],
            class_number=number,
            clipped=clipped_share(recipe, source, name, image),
            marks=marks,
        )
        for part, (name, image) in enumerate(zip(names, stored, strict=True))
    ]


def _seeds(seed: int, place: int, versions: int) -> list[int]:
    """Returns seeds for the versions of a sample; successive numbers would draw similar transforms."""
    return [int(np.random.SeedSequence((seed, place, k)).generate_state(1)[0]) for k in range(versions)]


def stored_marks(shown: Recipe, source: SampleSource, index: int) -> Marks | None:
    """The boxes or points of a stored image; `shown` is the recipe of a batch of one sample."""
    if shown.coordinates is None:
        return None
    plain = dataclasses.replace(shown, transform=None, user_code=UserCode())
    return _versions_of(plain, source, index, 0)[0].marks


def _shown(recipe: Recipe, own_shape: tuple[int, ...] | None) -> Recipe:
    """Returns the recipe of a batch of one sample, without normalisation, saving and measuring."""
    recipe = without_copies(not_normalised(recipe), 1)
    layout = recipe.layout
    if own_shape is not None:
        height, width, channels = own_shape
        sizes = [(height, width, channels), (height, width, 1)]
        if recipe.channels_first:
            sizes = [(size[2], *size[:2]) for size in sizes]
        layout = dataclasses.replace(layout, row_shape=sizes[0], mask_shape=sizes[1])
        if recipe.mixing is not None and recipe.read is not None:  # with others of the same size
            read = dataclasses.replace(
                recipe.read, target_size=(height, width), interpolation="bilinear"
            )
            recipe = dataclasses.replace(recipe, read=read)
    if recipe.mixing is not None:  # sums of labels are shown as whole numbers
        layout = dataclasses.replace(layout, mask_dtypes=("<i4",) * len(layout.mask_dtypes))
    return dataclasses.replace(recipe, layout=layout)


def without_copies(recipe: Recipe, rows: int) -> Recipe:
    """The recipe of batches of `rows` samples in private memory, with each image once."""
    layout = dataclasses.replace(recipe.layout, rows=rows, copies=recipe.images, raw_shape=None)
    return dataclasses.replace(recipe, layout=layout)


def not_normalised(recipe: Recipe) -> Recipe:
    """The recipe without normalisation, saving and measuring, which reports what is drawn."""
    return dataclasses.replace(
        recipe,
        standardize=dataclasses.replace(recipe.standardize, **_NOT_NORMALISED),
        params=dataclasses.replace(recipe.params, save_to_dir=None),
        user_code=dataclasses.replace(
            recipe.user_code, overrides=recipe.user_code.overrides - {"standardize"}
        ),
        report=ReportOptions(transforms=True),
    )


def _versions_of(recipe: Recipe, source: SampleSource, index: int, seed: int) -> list[Version]:
    """Computes one version of each image of a sample, with another sample if batches are mixed."""
    partner = None if recipe.mixing is None else _partner(source, index, seed)
    try:
        return _computed(recipe, source, index, seed, partner)
    except BadImageError:
        if partner is None:
            raise
        return _computed(recipe, source, index, seed, None)


def _partner(source: SampleSource, index: int, seed: int) -> int | None:
    others = len(source) - 1
    return None if others == 0 else (index + 1 + seed % others) % len(source)


def _computed(
    recipe: Recipe, source: SampleSource, index: int, seed: int, partner: int | None
) -> list[Version]:
    indices = [index] if partner is None else [index, partner]
    arrays = private_arrays(recipe.layout, len(indices))
    spec = BatchSpec(0, 0, np.array(indices, dtype=np.int64), seed, 0)
    task = dataclasses.replace(source.task(spec), is_looked_at=True)
    pipeline = Pipeline(recipe)
    with seeded_here(pipeline, task):  # as in workers
        report = pipeline.run(task, arrays)
    for _, text, category in report.warnings:
        warn_user(text, category)
    images = [channels_last(array[0], recipe) for array in arrays[: recipe.images]]
    masks = [
        channels_last(array[0], recipe)
        for array in arrays[recipe.images : recipe.images + recipe.masks]
    ]
    marks = None
    if recipe.coordinates is not None:
        rows = [array[0] for array in arrays[recipe.images + recipe.masks :]]
        size = images[0].shape[0], images[0].shape[1]
        marks = marks_of(recipe.coordinates, rows, size, source.class_indices)
    params: Sequence[Mapping[str, Any] | None] = report.transforms or [None] * len(images)
    params = params[: len(images)]
    if partner is not None and report.mixture is not None and report.mixture.partners[0] != 0:
        share = float(1 - report.mixture.weights[0])
        way = "mixup" if report.mixture.boxes is None else "cutmix"
        mixed = {way: f"{share:.0%} of {names_of(source, partner)[0]}"}
        params = [{**(drawn or {}), **mixed} for drawn in params]
    return [
        Version(image, masks, drawn, seed, marks) for image, drawn in zip(images, params, strict=True)
    ]
