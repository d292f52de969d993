"""`ParallelImageDataGenerator`: what the user asked for comes in, iterators go out."""

from __future__ import annotations

import copy
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike

from imageloom._adapters.keras import configured
from imageloom._api.fit import stream_statistics
from imageloom._api.flows.arrays import ArrayFlow
from imageloom._api.flows.dataframe import DataFrameFlow
from imageloom._api.flows.directory import DirectoryFlow
from imageloom._api.iterators.base import BatchIterator
from imageloom._api.planning import FrozenGenerator, recipe_for_fit
from imageloom._api.transforms import OPTION_NAMES
from imageloom._checks import check_int, check_seed
from imageloom._errors import InvalidArgumentError
from imageloom._executors.base import Channel
from imageloom._executors.shared import SharedExecutor, make_executor
from imageloom._imaging.augment.draw import TransformParams
from imageloom._imaging.normalise import (
    FeatureStatistics,
    StandardizeOptions,
    load_statistics,
    warn_if_unfitted,
)
from imageloom._machine import available_cpus, worker_count
from imageloom._options import GeneratorOptions, Noise, ShiftRange
from imageloom._pipeline.hooks import Hook
from imageloom._pipeline.recipe import Recipe
from imageloom._pipeline.seeds import global_state
from imageloom._preview.words import generator_in_words
from imageloom._sources.base import SampleSource
from imageloom._storage.places import is_url
from imageloom._stream.substitutions import ReplacingChannel

__all__ = ["ImageDataGenerator", "ParallelImageDataGenerator"]

_OTHER_PROCESSES: Final = ("processes", "ray")
_told: Final[set[str]] = set()  # what was said once already in this process


