"""Adds noise to images on the 0..255 scale.

Amplitudes refer to a range of 1.0, so that a variance of 0.01 means a standard deviation of a tenth of
the range, 25.5 grey levels. Results are clipped to 0..255.

To draw normal and Poisson numbers one by one takes longer than to decode the image. Here random bits,
of which a generator makes four values at a time, choose among equally likely values in a table. The
values are quantiles, so that the distribution is right to one part in 2**16 (normal) and 2**12
(Poisson).
"""

from __future__ import annotations

import math
from functools import cache, lru_cache
from statistics import NormalDist
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imageloom._imaging.opencv import HAS_MORE_DEPTHS, cv2
from imageloom._options import Noise

__all__ = ["FULL_SCALE", "add_noise", "normal_numbers"]

FULL_SCALE: Final = 255.0
_LEVELS: Final = 256
_NORMAL_BITS: Final = 16
_POISSON_BITS: Final = 12  # the table then has 1 MiB, which a core keeps at hand


def add_noise(x: NDArray[Any], noise: Noise, *, in_range: bool = False) -> NDArray[np.float32]:
    """Returns an image (height, width, channels) with noise, as float32 clipped to 0..255.

    Args:
        x: the image.
        noise: the kind of noise, and its seed.
        in_range: whether it is known that all values are in 0..255.
    """
    bits = np.random.PCG64(noise.seed)
    image = np.asarray(x, dtype=np.float32)
    if noise.name == "gauss":
        drawn = _draw(bits, image.size, "<u2").reshape(len(image), -1)
        noisy = _looked_up(drawn, _normal_table(noise.mean, noise.var)).reshape(image.shape)
        noisy += image
    elif noise.name == "speckle":
        reach = (3 * noise.var) ** 0.5  # a uniform variable on mean +- reach has this variance
        noisy = _draw(bits, image.size, "<u2").astype(np.float32).reshape(image.shape)
        noisy *= np.float32(2 * reach / 2**16)
        noisy += np.float32(1 + noise.mean - reach + reach / 2**16)
        noisy *= image
    elif noise.name == "poisson":
        return _poisson(image, _draw(bits, image.size, "<u4").reshape(image.shape))
    else:
        # Contiguous, because it is written to by pixels.
        clipped = image.copy() if in_range else np.clip(image, 0, FULL_SCALE, order="C")
        return _salt_and_pepper(clipped, noise, _draw(bits, image[..., 0].size, "<u4"))
    np.clip(noisy, 0, FULL_SCALE, out=noisy)
    return noisy


def normal_numbers(
    bits: np.random.PCG64, shape: tuple[int, ...], deviation: float = 1.0
) -> NDArray[np.float32]:
    """Normally distributed numbers with the mean 0 and this standard deviation."""
    drawn = _draw(bits, math.prod(shape), "<u2").reshape(shape[0], -1)
    table = _normal_table(0.0, (deviation / FULL_SCALE) ** 2)
    return _looked_up(drawn, table).reshape(shape)


def _looked_up(drawn: NDArray[np.uint16], table: NDArray[np.float32]) -> NDArray[np.float32]:
    found: Any = cv2.LUT(drawn, table[None]) if HAS_MORE_DEPTHS else table.take(drawn)
    return found  # type: ignore[no-any-return]


def _draw(bits: np.random.PCG64, count: int, dtype: str) -> NDArray[Any]:
    """Draws so many whole numbers, of all that the dtype has."""
    of_each = 8 // np.dtype(dtype).itemsize
    raw: NDArray[np.uint64] = bits.random_raw(-(-count // of_each))
    return raw.astype("<u8", copy=False).view(dtype)[:count]


@lru_cache(maxsize=8)
def _normal_table(mean: float, var: float) -> NDArray[np.float32]:
    """Grey levels with this mean and variance, normally distributed."""
    levels: NDArray[np.float64] = FULL_SCALE * (mean + var**0.5 * _normal_quantiles())
    return levels.astype(np.float32)


@cache
def _normal_quantiles() -> NDArray[np.float64]:
    """Quantiles of the normal distribution in the middle of equal shares, with variance 1."""
    half = 2 ** (_NORMAL_BITS - 1)
    quantile = NormalDist().inv_cdf
    upper = np.array([quantile(0.5 + (i + 0.5) / (2 * half)) for i in range(half)])
    table = np.concatenate([-upper[::-1], upper])
    return table / table.std()  # type: ignore[no-any-return]


@cache
def _poisson_table() -> NDArray[np.uint8]:
    """Quantiles of the Poisson distributions with the means 0 to 255, clipped to a byte.

    The numbers of each mean are one row, in the middle of equal shares.
    """
    shares = 2**_POISSON_BITS
    middles = (np.arange(shares) + 0.5) / shares
    counts = np.arange(_LEVELS)
    log_factorials = np.concatenate([[0.0], np.log(counts[1:]).cumsum()])
    table = np.zeros((_LEVELS, shares), np.uint8)
    for mean in range(1, _LEVELS):
        cumulative = np.exp(counts * np.log(mean) - mean - log_factorials).cumsum()
        table[mean] = np.searchsorted(cumulative[:-1], middles)
    return table


def _poisson(image: NDArray[np.float32], drawn: NDArray[np.uint32]) -> NDArray[np.float32]:
    """Poisson numbers whose means are the pixels.

    Of each draw, twelve bits choose between the whole means below and above that of a pixel, and
    twelve others a number of that mean.
    """
    parts = 2**_POISSON_BITS
    means = np.clip(image, 0, FULL_SCALE - 1 / parts)
    means *= parts
    means += np.float32(0.5)
    place = means.astype(np.int32)
    place += (drawn >> (32 - _POISSON_BITS)).view(np.int32)
    place &= -parts
    place |= (drawn & np.uint32(parts - 1)).view(np.int32)
    return _poisson_table().reshape(-1).take(place).astype(np.float32)


def _salt_and_pepper(
    image: NDArray[np.float32], noise: Noise, drawn: NDArray[np.uint32]
) -> NDArray[np.float32]:
    """Makes some pixels of an image white, and some black, in all their channels, and returns it."""
    replaced = round(noise.amount * 2**32) - 1  # the largest number that replaces a pixel
    salt = round(noise.amount * noise.salt_share * 2**32) - 1
    if replaced < 0:
        return image
    places = np.flatnonzero(drawn <= np.uint32(replaced))
    white = drawn[places].astype(np.int64) <= salt
    image.reshape(-1, image.shape[2])[places] = np.where(white, FULL_SCALE, 0.0)[:, None]
    return image
