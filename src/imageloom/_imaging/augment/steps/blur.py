"""Blurs an image, as Keras' `RandomGaussianBlur`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imageloom._imaging.augment.steps.chance import happens
from imageloom._imaging.augment.steps.remap import by_channels
from imageloom._imaging.opencv import cv2
from imageloom._options.steps import Blur

__all__ = ["blur", "draw_blur"]

_LEAST: Final = 1e-6  # is added to each sigma, as in Keras


def draw_blur(rng: np.random.Generator, options: Blur) -> dict[str, Any] | None:
    """Draws the standard deviations across and down; None if the image stays sharp."""
    if not happens(rng, options.factor):
        return None
    sigma = rng.uniform(*options.sigma, 2) + _LEAST
    return {"kernel_size": [*options.kernel_size], "sigma": sigma.tolist()}


def blur(x: NDArray[np.float32], params: Mapping[str, Any]) -> NDArray[np.float32]:
    """Blurs an image (height, width, channels); as in Keras, it is black beyond its border."""
    across, down = (
        cv2.getGaussianKernel(size, sigma, cv2.CV_32F)
        for size, sigma in zip(params["kernel_size"], params["sigma"], strict=True)
    )

    def blurred(part: NDArray[np.float32]) -> Any:
        return cv2.sepFilter2D(part, -1, across, down, borderType=cv2.BORDER_CONSTANT)

    blurry: NDArray[np.float32] = np.clip(by_channels(blurred, x), 0, 255)
    return blurry
