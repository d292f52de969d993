"""Batches of the images in a folder."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any, Final, Literal, overload

from numpy.typing import NDArray

from imageloom._api.flows.arguments import check_directory, order_options
from imageloom._api.flows.base import (
    FlowingGenerator,
    file_settings,
    warn_about_geometry,
)
from imageloom._api.iterators.files import DirectoryIterator
from imageloom._checks import check_choice
from imageloom._errors import ArgumentTypeError
from imageloom._sources.directory import DirectorySource

__all__ = ["flow_from_directory"]

_CLASS_MODES: Final = ("categorical", "binary", "sparse", "input")


# What a batch is, by the arguments. A default of "..." is never used: an earlier form applies.


@overload
def flow_from_directory(
    self: FlowingGenerator,
    directory: str | os.PathLike[str],
    target_size: tuple[int, int] = (256, 256),
    color_mode: str = "rgb",
    classes: Sequence[str] | None = None,
    class_mode: Literal["categorical", "binary", "sparse", "input"] = "categorical",
    batch_size: int = 32,
    batch_shape: Sequence[int] | None = None,
    shuffle: bool | str = True,
    shuffle_index_dir: str | os.PathLike[str] | None = None,
    seed: int | None = None,
    save_to_dir: str | os.PathLike[str] | None = None,
    save_prefix: str = "",
    save_format: str = "png",
    follow_links: bool = False,
    subset: str | None = None,
    interpolation: str | None = "bilinear",
    list_valid_filenames_in_directory_function: None = None,
    class_counts: dict[str, int] | None = None,
    *,
    keep_aspect_ratio: bool = False,
    shard: tuple[int, int] | str | None = None,
    balance: bool = False,
) -> DirectoryIterator[tuple[NDArray[Any], NDArray[Any]]]: ...


@overload
def flow_from_directory(
    self: FlowingGenerator,
    directory: str | os.PathLike[str],
    target_size: tuple[int, int] = (256, 256),
    color_mode: str = "rgb",
    classes: Sequence[str] | None = None,
    class_mode: None = ...,
    batch_size: int = 32,
    batch_shape: Sequence[int] | None = None,
    shuffle: bool | str = True,
    shuffle_index_dir: str | os.PathLike[str] | None = None,
    seed: int | None = None,
    save_to_dir: str | os.PathLike[str] | None = None,
    save_prefix: str = "",
    save_format: str = "png",
    follow_links: bool = False,
    subset: str | None = None,
    interpolation: str | None = "bilinear",
    list_valid_filenames_in_directory_function: None = None,
    class_counts: dict[str, int] | None = None,
    *,
    keep_aspect_ratio: bool = False,
    shard: tuple[int, int] | str | None = None,
    balance: bool = False,
) -> DirectoryIterator[NDArray[Any]]: ...


@overload
def flow_from_directory(
    self: FlowingGenerator,
    directory: str | os.PathLike[str],
    target_size: tuple[int, int] = (256, 256),
    color_mode: str = "rgb",
    classes: Sequence[str] | None = None,
    class_mode: str | None = "categorical",
    batch_size: int = 32,
    batch_shape: Sequence[int] | None = None,
    shuffle: bool | str = True,
    shuffle_index_dir: str | os.PathLike[str] | None = None,
    seed: int | None = None,
    save_to_dir: str | os.PathLike[str] | None = None,
    save_prefix: str = "",
    save_format: str = "png",
    follow_links: bool = False,
    subset: str | None = None,
    interpolation: str | None = "bilinear",
    list_valid_filenames_in_directory_function: Callable[..., Any] | None = None,
    class_counts: dict[str, int] | None = None,
    *,
    keep_aspect_ratio: bool = False,
    shard: tuple[int, int] | str | None = None,
    balance: bool = False,
) -> DirectoryIterator[Any]: ...


def flow_from_directory(
    self: FlowingGenerator,
    directory: str | os.PathLike[str],
    target_size: tuple[int, int] = (256, 256),
    color_mode: str = "rgb",
    classes: Sequence[str] | None = None,
    class_mode: str | None = "categorical",
    batch_size: int = 32,
    batch_shape: Sequence[int] | None = None,
    shuffle: bool | str = True,
    shuffle_index_dir: str | os.PathLike[str] | None = None,
    seed: int | None = None,
    save_to_dir: str | os.PathLike[str] | None = None,
    save_prefix: str = "",
    save_format: str = "png",
    follow_links: bool = False,
    subset: str | None = None,
    interpolation: str | None = "bilinear",
    list_valid_filenames_in_directory_function: Callable[..., Any] | None = None,
    class_counts: dict[str, int] | None = None,
    *,
    keep_aspect_ratio: bool = False,
    shard: tuple[int, int] | str | None = None,
    balance: bool = False,
) -> DirectoryIterator[Any]:
    """Batches of the images in a folder that has one sub-folder per class.

    Args:
        directory: the folder, or its URL: `s3://bucket/photos`, `zip://photos::data.zip`, whatever
            fsspec reads (see docs/remote-files.md).
        target_size: (height, width) to resize to.
        color_mode: `"rgb"`, `"rgba"` or `"grayscale"`.
        classes: sub-folders to read, in the order of their class numbers; by default all, by name.
        class_mode: targets: `"categorical"` one-hot rows, `"binary"` and `"sparse"` class numbers,
            `"input"` the images again, None no targets.
        batch_size: images in a batch; -1 for all. The last batch of an epoch may be short.
        batch_shape: shape of a batch of images, where hooks make it another than
            `(batch_size, *target_size, channels)`.
        shuffle: a new order every epoch; "fast" for one that is computed on demand, for data sets
            whose permutation would not fit into memory: another order than Keras'.
        shuffle_index_dir: keep a shuffled order of each class in index files under this folder
            (`.index/<class>.txt`), made once by `seed` and used again afterwards, so that a subset
            is a random part of its class, and the same one in every run.
        seed: 0..2**32-1: the same order and the same transforms as Keras with this seed; None draws
            one from NumPy's global state at the first batch.
        save_to_dir: an existing folder to which every finished image is written.
        save_prefix: start of the saved files' names.
        save_format: their format.
        follow_links: follow links to directories inside a class.
        subset: `"training"` or `"validation"`, with `validation_split`.
        interpolation: how to resize: `"nearest"`, `"bilinear"`, `"bicubic"`, `"lanczos"`, `"box"`,
            `"hamming"`; `"none"` or None: not at all.
        list_valid_filenames_in_directory_function: lists a class in our place. It is called by
            keyword with base_directory, search_class, white_list_formats, split (two fractions, or
            None), follow_links and shuffle_index_directory, and returns (search_class, file names
            relative to base_directory), of the subset alone. A sample may be a tuple of file
            names; batches then have a list of arrays, one for each.
        class_counts: a dictionary that is updated with the number of samples of each class.
        keep_aspect_ratio: cut the centre out in the target's aspect ratio before resizing.
        shard: (index, count): this process's part of the stream, batches index, index + count, ...
            of each epoch; all parts have the same length, and an incomplete last round is
            dropped. "auto" asks torch.distributed, JAX or TF_CONFIG. Needs a `seed`, the same
            everywhere.
        balance: draw all classes equally often, samples of a class with replacement, in an epoch of
            the same length.

    Returns:
        An iterator over (images, targets), or images alone for class_mode None. Images have shape
        (batch, height, width, channels), or (batch, channels, height, width), and the
        generator's dtype.

    Raises:
        MissingDirectoryError: the folder, or the one to save to, does not exist.
        StorageError: a URL whose storage cannot be reached, or refuses.
        MissingDependencyError: a URL, and what fsspec needs for it is not installed.
        InvalidArgumentError, ArgumentTypeError: a value that cannot work.
    """
    order = order_options(shuffle, seed, balance, shard)
    if isinstance(batch_shape, bool):
        raise ArgumentTypeError(
            "The argument after `batch_size` is `batch_shape`, as in the original, and not "
            f"`shuffle` as in Keras; received {batch_shape!r}; pass `shuffle` by name."
        )
    options = self._options()
    check_directory("directory", directory, remote=True)
    settings = file_settings(
        options,
        target_size=target_size,
        color_mode=color_mode,
        batch_size=batch_size,
        batch_shape=None if batch_shape is None else tuple(batch_shape),
        interpolation=interpolation,
        keep_aspect_ratio=keep_aspect_ratio,
        save_to_dir=save_to_dir,
        save_prefix=save_prefix,
        save_format=save_format,
        subset=subset,
    )
    if class_mode is not None:
        check_choice("class_mode", class_mode, _CLASS_MODES)
    source = DirectorySource(
        os.fspath(directory),
        classes=classes,
        class_mode=class_mode,
        split=settings.split,
        follow_links=follow_links,
        max_samples_per_class=options.max_samples_per_class,
        dtype=options.dtype,
        shuffle_index_dir=None if shuffle_index_dir is None else os.fspath(shuffle_index_dir),
        list_function=list_valid_filenames_in_directory_function,
        seed=order.seed,
    )
    if class_counts is not None:
        class_counts.update(source.class_counts)
    iterator = DirectoryIterator(
        source,
        settings,
        image_data_generator=self,
        order=order,
    )
    warn_about_geometry(self, options, settings.target_size)
    print(f"Found {len(source)} images belonging to {source.num_classes} classes.")
    return iterator
