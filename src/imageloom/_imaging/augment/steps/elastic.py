"""Distorts an image like rubber, as Keras' `RandomElasticTransform`.

The image is read at places that a smooth random field moves. For the strength s, the field is white
noise with the standard deviation sigma = 0.05 s times the shorter side, blurred with that sigma, and
multiplied by alpha = 0.1 s times the longer side.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imageloom._imaging.augment.noise import normal_numbers
from imageloom._imaging.augment.steps.chance import happens
from imageloom._imaging.augment.steps.remap import pick_at, read_at
from imageloom._imaging.opencv import cv2
from imageloom._options.steps import Elastic

__all__ = ["displacements", "distort", "distort_by", "draw_elastic", "smoothed"]


def draw_elastic(rng: np.random.Generator, options: Elastic) -> dict[str, Any] | None:
    """Draws the strength, and the seed of the field; None if the image stays as it is."""
    if not happens(rng, options.factor):
        return None
    return {"scale": float(rng.uniform(*options.scale)), "seed": int(rng.integers(2**63))}


def displacements(
    params: Mapping[str, Any], height: int, width: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """How far to the right and below each pixel is read, in pixels; two arrays (height, width)."""
    noise = normal_numbers(np.random.PCG64(params["seed"]), (2, height, width))
    across, down = smoothed(noise, params["scale"])
    return across, down


def smoothed(noise: NDArray[np.float32], scale: float) -> NDArray[np.float32]:
    """Makes displacements of two arrays (2, height, width) of normal numbers."""
    _, height, width = noise.shape
    alpha, sigma = 0.1 * scale * max(height, width), 0.05 * scale * min(height, width)
    if sigma == 0:
        return np.zeros_like(noise)
    kernel = cv2.getGaussianKernel(int(6 * sigma) | 1, sigma, cv2.CV_32F)
    fields = [
        cv2.sepFilter2D(field, -1, kernel, kernel * (alpha * sigma), borderType=cv2.BORDER_CONSTANT)
        for field in noise
    ]
    return np.stack(fields)


def distort(
    x: NDArray[Any],
    params: Mapping[str, Any],
    *,
    fill_mode: str,
    fill_value: float,
    nearest: bool,
) -> NDArray[Any]:
    """Distorts an image (height, width, channels) as drawn."""
    moves = displacements(params, x.shape[0], x.shape[1])
    return distort_by(x, *moves, fill_mode=fill_mode, fill_value=fill_value, nearest=nearest)


def distort_by(
    x: NDArray[Any],
    across: NDArray[np.float32],
    down: NDArray[np.float32],
    *,
    fill_mode: str,
    fill_value: float,
    nearest: bool,
) -> NDArray[Any]:
    """Reads each pixel of an image so far to the right and below."""
    height, width = x.shape[:2]
    columns = np.add(across, np.arange(width, dtype=np.float32), dtype=np.float32)
    rows = np.add(down, np.arange(height, dtype=np.float32)[:, None], dtype=np.float32)
    read = pick_at if nearest else read_at
    return read(x, columns, rows, fill_mode=fill_mode, fill_value=fill_value)
