"""The iterator over the images in class folders."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Sequence
from typing import Any, ClassVar

from imageloom._addresses import with_address
from imageloom._api.announcing import announce
from imageloom._api.iterators.arguments import check_directory, order_options
from imageloom._api.iterators.attributes import Label
from imageloom._api.iterators.files import FileIterator
from imageloom._api.iterators.mistakes import (
    check_folder,
    checked_batch_shape,
    checked_class_counts,
    checked_classes,
)
from imageloom._api.iterators.origins import remembering
from imageloom._api.iterators.plans import FilePlan
from imageloom._api.iterators.settings import (
    checked_generator,
    file_settings,
    warn_about_geometry,
)
from imageloom._api.planning import checked_mixing
from imageloom._checks.keywords import explained
from imageloom._checks.paths import check_path
from imageloom._checks.values import check_flag, check_function
from imageloom._imaging.extensions import checked_extensions
from imageloom._log import check_verbose
from imageloom._public import public
from imageloom._sources.directory import DirectorySource
from imageloom._sources.splitting import division_of
from imageloom._stream.supply import BatchT_co

__all__ = ["DirectoryIterator"]


@public
class DirectoryIterator(FileIterator[BatchT_co]):
    """Batches of the images in class folders, as Keras' class of this name.

    Usually `flow_from_directory` makes it, whose documentation describes the arguments in more words.

    Args:
        directory: a folder that has one sub-folder per class.
        image_data_generator: a generator of this library; None for images as they are.
        target_size: (height, width) to resize to.
        color_mode: `"rgb"`, `"rgba"`, `"grayscale"`, or a number of channels.
        classes: sub-folders to read; by default all, sorted by name.
        class_mode: the targets: `"categorical"`, `"binary"`, `"sparse"`, `"input"` or None.
        batch_size: number of images in a batch; -1 for all.
        shuffle: draw a new order every epoch.
        seed: 0..2**32-1, for the same order and the same transforms as Keras with this seed.
        data_format: `"channels_last"` or `"channels_first"`; None as Keras is configured.
        save_to_dir: an existing folder for the images of each batch.
        save_prefix: prefix of the saved files' names.
        save_format: format of the saved files.
        follow_links: follow links to directories inside a class.
        subset: `"training"` or `"validation"`, with `validation_split`.
        interpolation: how to resize.
        keep_aspect_ratio: crop images to the target's aspect ratio before resizing.
        dtype: dtype of images and targets; None as Keras is configured.
        batch_shape: shape of a batch of images, if hooks change it.
        shuffle_index_dir: a folder for index files with a shuffled order of each class.
        list_valid_filenames_in_directory_function: a function that lists the files of a class.
        class_counts: a dictionary that is updated with the number of samples of each class.
        shard: (index, count) of this process, or "auto".
        balance: draw all classes equally often.
        verbose: False or 0 does not print how many images there are.
        extensions: suffixes of the files that are images, or "all"; None for Keras'.

    Attributes:
        classes: class number of each image, int32 (also `labels`). It may be changed in place, too.
        num_classes: number of classes that were found.
        filenames: relative paths, starting with the class, in the order of the data set; tuples of
            paths if samples have several images.
        filepaths: the same paths, joined to `directory`.
        sample_weight: always None.

    Raises:
        MissingDirectoryError: `directory` or `save_to_dir` does not exist.
        StorageError: the storage of a URL cannot be reached, or denies access.
        MissingDependencyError: a package that fsspec needs for a URL is not installed.
        InvalidArgumentError, ArgumentTypeError: a value that is not allowed.
    """

    __slots__ = ()

    allowed_class_modes: ClassVar[set[str | None]] = {
        "categorical", "binary", "sparse", "input", None
    }  # fmt: skip

    classes: Label[Any] = Label("class_ids")
    num_classes: int

    @explained("DirectoryIterator")
    @remembering
    def __init__(
        self,
        directory: str | os.PathLike[str],
        image_data_generator: Any,
        target_size: tuple[int, int] = (256, 256),
        color_mode: str | int = "rgb",
        classes: Sequence[str] | None = None,
        class_mode: str | None = "categorical",
        batch_size: int = 32,
        shuffle: bool | str = True,
        seed: int | None = None,
        data_format: str | None = None,
        save_to_dir: str | os.PathLike[str] | None = None,
        save_prefix: str = "",
        save_format: str = "png",
        follow_links: bool = False,
        subset: str | None = None,
        interpolation: str | None = "nearest",
        keep_aspect_ratio: bool = False,
        dtype: str | None = None,
        *,
        batch_shape: Sequence[int] | None = None,
        shuffle_index_dir: str | os.PathLike[str] | None = None,
        list_valid_filenames_in_directory_function: Callable[..., Any] | None = None,
        class_counts: dict[str, int] | None = None,
        shard: tuple[int, int] | str | None = None,
        balance: bool = False,
        verbose: bool | int | str = True,
        extensions: str | Collection[str] | None = None,
    ) -> None:
        check_verbose(verbose)
        folder = check_folder(directory, target_size)
        self._check_class_mode(class_mode)
        names = checked_classes(classes, class_mode, folders=True)
        shape = checked_batch_shape(batch_shape)
        class_counts = checked_class_counts(class_counts)
        check_flag("follow_links", follow_links)
        check_function(
            "list_valid_filenames_in_directory_function", list_valid_filenames_in_directory_function
        )
        if shuffle_index_dir is not None:
            shuffle_index_dir = check_path("shuffle_index_dir", shuffle_index_dir, " or None")
        suffixes = checked_extensions(extensions)
        order = order_options(shuffle, seed, balance, shard)
        generator = checked_generator(image_data_generator)
        options = generator._options()
        check_directory("directory", directory, remote=True)
        if shape and shape[0] is not None:
            batch_size = shape[0]
        settings = file_settings(
            options,
            target_size=target_size,
            color_mode=color_mode,
            batch_size=batch_size,
            batch_shape=shape,
            interpolation=interpolation,
            keep_aspect_ratio=keep_aspect_ratio,
            save_to_dir=save_to_dir,
            save_prefix=save_prefix,
            save_format=save_format,
            subset=subset,
            data_format=data_format,
            dtype=dtype,
        )
        source = DirectorySource(
            folder,
            classes=names,
            class_mode=class_mode,
            split=settings.split,
            division=division_of(options, subset),
            follow_links=follow_links,
            max_samples_per_class=options.max_samples_per_class,
            dtype=settings.dtype,
            shuffle_index_dir=shuffle_index_dir,
            list_function=list_valid_filenames_in_directory_function,
            seed=order.seed,
            formats=suffixes or self.white_list_formats,
            only_formats=suffixes is not None,
            keeps_bands=options.depth == "native",
        )
        if class_counts is not None:
            class_counts.update(source.class_counts)
        self._begin_files(FilePlan(source, settings), order, image_data_generator, directory)
        self.num_classes = source.num_classes
        checked_mixing(options, source, subset)
        warn_about_geometry(generator, options, settings.target_size)
        announce(f"Found {len(source)} images belonging to {source.num_classes} classes.", verbose)

    @property
    def labels(self) -> Any:
        """Class number of each image.

        Raises:
            AttributeError: it is assigned.
        """
        return self.classes

    @labels.setter
    def labels(self, value: Any) -> None:
        raise with_address(
            AttributeError(
                "`labels` of a DirectoryIterator cannot be assigned, as in Keras: assign `classes`."
            )
        )
