"""The flow methods: from arguments to iterators. Nothing is started here."""

from __future__ import annotations

import os
import warnings
from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, Final

from numpy.typing import ArrayLike

from imageloom.array_iterators import NumpyArrayIterator
from imageloom.errors import ArgumentTypeError
from imageloom.executors.base import Channel
from imageloom.file_iterators import DataFrameIterator, DirectoryIterator, FileSettings
from imageloom.flow_arguments import (
    check_directory,
    geometry_warning,
    if_fast,
    refuse_later_steps,
    without_deprecated,
)
from imageloom.iterators import BatchIterator
from imageloom.options import GeneratorOptions
from imageloom.recipes import OutputSettings
from imageloom.sampler import OrderOptions
from imageloom.sources.arrays import ArraySource
from imageloom.sources.base import subset_split
from imageloom.sources.dataframe import DATAFRAME_CLASS_MODES, DataFrameSource
from imageloom.sources.directory import DirectorySource
from imageloom.state import described
from imageloom.transformer import ImageTransformer
from imageloom.validation import check_choice, check_subset

__all__ = ["FlowMethods"]

_CLASS_MODES: Final = ("categorical", "binary", "sparse", "input")


class FlowMethods(ImageTransformer):
    """The part of the generator that makes iterators."""

    _told_geometry = False

    @abstractmethod
    def _open_channel(self, iterator: BatchIterator) -> Channel:
        """Freezes the options for an iterator and lets it into the common executor."""

    def described(self) -> dict[str, Any]:
        """The arguments that decide about the values of batches, as plain JSON."""
        return described(self._current_options(), self._statistics())

    def flow(
        self,
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
    ) -> NumpyArrayIterator:
        """Batches of the images of an array.

        The array is not copied: of each batch, the rows alone travel to a worker. A `numpy.memmap` is
        opened again by the workers themselves, so that its file may be larger than memory.

        Args:
            x: images (n, height, width, channels), or channels first, of any dtype; or a tuple
                (images, further inputs), the latter one array of n rows or a list of them, which come
                with each batch as they are.
            y: targets, n rows of any dtype; None for batches without targets.
            batch_size: images in a batch; -1 for all. The last batch of an epoch may be short.
            shuffle: a new order every epoch.
            sample_weight: n weights; only used with `y`.
            seed: 0..2**32-1: the same order and the same transforms as Keras with this seed; None draws
                one from NumPy's global state at the first batch.
            save_to_dir: an existing folder to which every finished image is written.
            save_prefix: start of the saved files' names.
            save_format: their format.
            ignore_class_split: allow subsets in which some classes do not occur.
            subset: `"training"` or `"validation"` (the first images), with `validation_split`.
            shard: not in this version.
            balance: draw all classes equally often, samples of a class with replacement, in an epoch of
                the same length.

        Returns:
            An iterator over images, (images, targets) or (images, targets, weights). Images have the
            shape of `x` and the generator's dtype; with further inputs they are a list, images first.

        Raises:
            InvalidArgumentError, ArgumentTypeError: arrays of different lengths, a rank other than 4,
                subsets with different classes.
            MissingDirectoryError: the folder to save to does not exist.
            NotYetSupportedError: an option of a later version.
        """
        refuse_later_steps(shard=shard, shuffle=if_fast(shuffle))
        order = OrderOptions(shuffle=bool(shuffle), seed=seed, balance=balance)
        options = self._current_options()
        settings = OutputSettings(
            **self._output(options, batch_size, save_to_dir, save_prefix, save_format, subset)
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
            self._open_channel,
            image_data_generator=self,
            order=order,
        )
        shape = source.x.shape
        self._warn_about_geometry(options, (shape[self.row_axis], shape[self.col_axis]))
        return iterator

    def flow_from_directory(
        self,
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
    ) -> DirectoryIterator:
        """Batches of the images in a folder that has one sub-folder per class.

        Args:
            directory: the folder.
            target_size: (height, width) to resize to.
            color_mode: `"rgb"`, `"rgba"` or `"grayscale"`.
            classes: sub-folders to read, in the order of their class numbers; by default all, by name.
            class_mode: targets: `"categorical"` one-hot rows, `"binary"` and `"sparse"` class numbers,
                `"input"` the images again, None no targets.
            batch_size: images in a batch; -1 for all. The last batch of an epoch may be short.
            batch_shape: shape of a batch of images, where hooks make it another than
                `(batch_size, *target_size, channels)`.
            shuffle: a new order every epoch.
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
            shard: not in this version.
            balance: draw all classes equally often, samples of a class with replacement, in an epoch of
                the same length.

        Returns:
            An iterator over (images, targets), or images alone for class_mode None. Images have shape
            (batch, height, width, channels), or (batch, channels, height, width), and the
            generator's dtype.

        Raises:
            MissingDirectoryError: the folder, or the one to save to, does not exist.
            InvalidArgumentError, ArgumentTypeError: a value that cannot work.
            NotYetSupportedError: an option of a later version.
        """
        refuse_later_steps(shard=shard, shuffle=if_fast(shuffle))
        order = OrderOptions(shuffle=bool(shuffle), seed=seed, balance=balance)
        if isinstance(batch_shape, bool):
            raise ArgumentTypeError(
                "The argument after `batch_size` is `batch_shape`, as in the original, and not "
                f"`shuffle` as in Keras; received {batch_shape!r}; pass `shuffle` by name."
            )
        options = self._current_options()
        check_directory("directory", directory)
        settings = self._file_settings(
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
            self._open_channel,
            image_data_generator=self,
            order=order,
        )
        self._warn_about_geometry(options, settings.target_size)
        print(f"Found {len(source)} images belonging to {source.num_classes} classes.")
        return iterator

    def flow_from_dataframe(
        self,
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
    ) -> DataFrameIterator:
        """Batches of the image files that a pandas data frame names.

        Args:
            dataframe: one row per image; it is only read.
            directory: folder that the names are relative to; None for paths. An absolute path in the
                frame stands for itself.
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
            shuffle: a new order every epoch.
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
            shard: not in this version.
            balance: draw all classes equally often, samples of a class with replacement, in an epoch of
                the same length.
            **deprecated: `has_ext`, `sort` and `drop_duplicates` of old versions of Keras, without
                effect.

        Returns:
            An iterator over (images, targets), (images, targets, weights), or images alone for
            class_mode None. Images have shape (batch, height, width, channels), or channels first, and
            the generator's dtype. With class_mode `"image"` the targets are arrays (batch, height,
            width, 1) of the values in grey files, or of the numbers in palette files: resized and
            turned as their image is, without blending (nearest neighbour), 0 where `fill_mode` is
            "constant", and past hooks, colour steps, noise and normalisation. Colour files are an error
            unless all their colours are greys. `y_col` may be a list of columns; the targets are then a
            list, too.

        Raises:
            InvalidArgumentError, ArgumentTypeError: a value or a column that cannot work.
            MissingColumnError: no such column (a KeyError).
            MissingDirectoryError: the folder to save to does not exist.
            NotYetSupportedError: an option of a later version.
        """
        refuse_later_steps(
            shard=shard,
            shuffle=if_fast(shuffle),
        )
        order = OrderOptions(shuffle=bool(shuffle), seed=seed, balance=balance)
        class_mode = without_deprecated(deprecated, class_mode)
        if class_mode is not None:
            check_choice("class_mode", class_mode, DATAFRAME_CLASS_MODES)
        options = self._current_options()
        settings = self._file_settings(
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
            self._open_channel,
            image_data_generator=self,
            order=order,
        )
        self._warn_about_geometry(options, settings.target_size)
        kind = "validated" if validate_filenames else "non-validated"
        count = len(source.class_indices)
        of_classes = "" if source.class_ids is None else f" belonging to {count} classes"
        print(f"Found {len(source)} {kind} image filenames{of_classes}.")
        return iterator

    def _file_settings(
        self,
        options: GeneratorOptions,
        *,
        batch_size: int,
        save_to_dir: str | os.PathLike[str] | None,
        save_prefix: str,
        save_format: str,
        subset: str | None,
        **reading: Any,
    ) -> FileSettings:
        output = self._output(options, batch_size, save_to_dir, save_prefix, save_format, subset)
        return FileSettings(**output, **reading, split=subset_split(subset, options.split))

    def _output(
        self,
        options: GeneratorOptions,
        batch_size: int,
        save_to_dir: str | os.PathLike[str] | None,
        save_prefix: str,
        save_format: str,
        subset: str | None,
    ) -> dict[str, Any]:
        """The fields of `OutputSettings`."""
        check_subset(subset)
        if save_to_dir is not None:
            check_directory("save_to_dir", save_to_dir)
        return {
            "batch_size": batch_size if options.batch_size is None else options.batch_size,
            "data_format": options.data_format,
            "dtype": options.dtype,
            "subset": subset,
            "save_to_dir": None if save_to_dir is None else os.fspath(save_to_dir),
            "save_prefix": save_prefix,
            "save_format": save_format,
        }

    def _warn_about_geometry(self, options: GeneratorOptions, size: tuple[int, int]) -> None:
        text = None if self._told_geometry else geometry_warning(options, size)
        if text is not None:
            self._told_geometry = True
            warnings.warn(text, stacklevel=3)
