"""`ImageDataGenerator`: Keras' class, over an engine that computes batches in the background.

It holds the options. Other modules do the work: `flows` makes iterators, `transforms` transforms
single images, `fit` computes statistics, and `engine` opens the workers.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Final

from numpy.typing import ArrayLike, NDArray

from imageloom._adapters.keras import configured
from imageloom._adapters.mltk import MltkSurface
from imageloom._api.engine import Engine
from imageloom._api.fit import statistics_for
from imageloom._api.flows import arrays, dataframe, directory, records
from imageloom._api.generator_state import restore, state_of
from imageloom._api.iterators.arguments import IGNORED_KEYWORDS
from imageloom._api.iterators.base import BatchIterator
from imageloom._api.planning import FrozenGenerator, freeze
from imageloom._api.statistics_file import check_images
from imageloom._api.transforms import apply_to_image, draw_for_image, standardize_image
from imageloom._checks.keywords import explain_methods, explained
from imageloom._checks.splits import Groups
from imageloom._errors import InvalidArgumentError
from imageloom._executors.base import Channel
from imageloom._imaging.augment.draw import TransformParams, default_transform
from imageloom._imaging.normalise import FeatureStatistics, StandardizeOptions, warn_if_unfitted
from imageloom._options import (
    OPTION_DEFAULTS,
    OPTION_NAMES,
    GeneratorOptions,
    Noise,
    ShiftRange,
    StepOption,
)
from imageloom._pipeline.hooks import Hook
from imageloom._pipeline.recipe import Recipe
from imageloom._preview.words import generator_in_words
from imageloom._public import public
from imageloom._sources.base import SampleSource
from imageloom._storage.urls import is_url
from imageloom._warnings import Once

__all__ = ["ImageDataGenerator"]

_PACKAGE: Final = __name__.partition(".")[0]  # where the public classes say that they are


@public
class ImageDataGenerator(MltkSurface):
    """A replacement for Keras' `ImageDataGenerator` that computes batches in the background.

    Keras' arguments come first, in Keras' order; those beyond them are keyword-only. Each is
    checked at once and becomes an attribute of the same name. Attributes may be reassigned until an
    iterator hands out its first batch.

    Args:
        featurewise_center: subtract the data set's mean per channel; needs `fit`.
        samplewise_center: subtract each image's own mean.
        featurewise_std_normalization: divide by the data set's standard deviation per channel;
            needs `fit`.
        samplewise_std_normalization: divide each image by its own standard deviation.
        zca_whitening: decorrelate the pixels by ZCA whitening; needs `fit`.
        zca_epsilon: regularisation constant of the whitening.
        rotation_range: largest rotation in either direction, in degrees.
        width_shift_range: largest horizontal shift. A float below 1 is a share of the width, one
            from 1 on is in pixels; both are drawn uniformly in either direction. An int n draws
            whole pixels from -(n-1)..n-1. A list draws one of its values with a random sign, in
            pixels unless all are below 1. `geometry` describes a defect of Keras.
        height_shift_range: largest vertical shift, likewise.
        brightness_range: lower and upper bound of a factor; 0.0 is black, 1.0 changes nothing
            except that it cuts off fractions of grey levels.
        shear_range: largest shear angle in either direction, in degrees.
        zoom_range: a number z for factors in 1-z..1+z, or the two bounds. A factor below 1
            enlarges. Each axis has its own factor.
        channel_shift_range: largest value, in grey levels, added to or subtracted from all
            channels.
        fill_mode: how the area beyond the border is filled: `"constant"` (kkkk|abcd|kkkk with
            k = `cval`), `"nearest"` (aaaa|abcd|dddd), `"reflect"` (dcba|abcd|dcba), `"wrap"`
            (abcd|abcd|abcd), or another mode of SciPy.
        cval: value beyond the border for `fill_mode="constant"`.
        horizontal_flip: mirror left and right, with probability 0.5.
        vertical_flip: mirror up and down, with probability 0.5.
        rescale: factor that is applied after all transforms; None or 0 for none.
        preprocessing_function: `f(x)` or `f(params, x, ...)`, called for each augmented image
            (float32; for arrays, the generator's dtype) before it is rescaled and normalised.
            Further parameters are passed by name: `class_id`, `filename`, `batch_index` (the index
            of the sample in its batch), `batch_class_ids` and `batch_filenames`.
        data_format: `"channels_last"` or `"channels_first"`; None takes the value that is
            configured in Keras, or else channels last.
        validation_split: share of each class that is reserved for validation, 0..1.
        interpolation_order: degree of the resampling splines: 0 nearest, 1 linear; above 1 needs
            SciPy.
        dtype: dtype of batches and targets; None takes Keras' `floatx`, or else float32.
        cores: number of workers; -1 for one per CPU, a float for a share of the CPUs; None is one per
            CPU, 16 at most, and with Ray one per CPU of the cluster.
        debug: compute in one thread of this process, so that breakpoints work.
        max_batches_pending: the largest number of finished batches that wait to be read; each
            worker may compute one more.
        get_batch_function: computes whole batches of files instead of all other steps. It is called
            as `f(batch_index, filenames, classes, params)` with the batch's number in its epoch,
            its file names and their class numbers, and returns (batch_index, (x, y)).
        noaug_preprocessing_function: like `preprocessing_function`, but called for each image as it
            was stored (uint8; 16 and 32 bit files, `.npy` files and arrays in their own dtype),
            after resizing and before any random transform.
        validation_augmentation_enabled: False turns random transforms off for the validation
            subset.
        contrast_range: lower and upper bound of a factor; 0.0 is solid grey, 1.0 changes only
            fractions of grey levels.
        noise: names or `Noise` records, of which one is drawn per image: `"gauss"`, `"poisson"`,
            `"s&p"`, `"speckle"`.
        random_transforms_enabled: False turns all random transforms off.
        max_samples_per_class: use only so many samples of each class, the first ones; -1 for all.
        disable_gpu_in_subprocesses: hide the GPU from the worker processes.
        save_to_dir: overrides the argument of the flow methods; the folder is created.
        save_prefix: overrides the argument of the flow methods.
        save_format: overrides the argument of the flow methods.
        batch_size: overrides the argument of the flow methods; -1 is all samples in one batch.
        executor: what computes the batches: `"processes"`, `"threads"`, `"ray"` for a Ray cluster,
            or `"serial"` for the calling thread.
        geometry: `"keras"` gives the same results as Keras, with its two defects: height shifts
            move columns and width shifts rows, and images that are not square rotate about a point
            beside their centre. `"corrected"` draws the same numbers and applies them correctly.
        cache: keep decoded, resized images for later epochs: `"memory"`, or a directory that later
            runs use as well. All workers share the cache. It needs images that are resized to one
            size.
        cache_limit: largest size of the cache in bytes; images beyond it are decoded each time, and
            what earlier runs left in the directory goes. None is a quarter of the free memory, or
            half of the free disk space.
        decode: `"exact"`, or `"scaled"`: JPEG files are decoded at the smallest scale that still
            covers `target_size`. Large photographs are then several times as fast, and pixels
            differ slightly.
        on_bad_image: `"raise"`: an unreadable file is an error that names it. `"replace"`: the next
            readable image of the data set, with its targets, takes its place, always the same one;
            each bad file is reported once, and listed in the iterator's `bad_images`.
        batch_timeout: seconds after which an unfinished batch is an error that names its files, and
            its worker is replaced; None for no limit. Has no effect with `executor="serial"`.
        finish: `"host"`, or `"device"`: workers send images as they are stored, with what was drawn
            for them, and the device that batches are moved to does the rest (`to_torch_dataset`
            with a device, `to_jax`, and Keras' `fit` on an accelerator). Batches that are read in
            other ways are finished by the workers.
        split: which samples `validation_split` takes: `"sorted"`, the first of each class (of a data
            frame or an array, the first), as in Keras; `"random"`, which does not depend on the other
            samples, so that each keeps its part when files are added; `"stratified"`, at random, but
            the same share of each class.
        split_seed: seed of the random splits, 0..2**32-1.
        groups: keeps samples together that belong together, such as the pictures of one patient: no
            group is in both parts. The name of a column for `flow_from_dataframe`; a function of the
            file name (as in `filenames`) that returns the group; or for `flow` and data frames the
            group of each image or row.
        fold: (i, k) for cross-validation, in the place of `validation_split`: `subset="validation"`
            is part i of k, counted from 0, and `subset="training"` the others.
        mixup: adds to each finished image another one of its batch, as `keras.layers.MixUp`: alpha of
            the beta distribution of the weights (0.2 is usual). Targets, weights and masks are mixed
            likewise, so they are floats.
        cutmix: replaces a box of each finished image by that of another one of its batch, as
            `keras.layers.CutMix`: the highest alpha (1.0 is usual), or the lowest and the highest, of
            which one is drawn for each batch. Masks have the same boxes; targets and weights are
            mixed by area. With `mixup` as well, one of the two is drawn for each batch.
        random_crop: True cuts windows of `target_size` out of images that keep their own size.
            `{"scale": (0.08, 1.0), "ratio": (3 / 4, 4 / 3)}` cuts windows with this share of the area
            and this width by height, and resizes them to `target_size`, as torchvision's
            `RandomResizedCrop`. Without random transforms, images are resized as ever.
        perspective: move the corners, as Keras' `RandomPerspective`. This option and others below
            take True for the defaults of Keras' layer, a number or two bounds for its `factor`, or
            a dictionary of its arguments; here `factor`, `scale` and `fill_value`.
        elastic: distort like rubber, as Keras' `RandomElasticTransform` (`factor`, `scale`,
            `fill_mode`, `fill_value`).
        rand_augment: (n, magnitude): n operations in a row with a strength in 0..1, as Keras'
            `RandAugment` (`num_ops`, `factor`).
        hue_range: largest change of the hue in either direction, or two bounds; 1.0 is half a turn,
            as in Keras' `RandomHue`.
        saturation_range: two bounds of a factor, or the upper one, the other being 0; 0.0 is grey,
            0.5 changes nothing, 1.0 is full colour, as Keras describes `RandomSaturation`.
        grayscale: probability of making an image grey, as Keras' `RandomGrayscale`; True is 0.5.
        blur: blur, as Keras' `RandomGaussianBlur` (`factor`, `kernel_size`, `sigma`).
        jpeg_quality_range: compress as a JPEG file of a quality between two whole numbers in
            1..100, as TensorFlow's `random_jpeg_quality`, but with the upper one.
        random_erasing: erase a rectangle, as Keras' `RandomErasing` (`factor`, `scale`,
            `fill_value`).
        exif_orientation: turn images, and masks, as their orientation tag says, before they are
            resized. Keras ignores the tag, except for TIFF files, which Pillow turns always.
        depth: `"keras"`, or `"native"`: values of PNG, TIFF and PPM files with more than 8 bits stay as
            they are stored (0..65535), also of colour images, and TIFF files may have any number of
            channels (`color_mode=5`). `channel_shift_range` and `cval` are in units of these values;
            brightness, contrast and noise, which need bytes, are an error. Only images of 8 bits are
            cached.

    Attributes:
        mean: the mean that `fit` computed, (1, 1, channels) or (channels, 1, 1); None before.
        std: the standard deviation, likewise.
        zca_whitening_matrix: the whitening matrix, likewise; (d, d) for images of d values.
        channel_axis: axis of the channels in a batch.
        row_axis: axis of the rows in a batch.
        col_axis: axis of the columns in a batch.

    Raises:
        InvalidArgumentError, ArgumentTypeError: a value that is not allowed (a ValueError or
            TypeError).
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
    cores: float | None
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
    finish: str
    split: str
    split_seed: int
    groups: Groups
    fold: tuple[int, int] | None
    mixup: float | None
    cutmix: float | Sequence[float] | None
    random_crop: StepOption
    perspective: StepOption
    elastic: StepOption
    rand_augment: StepOption
    hue_range: float | Sequence[float] | None
    saturation_range: float | Sequence[float] | None
    grayscale: bool | float | None
    blur: StepOption
    jpeg_quality_range: int | Sequence[int] | None
    random_erasing: StepOption
    exif_orientation: bool
    depth: str

    _defaults: ClassVar[Mapping[str, Any]] = OPTION_DEFAULTS  # `repr` leaves them out
    _frozen_options: GeneratorOptions | None = None  # set in the copy that hooks receive
    _checked_options: GeneratorOptions | None = None
    _assignments: int = 0  # their number: iterators look at it, and begin anew after another one
    _fitted = FeatureStatistics()

    @explained("ImageDataGenerator", meant=True)
    def __init__(
        self,
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
        *,
        cores: float | None = None,
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
        finish: str = "host",
        split: str = "sorted",
        split_seed: int = 0,
        groups: Groups = None,
        fold: tuple[int, int] | None = None,
        mixup: float | None = None,
        cutmix: float | Sequence[float] | None = None,
        random_crop: StepOption = None,
        perspective: StepOption = None,
        elastic: StepOption = None,
        rand_augment: StepOption = None,
        hue_range: float | Sequence[float] | None = None,
        saturation_range: float | Sequence[float] | None = None,
        grayscale: bool | float | None = None,
        blur: StepOption = None,
        jpeg_quality_range: int | Sequence[int] | None = None,
        random_erasing: StepOption = None,
        exif_orientation: bool = False,
        depth: str = "keras",
    ) -> None:
        given = {name: value for name, value in locals().items() if name in OPTION_NAMES}
        if data_format is None:
            given["data_format"] = configured("image_data_format", "channels_last")
        if dtype is None:
            given["dtype"] = configured("floatx", "float32")
        options = GeneratorOptions(**given)
        for name in ("preprocessing_function", "noaug_preprocessing_function"):
            if getattr(options, name) is not None:
                Hook(name, getattr(options, name))  # raises now if the signature does not fit
        checked = {name: getattr(options, name) for name in OPTION_NAMES}
        if type(self).__module__ == _PACKAGE:  # no class of the user, where assigning may do more
            vars(self).update(checked, _checked_options=options)
        else:
            for name, value in checked.items():
                setattr(self, name, value)
        first = options.data_format == "channels_first"
        self.channel_axis, self.row_axis, self.col_axis = (1, 2, 3) if first else (3, 1, 2)
        self.mean: NDArray[Any] | None = None
        self.std: NDArray[Any] | None = None
        self.zca_whitening_matrix: NDArray[Any] | None = None
        self._warned = Once()
        self._engine = Engine()

    flow = arrays.flow
    flow_from_directory = directory.flow_from_directory
    flow_from_dataframe = dataframe.flow_from_dataframe
    flow_from_table = records.flow_from_table
    flow_from_webdataset = records.flow_from_webdataset

    @explained("fit", meant=True)
    def fit(
        self,
        x: ArrayLike | BatchIterator | str | os.PathLike[str],
        augment: bool = False,
        rounds: int = 1,
        seed: int | None = None,
        *,
        verbose: bool | int | str = True,
    ) -> None:
        """Computes the statistics that featurewise steps and whitening need.

        Pass an iterator of this library for data that do not fit into memory. Its images pass
        through the workers once per round, in the order of the data set, and give the same result
        as an array of them. A progress bar is shown. Ctrl-C leaves the generator unchanged.

        Args:
            x: images (n, height, width, channels), or channels first; or an iterator, whose
                position stays the same; or the name of a file that `imageloom stats` has written.
                Images are rescaled as in batches, but no hook is called.
            augment: use randomly transformed images.
            rounds: number of transformed versions of each image; without `augment` one is enough.
            seed: seed of these transforms; None draws from NumPy's global state.
            verbose: False or 0 shows no progress bar.

        Raises:
            InvalidArgumentError: an array whose rank is not 4; no images; images whose whitening
                matrix would not fit into memory; a file that is damaged, lacks what this generator
                needs, or has it of images that were rescaled otherwise.
            MissingFileError: the file does not exist.
        """
        found = statistics_for(self, x, augment=augment, rounds=rounds, seed=seed, verbose=verbose)
        self._take(found)

    def _take(self, found: FeatureStatistics) -> None:
        """Takes over the statistics that were found."""
        self.mean = found.mean if found.mean is not None else self.mean
        self.std = found.std if found.std is not None else self.std
        if found.zca_whitening_matrix is not None:
            self.zca_whitening_matrix = found.zca_whitening_matrix
        self._fitted = found

    # Single images. If a user overrides one of these methods, iterators call the override.

    @property
    def default_transform(self) -> TransformParams:
        """The parameters of the transform that changes nothing, in a new dictionary each time."""
        return default_transform()

    def get_random_transform(
        self, img_shape: Sequence[int], seed: int | None = None
    ) -> TransformParams:
        """Draws the parameters of one transform.

        Args:
            img_shape: shape of the image, in the generator's `data_format`.
            seed: seed of the draw; None draws from NumPy's global state.

        Returns:
            theta and shear in degrees; tx and ty in pixels; zx and zy; flip_horizontal and
            flip_vertical; channel_shift_intensity and brightness, each may be None; and, only
            where the generator has such an option, contrast, noise and the steps of Keras' layers
            (random_crop, perspective, elastic, rand_augment, hue, saturation, grayscale, blur,
            jpeg_quality, random_erasing), which are None where chance leaves the image alone.
        """
        options = self._options()
        if not options.random_transforms_enabled:
            return self.default_transform
        return draw_for_image(options, img_shape, seed)

    def apply_transform(self, x: NDArray[Any], transform_parameters: Mapping[str, Any]) -> NDArray[Any]:
        """Applies a transform to one image.

        Args:
            x: image of rank 3, in the generator's `data_format`.
            transform_parameters: keys as `get_random_transform` returns them; a step whose key is
                missing is skipped.

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
            seed: seed of the draw; None draws from NumPy's global state.

        Returns:
            The transformed image; `x` itself if no step is active.

        Raises:
            InvalidArgumentError: an image of another rank.
        """
        return self.apply_transform(x, self.get_random_transform(x.shape, seed))

    def standardize(self, x: NDArray[Any]) -> NDArray[Any]:
        """Runs `preprocessing_function`, then normalises in place.

        Args:
            x: one image, or a batch, of a floating dtype. As in Keras, samplewise steps treat a
                batch as one image.

        Returns:
            The normalised array: `x` itself, unless the function or whitening returned a new one.
        """
        return standardize_image(self._options(), self._statistics(), x, generator=self)

    # Used by flows, iterators and `fit`.

    @property
    def _validation_split(self) -> float | None:
        """Keras' name of `validation_split`."""
        return self.validation_split

    @_validation_split.setter
    def _validation_split(self, value: float | None) -> None:
        self.validation_split = value

    def __setattr__(self, name: str, value: Any) -> None:
        """Assigns an attribute; an option is checked before its next use."""
        super().__setattr__(name, value)
        if name in OPTION_NAMES:
            super().__setattr__("_checked_options", None)
        if not name.startswith("_"):
            super().__setattr__("_assignments", self._assignments + 1)

    def _options(self) -> GeneratorOptions:
        """The checked options: the current ones, or in a frozen copy those of the first batch."""
        if self._frozen_options is not None:
            return self._frozen_options
        if self._checked_options is None:
            values = {name: getattr(self, name) for name in OPTION_NAMES}
            self._checked_options = GeneratorOptions(**values)
        return self._checked_options

    def _statistics(self) -> FeatureStatistics:
        present = {
            "mean": self.mean,
            "std": self.std,
            "zca_whitening_matrix": self.zca_whitening_matrix,
        }
        fitted = self._fitted  # or the user has assigned others since
        same = all(getattr(fitted, name) is value for name, value in present.items())
        return FeatureStatistics(**present, images=fitted.images if same else None)

    def _freeze(self) -> FrozenGenerator:
        """The generator's present state, which later assignments do not change."""
        return freeze(self, ImageDataGenerator, self._options(), self._statistics())

    def _open_channel(self, frozen: FrozenGenerator, source: SampleSource, recipe: Recipe) -> Channel:
        """Opens the workers for the batches of an iterator."""
        options = frozen.options
        if options.featurewise_center or options.featurewise_std_normalization or options.zca_whitening:
            warn_if_unfitted(StandardizeOptions.of(options, frozen.statistics))
        check_images(frozen.statistics, recipe)
        if options.save_to_dir is not None:
            if is_url(options.save_to_dir):
                raise InvalidArgumentError(
                    "`save_to_dir` must be a local directory, not a URL; received "
                    f"{options.save_to_dir!r}."
                )
            os.makedirs(options.save_to_dir, exist_ok=True)
        return self._open_workers(options, source, recipe)

    def _open_workers(self, options: GeneratorOptions, source: SampleSource, recipe: Recipe) -> Channel:
        return self._engine.open(options, source, recipe)

    def __repr__(self) -> str:
        """The constructor call, with the arguments that differ from the defaults."""
        return generator_in_words(self, self._defaults)

    def __getstate__(self) -> dict[str, Any]:
        """The state without the workers, because a copy starts its own."""
        return state_of(self)

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restores a copy, without workers."""
        restore(self, state)
        self.__dict__["_engine"] = Engine()

    def __reduce_ex__(self, protocol: Any) -> Any:
        """As for every object; a subclass whose `__getstate__` returns None loses nothing."""
        reduced: Any = super().__reduce_ex__(protocol)
        if len(reduced) > 2 and reduced[2] is None:
            return (*reduced[:2], state_of(self), *reduced[3:])
        return reduced


explain_methods(
    ImageDataGenerator,
    flow=(),
    flow_from_directory=(),
    flow_from_dataframe=IGNORED_KEYWORDS,
    flow_from_table=(),
    flow_from_webdataset=(),
)
