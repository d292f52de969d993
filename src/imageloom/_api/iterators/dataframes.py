"""The iterator over the images that a data frame names."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from typing import Any, ClassVar

from imageloom._addresses import with_address
from imageloom._api.announcing import announce
from imageloom._api.iterators.arguments import order_options
from imageloom._api.iterators.attributes import Label
from imageloom._api.iterators.files import FileIterator
from imageloom._api.iterators.mistakes import check_column_names, check_table, checked_classes
from imageloom._api.iterators.origins import remembering
from imageloom._api.iterators.plans import FilePlan
from imageloom._api.iterators.settings import (
    check_compositions,
    checked_generator,
    coordinate_options,
    file_settings,
    warn_about_geometry,
)
from imageloom._api.planning import checked_mixing
from imageloom._checks.keywords import explained
from imageloom._checks.values import check_flag
from imageloom._imaging.extensions import checked_extensions
from imageloom._log import check_verbose
from imageloom._public import public
from imageloom._sources.dataframe import DATAFRAME_CLASS_MODES, DataFrameSource
from imageloom._sources.splitting import division_of
from imageloom._stream.supply import BatchT_co

__all__ = ["DataFrameIterator"]


@public
class DataFrameIterator(FileIterator[BatchT_co]):
    """Batches of the images that a data frame names, as Keras' class of this name.

    Usually `flow_from_dataframe` makes it, whose documentation describes the arguments in more words.

    Args:
        dataframe: one row per image; it is not changed.
        directory: folder or URL that the names are relative to, or None.
        image_data_generator: a generator of this library; None for images as they are.
        x_col: column of the file names.
        y_col: column of the targets, or a list of columns.
        weight_col: column of the sample weights, which are numbers.
        target_size: (height, width) to resize to.
        color_mode: `"rgb"`, `"rgba"`, `"grayscale"`, or a number of channels.
        classes: class names; rows of other classes are left out.
        class_mode: the targets: `"categorical"`, `"binary"`, `"sparse"`, `"raw"`, `"multi_output"`,
            `"input"`, `"image"`, `"boxes"`, `"keypoints"` or None.
        batch_size: number of images in a batch; -1 for all.
        shuffle: draw a new order every epoch.
        seed: 0..2**32-1, for the same order and the same transforms as Keras with this seed.
        data_format: `"channels_last"` or `"channels_first"`; None as Keras is configured.
        save_to_dir: an existing folder for the images of each batch.
        save_prefix: prefix of the saved files' names.
        save_format: format of the saved files.
        subset: `"training"` or `"validation"` (the first rows), with `validation_split`.
        interpolation: how to resize.
        keep_aspect_ratio: crop images to the target's aspect ratio before resizing.
        dtype: dtype of images and targets; None as Keras is configured.
        validate_filenames: leave out rows whose file does not exist or has no known suffix.
        shard: (index, count) of this process, or "auto".
        balance: draw all classes equally often.
        bounding_box_format: of class_mode `"boxes"`.
        keypoint_format: of class_mode `"keypoints"`.
        max_boxes: room for boxes in each row of a batch.
        min_visibility: the share of a box that has to be visible.
        verbose: False or 0 does not print how many images there are.
        extensions: suffixes of the files that are images, or "all"; None for Keras'.

    Attributes:
        classes: class number of each image, or a list of them; only for class modes with classes.
        labels: the same as `classes`, or the columns of `"raw"` and `"multi_output"`, which are
            `_targets` when they are assigned.
        filenames: as in the data frame.
        filepaths: the same paths, joined to `directory`.
        sample_weight: the column of weights, or None, which is `_sample_weight` when it is assigned.

    Raises:
        InvalidArgumentError, ArgumentTypeError: a value or a column that is not allowed.
        MissingColumnError: a column does not exist (a KeyError).
        MissingDirectoryError: `save_to_dir` does not exist.
        StorageError: the storage of URLs cannot be reached, or denies access.
    """

    __slots__ = ()

    allowed_class_modes: ClassVar[set[str | None]] = {*DATAFRAME_CLASS_MODES, None}

    _sample_weight: Label[Any] = Label("sample_weight")

    @explained("DataFrameIterator")
    @remembering
    def __init__(
        self,
        dataframe: Any,
        directory: str | os.PathLike[str] | None = None,
        image_data_generator: Any = None,
        x_col: str = "filename",
        y_col: str | list[str] = "class",
        weight_col: str | None = None,
        target_size: tuple[int, int] = (256, 256),
        color_mode: str | int = "rgb",
        classes: Sequence[str] | None = None,
        class_mode: str | None = "categorical",
        batch_size: int = 32,
        shuffle: bool | str = True,
        seed: int | None = None,
        data_format: str | None = "channels_last",
        save_to_dir: str | os.PathLike[str] | None = None,
        save_prefix: str = "",
        save_format: str = "png",
        subset: str | None = None,
        interpolation: str | None = "nearest",
        keep_aspect_ratio: bool = False,
        dtype: str | None = "float32",
        validate_filenames: bool = True,
        *,
        shard: tuple[int, int] | str | None = None,
        balance: bool = False,
        bounding_box_format: str = "xyxy",
        keypoint_format: str = "xy",
        max_boxes: int | None = None,
        min_visibility: float = 0.0,
        verbose: bool | int | str = True,
        extensions: str | Collection[str] | None = None,
    ) -> None:
        check_verbose(verbose)
        check_table(dataframe, directory)
        self._check_class_mode(class_mode)
        check_column_names(x_col, y_col, weight_col, class_mode)
        names = checked_classes(classes, class_mode, folders=False)
        check_flag("validate_filenames", validate_filenames)
        coordinates = coordinate_options(
            class_mode, bounding_box_format, keypoint_format, max_boxes, min_visibility
        )
        suffixes = checked_extensions(extensions)
        order = order_options(shuffle, seed, balance, shard)
        generator = checked_generator(image_data_generator)
        options = generator._options()
        check_compositions(options, coordinates)
        settings = file_settings(
            options,
            target_size=target_size,
            color_mode=color_mode,
            batch_size=batch_size,
            batch_shape=None,
            interpolation=interpolation,
            keep_aspect_ratio=keep_aspect_ratio,
            save_to_dir=save_to_dir,
            save_prefix=save_prefix,
            save_format=save_format,
            subset=subset,
            data_format=data_format,
            dtype=dtype,
        )
        source = DataFrameSource(
            dataframe,
            None if directory is None else os.fspath(directory),
            x_col=x_col,
            y_col=y_col,
            weight_col=weight_col,
            classes=names,
            class_mode=class_mode,
            split=settings.split,
            division=division_of(options, subset),
            validate_filenames=validate_filenames,
            dtype=settings.dtype,
            formats=suffixes or self.white_list_formats,
            coordinates=coordinates,
        )
        self._begin_files(FilePlan(source, settings), order, image_data_generator, directory)
        checked_mixing(options, source, subset)
        warn_about_geometry(generator, options, settings.target_size)
        kind = "validated" if validate_filenames else "non-validated"
        count = len(source.class_indices)
        of_classes = "" if source.class_ids is None else f" belonging to {count} classes"
        announce(f"Found {len(source)} {kind} image filenames{of_classes}.", verbose)

    def get_classes(self, df: Any, y_col: str) -> list[Any]:
        """The class numbers of the labels in the column `y_col` of the data frame `df`."""
        numbers = self.class_indices
        return [
            numbers[label] if isinstance(label, str) else [numbers[one] for one in label]
            for label in df[y_col]
        ]

    @property
    def classes(self) -> Any:
        """Class number of each image, or a list of them.

        Raises:
            AttributeError: the class mode has no classes, as in Keras.
        """
        ids = self._plan.source.class_ids
        if ids is None:
            raise with_address(AttributeError(f'class_mode="{self.class_mode}" has no classes.'))
        return ids

    @classes.setter
    def classes(self, value: Any) -> None:
        if self._has_begun:
            self._plan.source.class_ids = value
            self._data_changed()

    @property
    def _targets(self) -> Any:
        targets = self._plan.source.columns
        if targets is None:
            raise with_address(
                AttributeError(f'class_mode="{self.class_mode}" has no targets but classes.')
            )
        return targets

    @_targets.setter
    def _targets(self, value: Any) -> None:
        if self._has_begun:
            self._plan.source.columns = value
            self._data_changed()

    @property
    def labels(self) -> Any:
        """What the targets are made of, which is class numbers, an array, or a list of arrays.

        Raises:
            AttributeError: it is assigned.
        """
        return self._targets if self.class_mode in ("raw", "multi_output") else self.classes

    @labels.setter
    def labels(self, value: Any) -> None:
        raise with_address(
            AttributeError(
                "`labels` of a DataFrameIterator cannot be assigned, as in Keras: assign `classes` or "
                "`_targets`."
            )
        )
