"""The iterator over encoded images in the rows of a table, or in the shards of a WebDataset."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from imageloom._api.announcing import announce
from imageloom._api.iterators.arguments import order_options
from imageloom._api.iterators.attributes import Label
from imageloom._api.iterators.files import FileIterator
from imageloom._api.iterators.mistakes import check_column_names, checked_classes
from imageloom._api.iterators.plans import FilePlan, FileSettings
from imageloom._api.iterators.settings import (
    check_compositions,
    checked_generator,
    file_settings,
    warn_about_geometry,
)
from imageloom._api.planning import checked_mixing
from imageloom._checks.keywords import explained
from imageloom._log import check_verbose
from imageloom._public import public
from imageloom._sources.records import RECORD_CLASS_MODES, RecordSource
from imageloom._stream.supply import BatchT_co

__all__ = ["RecordIterator", "SourceMaker"]

SourceMaker = Callable[[FileSettings, "list[Any] | None"], RecordSource]


@public
class RecordIterator(FileIterator[BatchT_co]):
    """Batches of encoded images in the rows of a table, or in the shards of a WebDataset.

    `flow_from_table` and `flow_from_webdataset` make it, whose documentation describes the arguments.

    Args:
        make_source: makes the data set, of the checked settings and the names of the classes.
        image_data_generator: a generator of this library; None for images as they are.
        columns: where the images, the targets and the weights are, for checks: `x_col`, `y_col` and
            `weight_col`.
        target_size: (height, width) to resize to.
        color_mode: `"rgb"`, `"rgba"`, `"grayscale"`, or a number of channels.
        classes: names of the classes to read; by default all, sorted.
        class_mode: the targets.
        batch_size: number of images in a batch; -1 for all.
        shuffle: draw a new order every epoch.
        seed: 0..2**32-1, for the same order and the same transforms.
        data_format: `"channels_last"` or `"channels_first"`; None as Keras is configured.
        save_to_dir: an existing folder for the images of each batch.
        save_prefix: prefix of the saved files' names.
        save_format: format of the saved files.
        subset: `"training"` or `"validation"`, with `validation_split`.
        interpolation: how to resize.
        keep_aspect_ratio: crop images to the target's aspect ratio before resizing.
        dtype: dtype of images and targets; None as Keras is configured.
        shard: (index, count) of this process, or "auto".
        balance: draw all classes equally often.
        verbose: False or 0 does not print how many images there are.

    Attributes:
        classes: class number of each image, or a list of them.
        filenames: the names of the records: `"row 17"`, or the URL of a file in a shard.

    Raises:
        InvalidArgumentError, ArgumentTypeError: a value that is not allowed.
        MissingColumnError: a column does not exist (a KeyError).
        MissingDirectoryError: `save_to_dir` does not exist.
    """

    __slots__ = ()

    allowed_class_modes: ClassVar[set[str | None]] = {*RECORD_CLASS_MODES, None}

    classes: Label[Any] = Label("class_ids")

    @explained("RecordIterator")
    def __init__(
        self,
        make_source: SourceMaker,
        image_data_generator: Any = None,
        *,
        columns: tuple[Any, Any, Any],
        target_size: tuple[int, int] = (256, 256),
        color_mode: str | int = "rgb",
        classes: Sequence[Any] | None = None,
        class_mode: str | None = "categorical",
        batch_size: int = 32,
        shuffle: bool | str = True,
        seed: int | None = None,
        data_format: str | None = None,
        save_to_dir: str | os.PathLike[str] | None = None,
        save_prefix: str = "",
        save_format: str = "png",
        subset: str | None = None,
        interpolation: str | None = "nearest",
        keep_aspect_ratio: bool = False,
        dtype: str | None = None,
        shard: tuple[int, int] | str | None = None,
        balance: bool = False,
        verbose: bool | int | str = True,
    ) -> None:
        check_verbose(verbose)
        self._check_class_mode(class_mode)
        check_column_names(*columns, class_mode)
        names = checked_classes(classes, None, folders=False)
        order = order_options(shuffle, seed, balance, shard)
        generator = checked_generator(image_data_generator)
        options = generator._options()
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
        source = make_source(settings, names)
        check_compositions(options, source.coordinates)
        self._begin_files(FilePlan(source, settings), order, image_data_generator)
        checked_mixing(options, source, subset)
        warn_about_geometry(generator, options, settings.target_size)
        count = len(source.class_indices)
        of_classes = "" if source.class_ids is None else f" belonging to {count} classes"
        announce(f"Found {len(source)} encoded images{of_classes}.", verbose)

    @property
    def labels(self) -> Any:
        """The class numbers, the array, or the list of arrays that the targets are made of."""
        source = self._plan.source
        return source.columns if self.class_mode in ("raw", "multi_output") else source.class_ids
