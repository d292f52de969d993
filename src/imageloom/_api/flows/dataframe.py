"""Batches of the images that a data frame names."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Literal, overload

from numpy.typing import NDArray

from imageloom._api.flows.arguments import order_options, without_deprecated
from imageloom._api.flows.base import (
    FlowingGenerator,
    file_settings,
    warn_about_geometry,
)
from imageloom._api.iterators.files import DataFrameIterator
from imageloom._checks import check_choice
from imageloom._sources.dataframe import DATAFRAME_CLASS_MODES, DataFrameSource

__all__ = ["flow_from_dataframe"]


# What a batch is, by the arguments. A default of "..." is never used: an earlier form applies.


@overload
def flow_from_dataframe(
    self: FlowingGenerator,
    dataframe: Any,
    directory: str | os.PathLike[str] | None = None,
    x_col: str = "filename",
    y_col: str | list[str] = "class",
    weight_col: None = None,
    target_size: tuple[int, int] = (256, 256),
    color_mode: str = "rgb",
    classes: Sequence[str] | None = None,
    class_mode: Literal["categorical", "binary", "sparse", "raw", "input"] = "categorical",
    batch_size: int = 32,
    shuffle: bool | str = True,
    seed: int | None = None,
    save_to_dir: str | os.PathLike[str] | None = None,
    save_prefix: str = "",
    save_format: str = "png",
    subset: str | None = None,
    interpolation: str | None = "nearest",
    validate_filenames: bool = True,
    *,
    keep_aspect_ratio: bool = False,
    shard: tuple[int, int] | str | None = None,
    balance: bool = False,
    **deprecated: Any,
) -> DataFrameIterator[tuple[NDArray[Any], NDArray[Any]]]: ...


@overload
def flow_from_dataframe(
    self: FlowingGenerator,
    dataframe: Any,
    directory: str | os.PathLike[str] | None = None,
    x_col: str = "filename",
    y_col: str | list[str] = "class",
    weight_col: str = ...,
    target_size: tuple[int, int] = (256, 256),
    color_mode: str = "rgb",
    classes: Sequence[str] | None = None,
    class_mode: Literal["categorical", "binary", "sparse", "raw", "input"] = "categorical",
    batch_size: int = 32,
    shuffle: bool | str = True,
    seed: int | None = None,
    save_to_dir: str | os.PathLike[str] | None = None,
    save_prefix: str = "",
    save_format: str = "png",
    subset: str | None = None,
    interpolation: str | None = "nearest",
    validate_filenames: bool = True,
    *,
    keep_aspect_ratio: bool = False,
    shard: tuple[int, int] | str | None = None,
    balance: bool = False,
    **deprecated: Any,
) -> DataFrameIterator[tuple[NDArray[Any], NDArray[Any], NDArray[Any]]]: ...


@overload
def flow_from_dataframe(
    self: FlowingGenerator,
    dataframe: Any,
    directory: str | os.PathLike[str] | None = None,
    x_col: str = "filename",
    y_col: str = "class",
    weight_col: None = None,
    target_size: tuple[int, int] = (256, 256),
    color_mode: str = "rgb",
    classes: Sequence[str] | None = None,
    class_mode: Literal["image"] = ...,
    batch_size: int = 32,
    shuffle: bool | str = True,
    seed: int | None = None,
    save_to_dir: str | os.PathLike[str] | None = None,
    save_prefix: str = "",
    save_format: str = "png",
    subset: str | None = None,
    interpolation: str | None = "nearest",
    validate_filenames: bool = True,
    *,
    keep_aspect_ratio: bool = False,
    shard: tuple[int, int] | str | None = None,
    balance: bool = False,
    **deprecated: Any,
) -> DataFrameIterator[tuple[NDArray[Any], NDArray[Any]]]: ...


@overload
def flow_from_dataframe(
    self: FlowingGenerator,
    dataframe: Any,
    directory: str | os.PathLike[str] | None = None,
    x_col: str = "filename",
    y_col: str | list[str] = "class",
    weight_col: None = None,
    target_size: tuple[int, int] = (256, 256),
    color_mode: str = "rgb",
    classes: Sequence[str] | None = None,
    class_mode: Literal["multi_output"] = ...,
    batch_size: int = 32,
    shuffle: bool | str = True,
    seed: int | None = None,
    save_to_dir: str | os.PathLike[str] | None = None,
    save_prefix: str = "",
    save_format: str = "png",
    subset: str | None = None,
    interpolation: str | None = "nearest",
    validate_filenames: bool = True,
    *,
    keep_aspect_ratio: bool = False,
    shard: tuple[int, int] | str | None = None,
    balance: bool = False,
    **deprecated: Any,
) -> DataFrameIterator[tuple[NDArray[Any], list[NDArray[Any]]]]: ...


@overload
def flow_from_dataframe(
    self: FlowingGenerator,
    dataframe: Any,
    directory: str | os.PathLike[str] | None = None,
    x_col: str = "filename",
    y_col: str | list[str] = "class",
    weight_col: str | None = None,
    target_size: tuple[int, int] = (256, 256),
    color_mode: str = "rgb",
    classes: Sequence[str] | None = None,
    class_mode: None = ...,
    batch_size: int = 32,
    shuffle: bool | str = True,
    seed: int | None = None,
    save_to_dir: str | os.PathLike[str] | None = None,
    save_prefix: str = "",
    save_format: str = "png",
    subset: str | None = None,
    interpolation: str | None = "nearest",
    validate_filenames: bool = True,
    *,
    keep_aspect_ratio: bool = False,
    shard: tuple[int, int] | str | None = None,
    balance: bool = False,
    **deprecated: Any,
) -> DataFrameIterator[NDArray[Any]]: ...


@overload
def flow_from_dataframe(
    self: FlowingGenerator,
    dataframe: Any,
    directory: str | os.PathLike[str] | None = None,
    x_col: str = "filename",
    y_col: str | list[str] = "class",
    weight_col: str | None = None,
    target_size: tuple[int, int] = (256, 256),
    color_mode: str = "rgb",
    classes: Sequence[str] | None = None,
    class_mode: str | None = "categorical",
    batch_size: int = 32,
    shuffle: bool | str = True,
    seed: int | None = None,
    save_to_dir: str | os.PathLike[str] | None = None,
    save_prefix: str = "",
    save_format: str = "png",
    subset: str | None = None,
    interpolation: str | None = "nearest",
    validate_filenames: bool = True,
    *,
    keep_aspect_ratio: bool = False,
    shard: tuple[int, int] | str | None = None,
    balance: bool = False,
    **deprecated: Any,
) -> DataFrameIterator[Any]: ...


def flow_from_dataframe(
    self: FlowingGenerator,
    dataframe: Any,
    directory: str | os.PathLike[str] | None = None,
    x_col: str = "filename",
    y_col: str | list[str] = "class",
    weight_col: str | None = None,
    target_size: tuple[int, int] = (256, 256),
    color_mode: str = "rgb",
    classes: Sequence[str] | None = None,
    class_mode: str | None = "categorical",
    batch_size: int = 32,
    shuffle: bool | str = True,
    seed: int | None = None,
    save_to_dir: str | os.PathLike[str] | None = None,
    save_prefix: str = "",
    save_format: str = "png",
    subset: str | None = None,
    interpolation: str | None = "nearest",
    validate_filenames: bool = True,
    *,
    keep_aspect_ratio: bool = False,
    shard: tuple[int, int] | str | None = None,
    balance: bool = False,
    **deprecated: Any,
) -> DataFrameIterator[Any]:
    """Batches of the image files that a pandas data frame names.

    Args:
        dataframe: one row per image; it is only read.
        directory: folder or URL that the names are relative to; None for paths and URLs. An
            absolute path, or a URL, in the frame stands for itself.
        x_col: column of the names.
        y_col: column of the targets; a list of columns for `"multi_output"`, `"raw"` and `"image"`.
        weight_col: column of sample weights, numbers.
        target_size: (height, width) to resize to.
        color_mode: `"rgb"`, `"rgba"` or `"grayscale"`.
        classes: class names in the order of their numbers; rows of other classes are left out. By
            default all there are, sorted.
        class_mode: targets: `"categorical"` rows with a one for the class, or for each class of a
            list; `"binary"` and `"sparse"` class numbers; `"raw"` the values of `y_col`;
            `"multi_output"` a list with the values of each column; `"input"` the images again;
            `"image"` the image files that `y_col` names, such as masks (see below); None none.
        batch_size: images in a batch; -1 for all. The last batch of an epoch may be short.
        shuffle: a new order every epoch; "fast" for one that is computed on demand, for data sets
            whose permutation would not fit into memory: another order than Keras'.
        seed: 0..2**32-1: the same order and the same transforms as Keras with this seed; None draws
            one from NumPy's global state at the first batch.
        save_to_dir: an existing folder to which every finished image is written.
        save_prefix: start of the saved files' names.
        save_format: their format.
        subset: `"training"` or `"validation"` (the first rows), with `validation_split`.
        interpolation: how to resize, as in `flow_from_directory`.
        validate_filenames: leave out rows whose file is not there or has no known suffix, with a
            warning; False saves the time to look.
        keep_aspect_ratio: cut the centre out in the target's aspect ratio before resizing.
        shard: (index, count): this process's part of the stream, batches index, index + count, ...
            of each epoch; all parts have the same length, and an incomplete last round is
            dropped. "auto" asks torch.distributed, JAX or TF_CONFIG. Needs a `seed`, the same
            everywhere.
        balance: draw all classes equally often, samples of a class with replacement, in an epoch of
            the same length.
        **deprecated: `has_ext`, `sort` and `drop_duplicates` of old versions of Keras, without
            effect.

    Returns:
        An iterator over (images, targets), (images, targets, weights), or images alone for
        class_mode None. Images have shape (batch, height, width, channels), or channels first, and
        the generator's dtype. With class_mode `"image"` the targets are arrays (batch, height,
        width, 1) of the values in grey files, or of the numbers in palette files, in the dtype in
        which the first one is stored (uint8, as a rule): resized and turned as their image is,
        without blending (nearest neighbour), 0 where `fill_mode` is "constant", and past hooks,
        colour steps, noise and normalisation. Of files in colours the grey levels are taken.
        `y_col` may be a list of columns; the targets are then a list, too.

    Raises:
        InvalidArgumentError, ArgumentTypeError: a value or a column that cannot work.
        MissingColumnError: no such column (a KeyError).
        MissingDirectoryError: the folder to save to does not exist.
        StorageError: URLs whose storage cannot be reached, or refuses.
    """
    order = order_options(shuffle, seed, balance, shard)
    class_mode = without_deprecated(deprecated, class_mode)
    if class_mode is not None:
        check_choice("class_mode", class_mode, DATAFRAME_CLASS_MODES)
    options = self._options()
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
    )
    source = DataFrameSource(
        dataframe,
        None if directory is None else os.fspath(directory),
        x_col=x_col,
        y_col=y_col,
        weight_col=weight_col,
        classes=classes,
        class_mode=class_mode,
        split=settings.split,
        validate_filenames=validate_filenames,
        dtype=options.dtype,
    )
    iterator = DataFrameIterator(
        source,
        settings,
        image_data_generator=self,
        order=order,
    )
    warn_about_geometry(self, options, settings.target_size)
    kind = "validated" if validate_filenames else "non-validated"
    count = len(source.class_indices)
    of_classes = "" if source.class_ids is None else f" belonging to {count} classes"
    print(f"Found {len(source)} {kind} image filenames{of_classes}.")
    return iterator
