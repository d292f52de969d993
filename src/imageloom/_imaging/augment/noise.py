"""Adds noise to images on the 0..255 scale.

Amplitudes refer to a range of 1.0, so that a variance of 0.01 means a standard deviation of a tenth of
the range, 25.5 grey levels. Results are clipped to 0..255.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imageloom._options import Noise

__all__ = ["add_noise"]

FULL_SCALE: Final = 255.0


def add_noise(x: NDArray[Any], noise: Noise) -> NDArray[np.float32]:
    """Returns an image (height, width, channels) with noise, as float32 clipped to 0..255."""
    rng = np.random.Generator(np.random.PCG64(noise.seed))
    image = np.asarray(x, dtype=np.float32)
    if noise.name == "gauss":
        field = rng.standard_normal(image.shape, dtype=np.float32)
        noisy = image + FULL_SCALE * (np.float32(noise.mean) + np.float32(noise.var**0.5) * field)
    elif noise.name == "speckle":
        reach = (3 * noise.var) ** 0.5  # a uniform variable on mean +- reach has this variance
        noisy = image + image * rng.uniform(noise.mean - reach, noise.mean + reach, image.shape)
    elif noise.name == "poisson":
        noisy = rng.poisson(np.clip(image, 0, FULL_SCALE))
    else:
        replaced = rng.random(image.shape[:2]) < noise.amount
        salt = rng.random(image.shape[:2]) < noise.salt_share
        values = np.where(salt, FULL_SCALE, 0.0)[..., None]
        noisy = np.where(replaced[..., None], values, image)
    return np.clip(noisy, 0, FULL_SCALE).astype(np.float32, copy=False)
