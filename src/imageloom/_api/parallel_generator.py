"""`ParallelImageDataGenerator`: the class of MLTK, with its own signature and defaults."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from imageloom._api.flows import mltk_directory
from imageloom._api.generator import ImageDataGenerator
from imageloom._checks.keywords import explain_methods, explained
from imageloom._checks.splits import Groups
from imageloom._options import OPTION_DEFAULTS, OPTION_NAMES, Noise, ShiftRange, StepOption
from imageloom._public import public

__all__ = ["ParallelImageDataGenerator"]


@public
class ParallelImageDataGenerator(ImageDataGenerator):
    """The same generator as MLTK's users call it.

    It differs from `ImageDataGenerator` in three ways. All its arguments are keyword-only. `cores` is
    0.25 by default, a quarter of the CPUs. Its `flow_from_directory` takes `batch_shape` after
    `batch_size`, and resizes with `"bilinear"` by default. The arguments mean the same.
    """

    _defaults: ClassVar[Mapping[str, Any]] = {**OPTION_DEFAULTS, "cores": 0.25}

    @explained("ParallelImageDataGenerator")
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
        cores: float | None = 0.25,
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
        super().__init__(**{name: value for name, value in locals().items() if name in OPTION_NAMES})

    # Its arguments have another order, so this is no override in the sense of type checkers.
    flow_from_directory = mltk_directory.flow_from_directory  # type: ignore[assignment]


explain_methods(ParallelImageDataGenerator, flow_from_directory=())
