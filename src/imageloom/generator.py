"""`ParallelImageDataGenerator`: what the user asked for comes in, iterators go out."""

from __future__ import annotations

import copy
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, NoReturn

import numpy as np

from imageloom.adapters.keras import configured
from imageloom.errors import MissingDirectoryError, NotYetSupportedError
from imageloom.executors.base import Channel
from imageloom.executors.cpus import available_cpus, worker_count
from imageloom.executors.sharing import SharedExecutor, make_executor
from imageloom.file_iterators import DirectoryIterator, FileSettings
from imageloom.hooks import Hook
from imageloom.options import GeneratorOptions, Noise, ShiftRange
from imageloom.sources.directory import DirectorySource, subset_split
from imageloom.statistics import StandardizeOptions, warn_if_unfitted
from imageloom.transformer import OPTION_NAMES, ImageTransformer
from imageloom.validation import check_choice, check_subset

__all__ = ["ParallelImageDataGenerator"]

_CLASS_MODES: Final = ("categorical", "binary", "sparse", "input")
_OVERRIDABLE: Final = ("get_random_transform", "apply_transform", "random_transform", "standardize")
_told: Final[set[str]] = set()  # what was said once already in this process


class ParallelImageDataGenerator(ImageTransformer):
    """Keras' `ImageDataGenerator`, with the work done in the background.

    Every argument is keyword-only, is checked at once, and becomes an attribute of the same name.
    Attributes may be reassigned until an iterator hands out its first batch.

    Args:
        featurewise_center: subtract the data set's mean per channel; needs `fit`.
        samplewise_center: subtract each image's own mean.
        featurewise_std_normalization: divide by the data set's deviation per channel; needs `fit`.
        samplewise_std_normalization: divide each image by its own deviation.
        zca_whitening: decorrelate pixels; needs `fit`.
        zca_epsilon: regularises the whitening.
        rotation_range: largest rotation either way, degrees.
        width_shift_range: a float below 1 is a share of the width, from 1 on pixels, drawn uniformly
            either way; an int n draws whole pixels -(n-1)..n-1; a list draws one of its values with a
            random sign. See `geometry` for what Keras does with it.
        height_shift_range: likewise, for the height.
        brightness_range: two factors to draw from; 0.0 is black, 1.0 leaves the image.
        shear_range: largest shear angle either way, degrees.
        zoom_range: `z` for factors in 1-z..1+z, or the two bounds; below 1 enlarges. Both axes have
            factors of their own.
        channel_shift_range: largest value added to all channels either way, grey levels.
        fill_mode: how the picture goes on beyond its border: `"constant"` (kkkk|abcd|kkkk with
            k = `cval`), `"nearest"` (aaaa|abcd|dddd), `"reflect"` (dcba|abcd|dcba), `"wrap"`
            (abcd|abcd|abcd), or one of SciPy's further modes.
        cval: value outside for `fill_mode="constant"`.
        horizontal_flip: mirror left and right, every second time.
        vertical_flip: mirror up and down, every second time.
        rescale: factor at the end of all transforms; None or 0 for none.
        preprocessing_function: `f(x)` or `f(params, x, ...)` on each augmented float32 image, before it
            is rescaled and normalised. It may ask by name for `class_id`, `filename`, `batch_index`
            (the sample's place in its batch), `batch_class_ids` and `batch_filenames`.
        data_format: `"channels_last"` or `"channels_first"`; None is Keras' setting, or channels last.
        validation_split: share of each class that is set apart, 0..1.
        interpolation_order: order of the affine step's splines: 0 nearest, 1 linear, above with SciPy.
        dtype: dtype of batches and targets; None is Keras' setting, or float32.
        cores: workers: a number, -1 for all CPUs, or a float for a share of them.
        debug: one thread in this process, so that breakpoints work.
        max_batches_pending: finished batches that wait at most; each worker may have one more in work.
        get_batch_function: not in this version.
        noaug_preprocessing_function: as `preprocessing_function`, on each image as it was stored
            (uint8), after resizing and before any random transform.
        validation_augmentation_enabled: False spares the validation subset the random transforms.
        contrast_range: two factors to draw from; 0.0 is solid grey, 1.0 leaves the image.
        noise: names or `Noise` records, of which one is picked per image: `"gauss"`, `"poisson"`,
            `"s&p"`, `"speckle"`.
        random_transforms_enabled: False switches off all random transforms.
        max_samples_per_class: use only the first of each class; -1 for all.
        disable_gpu_in_subprocesses: hide the GPU from the workers.
        save_to_dir: overrides the argument of the flow methods; the folder is created.
        save_prefix: overrides the argument of the flow methods.
        save_format: overrides the argument of the flow methods.
        batch_size: overrides the argument of the flow methods; -1 is all samples in one batch.
        executor: `"processes"`, `"threads"`, or `"serial"` for the caller's own thread.
        geometry: `"keras"` reproduces Keras number for number, with its two defects: height shifts move
            columns and width shifts rows, and non-square images turn about a point beside their
            centre. `"corrected"` draws the same numbers and does what was meant.
        cache: not in this version.
        cache_limit: not in this version.
        decode: `"exact"`.
        on_bad_image: `"raise"`: an unreadable file is an error that names it.
        batch_timeout: not in this version.

    Raises:
        InvalidArgumentError, ArgumentTypeError: a value that cannot work (a ValueError or TypeError).
        NotYetSupportedError: an option of a later version.
    """

    def __init__(
        self,
        *,
        featurewise_center: bool = False,
        samplewise_center: bool = False,
        featurewise_std_normalization: bool = False,
        samplewise_std_normalization: bool = False,
        zca_whitening: bool = False,
        zca_epsilon: float = 1e-6,
        rotation_range: float = 0,
        width_shift_range: ShiftRange = 0.0,
        height_shift_range: ShiftRange = 0.0,
        brightness_range: Sequence[float] | None = None,
        shear_range: float = 0.0,
        zoom_range: float | Sequence[float] = 0.0,
        channel_shift_range: float = 0.0,
        fill_mode: str = "nearest",
        cval: float = 0.0,
        horizontal_flip: bool = False,
        vertical_flip: bool = False,
        rescale: float | None = None,
        preprocessing_function: Callable[..., Any] | None = None,
        data_format: str | None = None,
        validation_split: float | None = 0.0,
        interpolation_order: int = 1,
        dtype: str | None = None,
        cores: float = 0.25,
        debug: bool = False,
        max_batches_pending: int = 4,
        get_batch_function: Callable[..., Any] | None = None,
        noaug_preprocessing_function: Callable[..., Any] | None = None,
        validation_augmentation_enabled: bool = True,
        contrast_range: Sequence[float] | None = None,
        noise: str | Noise | Sequence[str | Noise] | None = None,
        random_transforms_enabled: bool = True,
        max_samples_per_class: int = -1,
        disable_gpu_in_subprocesses: bool = True,
        save_to_dir: str | os.PathLike[str] | None = None,
        save_prefix: str | None = None,
        save_format: str | None = None,
        batch_size: int | None = None,
        executor: str = "processes",
        geometry: str = "keras",
        cache: str | os.PathLike[str] | None = None,
        cache_limit: int | None = None,
        decode: str = "exact",
        on_bad_image: str = "raise",
        batch_timeout: float | None = None,
    ) -> None:
        given = {name: value for name, value in locals().items() if name in OPTION_NAMES}
        given["data_format"] = data_format or configured("image_data_format", "channels_last")
        given["dtype"] = dtype or configured("floatx", "float32")
        options = GeneratorOptions(**given)
        for name in ("preprocessing_function", "noaug_preprocessing_function"):
            if getattr(options, name) is not None:
                Hook(name, getattr(options, name))  # reads the signature: a misfit is told at once
        super().__init__(options)
        self._shared_executor = SharedExecutor()
        self._told_geometry = False

    # Iterators

    def flow(self, x: Any, *args: Any, **kwargs: Any) -> NoReturn:
        """Batches from arrays: not in this version.

        Raises:
            NotYetSupportedError: always.
        """
        raise NotYetSupportedError("`flow` is planned but not in this version of imageloom.")

    def flow_from_dataframe(self, dataframe: Any, *args: Any, **kwargs: Any) -> NoReturn:
        """Batches of the files that a data frame lists: not in this version.

        Raises:
            NotYetSupportedError: always.
        """
        raise NotYetSupportedError(
            "`flow_from_dataframe` is planned but not in this version of imageloom."
        )

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
        shuffle_index_dir: str | None = None,
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
                (batch_size, *target_size, channels).
            shuffle: a new order every epoch.
            shuffle_index_dir: not in this version.
            seed: 0..2**32-1: the same order and the same transforms as Keras with this seed; None draws
                one from NumPy's global state at the first batch.
            save_to_dir: an existing folder to which every finished image is written.
            save_prefix: start of the saved files' names.
            save_format: their format.
            follow_links: follow links to directories inside a class.
            subset: `"training"` or `"validation"`, with `validation_split`.
            interpolation: how to resize: `"nearest"`, `"bilinear"`, `"bicubic"`, `"lanczos"`, `"box"`,
                `"hamming"`; `"none"` or None: not at all.
            list_valid_filenames_in_directory_function: not in this version.
            class_counts: not in this version.
            keep_aspect_ratio: cut the centre out in the target's aspect ratio before resizing.
            shard: not in this version.
            balance: not in this version.

        Returns:
            An iterator over (images, targets), or images alone for class_mode None. Images have shape
            (batch, height, width, channels), or (batch, channels, height, width), and the
            generator's dtype.

        Raises:
            MissingDirectoryError: the folder, or the one to save to, does not exist.
            InvalidArgumentError, ArgumentTypeError: a value that cannot work.
            NotYetSupportedError: an option of a later version.
        """
        _refuse_later_steps(
            shuffle_index_dir=shuffle_index_dir,
            list_valid_filenames_in_directory_function=list_valid_filenames_in_directory_function,
            class_counts=class_counts,
            shard=shard,
            balance=balance or None,
            shuffle="fast" if shuffle == "fast" else None,
        )
        options = self._current_options()
        _check_directories(directory, save_to_dir)
        check_subset(subset)
        if class_mode is not None:
            check_choice("class_mode", class_mode, _CLASS_MODES)
        split = subset_split(subset, options.split)
        settings = FileSettings(
            target_size=target_size,
            color_mode=color_mode,
            batch_size=batch_size if options.batch_size is None else options.batch_size,
            batch_shape=None if batch_shape is None else tuple(batch_shape),
            interpolation=interpolation,
            keep_aspect_ratio=keep_aspect_ratio,
            data_format=options.data_format,
            dtype=options.dtype,
            save_to_dir=None if save_to_dir is None else os.fspath(save_to_dir),
            save_prefix=save_prefix,
            save_format=save_format,
            split=split,
            subset=subset,
        )
        source = DirectorySource(
            os.fspath(directory),
            classes=classes,
            class_mode=class_mode,
            split=split,
            follow_links=follow_links,
            max_samples_per_class=options.max_samples_per_class,
            dtype=options.dtype,
        )
        iterator = DirectoryIterator(
            source,
            settings,
            self._open_channel,
            image_data_generator=self,
            shuffle=bool(shuffle),
            seed=seed,
        )
        self._warn_about_geometry(options, settings.target_size)
        print(f"Found {len(source)} images belonging to {len(source.class_indices)} classes.")
        return iterator

    # Behind the scenes

    def _open_channel(self, iterator: DirectoryIterator) -> Channel:
        """Freezes the options for an iterator and lets it into the common executor."""
        for name in _OVERRIDABLE:
            if getattr(type(self), name) is not getattr(ParallelImageDataGenerator, name):
                raise NotYetSupportedError(
                    f"{type(self).__name__} overrides `{name}`, which workers do not call in this "
                    "version; use `preprocessing_function`."
                )
        options = self._current_options()
        statistics = self._statistics()
        warn_if_unfitted(StandardizeOptions.of(options, statistics), stacklevel=5)
        if options.save_to_dir is not None:
            os.makedirs(options.save_to_dir, exist_ok=True)
        recipe = iterator.recipe(options, statistics, copy.copy(self))
        kind = "threads" if options.debug else options.executor
        workers = 1 if options.debug else worker_count(options.cores)
        _tell_default_cores(options, kind, workers)
        return self._shared_executor.open(
            partial(
                make_executor, kind, workers, disable_gpu=bool(options.disable_gpu_in_subprocesses)
            ),
            recipe,
            options.max_batches_pending,
        )

    def _warn_about_geometry(self, options: GeneratorOptions, size: tuple[int, int]) -> None:
        transform = options.transform
        if transform.corrected_geometry or not transform.random_transforms_enabled:
            return
        shifts = (transform.height_shift_range, transform.width_shift_range)
        fractional = any(shift and np.max(shift) < 1 for shift in shifts)
        uneven = size[0] != size[1] and (transform.turns_or_scales or fractional)
        if self._told_geometry or not (uneven or shifts[0] != shifts[1]):
            return
        self._told_geometry = True
        warnings.warn(
            "The numbers are Keras', and Keras exchanges two axes: height_shift_range moves columns, "
            "width_shift_range moves rows, and images that are not square turn about a point beside "
            'their centre. geometry="corrected" does what was meant; geometry="keras" with '
            "equal shift ranges and square images is not concerned.",
            stacklevel=3,
        )

    def __getstate__(self) -> dict[str, Any]:
        """Without the workers: a copy has its own."""
        return {name: value for name, value in self.__dict__.items() if name != "_shared_executor"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """A copy, without workers yet."""
        self.__dict__.update(state)
        self._shared_executor = SharedExecutor()


def _refuse_later_steps(**options: Any) -> None:
    for name, value in options.items():
        if value is not None:
            raise NotYetSupportedError(
                f"`{name}` is planned but not in this version of imageloom; leave it out."
            )


def _check_directories(directory: Any, save_to_dir: Any) -> None:
    for name, path in (("directory", directory), ("save_to_dir", save_to_dir)):
        if path is not None and not os.path.isdir(path):
            raise MissingDirectoryError(f"`{name}` is not an existing folder: {os.fspath(path)!r}.")


def _tell_default_cores(options: GeneratorOptions, kind: str, workers: int) -> None:
    """Says once how few workers the default is, which the original's users did not expect."""
    default = GeneratorOptions.cores
    if "cores" in _told or kind == "serial" or options.debug or options.cores != default:
        return
    _told.add("cores")
    print(
        f"imageloom: {workers} worker(s) of {kind} on {available_cpus()} CPUs (cores={default}); "
        "pass `cores`, a number or a share, for more.",
        file=sys.stderr,
    )
