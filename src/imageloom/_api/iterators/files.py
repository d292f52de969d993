"""Iterators over image files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from imageloom._api.iterators.base import BatchIterator
from imageloom._api.iterators.plans import FilePlan, FileSettings
from imageloom._pipeline.recipe import SampleName
from imageloom._public import public
from imageloom._sources.dataframe import DataFrameSource
from imageloom._sources.directory import DirectorySource
from imageloom._sources.listing import WHITE_LIST_FORMATS
from imageloom._storage.places import join
from imageloom._stream.order import OrderOptions
from imageloom._stream.supply import BatchT_co

__all__ = ["DataFrameIterator", "DirectoryIterator"]


class _FileIterator(BatchIterator[BatchT_co]):
    """The common part of the iterators over files.

    Attributes:
        directory: the folder that `filenames` are relative to.
        target_size: (height, width) of the images in a batch.
        color_mode: `"rgb"`, `"rgba"` or `"grayscale"`.
        class_mode: the kind of targets, as given.
        interpolation: how images are resized; None if they are not resized.
        keep_aspect_ratio: whether images are cropped to the target's aspect ratio before resizing.
        split: the part of each class that the subset reads, as two fractions; None for all.
        white_list_formats: suffixes of the files that are read as images.
    """

    white_list_formats: ClassVar[set[str]] = set(WHITE_LIST_FORMATS)

    def __init__(self, plan: FilePlan, *, image_data_generator: Any, order: OrderOptions) -> None:
        """Made by the generator."""
        super().__init__(plan, image_data_generator=image_data_generator, order=order)
        source, settings = plan.source, plan.settings
        self.directory: str = source.directory
        self.filenames: Sequence[SampleName] = source.filenames
        self.class_mode: str | None = source.class_mode
        self.target_size: tuple[int, int] = settings.target_size
        self.color_mode: str = settings.color_mode
        self.interpolation: str | None = settings.interpolation
        self.keep_aspect_ratio: bool = settings.keep_aspect_ratio
        self.image_shape: tuple[int, ...] = settings.image_shape
        self.split: tuple[float, float] | None = settings.split

    @property
    def filepaths(self) -> list[SampleName]:
        """The paths of the files."""
        return [
            join(self.directory, name)
            if isinstance(name, str)
            else tuple(join(self.directory, part) for part in name)
            for name in self.filenames
        ]


@public
class DirectoryIterator(_FileIterator[BatchT_co]):
    """Batches of the images in class folders; made by `flow_from_directory`.

    Attributes:
        classes: class number of each image, int32 (also `labels`).
        class_indices: the number of each class, by its name.
        num_classes: number of classes.
        filenames: relative paths, starting with the class, in the order of the data set; tuples of
            paths if samples have several images.
        filepaths: the same paths, joined to `directory`.
        image_shape: shape of one image after loading.
        sample_weight: always None.
    """

    sample_weight: None = None

    def __init__(
        self,
        source: DirectorySource,
        settings: FileSettings,
        *,
        image_data_generator: Any,
        order: OrderOptions,
    ) -> None:
        """Made by the generator."""
        super().__init__(
            FilePlan(source, settings), image_data_generator=image_data_generator, order=order
        )
        self.classes: NDArray[np.int32] = source.class_ids
        self.class_indices: dict[str, int] = source.class_indices
        self.num_classes: int = source.num_classes

    @property
    def labels(self) -> NDArray[np.int32]:
        """Class number of each image."""
        return self.classes


@public
class DataFrameIterator(_FileIterator[BatchT_co]):
    """Batches of the images that a data frame names; made by `flow_from_dataframe`.

    Attributes:
        classes: class number of each image, or a list of them; only for class modes with classes.
        class_indices: the number of each class, by its name; likewise.
        labels: the same as `classes`, or the columns of `"raw"` and `"multi_output"`.
        filenames: as in the data frame.
        filepaths: the same paths, joined to `directory`.
        image_shape: shape of one image after loading.
        sample_weight: the column of weights, or None.
    """

    classes: list[Any]
    class_indices: dict[str, int]

    def __init__(
        self,
        source: DataFrameSource,
        settings: FileSettings,
        *,
        image_data_generator: Any,
        order: OrderOptions,
    ) -> None:
        """Made by the generator."""
        super().__init__(
            FilePlan(source, settings), image_data_generator=image_data_generator, order=order
        )
        self.sample_weight: NDArray[Any] | None = source.sample_weight
        self._columns = source.columns
        if source.class_ids is not None:  # as in Keras, the attributes do not exist otherwise
            self.classes = source.class_ids
            self.class_indices = source.class_indices

    @property
    def labels(self) -> Any:
        """What the targets are made of, which is class numbers, an array, or a list of arrays."""
        return self.classes if self._columns is None else self._columns
