"""Iterators over image files."""

from __future__ import annotations

import dataclasses
import math
import operator
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from imageloom._api.iterators.base import BatchIterator
from imageloom._api.planning import FrozenGenerator, OutputSettings, make_recipe
from imageloom._checks import check_choice
from imageloom._errors import ArgumentTypeError, InvalidArgumentError
from imageloom._options import COLOUR_CHANNELS, INTERPOLATIONS, ReadOptions
from imageloom._pipeline.recipe import Recipe, SampleName
from imageloom._sources.dataframe import DataFrameSource
from imageloom._sources.directory import DirectorySource
from imageloom._sources.listing import WHITE_LIST_FORMATS
from imageloom._storage.places import absolute, join, last_part
from imageloom._stream.order import OrderOptions
from imageloom._stream.supply import BatchT_co, ChannelFactory

__all__ = ["DataFrameIterator", "DirectoryIterator", "FileSettings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSettings(OutputSettings):
    """How the files of an iterator become batches; the names are those of `flow_from_directory`."""

    target_size: tuple[int, int]
    color_mode: str
    batch_shape: tuple[int, ...] | None
    interpolation: str | None
    keep_aspect_ratio: bool
    split: tuple[float, float] | None

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


class _FileIterator(BatchIterator[BatchT_co]):
    """What the iterators over files have in common.

    Attributes:
        directory: the folder that `filenames` are relative to.
        target_size: (height, width) of the images in a batch.
        color_mode: `"rgb"`, `"rgba"` or `"grayscale"`.
        class_mode: what the targets are, as given.
        interpolation: how images are resized; None if they are not.
        keep_aspect_ratio: whether the centre is cut out in the target's aspect ratio before.
        data_format: `"channels_last"` or `"channels_first"`.
        dtype: of the images in a batch.
        subset: `"training"`, `"validation"` or None, as given.
        split: the part of each class that the subset reads, as two fractions; None for all.
        save_to_dir: where finished images are written, or None.
        save_prefix: start of the saved files' names.
        save_format: their format.
        settings: the same arguments, checked.
        white_list_formats: suffixes that are taken for images.
    """

    white_list_formats: ClassVar[set[str]] = set(WHITE_LIST_FORMATS)

    def __init__(
        self,
        source: DirectorySource | DataFrameSource,
        settings: FileSettings,
        open_channel: ChannelFactory,
        *,
        image_data_generator: Any,
        order: OrderOptions,
    ) -> None:
        """Made by the generator."""
        super().__init__(source, open_channel, batch_size=settings.batch_size, order=order)
        self.image_data_generator = image_data_generator
        self.directory: str = source.directory
        self.filenames: Sequence[SampleName] = source.filenames
        self.class_mode: str | None = source.class_mode
        self.settings = settings
        self.target_size: tuple[int, int] = settings.target_size
        self.color_mode: str = settings.color_mode
        self.interpolation: str | None = settings.interpolation
        self.keep_aspect_ratio: bool = settings.keep_aspect_ratio
        self.data_format: str = settings.data_format
        self.dtype: str = settings.dtype
        self.image_shape: tuple[int, ...] = settings.image_shape
        self.save_to_dir: str | None = settings.save_to_dir
        self.save_prefix: str = settings.save_prefix
        self.save_format: str = settings.save_format
        self.split: tuple[float, float] | None = settings.split
        self.subset: str | None = settings.subset

    @property
    def filepaths(self) -> list[SampleName]:
        """The files' paths."""
        return [
            join(self.directory, name)
            if isinstance(name, str)
            else tuple(join(self.directory, part) for part in name)
            for name in self.filenames
        ]

    @property
    def batch_shape(self) -> tuple[int, ...]:
        """Shape of a full batch of images."""
        return (self.batch_size, *self.settings.row_shape)

    def _decoded_nbytes(self) -> int | None:
        if self.interpolation is None or self.image_data_generator.cache is not None:
            return None
        return self.n * self._source.images * math.prod(self.image_shape)

    def _arguments(self) -> dict[str, Any]:
        settings = dataclasses.asdict(self.settings)
        for name in ("batch_size", "batch_shape", "save_to_dir", "save_prefix", "save_format", "split"):
            del settings[name]
        settings["row_shape"] = self.settings.row_shape
        return {**settings, **self.image_data_generator.described()}

    def recipe(self, frozen: FrozenGenerator) -> Recipe:
        """The description of this iterator's batches, for those who compute them.

        Args:
            frozen: the generator as it is at the first batch.
        """
        settings = self.settings
        return make_recipe(
            frozen,
            self._source,
            settings,
            batch_size=self.batch_size,
            row_shape=settings.row_shape,
            read=ReadOptions(
                color_mode=settings.color_mode,
                target_size=settings.target_size,
                interpolation=settings.interpolation,
                keep_aspect_ratio=settings.keep_aspect_ratio,
                scaled=frozen.options.decode == "scaled",
                exact_resize=frozen.options.transform.amplifies,
            ),
            told={
                "directory": self.directory,
                "target_size": settings.target_size,
                "color_mode": settings.color_mode,
                "interpolation": settings.interpolation,
                "class_mode": self.class_mode,
                "split": settings.split,
            },
        )

    def _origin(self, named: bool) -> str:
        if named:
            return f" in {self.directory!r}" if self.directory else ""
        name = os.path.basename(last_part(absolute(self.directory))) if self.directory else ""
        return f" in {name}" if name else ""


class DirectoryIterator(_FileIterator[BatchT_co]):
    """Batches of the images of a class folder; made by `flow_from_directory`.

    Attributes:
        classes: class number of each image, int32 (also `labels`).
        class_indices: class name to number.
        num_classes: number of classes.
        filenames: relative paths, starting with the class, in the order of the data set; tuples of
            them where samples have several images.
        filepaths: the same, joined to `directory`.
        image_shape: shape of one image after loading.
        sample_weight: None.
    """

    sample_weight: None = None

    def __init__(
        self,
        source: DirectorySource,
        settings: FileSettings,
        open_channel: ChannelFactory,
        *,
        image_data_generator: Any,
        order: OrderOptions,
    ) -> None:
        """Made by the generator."""
        super().__init__(
            source,
            settings,
            open_channel,
            image_data_generator=image_data_generator,
            order=order,
        )
        self.classes: NDArray[np.int32] = source.class_ids
        self.class_indices: dict[str, int] = source.class_indices
        self.num_classes: int = source.num_classes

    @property
    def labels(self) -> NDArray[np.int32]:
        """Class number of each image."""
        return self.classes


class DataFrameIterator(_FileIterator[BatchT_co]):
    """Batches of the images that a data frame names; made by `flow_from_dataframe`.

    Attributes:
        classes: class number of each image, or a list of them; only for class modes with classes.
        class_indices: class name to number; likewise.
        labels: the same as `classes`, or the columns of `"raw"` and `"multi_output"`.
        filenames: as in the frame.
        filepaths: the same, joined to `directory`.
        image_shape: shape of one image after loading.
        sample_weight: the column of weights, or None.
    """

    classes: list[Any]
    class_indices: dict[str, int]

    def __init__(
        self,
        source: DataFrameSource,
        settings: FileSettings,
        open_channel: ChannelFactory,
        *,
        image_data_generator: Any,
        order: OrderOptions,
    ) -> None:
        """Made by the generator."""
        super().__init__(
            source,
            settings,
            open_channel,
            image_data_generator=image_data_generator,
            order=order,
        )
        self.sample_weight: NDArray[Any] | None = source.sample_weight
        self._columns = source.columns
        if source.class_ids is not None:  # as in Keras, there are no such attributes otherwise
            self.classes = source.class_ids
            self.class_indices = source.class_indices

    @property
    def labels(self) -> Any:
        """What the targets are made of, which is class numbers, an array, or a list of arrays."""
        return self.classes if self._columns is None else self._columns


def _size(size: Any) -> tuple[int, int]:
    try:
        height, width = (operator.index(side) for side in size)
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
