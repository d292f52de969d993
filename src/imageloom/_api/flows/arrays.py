"""Batches of the images of an array."""

from __future__ import annotations

import os
from typing import Any, overload

from numpy.typing import ArrayLike, NDArray

from imageloom._api.flows.arguments import order_options
from imageloom._api.flows.base import (
    FlowingGenerator,
    output_settings,
    warn_about_geometry,
)
from imageloom._api.iterators.arrays import NumpyArrayIterator
from imageloom._api.planning import OutputSettings
from imageloom._sources.arrays import ArraySource

__all__ = ["flow"]


# What a batch is, by the arguments. A default of "..." is never used: an earlier form applies.


@overload
def flow(
    self: FlowingGenerator,
    x: tuple[Any, Any] | list[Any],
    y: ArrayLike | None = None,
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
) -> NumpyArrayIterator[tuple[NDArray[Any], NDArray[Any], NDArray[Any]]]: ...


def flow(
    self: FlowingGenerator,
    x: ArrayLike | tuple[Any, Any],
    y: ArrayLike | None = None,
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
) -> NumpyArrayIterator[Any]:
    """Batches of the images of an array.

    The array is not copied: of each batch, the rows alone travel to a worker. A `numpy.memmap` is
    opened again by the workers themselves, so that its file may be larger than memory.

    Args:
        x: images (n, height, width, channels), or channels first, of any dtype; or a tuple
            (images, further inputs), the latter one array of n rows or a list of them, which come
            with each batch as they are.
        y: targets, n rows of any dtype; None for batches without targets.
        batch_size: images in a batch; -1 for all. The last batch of an epoch may be short.
        shuffle: a new order every epoch; "fast" for one that is computed on demand, for data sets
            whose permutation would not fit into memory: another order than Keras'.
        sample_weight: n weights; only used with `y`.
        seed: 0..2**32-1: the same order and the same transforms as Keras with this seed; None draws
            one from NumPy's global state at the first batch.
        save_to_dir: an existing folder to which every finished image is written.
        save_prefix: start of the saved files' names.
        save_format: their format.
        ignore_class_split: allow subsets in which some classes do not occur.
        subset: `"training"` or `"validation"` (the first images), with `validation_split`.
        shard: (index, count): this process's part of the stream, batches index, index + count, ...
            of each epoch; all parts have the same length, and an incomplete last round is
            dropped. "auto" asks torch.distributed, JAX or TF_CONFIG. Needs a `seed`, the same
            everywhere.
        balance: draw all classes equally often, samples of a class with replacement, in an epoch of
            the same length.

    Returns:
        An iterator over images, (images, targets) or (images, targets, weights). Images have the
        shape of `x` and the generator's dtype; with further inputs they are a list, images first.

    Raises:
        InvalidArgumentError, ArgumentTypeError: arrays of different lengths, a rank other than 4,
            subsets with different classes.
        MissingDirectoryError: the folder to save to does not exist.
    """
    order = order_options(shuffle, seed, balance, shard)
    options = self._options()
    settings = OutputSettings(
        **output_settings(options, batch_size, save_to_dir, save_prefix, save_format, subset)
    )
    source = ArraySource(
        x,
        y,
        sample_weight,
        subset=subset,
        split=options.split,
        ignore_class_split=ignore_class_split,
        data_format=options.data_format,
    )
    iterator = NumpyArrayIterator(
        source,
        settings,
        image_data_generator=self,
        order=order,
    )
    shape = source.x.shape
    rows, columns = (1, 2) if options.data_format == "channels_last" else (2, 3)
    warn_about_geometry(self, options, (shape[rows], shape[columns]))
    return iterator
