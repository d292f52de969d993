"""`flow_from_table` and `flow_from_webdataset`: batches of encoded images in tables and tar files."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from imageloom._api.iterators.origins import remembered
from imageloom._api.iterators.plans import FileSettings
from imageloom._api.iterators.records import RecordIterator
from imageloom._api.iterators.settings import FlowingGenerator, coordinate_options
from imageloom._errors import ArgumentTypeError
from imageloom._sources.records import RecordSource, ShardSource, TableSource
from imageloom._sources.shards import IMAGE_SUFFIXES, list_shards
from imageloom._sources.splitting import division_of
from imageloom._storage.arrow_files import files_of
from imageloom._storage.encoded_tables import table_of
from imageloom._storage.urls import absolute

__all__ = ["flow_from_table", "flow_from_webdataset"]


def _place_of_table(table: Any) -> dict[str, Any] | None:
    """Where `imageloom verify` finds a table; None if only the program has it."""
    found = files_of(table)
    return None if found is None else {"files": found[0], "rows": found[1]}


def _places_of_shards(urls: Any) -> list[str]:
    """The shards as they are named, whatever the working directory is."""
    given = [urls] if isinstance(urls, (str, os.PathLike)) else urls
    return [absolute(os.fspath(url)) for url in given]


@remembered(table=_place_of_table)
def flow_from_table(
    self: FlowingGenerator,
    table: Any,
    x_col: str = "image",
    y_col: str | list[str] = "label",
    weight_col: str | None = None,
    target_size: tuple[int, int] = (256, 256),
    color_mode: str | int = "rgb",
    classes: Sequence[Any] | None = None,
    class_mode: str | None = "categorical",
    batch_size: int = 32,
    shuffle: bool | str = True,
    seed: int | None = None,
    save_to_dir: str | os.PathLike[str] | None = None,
    save_prefix: str = "",
    save_format: str = "png",
    subset: str | None = None,
    interpolation: str | None = "nearest",
    *,
    keep_aspect_ratio: bool = False,
    shard: tuple[int, int] | str | None = None,
    balance: bool = False,
    bounding_box_format: str = "xyxy",
    keypoint_format: str = "xy",
    max_boxes: int | None = None,
    min_visibility: float = 0.0,
    verbose: bool | int | str = True,
) -> RecordIterator[Any]:
    """Makes an iterator over the encoded images in a column of a table.

    Workers open the table again if it lies in files, as data sets of Hugging Face and Parquet files do.
    Otherwise the program reads the images of each batch and sends them as they are, encoded.

    Args:
        table: a data set of Hugging Face with a length (not `streaming=True`), or the folder that its
            `save_to_disk` has written; a `pyarrow.Table`; the path or URL of a Parquet file, the path
            of an Arrow file, or a list of such; a pandas DataFrame; or a list of dictionaries.
        x_col: the column of images: the bytes of files, or records `{"bytes": ..., "path": ...}`. The
            path is read where there are no bytes.
        y_col: the column of targets; a list of columns for class_mode `"raw"` and `"multi_output"`.
            Labels are names or whole numbers, for `"categorical"` also lists of them. Of a `ClassLabel`
            of Hugging Face, the classes have its names and numbers.
        weight_col: the column of sample weights.
        target_size: (height, width) to resize to.
        color_mode: `"rgb"`, `"rgba"`, `"grayscale"`, or a number of channels.
        classes: classes to read; the first has class number 0. By default all, sorted.
        class_mode: the targets: `"categorical"` for one-hot rows, `"binary"` and `"sparse"` for class
            numbers, `"raw"` for the values of `y_col`, `"multi_output"` for a list of the columns,
            `"input"` for the images themselves, None for no targets. `"boxes"` and `"keypoints"` as in
            `flow_from_dataframe`, of a column, or of columns; a column of records such as
            `{"bbox": ..., "category": ...}` has boxes and their labels. `"image"` for masks, which are
            encoded images in `y_col`.
        batch_size: number of images in a batch; -1 for all.
        shuffle: draw a new order every epoch. "fast" computes an order on demand.
        seed: 0..2**32-1, for the same order and the same transforms. For None, the first batch draws a
            seed from NumPy's global state.
        save_to_dir: an existing folder, to which the images of each batch are written when the batch is
            handed out.
        save_prefix: prefix of the saved files' names.
        save_format: format of the saved files.
        subset: `"training"` or `"validation"` (the first rows), with `validation_split`.
        interpolation: how to resize, as in `flow_from_directory`.
        keep_aspect_ratio: crop images to the target's aspect ratio before resizing.
        shard: (index, count) of this process, as in `flow`.
        balance: draw all classes equally often, with replacement within a class.
        bounding_box_format: what the numbers of a box are, as in `flow_from_dataframe`.
        keypoint_format: what the numbers of a point are.
        max_boxes: room for boxes in each row of a batch; None for the most boxes of an image.
        min_visibility: the share of a box that has to be visible; others are left out.
        verbose: False or 0 prints nothing; the line "Found ... images" is printed otherwise.

    Returns:
        An iterator over (images, targets), (images, targets, weights), or images alone for class_mode
        None. Images have shape (batch, height, width, channels), or channels first, and the
        generator's dtype.

    Raises:
        InvalidArgumentError, ArgumentTypeError: a table, a value or a label that is not allowed.
        MissingColumnError: a column does not exist (a KeyError).
        MissingFileError: a Parquet or Arrow file does not exist.
        MissingDependencyError: pyarrow, which such files need, is not installed.
    """
    coordinates = coordinate_options(
        class_mode, bounding_box_format, keypoint_format, max_boxes, min_visibility
    )

    def make_source(settings: FileSettings, names: list[Any] | None) -> RecordSource:
        return TableSource(
            table_of(table),
            x_col=x_col,
            y_col=y_col,
            weight_col=weight_col,
            classes=names,
            class_mode=class_mode,
            split=settings.split,
            dtype=settings.dtype,
            division=division_of(self._options(), settings.subset),
            coordinates=coordinates,
        )

    options = self._options()
    return RecordIterator(
        make_source,
        self,
        columns=(x_col, y_col, weight_col),
        target_size=target_size,
        color_mode=color_mode,
        classes=classes,
        class_mode=class_mode,
        batch_size=batch_size,
        shuffle=shuffle,
        seed=seed,
        data_format=options.data_format,
        save_to_dir=save_to_dir,
        save_prefix=save_prefix,
        save_format=save_format,
        subset=subset,
        interpolation=interpolation,
        keep_aspect_ratio=keep_aspect_ratio,
        dtype=options.dtype,
        shard=shard,
        balance=balance,
        verbose=verbose,
    )


@remembered(urls=_places_of_shards)
def flow_from_webdataset(
    self: FlowingGenerator,
    urls: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    x_col: str | Sequence[str] = IMAGE_SUFFIXES,
    y_col: str | list[str] = "cls",
    target_size: tuple[int, int] = (256, 256),
    color_mode: str | int = "rgb",
    classes: Sequence[Any] | None = None,
    class_mode: str | None = "categorical",
    batch_size: int = 32,
    shuffle: bool | str = True,
    seed: int | None = None,
    save_to_dir: str | os.PathLike[str] | None = None,
    save_prefix: str = "",
    save_format: str = "png",
    subset: str | None = None,
    interpolation: str | None = "nearest",
    *,
    keep_aspect_ratio: bool = False,
    shard: tuple[int, int] | str | None = None,
    balance: bool = False,
    bounding_box_format: str = "xyxy",
    keypoint_format: str = "xy",
    max_boxes: int | None = None,
    min_visibility: float = 0.0,
    verbose: bool | int | str = True,
) -> RecordIterator[Any]:
    """Makes an iterator over the images in the shards of a WebDataset, which are tar files.

    The files of a sample have the same name up to the first dot, such as `17.jpg` and `17.cls`. Shards
    are listed by their headers and never unpacked; workers read each image where it lies. So all
    samples are shuffled, and not only those of some shards. It needs fsspec (`imageloom[remote]`).

    Args:
        urls: the path or URL of a tar file, or a list of them. Braces stand for several, as in
            `"s3://bucket/train-{000..017}.tar"`, and in local paths `*` does.
        x_col: the suffixes of images, as a list or as in "jpg;png"; of each sample, the first is read.
        y_col: the suffix of the labels (`"cls"`), or a key in the `json` file of each sample; a list of
            them for class_mode `"raw"` and `"multi_output"`.
        target_size: (height, width) to resize to.
        color_mode: `"rgb"`, `"rgba"`, `"grayscale"`, or a number of channels.
        classes: classes to read; the first has class number 0. By default all, sorted.
        class_mode: the targets, as in `flow_from_table`. For `"boxes"` and `"keypoints"`, `y_col` names
            keys of the `json` file, or `"json"` itself; for `"image"`, it is the suffix of the masks,
            such as `"mask.png"`.
        batch_size: number of images in a batch; -1 for all.
        shuffle: draw a new order every epoch. "fast" computes an order on demand.
        seed: 0..2**32-1, for the same order and the same transforms.
        save_to_dir: an existing folder, to which the images of each batch are written when the batch is
            handed out.
        save_prefix: prefix of the saved files' names.
        save_format: format of the saved files.
        subset: `"training"` or `"validation"` (the first samples), with `validation_split`.
        interpolation: how to resize, as in `flow_from_directory`.
        keep_aspect_ratio: crop images to the target's aspect ratio before resizing.
        shard: (index, count) of this process, as in `flow`.
        balance: draw all classes equally often, with replacement within a class.
        bounding_box_format: what the numbers of a box are, as in `flow_from_dataframe`.
        keypoint_format: what the numbers of a point are.
        max_boxes: room for boxes in each row of a batch; None for the most boxes of an image.
        min_visibility: the share of a box that has to be visible; others are left out.
        verbose: False or 0 prints nothing; the line "Found ... images" is printed otherwise.

    Returns:
        An iterator as that of `flow_from_table`.

    Raises:
        InvalidArgumentError, ArgumentTypeError: a value or a label that is not allowed, or a file that
            is no tar archive, or a compressed one.
        MissingColumnError: a sample has no label (a KeyError).
        MissingFileError: a shard does not exist.
        StorageError: the storage of a URL cannot be reached, or denies access.
        MissingDependencyError: fsspec is not installed.
    """
    suffixes = x_col.split(";") if isinstance(x_col, str) else x_col
    if not isinstance(suffixes, (list, tuple)) or not all(isinstance(s, str) and s for s in suffixes):
        raise ArgumentTypeError(
            f'`x_col` must be suffixes of images, such as "jpg;png" or a list; received {x_col!r}.'
        )
    coordinates = coordinate_options(
        class_mode, bounding_box_format, keypoint_format, max_boxes, min_visibility
    )

    def make_source(settings: FileSettings, names: list[Any] | None) -> RecordSource:
        return ShardSource(
            list_shards(
                urls,
                [suffix.lower().removeprefix(".") for suffix in suffixes],
                with_files=class_mode == "image",
            ),
            y_col=y_col,
            classes=names,
            class_mode=class_mode,
            split=settings.split,
            dtype=settings.dtype,
            division=division_of(self._options(), settings.subset),
            coordinates=coordinates,
        )

    options = self._options()
    return RecordIterator(
        make_source,
        self,
        columns=("", y_col, None),
        target_size=target_size,
        color_mode=color_mode,
        classes=classes,
        class_mode=class_mode,
        batch_size=batch_size,
        shuffle=shuffle,
        seed=seed,
        data_format=options.data_format,
        save_to_dir=save_to_dir,
        save_prefix=save_prefix,
        save_format=save_format,
        subset=subset,
        interpolation=interpolation,
        keep_aspect_ratio=keep_aspect_ratio,
        dtype=options.dtype,
        shard=shard,
        balance=balance,
        verbose=verbose,
    )
