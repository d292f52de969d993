"""The task that every peer of the comparison is given, and what a peer reports about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Workload:
    """One epoch of augmented batches from a folder of JPEG files, one sub-folder per class.

    Angles are in degrees; shifts and zoom are shares of the image, as Keras counts them.
    A peer yields batches of float32 RGB images with values from 0 to 1 and their labels.
    """

    directory: Path
    images: int
    batch_size: int = 32
    height: int = 224
    width: int = 224
    rotation: float = 20.0
    shift: float = 0.1
    shear: float = 10.0
    zoom: float = 0.2
    seed: int = 1

    @property
    def batches(self) -> int:
        """Batches per epoch, the last of them possibly short."""
        return -(-self.images // self.batch_size)

    def keras_augmentation(self) -> dict[str, Any]:
        """Return the augmentation as keyword arguments of Keras' ``ImageDataGenerator``."""
        return {
            "rotation_range": self.rotation,
            "width_shift_range": self.shift,
            "height_shift_range": self.shift,
            "shear_range": self.shear,
            "zoom_range": self.zoom,
            "horizontal_flip": True,
            "fill_mode": "nearest",
            "rescale": 1 / 255,
        }


@dataclass
class Measurement:
    """What one run of one peer measured."""

    images_per_second: float
    seconds_to_first_batch: float
    seconds_in_all: float
    cpu_ms_per_image: float
    main_uss_mib: float
    worker_uss_mib: list[float] = field(default_factory=list)
