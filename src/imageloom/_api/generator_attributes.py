"""The attributes of a generator, as types: each is the constructor's argument of the same name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from imageloom._options import Noise, ShiftRange

__all__ = ["GeneratorAttributes"]


class GeneratorAttributes:
    """What may be read, and until the first batch reassigned, on a generator."""

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

    @property
    def _validation_split(self) -> float | None:
        """Keras' name for it."""
        return self.validation_split
