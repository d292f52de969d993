"""`flow_from_directory` as MLTK declares it: `batch_shape` is the argument after `batch_size`."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Sequence
from typing import Any, Literal, overload

from numpy.typing import NDArray

from imageloom._api.flows import directory as keras_form
from imageloom._api.iterators.directories import DirectoryIterator
from imageloom._api.iterators.settings import FlowingGenerator
from imageloom._errors import ArgumentTypeError

__all__ = ["flow_from_directory"]


@overload
def flow_from_directory(
    self: FlowingGenerator,
    directory: str | os.PathLike[str],
    target_size: tuple[int, int] = (256, 256),
    color_mode: str | int = "rgb",
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
    verbose: bool | int | str = True,
    extensions: str | Collection[str] | None = None,
) -> DirectoryIterator[Any]:
    """As `ImageDataGenerator.flow_from_directory`, in the order of MLTK's arguments."""
    if isinstance(batch_shape, bool):
        raise ArgumentTypeError(
            "The argument after `batch_size` is `batch_shape`, as in MLTK, not `shuffle`, as in Keras; "
            f"received {batch_shape!r}: pass `shuffle` by name."
        )
    return keras_form.open_directory(
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


flow_from_directory.__doc__ = keras_form.flow_from_directory.__doc__
