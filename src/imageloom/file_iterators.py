"""Iterators over image files."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from imageloom.errors import ArgumentTypeError, InvalidArgumentError
from imageloom.hooks import Hook, ParallelProcessParams
from imageloom.iterators import BatchIterator, ChannelFactory
from imageloom.options import COLOUR_CHANNELS, INTERPOLATIONS, GeneratorOptions, ReadOptions
from imageloom.recipe import Recipe
from imageloom.shared_arrays import BatchLayout
from imageloom.sources.directory import WHITE_LIST_FORMATS, DirectorySource
from imageloom.statistics import FeatureStatistics, StandardizeOptions
from imageloom.validation import check_choice

__all__ = ["DirectoryIterator", "FileSettings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSettings:
    """How the files of an iterator become batches; the names are those of `flow_from_directory`."""

    target_size: tuple[int, int]
    color_mode: str
    batch_size: int
    batch_shape: tuple[int, ...] | None
    interpolation: str | None
    keep_aspect_ratio: bool
    data_format: str
    dtype: str
    save_to_dir: str | None
    save_prefix: str
    save_format: str
    split: tuple[float, float] | None
    subset: str | None

    def __post_init__(self) -> None:
        """Checks every field.

        Raises:
            InvalidArgumentError, ArgumentTypeError: a size, mode or shape that cannot work.
        """
        check_choice("color mode", self.color_mode, tuple(COLOUR_CHANNELS))
        object.__setattr__(self, "target_size", _size(self.target_size))
        if self.interpolation == "none":
            object.__setattr__(self, "interpolation", None)
        if self.interpolation is not None:
            check_choice("interpolation", self.interpolation, (*INTERPOLATIONS, "none"))
        if self.batch_shape is not None:
            object.__setattr__(self, "batch_shape", _shape(self.batch_shape, self.batch_size))

    @property
    def image_shape(self) -> tuple[int, ...]:
        """Shape of an image after loading."""
        channels = COLOUR_CHANNELS[self.color_mode]
        if self.data_format == "channels_last":
            return (*self.target_size, channels)
        return (channels, *self.target_size)

    @property
    def row_shape(self) -> tuple[int, ...]:
        """Shape of an image in the batch; a hook may have cropped it to `batch_shape`."""
        return self.image_shape if self.batch_shape is None else self.batch_shape[1:]


class DirectoryIterator(BatchIterator):
    """Batches of the images of a class folder; made by `flow_from_directory`.

    Attributes:
        classes: class number of each image, int32 (also `labels`).
        class_indices: class name to number.
        num_classes: number of classes.
        filenames: relative paths, starting with the class, in the order of the data set.
        filepaths: the same, joined to `directory`.
        image_shape: shape of one image after loading.
        sample_weight: None.
    """

    white_list_formats: ClassVar[set[str]] = set(WHITE_LIST_FORMATS)
    sample_weight: None = None

    def __init__(
        self,
        source: DirectorySource,
        settings: FileSettings,
        open_channel: ChannelFactory,
        *,
        image_data_generator: Any,
        shuffle: bool,
        seed: int | None,
    ) -> None:
        """Made by the generator."""
        super().__init__(
            source, open_channel, batch_size=settings.batch_size, shuffle=shuffle, seed=seed
        )
        self.image_data_generator = image_data_generator
        self.directory = source.directory
        self.filenames = source.filenames
        self.classes = source.class_ids
        self.class_indices = source.class_indices
        self.num_classes = len(source.class_indices)
        self.class_mode = source.class_mode
        self.settings = settings
        self.target_size = settings.target_size
        self.color_mode = settings.color_mode
        self.interpolation = settings.interpolation
        self.keep_aspect_ratio = settings.keep_aspect_ratio
        self.data_format = settings.data_format
        self.dtype = settings.dtype
        self.image_shape = settings.image_shape
        self.save_to_dir = settings.save_to_dir
        self.save_prefix = settings.save_prefix
        self.save_format = settings.save_format
        self.split = settings.split
        self.subset = settings.subset

    @property
    def labels(self) -> NDArray[np.int32]:
        """Class number of each image."""
        return self.classes

    @property
    def filepaths(self) -> list[str]:
        """The files' paths."""
        return [os.path.join(self.directory, name) for name in self.filenames]

    @property
    def batch_shape(self) -> tuple[int, ...]:
        """Shape of a full batch of images."""
        return (self.batch_size, *self.settings.row_shape)

    @property
    def sample_count(self) -> int:
        """Number of samples."""
        return self.samples

    def recipe(
        self, options: GeneratorOptions, statistics: FeatureStatistics, generator: Any
    ) -> Recipe:
        """The description of this iterator's batches; hooks see `generator` as the generator."""
        settings = self.settings
        spared = self.subset == "validation" and not options.validation_augmentation_enabled
        transform = options.transform
        return Recipe(
            read=ReadOptions(
                color_mode=settings.color_mode,
                target_size=settings.target_size,
                interpolation=settings.interpolation,
                keep_aspect_ratio=settings.keep_aspect_ratio,
                exact_resize=transform.amplifies,
            ),
            transform=None if spared else transform,
            standardize=StandardizeOptions.of(options, statistics),
            layout=BatchLayout(
                self.batch_size,
                settings.row_shape,
                settings.dtype,
                copies=2 if self.class_mode == "input" else 1,
            ),
            params=self._params(options, generator),
            noaug_hook=_hook(options, "noaug_preprocessing_function"),
            hook=_hook(options, "preprocessing_function"),
            channels_first=settings.data_format == "channels_first",
        )

    def _params(self, options: GeneratorOptions, generator: Any) -> ParallelProcessParams:
        settings = self.settings
        return ParallelProcessParams(
            image_data_generator=generator,
            directory=self.directory,
            target_size=settings.target_size,
            batch_shape=self.batch_shape,
            color_mode=settings.color_mode,
            data_format=settings.data_format,
            dtype=settings.dtype,
            interpolation=settings.interpolation,
            class_mode=self.class_mode,
            class_indices=dict(self.class_indices),
            n_classes=self.num_classes,
            validation_split=options.split,
            split=settings.split,
            subset=settings.subset,
            save_to_dir=options.save_to_dir or settings.save_to_dir,
            save_prefix=options.save_prefix or settings.save_prefix,
            save_format=options.save_format or settings.save_format,
            preprocessing_function=options.preprocessing_function,
            noaug_preprocessing_function=options.noaug_preprocessing_function,
        )

    def __repr__(self) -> str:
        """What there is, and where it stands."""
        return (
            f"<{type(self).__name__}: {self.samples} images of {self.num_classes} classes in "
            f"{self.directory!r}, batches of {self.batch_shape}, at position {self._position}>"
        )


def _hook(options: GeneratorOptions, name: str) -> Hook | None:
    function = getattr(options, name)
    return None if function is None else Hook(name, function)


def _size(size: Any) -> tuple[int, int]:
    try:
        height, width = (int(side) for side in size)
    except (TypeError, ValueError):
        raise ArgumentTypeError(
            f"`target_size` must be (height, width) in pixels; received {size!r}."
        ) from None
    if height < 1 or width < 1:
        raise InvalidArgumentError(f"`target_size` must be at least (1, 1); received {size!r}.")
    return height, width


def _shape(shape: Sequence[int], batch_size: int) -> tuple[int, ...]:
    if len(shape) != 4:
        raise InvalidArgumentError(
            f"`batch_shape` has four numbers: batch size, then the shape of an image; received "
            f"{shape!r}."
        )
    if shape[0] not in (None, -1, batch_size):
        raise InvalidArgumentError(
            f"`batch_shape` {tuple(shape)} starts with another batch size than `batch_size`, "
            f"{batch_size}."
        )
    if any(int(side) < 1 for side in shape[1:]):
        raise InvalidArgumentError(f"`batch_shape` has sides below 1: {tuple(shape)}.")
    return (batch_size, *(int(side) for side in shape[1:]))
