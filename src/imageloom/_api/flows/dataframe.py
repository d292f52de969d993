"""`flow_from_dataframe`: batches of the images that a data frame names."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from typing import Any, Literal, overload

from numpy.typing import NDArray

from imageloom._api.iterators.arguments import without_deprecated
from imageloom._api.iterators.dataframes import DataFrameIterator
from imageloom._api.iterators.settings import FlowingGenerator

__all__ = ["flow_from_dataframe"]


# The overloads give the type of a batch. A default of "..." is never used, because an earlier
# overload applies.


@overload
def flow_from_dataframe(
    self: FlowingGenerator,
    dataframe: Any,
    directory: str | os.PathLike[str] | None = None,
    x_col: str = "filename",
    y_col: str | list[str] = "class",
    weight_col: None = None,
    target_size: tuple[int, int] = (256, 256),
    color_mode: str | int = "rgb",
    classes: Sequence[str] | None = None,
    class_mode: Literal["categorical", "binary", "sparse", "raw", "input", "keypoints"] = "categorical",
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
    bounding_box_format: str = "xyxy",
    keypoint_format: str = "xy",
    max_boxes: int | None = None,
    min_visibility: float = 0.0,
    verbose: bool | int | str = True,
    extensions: str | Collection[str] | None = None,
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
    color_mode: str | int = "rgb",
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
    bounding_box_format: str = "xyxy",
    keypoint_format: str = "xy",
    max_boxes: int | None = None,
    min_visibility: float = 0.0,
    verbose: bool | int | str = True,
    extensions: str | Collection[str] | None = None,
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
    color_mode: str | int = "rgb",
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
    bounding_box_format: str = "xyxy",
    keypoint_format: str = "xy",
    max_boxes: int | None = None,
    min_visibility: float = 0.0,
    verbose: bool | int | str = True,
    extensions: str | Collection[str] | None = None,
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
    color_mode: str | int = "rgb",
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
    bounding_box_format: str = "xyxy",
    keypoint_format: str = "xy",
    max_boxes: int | None = None,
    min_visibility: float = 0.0,
    verbose: bool | int | str = True,
    extensions: str | Collection[str] | None = None,
    **deprecated: Any,
) -> DataFrameIterator[tuple[NDArray[Any], list[NDArray[Any]]]]: ...


@overload
def flow_from_dataframe(
    self: FlowingGenerator,
    dataframe: Any,
    directory: str | os.PathLike[str] | None = None,
    x_col: str = "filename",
    y_col: str | list[str] = "class",
    weight_col: None = None,
    target_size: tuple[int, int] = (256, 256),
    color_mode: str | int = "rgb",
    classes: Sequence[str] | None = None,
    class_mode: Literal["boxes"] = ...,
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
    bounding_box_format: str = "xyxy",
    keypoint_format: str = "xy",
    max_boxes: int | None = None,
    min_visibility: float = 0.0,
    verbose: bool | int | str = True,
    extensions: str | Collection[str] | None = None,
    **deprecated: Any,
) -> DataFrameIterator[tuple[NDArray[Any], dict[str, NDArray[Any]]]]: ...


@overload
def flow_from_dataframe(
    self: FlowingGenerator,
    dataframe: Any,
    directory: str | os.PathLike[str] | None = None,
    x_col: str = "filename",
    y_col: str | list[str] = "class",
    weight_col: str | None = None,
    target_size: tuple[int, int] = (256, 256),
    color_mode: str | int = "rgb",
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
    bounding_box_format: str = "xyxy",
    keypoint_format: str = "xy",
    max_boxes: int | None = None,
    min_visibility: float = 0.0,
    verbose: bool | int | str = True,
    extensions: str | Collection[str] | None = None,
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
    color_mode: str | int = "rgb",
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
    bounding_box_format: str = "xyxy",
    keypoint_format: str = "xy",
    max_boxes: int | None = None,
    min_visibility: float = 0.0,
    verbose: bool | int | str = True,
    extensions: str | Collection[str] | None = None,
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
    color_mode: str | int = "rgb",
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
    bounding_box_format: str = "xyxy",
    keypoint_format: str = "xy",
    max_boxes: int | None = None,
    min_visibility: float = 0.0,
    verbose: bool | int | str = True,
    extensions: str | Collection[str] | None = None,
    **deprecated: Any,
) -> DataFrameIterator[Any]:
    """Makes an iterator over the image files that a pandas data frame names.

    Args:
        dataframe: one row per image; it is not changed.
        directory: folder or URL that the names are relative to; None if the data frame has complete
            paths. Absolute paths in the data frame are used unchanged, and so are URLs, which are
            followed only if `directory` is a URL as well.
        x_col: column of the file names.
        y_col: column of the targets; a list of columns for `"multi_output"`, `"raw"` and `"image"`.
        weight_col: column of the sample weights, which are numbers.
        target_size: (height, width) to resize to.
        color_mode: `"rgb"`, `"rgba"`, `"grayscale"`, or a number of channels.
        classes: class names; the first has class number 0. Rows of other classes are left out. By
            default all classes, sorted.
        class_mode: the targets: `"categorical"` for rows with a one for the class, or for each
            class of a list; `"binary"` and `"sparse"` for class numbers; `"raw"` for the values of
            `y_col`; `"multi_output"` for a list with the values of each column; `"input"` for the
            images themselves; `"image"` for the image files that `y_col` names, such as masks (see
            below); `"boxes"` and `"keypoints"` for coordinates (see below); None for no targets.
        batch_size: number of images in a batch; -1 for all. The last batch of an epoch may be
            shorter.
        shuffle: draw a new order every epoch. "fast" computes an order on demand, which differs
            from Keras', for data sets whose permutation would not fit into memory.
        seed: 0..2**32-1, for the same order and the same transforms as Keras with this seed. For
            None, the first batch draws a seed from NumPy's global state.
        save_to_dir: an existing folder, to which the images of each batch are written when the
                batch is handed out.
        save_prefix: prefix of the saved files' names.
        save_format: format of the saved files.
        subset: `"training"` or `"validation"` (the first rows), with `validation_split`.
        interpolation: how to resize, as in `flow_from_directory`.
        validate_filenames: leave out rows whose file does not exist or has no known suffix, with a
            warning; False skips this check, which takes time.
        keep_aspect_ratio: crop images about their centre to the target's aspect ratio before
            resizing.
        shard: (index, count) of this process, which reads batches index, index + count, ... of each
            epoch. All shards have the same length; an incomplete last round is left out. "auto"
            takes both numbers from torch.distributed, JAX or TF_CONFIG. Needs a `seed`, the same in
            every process.
        balance: draw all classes equally often, with replacement within a class. The length of an
            epoch stays the same.
        bounding_box_format: of `"boxes"`, given and handed out: `"xyxy"`, `"yxyx"`, `"xywh"`,
            `"center_xywh"`, `"center_yxhw"`, or relative to the image's sides `"rel_xyxy"`,
            `"rel_yxyx"`, `"rel_xywh"` and `"rel_center_xywh"`, as in Keras' layers.
        keypoint_format: of `"keypoints"`, likewise: `"xy"`, `"yx"`, `"rel_xy"` or `"rel_yx"`. The point
            (0, 0) is the middle of the first pixel; a relative (0, 0) is its corner.
        max_boxes: room for boxes in each row of a batch; None for as many as an image has at most.
        min_visibility: the share of its area that a box has to have within the image; others are left
            out.
        verbose: False or 0 prints nothing; the line "Found ... images" is printed otherwise.
        extensions: the suffixes of the files that are images, instead of Keras' (png, jpg, jpeg,
            bmp, ppm, tif, tiff), such as `["jpg", "webp", "avif", "npy"]`; "all" for whatever Pillow
            and its plug-ins in this program read, and `.npy`.
        **deprecated: `has_ext`, `sort` and `drop_duplicates` of old versions of Keras, which have
            no effect.

    Returns:
        An iterator over (images, targets), (images, targets, weights), or images alone for
        class_mode None. Images have shape (batch, height, width, channels), or channels first, and
        the generator's dtype. With class_mode `"image"` the targets are arrays (batch, height,
        width, 1) of the values in grey files, or of the numbers in palette files; colour files are
        converted to grey levels. The dtype is that of the first file, usually uint8. Targets are
        resized and transformed like their image, with nearest neighbour interpolation; the area
        beyond the border is 0 for `fill_mode="constant"`. Hooks, colour steps, noise and
        normalisation do not apply to them. If `y_col` is a list of columns, the targets are a list.

        With class_mode `"boxes"` the targets are a dictionary as for Keras' layers: `boxes` (batch,
        boxes, 4), float32, in pixels of the batch's images or relative to them, and `labels` (batch,
        boxes), int32. They move with the pixels of their image: each is the upright box around the
        corners of the moved box, clipped to the image. Those of which nothing is visible are left out.
        Where an image has fewer, boxes are 0 and labels -1. `y_col` is one of: a column of lists of
        boxes; [boxes, labels], columns of lists; or the four columns of coordinates, with that of the
        label fifth if there is one. Rows of the same file belong to one image, and NaN or an empty list
        is an image without boxes. Labels are numbers, or names, of which `class_indices` has the
        numbers. With `"keypoints"` they are one array (batch, points, 3), float32, of x, y and whether
        the point is within the image and was visible before. `y_col` is a column of lists of (x, y) or
        (x, y, visibility), or a list of columns in pairs.

    Raises:
        InvalidArgumentError, ArgumentTypeError: a value or a column that is not allowed.
        MissingColumnError: a column does not exist (a KeyError).
        MissingDirectoryError: `save_to_dir` does not exist.
        StorageError: the storage of URLs cannot be reached, or denies access.
    """
    options = self._options()
    return DataFrameIterator(
        dataframe, directory, self, x_col=x_col, y_col=y_col, weight_col=weight_col,
        target_size=target_size, color_mode=color_mode, classes=classes,
        class_mode=without_deprecated(deprecated, class_mode), batch_size=batch_size,
        shuffle=shuffle, seed=seed, data_format=options.data_format, save_to_dir=save_to_dir,
        save_prefix=save_prefix, save_format=save_format, subset=subset,
        interpolation=interpolation, keep_aspect_ratio=keep_aspect_ratio, dtype=options.dtype,
        validate_filenames=validate_filenames, shard=shard, balance=balance,
        bounding_box_format=bounding_box_format, keypoint_format=keypoint_format,
        max_boxes=max_boxes, min_visibility=min_visibility, verbose=verbose, extensions=extensions,
    )  # fmt: skip