class ParallelImageDataGenerator(ArrayFlow, DirectoryFlow, DataFrameFlow):
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
            random sign, pixels unless all are below 1. See `geometry` for what Keras does with it.
        height_shift_range: likewise, for the height.
        brightness_range: two factors to draw from; 0.0 is black, 1.0 leaves the image but for
            fractions of grey levels, which are cut off.
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
        preprocessing_function: `f(x)` or `f(params, x, ...)` on each augmented image (float32, for
            arrays the generator's dtype), before it is rescaled and normalised.
            It may ask by name for `class_id`, `filename`, `batch_index` (the sample's place in its
            batch), `batch_class_ids` and `batch_filenames`.
        data_format: `"channels_last"` or `"channels_first"`; None is Keras' setting, or channels last.
        validation_split: share of each class that is set apart, 0..1.
        interpolation_order: order of the affine step's splines: 0 nearest, 1 linear, above with SciPy.
        dtype: dtype of batches and targets; None is Keras' setting, or float32.
        cores: workers: a number, -1 for all CPUs, or a float for a share of them.
        debug: one thread in this process, so that breakpoints work.
        max_batches_pending: finished batches that wait at most; each worker may have one more in work.
        get_batch_function: makes whole batches of files in the place of everything else: called as
            `f(batch_index, filenames, classes, params)` with the batch's number in its epoch, its file
            names and their class numbers, it returns (batch_index, (x, y)).
        noaug_preprocessing_function: as `preprocessing_function`, on each image as it was stored
            (uint8; 16 and 32 bit files, `.npy` files and arrays in their own dtype), after resizing and
            before any random transform.
        validation_augmentation_enabled: False spares the validation subset the random transforms.
        contrast_range: two factors to draw from; 0.0 is solid grey, 1.0 leaves the image but for
            fractions of grey levels.
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
        cache: keep decoded, resized images for later epochs: `"memory"`, or a directory, where they
            stay for later runs. All workers share them. Only for images resized to one size.
        cache_limit: bytes to keep at most, what goes beyond is decoded each time; None for a quarter of
            the free memory, or half of the free disk.
        decode: `"exact"`, or `"scaled"`: JPEG files are decoded at the smallest scale that still covers
            `target_size`. Large photographs come several times as fast, with slightly other pixels.
        on_bad_image: `"raise"`: an unreadable file is an error that names it; `"replace"`: its place is
            taken by the next readable image of the data set, with that one's targets, always the same;
            each file is reported once, and listed in `bad_images` of the iterator.
        batch_timeout: seconds after which a batch under way is an error that names its files, and the
            worker that hangs is replaced; None for never. Without effect on `executor="serial"`.

    Raises:
        InvalidArgumentError, ArgumentTypeError: a value that cannot work (a ValueError or TypeError).
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

    def fit(
        self,
        x: ArrayLike | BatchIterator | str | os.PathLike[str],
        augment: bool = False,
        rounds: int = 1,
        seed: int | None = None,
    ) -> None:
        """Computes what featurewise steps and whitening need from sample images.

        An iterator of this library is for data that do not fit into memory: its images are streamed
        through the workers once a round, in the order of the data set, and give the same result as
        their array would. A progress bar tells how far it is; Ctrl-C leaves the generator as it was.

        Args:
            x: images (n, height, width, channels), or channels first; or an iterator, whose position
                does not move. Images are rescaled as in batches, but no hook runs. Or the name of a
                file that `imageloom stats` has written.
            augment: compute them of randomly transformed images.
            rounds: how many transformed versions of each image; without `augment` one is enough.
            seed: of these transforms; None draws from NumPy's global state.

        Raises:
            InvalidArgumentError: an array of another rank than 4, or no image at all; images whose
                whitening matrix would not fit into memory; a file without what this generator needs.
            MissingFileError: there is no such file.
        """
        if isinstance(x, (str, os.PathLike)):
            self._take_statistics(_sufficient(load_statistics(x), self._current_options(), x))
            return None
        if not isinstance(x, BatchIterator):
            return super().fit(x, augment, rounds, seed)
        check_int("rounds", rounds, 1)
        options = self._current_options()
        recipe = recipe_for_fit(x.recipe(self._frozen(options)), options, augment=augment)
        draws: Iterator[TransformParams] | None = None
        rounds = rounds if augment else 1
        if augment and "random_transform" not in self._overrides():
            state = global_state() if seed is None else np.random.RandomState(check_seed(seed))
            draws = self._draws_for_fit(recipe.layout.row_shape, rounds * x.n * recipe.images, state)
        found = stream_statistics(
            x.source,
            recipe,
            options,
            open_channel=partial(self._channel, options, x.source),
            rounds=rounds,
            seed=check_seed(seed) or 0,
            draws=draws,
            channel_axis=self.channel_axis,
        )
        self._take_statistics(found)
        return None

    # Behind the scenes

    def _open_channel(self, iterator: BatchIterator) -> Channel:
        options = self._current_options()
        frozen = self._frozen(options)
        warn_if_unfitted(StandardizeOptions.of(options, frozen.statistics))
        if options.save_to_dir is not None:
            if is_url(options.save_to_dir):
                raise InvalidArgumentError(
                    f"`save_to_dir` is a directory of this machine, not a URL: {options.save_to_dir!r}."
                )
            os.makedirs(options.save_to_dir, exist_ok=True)
        return self._channel(options, iterator.source, iterator.recipe(frozen))

    def frozen(self) -> FrozenGenerator:
        """The generator as it is now, for whoever makes batches of it."""
        return self._frozen(self._current_options())

    def _frozen(self, options: GeneratorOptions) -> FrozenGenerator:
        generator = copy.copy(self)
        generator._frozen_options = options
        return FrozenGenerator(
            options=options,
            statistics=self._statistics(),
            generator=generator,
            overrides=self._overrides(),
        )

    def _channel(self, options: GeneratorOptions, source: SampleSource, recipe: Recipe) -> Channel:
        kind = "threads" if options.debug else options.executor
        if "memory" in source.protocols and kind in _OTHER_PROCESSES:
            raise InvalidArgumentError(
                f'Files of memory:// are in this process alone, and executor="{kind}" reads them in '
                'others: pass executor="threads".'
            )
        workers = 1 if options.debug else worker_count(options.cores)
        if self._shared_executor.inherited:
            kind, self._shared_executor = "serial", SharedExecutor()
        if kind != "ray":  # which tells about the cluster itself
            _tell_default_cores(options, kind, workers)
        channel = self._shared_executor.open(
            partial(
                make_executor,
                kind,
                options.cores if kind == "ray" else workers,
                disable_gpu=bool(options.disable_gpu_in_subprocesses),
            ),
            recipe,
            options.max_batches_pending,
            options.batch_timeout,
        )
        return ReplacingChannel(channel, source) if recipe.replaces_bad_images else channel

    def __repr__(self) -> str:
        """The constructor's call, as far as it differs from the defaults."""
        return generator_in_words(self)

    def __getstate__(self) -> dict[str, Any]:
        """Without the workers: a copy has its own."""
        return {name: value for name, value in self.__dict__.items() if name != "_shared_executor"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """A copy, without workers yet."""
        self.__dict__.update(state)
        self._shared_executor = SharedExecutor()


ImageDataGenerator = ParallelImageDataGenerator


def _sufficient(
    found: FeatureStatistics, options: GeneratorOptions, path: str | os.PathLike[str]
) -> FeatureStatistics:
    """Statistics that have everything the options ask for."""
    for option, value in (
        ("featurewise_center", found.mean),
        ("featurewise_std_normalization", found.std),
        ("zca_whitening", found.zca_whitening_matrix),
    ):
        if getattr(options, option) and value is None:
            raise InvalidArgumentError(
                f"{os.fspath(path)!r} does not hold what `{option}` needs"
                + ("; make it with `imageloom stats --zca`." if option == "zca_whitening" else ".")
            )
    return found


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
