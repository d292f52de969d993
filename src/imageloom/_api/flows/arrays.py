"""`flow`: batches of the images of an array."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Literal, overload

from numpy.typing import ArrayLike, NDArray

from imageloom._api.iterators.arrays import NumpyArrayIterator
from imageloom._api.iterators.settings import (
    FlowingGenerator,
)

__all__ = ["flow"]


# The overloads give the type of a batch. A default of "..." is never used, because an earlier
# overload applies.


@overload
def flow(
    self: FlowingGenerator,
    x: tuple[Any, Any] | list[Any],
    y: Any = None,
    batch_size: int = 32,
    shuffle: bool | str = True,
    sample_weight: ArrayLike | None = None,
    seed: int | None = None,
    save_to_dir: str | os.PathLike[str] | None = None,
    save_prefix: str = "",
    save_format: str = "png",
    ignore_class_split: bool = False,
    subset: str | None = None,
    *,
    shard: tuple[int, int] | str | None = None,
    balance: bool = False,
    class_mode: str | None = None,
    bounding_box_format: str = "xyxy",
    keypoint_format: str = "xy",
    max_boxes: int | None = None,
    min_visibility: float = 0.0,
    verbose: bool | int | str = True,
) -> NumpyArrayIterator[Any]: ...


@overload
def flow(
    self: FlowingGenerator,
    x: ArrayLike,
    y: None = None,
    batch_size: int = 32,
    shuffle: bool | str = True,
    sample_weight: ArrayLike | None = None,
    seed: int | None = None,
    save_to_dir: str | os.PathLike[str] | None = None,
    save_prefix: str = "",
    save_format: str = "png",
    ignore_class_split: bool = False,
    subset: str | None = None,
    *,
    shard: tuple[int, int] | str | None = None,
    balance: bool = False,
    class_mode: None = None,
    bounding_box_format: str = "xyxy",
    keypoint_format: str = "xy",
    max_boxes: int | None = None,
    min_visibility: float = 0.0,
    verbose: bool | int | str = True,
) -> NumpyArrayIterator[NDArray[Any]]: ...


@overload
def flow(
    self: FlowingGenerator,
    x: ArrayLike,
    y: ArrayLike = ...,
    batch_size: int = 32,
    shuffle: bool | str = True,
    sample_weight: None = None,
    seed: int | None = None,
    save_to_dir: str | os.PathLike[str] | None = None,
    save_prefix: str = "",
    save_format: str = "png",
    ignore_class_split: bool = False,
    subset: str | None = None,
    *,
    shard: tuple[int, int] | str | None = None,
    balance: bool = False,
    class_mode: None = None,
    bounding_box_format: str = "xyxy",
    keypoint_format: str = "xy",
    max_boxes: int | None = None,
    min_visibility: float = 0.0,
    verbose: bool | int | str = True,
) -> NumpyArrayIterator[tuple[NDArray[Any], NDArray[Any]]]: ...


@overload
def flow(
    self: FlowingGenerator,
    x: ArrayLike,
    y: ArrayLike = ...,
    batch_size: int = 32,
    shuffle: bool | str = True,
    sample_weight: ArrayLike = ...,
    seed: int | None = None,
    save_to_dir: str | os.PathLike[str] | None = None,
    save_prefix: str = "",
    save_format: str = "png",
    ignore_class_split: bool = False,
    subset: str | None = None,
    *,
    shard: tuple[int, int] | str | None = None,
    balance: bool = False,
    class_mode: None = None,
    bounding_box_format: str = "xyxy",
    keypoint_format: str = "xy",
    max_boxes: int | None = None,
    min_visibility: float = 0.0,
    verbose: bool | int | str = True,
) -> NumpyArrayIterator[tuple[NDArray[Any], NDArray[Any], NDArray[Any]]]: ...


@overload
def flow(
    self: FlowingGenerator,
    x: ArrayLike | tuple[Any, Any],
    y: Any = None,
    batch_size: int = 32,
    shuffle: bool | str = True,
    sample_weight: ArrayLike | None = None,
    seed: int | None = None,
    save_to_dir: str | os.PathLike[str] | None = None,
    save_prefix: str = "",
    save_format: str = "png",
    ignore_class_split: bool = False,
    subset: str | None = None,
    *,
    shard: tuple[int, int] | str | None = None,
    balance: bool = False,
    class_mode: Literal["boxes", "keypoints"] = ...,
    bounding_box_format: str = "xyxy",
    keypoint_format: str = "xy",
    max_boxes: int | None = None,
    min_visibility: float = 0.0,
    verbose: bool | int | str = True,
) -> NumpyArrayIterator[Any]: ...


def flow(
    self: FlowingGenerator,
    x: ArrayLike | tuple[Any, Any],
    y: ArrayLike | Sequence[Any] | Mapping[str, Any] | None = None,
    batch_size: int = 32,
    shuffle: bool | str = True,
    sample_weight: ArrayLike | None = None,
    seed: int | None = None,
    save_to_dir: str | os.PathLike[str] | None = None,
    save_prefix: str = "",
    save_format: str = "png",
    ignore_class_split: bool = False,
    subset: str | None = None,
    *,
    shard: tuple[int, int] | str | None = None,
    balance: bool = False,
    class_mode: str | None = None,
    bounding_box_format: str = "xyxy",
    keypoint_format: str = "xy",
    max_boxes: int | None = None,
    min_visibility: float = 0.0,
    verbose: bool | int | str = True,
) -> NumpyArrayIterator[Any]:
    """Makes an iterator over the images of an array.

    The array is not copied: workers receive only the rows of their batch. Workers open a
    `numpy.memmap` themselves, so its file may be larger than memory. So they do with a data set of h5py
    whose file is open for reading, and an array of zarr or anything else that is read by slices (it has
    `shape`, `dtype` and `__getitem__`) and has a small pickle; the rows of others are read by the
    program. In each case, only the rows of a batch are read.

    Args:
        x: images (n, height, width, channels), or channels first, of any dtype; or a tuple
            (images, further inputs), where the further inputs are one array of n rows or a list of
            such arrays. Their rows are added to each batch unchanged.
        y: targets, n rows of any dtype; None for batches without targets. With class_mode `"boxes"`, a
            list with the boxes of each image (an array (boxes, 4) or a dictionary of `boxes` and
            `labels`), or a dictionary of both for all images, in which rows with the label -1 are no
            boxes; with `"keypoints"` an array (n, points, 2), or 3 with visibility.
        batch_size: number of images in a batch; -1 for all. The last batch of an epoch may be
            shorter.
        shuffle: draw a new order every epoch. "fast" computes an order on demand, which differs
            from Keras', for data sets whose permutation would not fit into memory.
        sample_weight: n weights, which are used only with `y`.
        seed: 0..2**32-1, for the same order and the same transforms as Keras with this seed. For
            None, the first batch draws a seed from NumPy's global state.
        save_to_dir: an existing folder, to which the images of each batch are written when the
                batch is handed out.
        save_prefix: prefix of the saved files' names.
        save_format: format of the saved files.
        ignore_class_split: allow subsets that lack some classes.
        subset: `"training"` or `"validation"` (the first images), with `validation_split`.
        shard: (index, count) of this process, which reads batches index, index + count, ... of each
            epoch. All shards have the same length; an incomplete last round is left out. "auto"
            takes both numbers from torch.distributed, JAX or TF_CONFIG. Needs a `seed`, the same in
            every process.
        balance: draw all classes equally often, with replacement within a class. The length of an
            epoch stays the same.
        class_mode: `"boxes"` or `"keypoints"` if `y` are coordinates, which move with the pixels of
            their image and are handed out as by `flow_from_dataframe`; None for other targets.
        bounding_box_format: of `"boxes"`, given and handed out: `"xyxy"`, `"yxyx"`, `"xywh"`,
            `"center_xywh"`, `"center_yxhw"`, or relative to the image's sides `"rel_xyxy"`,
            `"rel_yxyx"`, `"rel_xywh"` and `"rel_center_xywh"`, as in Keras' layers.
        keypoint_format: of `"keypoints"`, likewise: `"xy"`, `"yx"`, `"rel_xy"` or `"rel_yx"`. The point
            (0, 0) is the middle of the first pixel; a relative (0, 0) is its corner.
        max_boxes: room for boxes in each row of a batch; None for as many as an image has at most.
        min_visibility: the share of its area that a box has to have within the image; others are left
            out.
        verbose: accepted as in the other flow methods; this one prints nothing.

    Returns:
        An iterator over images, (images, targets) or (images, targets, weights). Images have the
        shape of `x` and the generator's dtype; with further inputs they are a list, images first.

    Raises:
        InvalidArgumentError, ArgumentTypeError: arrays of different lengths, a rank other than 4,
            subsets with different classes, or another value that is not allowed.
        MissingDirectoryError: `save_to_dir` does not exist.
    """
    options = self._options()
    return NumpyArrayIterator(
        x,
        y,
        self,
        batch_size=batch_size,
        shuffle=shuffle,
        sample_weight=sample_weight,
        seed=seed,
        data_format=options.data_format,
        save_to_dir=save_to_dir,
        save_prefix=save_prefix,
        save_format=save_format,
        subset=subset,
        ignore_class_split=ignore_class_split,
        dtype=options.dtype,
        shard=shard,
        balance=balance,
        class_mode=class_mode,
        bounding_box_format=bounding_box_format,
        keypoint_format=keypoint_format,
        max_boxes=max_boxes,
        min_visibility=min_visibility,
        verbose=verbose,
    )
