"""The tasks of the comparison, which are the same for all peers, and the results of a peer."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(_ROOT / "examples"))

from real_images import write_cells, write_photographs  # noqa: E402 - found only by the line above

DATA = Path(os.environ.get("IMAGELOOM_BENCHMARK_DATA", _ROOT / "build" / "benchmark"))
USUAL_SIZE = (500, 375)
WORKLOADS = ("photographs", "cells")


@dataclass(frozen=True)
class Workload:
    """Epochs of augmented batches from a folder of images, one sub-folder per class.

    Angles are in degrees; shifts and zoom are shares of the image, as Keras counts them.
    A peer yields batches of float32 images with values from 0 to 1 and their labels.
    """

    title: str
    directory: str
    suffix: str
    images: int
    height: int
    width: int
    channels: int
    batch_size: int = 32
    rotation: float = 20.0
    shift: float = 0.1
    shear: float = 10.0
    zoom: float = 0.2
    seed: int = 1

    @property
    def batches(self) -> int:
        """Number of batches per epoch; the last one may be shorter."""
        return -(-self.images // self.batch_size)

    @property
    def files(self) -> list[Path]:
        """All image files, sorted by name."""
        return sorted(Path(self.directory).glob(f"*/*{self.suffix}"))

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
    """The results of one run of one peer; rates are images per second."""

    first_epoch: float | None
    later_epoch: float | None
    seconds_to_first_batch: float
    cpu_ms_per_image: float
    main_uss_mib: float
    worker_uss_mib: list[float] = field(default_factory=list)


def photographs(images: int, size: tuple[int, int] = USUAL_SIZE) -> str:
    """Write photographs of a size, width first, if needed; return their folder."""
    sized = "" if size == USUAL_SIZE else f"-{size[0]}x{size[1]}"
    return str(write_photographs(DATA / f"photographs-{images}{sized}", count=images, size=size))


def make_workload(name: str, images: int) -> Workload:
    """Write the images if needed, and read them once, so that all peers find them cached."""
    if name == "photographs":
        directory = photographs(images)
        title = f"{images} JPEG photographs, 500x375 to 224x224x3"
        workload = Workload(title, directory, ".jpg", images, 224, 224, 3)
    else:
        directory = str(write_cells(DATA / f"cells-{images}", count=images))
        title = f"{images} grey PNG pictures, 300x300 to 96x96x1"
        workload = Workload(title, directory, ".png", images, 96, 96, 1)
    for file in workload.files:
        file.read_bytes()
    return workload
