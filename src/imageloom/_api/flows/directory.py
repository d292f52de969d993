"""`flow_from_directory`: batches of the images in a folder."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Sequence
from typing import Any, Final, Literal, overload

from numpy.typing import NDArray

from imageloom._api.iterators.directories import DirectoryIterator
from imageloom._api.iterators.settings import (
    FlowingGenerator,
)

__all__ = ["flow_from_directory", "open_directory"]

_CLASS_MODES: Final = ("categorical", "binary", "sparse", "input")


# The overloads give the type of a batch. A default of "..." is never used, because an earlier
# overload applies.


@overload
def flow_from_directory(
    self: FlowingGenerator,
    directory: str | os.PathLike[str],
    target_size: tuple[int, int] = (256, 256),
    color_mode: str | int = "rgb",
    classes: Sequence[str] | None = None,
    class_mode: Literal["categorical", "binary", "sparse", "input"] = "categorical",
    batch_size: int = 32,
    shuffle: bool | str = True,
    seed: int | None = None,
    save_to_dir: str | os.PathLike[str] | None = None,
    save_prefix: str = "",
    save_format: str = "png",
    follow_links: bool = False,
    subset: str | None = None,
    interpolation: str | None = "nearest",
    keep_aspect_ratio: bool = False,
    *,
    batch_shape: Sequence[int] | None = None,
    shuffle_index_dir: str | os.PathLike[str] | None = None,
    list_valid_filenames_in_directory_function: None = None,
    class_counts: dict[str, int] | None = None,
    shard: tuple[int, int] | str | None = None,
    balance: bool = False,
    verbose: bool | int | str = True,
    extensions: str | Collection[str] | None = None,
) -> DirectoryIterator[tuple[NDArray[Any], NDArray[Any]]]: ...


@overload
def flow_from_directory(
    self: FlowingGenerator,
    directory: str | os.PathLike[str],
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
    follow_links: bool = False,
    subset: str | None = None,
    interpolation: str | None = "nearest",
    keep_aspect_ratio: bool = False,
    *,
    batch_shape: Sequence[int] | None = None,
    shuffle_index_dir: str | os.PathLike[str] | None = None,
    list_valid_filenames_in_directory_function: None = None,
    class_counts: dict[str, int] | None = None,
    shard: tuple[int, int] | str | None = None,
    balance: bool = False,
    verbose: bool | int | str = True,
    extensions: str | Collection[str] | None = None,
) -> DirectoryIterator[NDArray[Any]]: ...


@overload
def flow_from_directory(
    self: FlowingGenerator,
    directory: str | os.PathLike[str],
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
    follow_links: bool = False,
    subset: str | None = None,
    interpolation: str | None = "nearest",
    keep_aspect_ratio: bool = False,
    *,
    batch_shape: Sequence[int] | None = None,
    shuffle_index_dir: str | os.PathLike[str] | None = None,
    list_valid_filenames_in_directory_function: Callable[..., Any] | None = None,
    class_counts: dict[str, int] | None = None,
    shard: tuple[int, int] | str | None = None,
    balance: bool = False,
    verbose: bool | int | str = True,
    extensions: str | Collection[str] | None = None,
) -> DirectoryIterator[Any]: ...


def flow_from_directory(
    self: FlowingGenerator,
    directory: str | os.PathLike[str],
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
    follow_links: bool = False,
    subset: str | None = None,
    interpolation: str | None = "nearest",
    keep_aspect_ratio: bool = False,
    *,
    batch_shape: Sequence[int] | None = None,
    shuffle_index_dir: str | os.PathLike[str] | None = None,
    list_valid_filenames_in_directory_function: Callable[..., Any] | None = None,
    class_counts: dict[str, int] | None = None,
    shard: tuple[int, int] | str | None = None,
    balance: bool = False,
    verbose: bool | int | str = True,
    extensions: str | Collection[str] | None = None,
) -> DirectoryIterator[Any]:
    """Makes an iterator over the images in a folder that has one sub-folder per class.

    Args:
        directory: the folder, or a URL that fsspec reads, such as `s3://bucket/photos` or
            `zip://photos::data.zip` (see docs/remote-files.md).
        target_size: (height, width) to resize to.
        color_mode: `"rgb"`, `"rgba"`, `"grayscale"`, or a number of channels.
        classes: sub-folders to read; the first has class number 0. By default all, sorted by name.
        class_mode: the targets: `"categorical"` for one-hot rows, `"binary"` and `"sparse"` for
            class numbers, `"input"` for the images themselves, None for no targets.
        batch_size: number of images in a batch; -1 for all. The last batch of an epoch may be
            shorter.
        batch_shape: shape of a batch of images, if hooks change it from
            `(batch_size, *target_size, channels)`. Its first number, unless it is None, is the batch
            size, and `batch_size` is ignored, as in MLTK.
        shuffle: draw a new order every epoch. "fast" computes an order on demand, which differs
            from Keras', for data sets whose permutation would not fit into memory.
        shuffle_index_dir: a folder for index files (`.index/<class>.txt`) with a shuffled order of
            each class. They are written once, with `seed`, and reused afterwards. A subset is then
            a random part of its class, the same one in every run.
        seed: 0..2**32-1, for the same order and the same transforms as Keras with this seed. For
            None, the first batch draws a seed from NumPy's global state.
        save_to_dir: an existing folder, to which the images of each batch are written when the
                batch is handed out.
        save_prefix: prefix of the saved files' names.
        save_format: format of the saved files.
        follow_links: follow links to directories inside a class.
        subset: `"training"` or `"validation"`, with `validation_split`.
        interpolation: how to resize: `"nearest"`, `"bilinear"`, `"bicubic"`, `"lanczos"`, `"box"`
            or `"hamming"`; `"none"` or None keeps the sizes.
        list_valid_filenames_in_directory_function: a function that lists the files of a class. It
            is called by keyword with base_directory, search_class, white_list_formats, split (two
            fractions, or None), follow_links and shuffle_index_directory. It returns (search_class,
            file names of the subset, relative to base_directory). A sample may be a tuple of file
            names; batches then have a list of arrays, one for each file of a sample.
        class_counts: a dictionary that is updated with the number of samples of each class.
        keep_aspect_ratio: crop images about their centre to the target's aspect ratio before
            resizing.
        shard: (index, count) of this process, which reads batches index, index + count, ... of each
            epoch. All shards have the same length; an incomplete last round is left out. "auto"
            takes both numbers from torch.distributed, JAX or TF_CONFIG. Needs a `seed`, the same in
            every process.
        balance: draw all classes equally often, with replacement within a class. The length of an
            epoch stays the same.
        verbose: False or 0 prints nothing; the line "Found ... images" is printed otherwise.
        extensions: the suffixes of the files that are images, instead of Keras' (png, jpg, jpeg,
            bmp, ppm, tif, tiff), such as `["jpg", "webp", "avif", "npy"]`; "all" for whatever Pillow
            and its plug-ins in this program read, and `.npy`.

    Returns:
        An iterator over (images, targets), or images alone for class_mode None. Images have shape
        (batch, height, width, channels), or (batch, channels, height, width), and the
        generator's dtype.

    Raises:
        MissingDirectoryError: `directory` or `save_to_dir` does not exist.
        StorageError: the storage of a URL cannot be reached, or denies access.
        MissingDependencyError: a package that fsspec needs for a URL is not installed.
        InvalidArgumentError, ArgumentTypeError: a value that is not allowed.
    """
    return open_directory(
        self,
        directory,
        target_size=target_size,
        color_mode=color_mode,
        classes=classes,
        class_mode=class_mode,
        batch_size=batch_size,
        shuffle=shuffle,
        seed=seed,
        save_to_dir=save_to_dir,
        save_prefix=save_prefix,
        save_format=save_format,
        follow_links=follow_links,
        subset=subset,
        interpolation=interpolation,
        keep_aspect_ratio=keep_aspect_ratio,
        batch_shape=batch_shape,
        shuffle_index_dir=shuffle_index_dir,
        list_valid_filenames_in_directory_function=list_valid_filenames_in_directory_function,
        class_counts=class_counts,
        shard=shard,
        balance=balance,
        verbose=verbose,
        extensions=extensions,
    )


def open_directory(
    generator: FlowingGenerator,
    directory: str | os.PathLike[str],
    *,
    target_size: tuple[int, int],
    color_mode: str | int,
    classes: Sequence[str] | None,
    class_mode: str | None,
    batch_size: int,
    shuffle: bool | str,
    seed: int | None,
    save_to_dir: str | os.PathLike[str] | None,
    save_prefix: str,
    save_format: str,
    follow_links: bool,
    subset: str | None,
    interpolation: str | None,
    keep_aspect_ratio: bool,
    batch_shape: Sequence[int] | None,
    shuffle_index_dir: str | os.PathLike[str] | None,
    list_valid_filenames_in_directory_function: Callable[..., Any] | None,
    class_counts: dict[str, int] | None,
    shard: tuple[int, int] | str | None,
    balance: bool,
    verbose: bool | int | str,
    extensions: str | Collection[str] | None,
) -> DirectoryIterator[Any]:
    """Makes the iterator; the arguments are those of `flow_from_directory`."""
    options = generator._options()
    return DirectoryIterator(
        directory,
        generator,
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
        follow_links=follow_links,
        subset=subset,
        interpolation=interpolation,
        keep_aspect_ratio=keep_aspect_ratio,
        dtype=options.dtype,
        batch_shape=batch_shape,
        shuffle_index_dir=shuffle_index_dir,
        list_valid_filenames_in_directory_function=list_valid_filenames_in_directory_function,
        class_counts=class_counts,
        shard=shard,
        balance=balance,
        verbose=verbose,
        extensions=extensions,
    )
