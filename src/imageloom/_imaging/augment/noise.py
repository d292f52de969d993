"""Adds noise to images on the 0..255 scale.

Amplitudes refer to a range of 1.0, so that a variance of 0.01 means a standard deviation of a tenth of
the range, 25.5 grey levels. Results are clipped to 0..255.

To draw normal and Poisson numbers one by one takes longer than to decode the image. Here random bits,
of which a generator makes several values at a time, choose among equally likely values in a table. The
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
_POISSON_BITS: Final = 12  # of which the pixel draws eight, and the image four
_POISSON_TABLES: Final = 2 ** (_POISSON_BITS - 8)


def add_noise(
    x: NDArray[Any],
    noise: Noise,
    *,
    in_range: bool = False,
    out: NDArray[np.float32] | None = None,
) -> NDArray[np.float32] | NDArray[np.uint8]:
    """Returns an image (height, width, channels) with noise, clipped to 0..255.

    Args:
        x: the image.
        noise: the kind of noise, and its seed.
        in_range: whether it is known that all values are in 0..255.
        out: a contiguous array of the image's shape for the result; it may be `x`.

    Returns:
        `out`. Without it, bytes if the kind of noise makes whole numbers of this image, else float32.
    """
    bits = np.random.PCG64(noise.seed)
    in_range |= x.dtype == np.uint8
    if noise.name == "poisson":
        counts = _poisson(x, bits, in_range=in_range)
        if out is None:
            return counts
        np.copyto(out, counts)
        return out
    if noise.name == "s&p":
        if out is None:  # contiguous, because it is written to by pixels
            dtype = np.uint8 if x.dtype == np.uint8 else np.float32
            out = np.empty(x.shape, dtype)
        if not in_range:
            x.clip(0, FULL_SCALE, out=out, casting="same_kind")
        elif out is not x:
            np.copyto(out, x, casting="same_kind")
        return _salt_and_pepper(out, noise, bits)
    drawn = _draw(bits, x.size, "<u2")
    if noise.name == "gauss":
        table = _normal_table(noise.mean, noise.var)
        noisy = _looked_up(drawn.reshape(len(x), -1), table).reshape(x.shape)
        if x.dtype == np.uint8 and out is None and x.size:
            lines = np.ascontiguousarray(x).reshape(len(x), -1)
            cv2.accumulate(lines, noisy.reshape(len(x), -1))  # in a quarter of NumPy's time
            return noisy.clip(0, FULL_SCALE, out=noisy)
        out = noisy if out is None else out
        np.add(noisy, np.asarray(x, dtype=np.float32), out=out)
    else:
        reach = (3 * noise.var) ** 0.5  # a uniform variable on mean +- reach has this variance
        noisy = drawn.astype(np.float32).reshape(x.shape)
        noisy *= np.float32(2 * reach / 2**16)
        noisy += np.float32(1 + noise.mean - reach + reach / 2**16)
        out = noisy if out is None else out
        np.multiply(noisy, np.asarray(x, dtype=np.float32), out=out)
    return out.clip(0, FULL_SCALE, out=out)


def normal_numbers(
    bits: np.random.PCG64, shape: tuple[int, ...], deviation: float = 1.0
) -> NDArray[np.float32]:
    """Normally distributed numbers with the mean 0 and this standard deviation."""
    drawn = _draw(bits, math.prod(shape), "<u2").reshape(shape[0], -1)
    table = _normal_table(0.0, (deviation / FULL_SCALE) ** 2)
    return _looked_up(drawn, table).reshape(shape)


def _looked_up(drawn: NDArray[np.uint16], table: NDArray[Any]) -> NDArray[Any]:
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
def _poisson_tables() -> NDArray[np.uint8]:
    """Quantiles of the Poisson distributions with the means 0 to 255, clipped to a byte.

    Each table has 256 numbers for each mean, one out of each of 256 equal shares; another table has
    others. So a number from a random place in a random table is right to one part in 2**12, and an
    image can be looked up in one table, which the processor keeps at hand.

    Returns:
        An array (16, 65,536); the place of a number is 256 times the mean, and eight random bits.
    """
    shares = 2**_POISSON_BITS
    middles = (np.arange(shares) + 0.5) / shares
    counts = np.arange(_LEVELS)
    log_factorials = np.concatenate([[0.0], np.log(counts[1:]).cumsum()])
    quantiles = np.zeros((_LEVELS, shares), np.uint8)
    for mean in range(1, _LEVELS):
        cumulative = np.exp(counts * np.log(mean) - mean - log_factorials).cumsum()
        quantiles[mean] = np.searchsorted(cumulative[:-1], middles)
    # If all shares of a table gave their lowest numbers, its mean would be too low.
    order = np.random.PCG64(0).random_raw(_LEVELS) >> np.uint64(32)
    number = np.arange(_POISSON_TABLES, dtype=np.uint64)[:, None] + order
    places = np.arange(_LEVELS) * _POISSON_TABLES + (number % _POISSON_TABLES).astype(np.intp)
    return np.ascontiguousarray(quantiles[:, places].swapaxes(0, 1)).reshape(_POISSON_TABLES, -1)


def _poisson(x: NDArray[Any], bits: np.random.PCG64, *, in_range: bool) -> NDArray[np.uint8]:
    """Poisson numbers whose means are the pixels; a fraction of a pixel is drawn, too."""
    table = _poisson_tables()[int(bits.random_raw()) % _POISSON_TABLES]
    drawn = _draw(bits, x.size, "u1").reshape(len(x), -1)
    lines = x.reshape(len(x), -1)
    if x.dtype == np.uint8:
        pairs: Any = cv2.merge([drawn, np.ascontiguousarray(lines)])  # of bytes, the lower one first
        return _looked_up(pairs.view("<u2")[..., 0], table).reshape(x.shape)
    place = np.multiply(lines if in_range else lines.clip(0, FULL_SCALE), _LEVELS).astype(np.uint16)
    place += _draw(bits, x.size, "u1").reshape(len(x), -1)
    place &= 0xFF00
    place |= drawn
    return _looked_up(place, table).reshape(x.shape)


def _salt_and_pepper(image: NDArray[Any], noise: Noise, bits: np.random.PCG64) -> NDArray[Any]:
    """Makes some pixels of an image white, and some black, in all their channels, and returns it.

    To find the places of these pixels would take twice as long as to look at all.
    """
    height, width, channels = image.shape
    drawn = _draw(bits, height * width, "<u2")
    share = noise.amount * 2**16
    white_share = share * noise.salt_share
    last, last_white = (min(int(number), 2**16 - 1) for number in (share, white_share))
    replaced, white = drawn <= last, drawn <= last_white
    # Numbers get fractions, one for each pixel that may be replaced, so that shares may be small.
    start = 0
    for edge in np.flatnonzero((drawn == last) | (drawn == last_white)).tolist():
        raw = bits.random_raw(int(np.count_nonzero(replaced[start:edge])) + 1)
        number = drawn[edge] + raw[-1] * 2.0**-64
        replaced[edge], white[edge] = number < share, number < white_share
        start = edge + 1
    lines = image.reshape(height, -1)
    for limit, values in (
        (cv2.min, replaced.view(np.uint8) - np.uint8(1)),  # 0 for what is replaced, else 255
        (cv2.max, np.negative(white.view(np.uint8))),  # 255 for what becomes white, else 0
    ):
        plane: Any = values.reshape(height, width).astype(image.dtype, copy=False)
        colours = channels == 3
        planes: Any = (
            cv2.cvtColor(plane, cv2.COLOR_GRAY2RGB) if colours else cv2.merge([plane] * channels)
        )
        limit(lines, planes.reshape(height, -1), dst=lines)
    return image
