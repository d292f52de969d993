"""The calls of libraries and kernels that our pipeline makes for an image, without the pipeline."""

from __future__ import annotations

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray
from workload import Workload

from imageloom._imaging.pillow_resize import resize_as_pillow
from imageloom._imaging.png import decode_png

_FLAGS = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP


class BareSteps:
    """The files and matrices of a data set, and the steps of computing an image, in one thread."""

    def __init__(self, workload: Workload) -> None:
        cv2.setNumThreads(1)
        self.workload = workload
        self.files = [str(file) for file in workload.files]
        rng = np.random.default_rng(workload.seed)
        rng.shuffle(self.files)
        self.matrices = [_matrix(workload, rng) for _ in self.files]

    def read(self, file: str) -> bytes:
        """Return the content of the file."""
        with open(file, "rb") as opened:
            return opened.read()

    def decode(self, content: bytes) -> NDArray[np.uint8]:
        """Return the decoded pixels."""
        if self.workload.suffix == ".png":
            pixels = decode_png(content, None)
            assert pixels is not None
            return pixels
        return np.asarray(simplejpeg.decode_jpeg(content, "RGB"))

    def scale(self, small: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the pixels as floats from 0 to 1."""
        scaled = small.astype(np.float32)
        scaled *= 1 / 255
        return scaled

    def warp(
        self, scaled: NDArray[np.float32], matrix: NDArray[np.float64], row: NDArray[np.float32]
    ) -> None:
        """Transform the image and write it into the batch."""
        size = (self.workload.width, self.workload.height)
        cv2.warpAffine(scaled, matrix, size, dst=row, flags=_FLAGS, borderMode=cv2.BORDER_REPLICATE)

    def resize(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the image in the target size."""
        return resize_as_pillow(pixels, (self.workload.height, self.workload.width), "bilinear")


def _matrix(work: Workload, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return a matrix from the workload's ranges, with a flip for every other image."""
    angle, shear = np.deg2rad(rng.uniform(-1, 1, 2) * (work.rotation, work.shear))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    slant = np.array([[1, -np.sin(shear)], [0, np.cos(shear)]])
    linear = turn @ slant @ np.diag(rng.uniform(1 - work.zoom, 1 + work.zoom, 2))
    if rng.random() < 0.5:
        linear[:, 0] *= -1
    centre = np.array([work.width / 2 - 0.5, work.height / 2 - 0.5])
    shift = rng.uniform(-work.shift, work.shift, 2) * (work.width, work.height)
    return np.column_stack([linear, centre - linear @ centre + shift])
