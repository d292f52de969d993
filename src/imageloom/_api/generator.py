"""`ParallelImageDataGenerator`: what the user asked for comes in, iterators go out.

The class holds the options and delegates: to `flows` for iterators, to `transforms` for single images,
to `fit` for statistics, and to its `Engine` for workers.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from numpy.typing import ArrayLike, NDArray

from imageloom._adapters.keras import configured
from imageloom._api.engine import Engine
from imageloom._api.fit import statistics_for
from imageloom._api.flows import arrays, dataframe, directory
from imageloom._api.iterators.base import BatchIterator
from imageloom._api.planning import FrozenGenerator
from imageloom._api.transforms import apply_to_image, draw_for_image, standardize_image
from imageloom._errors import InvalidArgumentError
from imageloom._executors.base import Channel
from imageloom._imaging.augment.draw import TransformParams, default_transform
from imageloom._imaging.normalise import FeatureStatistics, StandardizeOptions, warn_if_unfitted
from imageloom._options import OPTION_NAMES, GeneratorOptions, Noise, ShiftRange
from imageloom._pipeline.hooks import Hook
from imageloom._pipeline.recipe import Recipe
from imageloom._preview.words import generator_in_words
from imageloom._public import public
from imageloom._sources.base import SampleSource
from imageloom._storage.places import is_url
from imageloom._warnings import Once

__all__ = ["ImageDataGenerator", "ParallelImageDataGenerator"]

_OVERRIDABLE: Final = (
    "default_transform",
    "get_random_transform",
    "apply_transform",
    "random_transform",
    "standardize",
)


@public
class ParallelImageDataGenerator:
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
        horizontal_flip: mirror left and right, with probability 0.5.
        vertical_flip: mirror up and down, with probability 0.5.
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

    Attributes:
        mean: what `fit` found, (1, 1, channels) or channels first; None before.
        std: likewise.
        zca_whitening_matrix: likewise, (d, d) for images of d values.
        channel_axis: axis of the channels in a batch.
        row_axis: of its rows.
        col_axis: of its columns.

    Raises:
        InvalidArgumentError, ArgumentTypeError: a value that cannot work (a ValueError or TypeError).
    """

    featurewise_center: bool
    samplewise_center: bool
    featurewise_std_normalization: bool
    samplewise_std_normalization: bool
    zca_whitening: bool
    zca_epsilon: float
    rotation_range: float
    width_shift_range: ShiftRange
    height_shift_range: ShiftRange
    brightness_range: Sequence[float] | None
    shear_range: float
    zoom_range: float | Sequence[float]
    channel_shift_range: float
    fill_mode: str
    cval: float
    horizontal_flip: bool
    vertical_flip: bool
    rescale: float | None
    preprocessing_function: Callable[..., Any] | None
    data_format: str
    validation_split: float | None
    interpolation_order: int
    dtype: str
    cores: float
    debug: bool
    max_batches_pending: int
    get_batch_function: Callable[..., Any] | None
    noaug_preprocessing_function: Callable[..., Any] | None
    validation_augmentation_enabled: bool
    contrast_range: Sequence[float] | None
    noise: str | Noise | Sequence[str | Noise] | None
    random_transforms_enabled: bool
    max_samples_per_class: int
    disable_gpu_in_subprocesses: bool
    save_to_dir: str | None
    save_prefix: str | None
    save_format: str | None
    batch_size: int | None
    executor: str
    geometry: str
    cache: str | None
    cache_limit: int | None
    decode: str
    on_bad_image: str
    batch_timeout: float | None

    _frozen_options: GeneratorOptions | None = None  # of the copy that an iterator's hooks see
    _checked_options: GeneratorOptions | None = None

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
                Hook(name, getattr(options, name))  # reads the signature: a misfit is an error now
        for name in OPTION_NAMES:
            setattr(self, name, getattr(options, name))
        first = options.data_format == "channels_first"
        self.channel_axis, self.row_axis, self.col_axis = (1, 2, 3) if first else (3, 1, 2)
        self.mean: NDArray[Any] | None = None
        self.std: NDArray[Any] | None = None
        self.zca_whitening_matrix: NDArray[Any] | None = None
        self._said = Once()
        self._engine = Engine()

    flow = arrays.flow
    flow_from_directory = directory.flow_from_directory
    flow_from_dataframe = dataframe.flow_from_dataframe

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
        found = statistics_for(self, x, augment=augment, rounds=rounds, seed=seed)
        self.mean = found.mean if found.mean is not None else self.mean
        self.std = found.std if found.std is not None else self.std
        if found.zca_whitening_matrix is not None:
            self.zca_whitening_matrix = found.zca_whitening_matrix

    # Single images. Users may override these methods; iterators then call theirs.

    @property
    def default_transform(self) -> TransformParams:
        """The parameters of the transform that changes nothing; a fresh dictionary each time."""
        return default_transform()

    def get_random_transform(
        self, img_shape: Sequence[int], seed: int | None = None
    ) -> TransformParams:
        """Draws the parameters of one transform.

        Args:
            img_shape: shape of the image, in the generator's `data_format`.
            seed: of the draw; None draws from NumPy's global state.

        Returns:
            theta and shear in degrees, tx and ty in pixels, zx and zy, flip_horizontal and
            flip_vertical, and channel_shift_intensity, brightness, contrast and noise or None.
        """
        options = self._options()
        if not options.random_transforms_enabled:
            return self.default_transform
        return draw_for_image(options, img_shape, seed)

    def apply_transform(self, x: NDArray[Any], transform_parameters: Mapping[str, Any]) -> NDArray[Any]:
        """Applies a transform to one image.

        Args:
            x: image of rank 3, in the generator's `data_format`.
            transform_parameters: keys as `get_random_transform` returns them; missing keys are off.

        Returns:
            The transformed image; `x` itself if no step is active.

        Raises:
            InvalidArgumentError: an image of another rank.
        """
        return apply_to_image(self._options(), x, transform_parameters)

    def random_transform(self, x: NDArray[Any], seed: int | None = None) -> NDArray[Any]:
        """Draws a transform and applies it to one image.

        Args:
            x: image of rank 3, in the generator's `data_format`.
            seed: of the draw; None draws from NumPy's global state.

        Returns:
            The transformed image; `x` itself if no step is active.

        Raises:
            InvalidArgumentError: an image of another rank.
        """
        return self.apply_transform(x, self.get_random_transform(x.shape, seed))

    def standardize(self, x: NDArray[Any]) -> NDArray[Any]:
        """Runs `preprocessing_function`, then normalises in place.

        Args:
            x: one image, or a batch, which samplewise steps then take for one image, as in Keras;
                of a floating dtype.

        Returns:
            The normalised array: `x` itself, unless the function or whitening made a new one.
        """
        return standardize_image(self._options(), self._statistics(), x, generator=self)

    # What flows, iterators and `fit` ask for.

    @property
    def _validation_split(self) -> float | None:
        """Keras' name for it."""
        return self.validation_split

    def __setattr__(self, name: str, value: Any) -> None:
        """Assigns; an option that was assigned is checked before its next use."""
        super().__setattr__(name, value)
        if name in OPTION_NAMES:
            super().__setattr__("_checked_options", None)

    def _options(self) -> GeneratorOptions:
        """The attributes as they are now, checked; in an iterator's copy, as they were."""
        if self._frozen_options is not None:
            return self._frozen_options
        if self._checked_options is None:
            values = {name: getattr(self, name) for name in OPTION_NAMES}
            self._checked_options = GeneratorOptions(**values)
        return self._checked_options

    def _statistics(self) -> FeatureStatistics:
        return FeatureStatistics(
            mean=self.mean, std=self.std, zca_whitening_matrix=self.zca_whitening_matrix
        )

    def _overrides(self) -> frozenset[str]:
        """The methods that the user has replaced, in a subclass or on this very object."""
        return frozenset(
            name
            for name in _OVERRIDABLE
            if name in self.__dict__
            or getattr(type(self), name) is not getattr(ParallelImageDataGenerator, name)
        )

    def _freeze(self) -> FrozenGenerator:
        """The generator as it is now, for whoever makes batches of it."""
        generator = copy.copy(self)
        generator._frozen_options = options = self._options()
        return FrozenGenerator(
            options=options,
            statistics=self._statistics(),
            generator=generator,
            overrides=self._overrides(),
        )

    def _open_channel(self, frozen: FrozenGenerator, source: SampleSource, recipe: Recipe) -> Channel:
        """Workers for an iterator's batches, which will not change any more."""
        options = frozen.options
        warn_if_unfitted(StandardizeOptions.of(options, frozen.statistics))
        if options.save_to_dir is not None:
            if is_url(options.save_to_dir):
                raise InvalidArgumentError(
                    f"`save_to_dir` is a directory of this machine, not a URL: {options.save_to_dir!r}."
                )
            os.makedirs(options.save_to_dir, exist_ok=True)
        return self._open_workers(options, source, recipe)

    def _open_workers(self, options: GeneratorOptions, source: SampleSource, recipe: Recipe) -> Channel:
        return self._engine.open(options, source, recipe)

    def __repr__(self) -> str:
        """The constructor's call, as far as it differs from the defaults."""
        return generator_in_words(self)

    def __getstate__(self) -> dict[str, Any]:
        """Without the workers: a copy has its own."""
        return {name: value for name, value in self.__dict__.items() if name != "_engine"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """A copy, without workers yet."""
        self.__dict__.update(state)
        self._engine = Engine()


ImageDataGenerator = ParallelImageDataGenerator
