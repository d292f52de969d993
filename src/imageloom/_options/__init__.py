"""The options of a generator, as checked and frozen records.

`GeneratorOptions` has a field for each argument of `ImageDataGenerator`. The generator has
an attribute for each field, which may be reassigned until the first batch. The first batch makes a
new record from the attributes and checks it again. Later assignments do not affect its iterator.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any, Final

from imageloom._checks.depth import COLOUR_CHANNELS, check_depth
from imageloom._checks.finishing import check_can_finish
from imageloom._checks.mixing import check_mixing
from imageloom._checks.paths import check_path, check_save_format, checked_cache
from imageloom._checks.splits import Groups, check_split, checked_fold, checked_groups
from imageloom._checks.values import (
    check_choice,
    check_cores,
    check_dtype,
    check_flag,
    check_function,
    check_int,
    check_number,
    check_pair,
    check_text,
    check_validation_split,
    in_words,
    shift_range,
    zoom_bounds,
)
from imageloom._errors import ArgumentTypeError, InvalidArgumentError
from imageloom._options.steps import (
    COLOURING_STEPS,
    STEP_NAMES,
    StepOption,
    checked_steps,
    step_records,
)
from imageloom._options.transform import NOISE_NAMES, Noise, ShiftRange, TransformOptions
from imageloom._warnings import Code, warn_user

__all__ = [
    "COLOUR_CHANNELS",
    "FILL_MODES",
    "INTERPOLATIONS",
    "NOISE_NAMES",
    "OPTION_DEFAULTS",
    "OPTION_NAMES",
    "STEP_NAMES",
    "GeneratorOptions",
    "Noise",
    "ReadOptions",
    "ShiftRange",
    "StepOption",
    "TransformOptions",
]

Hook = Callable[..., Any]

FILL_MODES: Final = (
    "constant", "nearest", "reflect", "wrap", "mirror", "grid-wrap", "grid-mirror", "grid-constant",
)  # fmt: skip
INTERPOLATIONS: Final = ("nearest", "bilinear", "bicubic", "hamming", "box", "lanczos")
EXECUTORS: Final = ("processes", "threads", "serial", "ray")
_MAX_SPLINE_ORDER: Final = 5
_FLAGS: Final = (
    "featurewise_center", "samplewise_center", "featurewise_std_normalization",
    "samplewise_std_normalization", "zca_whitening", "horizontal_flip", "vertical_flip", "debug",
    "validation_augmentation_enabled", "random_transforms_enabled", "disable_gpu_in_subprocesses",
    "exif_orientation",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadOptions:
    """The options of reading image files.

    Attributes:
        color_mode: `"rgb"`, `"rgba"`, `"grayscale"`, or a number of channels.
        target_size: (height, width).
        interpolation: one of `INTERPOLATIONS`; None keeps the size.
        keep_aspect_ratio: crop images about their centre to the target's aspect ratio first.
        exact_resize: always resize with Pillow, for steps that enlarge small differences.
        differing_share: the share of pixels that may be off by one level from Pillow's resizing.
        scaled: decode JPEG files at the smallest scale that still covers the target.
        as_labels: read the numbers in palette images, not their colours.
        exif_orientation: turn images as their tag says.
        native: keep values of more than 8 bits.
    """

    color_mode: str | int
    target_size: tuple[int, int]
    interpolation: str | None
    keep_aspect_ratio: bool
    exact_resize: bool
    differing_share: float = 1.0
    scaled: bool = False
    as_labels: bool = False
    exif_orientation: bool = False
    native: bool = False

    def at_own_size(self) -> ReadOptions:
        """The options of reading images of which a window is cut later."""
        return replace(self, interpolation=None, scaled=False)

    def for_masks(self) -> ReadOptions:
        """The options of reading masks: their numbers, with nearest neighbour interpolation."""
        nearest = None if self.interpolation is None else "nearest"
        grey = replace(self, color_mode="grayscale", native=False)
        return replace(grey, interpolation=nearest, scaled=False, as_labels=True)


@dataclass(frozen=True, kw_only=True)
class GeneratorOptions:
    """All arguments of `ImageDataGenerator`, which documents each of them."""

    featurewise_center: bool = False
    samplewise_center: bool = False
    featurewise_std_normalization: bool = False
    samplewise_std_normalization: bool = False
    zca_whitening: bool = False
    zca_epsilon: float = 1e-6
    rotation_range: float = 0
    width_shift_range: ShiftRange = 0.0
    height_shift_range: ShiftRange = 0.0
    brightness_range: Sequence[float] | None = None
    shear_range: float = 0.0
    zoom_range: float | Sequence[float] = 0.0
    channel_shift_range: float = 0.0
    fill_mode: str = "nearest"
    cval: float = 0.0
    horizontal_flip: bool = False
    vertical_flip: bool = False
    rescale: float | None = None
    preprocessing_function: Hook | None = None
    data_format: str = "channels_last"
    validation_split: float | None = 0.0
    interpolation_order: int = 1
    dtype: str = "float32"
    cores: float | None = None
    debug: bool = False
    max_batches_pending: int = 4
    get_batch_function: Hook | None = None
    noaug_preprocessing_function: Hook | None = None
    validation_augmentation_enabled: bool = True
    contrast_range: Sequence[float] | None = None
    noise: str | Noise | Sequence[str | Noise] | None = None
    random_transforms_enabled: bool = True
    max_samples_per_class: int = -1
    disable_gpu_in_subprocesses: bool = True
    save_to_dir: str | None = None
    save_prefix: str | None = None
    save_format: str | None = None
    batch_size: int | None = None
    executor: str = "processes"
    geometry: str = "keras"
    cache: str | None = None
    cache_limit: int | None = None
    decode: str = "exact"
    on_bad_image: str = "raise"
    batch_timeout: float | None = None
    finish: str = "host"
    split: str = "sorted"
    split_seed: int = 0
    groups: Groups = None
    fold: tuple[int, int] | None = None
    mixup: float | None = None
    cutmix: float | Sequence[float] | None = None
    random_crop: StepOption = None
    perspective: StepOption = None
    elastic: StepOption = None
    rand_augment: StepOption = None
    hue_range: float | Sequence[float] | None = None
    saturation_range: float | Sequence[float] | None = None
    grayscale: bool | float | None = None
    blur: StepOption = None
    jpeg_quality_range: int | Sequence[int] | None = None
    random_erasing: StepOption = None
    exif_orientation: bool = False
    depth: str = "keras"

    def __post_init__(self) -> None:
        """Checks every field, in the same sequence as Keras, and normalises it."""
        check_choice("data_format", self.data_format, ("channels_last", "channels_first"), also="None")
        check_validation_split(self.validation_split)
        check_split(self.split, self.split_seed)
        self._set("fold", checked_fold(self.fold, self.validation_split))
        self._set("groups", checked_groups(self.groups))
        self._set("zoom_range", zoom_bounds(self.zoom_range))
        for name in ("brightness_range", "contrast_range"):
            check_pair(name, getattr(self, name))
        for name in ("width_shift_range", "height_shift_range"):
            self._set(name, shift_range(name, getattr(self, name)))
        for name in ("channel_shift_range", "cval", "zca_epsilon"):
            check_number(name, getattr(self, name))
        for name in ("rotation_range", "shear_range", "rescale"):
            if getattr(self, name) is not None:  # which is 0, as in Keras
                check_number(name, getattr(self, name), " or None")
        for name in _FLAGS:
            check_flag(name, getattr(self, name))
        check_choice("fill_mode", self.fill_mode, FILL_MODES)
        check_int("interpolation_order", self.interpolation_order, 0, _MAX_SPLINE_ORDER)
        check_dtype(self.dtype)
        self._check_background()
        for name in ("preprocessing_function", "noaug_preprocessing_function", "get_batch_function"):
            check_function(name, getattr(self, name))
        self._set("noise", _noise_records(self.noise))
        if self.save_to_dir is not None:
            self._set("save_to_dir", check_path("save_to_dir", self.save_to_dir, " or None"))
        check_text("save_prefix", self.save_prefix)
        check_save_format(self.save_format)
        check_mixing(self)
        for name, value in checked_steps(self).items():
            self._set(name, value)
        check_choice("finish", self.finish, ("host", "device"))
        if self.finish == "device":
            check_can_finish(self)
        check_depth(self, COLOURING_STEPS)
        self._resolve_normalisation()

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)

    def _check_background(self) -> None:
        check_cores(self.cores)
        check_int("max_batches_pending", self.max_batches_pending, 1)
        check_choice("executor", self.executor, EXECUTORS)
        check_choice("geometry", self.geometry, ("keras", "corrected"))
        check_choice("decode", self.decode, ("exact", "scaled"))
        check_choice("on_bad_image", self.on_bad_image, ("raise", "replace"))
        if self.batch_size is not None:
            all_samples = "-1 (all samples in one batch) or None"
            check_int("batch_size", self.batch_size, 1, also=all_samples, other=-1)
        check_int("max_samples_per_class", self.max_samples_per_class, 1, also="-1 (all)", other=-1)
        self._set("cache", checked_cache(self.cache))
        if self.cache_limit is not None:
            check_int("cache_limit", self.cache_limit, 1, also="or None")
        if self.batch_timeout is not None:
            check_number("batch_timeout", self.batch_timeout, " of seconds, or None")
            if self.batch_timeout <= 0:
                raise InvalidArgumentError(
                    f"`batch_timeout` must be seconds > 0, or None; received {self.batch_timeout!r}."
                )

    def _resolve_normalisation(self) -> None:
        """Changes options that others imply or exclude, with Keras' warnings."""
        if self.zca_whitening:
            if not self.featurewise_center:
                self._override("featurewise_center", True, "zca_whitening")
            if self.featurewise_std_normalization:
                self._override("featurewise_std_normalization", False, "zca_whitening")
        if self.featurewise_std_normalization and not self.featurewise_center:
            self._override("featurewise_center", True, "featurewise_std_normalization")
        if self.samplewise_std_normalization and not self.samplewise_center:
            self._override("samplewise_center", True, "samplewise_std_normalization")

    def _override(self, name: str, value: bool, because: str) -> None:
        self._set(name, value)
        warn_user(
            f"This generator specifies `{because}`, which overrides `{name}`: it is now {value}.",
            code=Code.OVERRIDDEN_OPTION,
        )

    @property
    def validation_share(self) -> float:
        """The share of samples for validation; 0.0 for none."""
        return 1 / self.fold[1] if self.fold else float(self.validation_split or 0.0)

    @property
    def used_steps(self) -> list[str]:
        """The names of the options of further steps that are on."""
        return list(step_records(self))

    @cached_property
    def transform(self) -> TransformOptions:
        """The options of random transforms."""
        return TransformOptions(
            rotation_range=self.rotation_range or 0.0,
            width_shift_range=self.width_shift_range,
            height_shift_range=self.height_shift_range,
            brightness_range=self.brightness_range,
            shear_range=self.shear_range or 0.0,
            zoom_range=self.zoom_range,  # type: ignore[arg-type]  # normalised to a pair
            channel_shift_range=self.channel_shift_range,
            horizontal_flip=bool(self.horizontal_flip),
            vertical_flip=bool(self.vertical_flip),
            contrast_range=self.contrast_range,
            noise=tuple(self.noise or ()),  # type: ignore[arg-type]  # normalised to records
            random_transforms_enabled=bool(self.random_transforms_enabled),
            fill_mode=self.fill_mode,
            cval=self.cval,
            interpolation_order=self.interpolation_order,
            corrected_geometry=self.geometry == "corrected",
            **step_records(self),
        )


OPTION_DEFAULTS: Final = {field.name: field.default for field in fields(GeneratorOptions)}
OPTION_NAMES: Final = tuple(OPTION_DEFAULTS)


def _noise_records(noise: Any) -> tuple[Noise, ...] | None:
    if noise is None:
        return None
    items = [noise] if isinstance(noise, (str, Noise)) else noise
    if not isinstance(items, Sequence):
        raise ArgumentTypeError(
            f"`noise` must be a list of names ({', '.join(NOISE_NAMES)}) or `Noise` records; "
            f"received {in_words(noise)}."
        )
    return tuple(item if isinstance(item, Noise) else Noise(item) for item in items)
