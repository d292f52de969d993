"""The data set behind the DataLoader peer: OpenCV reads, Albumentations augments."""

from __future__ import annotations

import os
from typing import Any

# Otherwise the import of Albumentations looks for a newer version on the network.
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

import albumentations
import cv2
import numpy as np
from albumentations.pytorch import ToTensorV2
from workload import Workload


class AugmentedFolder:
    """The images of class folders, resized and augmented on each access.

    A ``DataLoader`` accepts any object with a length and items as a data set.
    """

    def __init__(self, workload: Workload) -> None:
        self._files = workload.files
        self._mode = cv2.IMREAD_COLOR_RGB if workload.channels == 3 else cv2.IMREAD_GRAYSCALE
        names = sorted({file.parent.name for file in self._files})
        self._labels = [names.index(file.parent.name) for file in self._files]
        self._size = (workload.width, workload.height)
        self._augment = _augmentation(workload)

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        image = cv2.imread(str(self._files[index]), self._mode)
        if image is None:
            raise OSError(f"cannot read {self._files[index]}")
        image = cv2.resize(image, self._size, interpolation=cv2.INTER_LINEAR)
        return self._augment(image=np.asarray(image))["image"], self._labels[index]


def _augmentation(workload: Workload) -> albumentations.Compose:
    """Return the workload as an affine transform of 8-bit pixels, which become floats last."""
    zoom, shift, shear = workload.zoom, workload.shift, workload.shear
    return albumentations.Compose(
        [
            albumentations.Affine(
                scale=(1 - zoom, 1 + zoom),
                translate_percent=(-shift, shift),
                rotate=(-workload.rotation, workload.rotation),
                shear={"x": (-shear, shear), "y": (0.0, 0.0)},
                interpolation=cv2.INTER_LINEAR,
                border_mode=cv2.BORDER_REPLICATE,
                p=1.0,
            ),
            albumentations.HorizontalFlip(p=0.5),
            albumentations.ToFloat(max_value=255.0),
            ToTensorV2(),
        ],
        seed=workload.seed,
    )


def single_threaded_opencv(worker: int) -> None:
    """Turn OpenCV's own threads off in a worker, because the workers run in parallel."""
    cv2.setNumThreads(0)
