"""What `fit` computes of a data set: mean and deviation per channel, and the whitening matrix.

All of it can be gathered piece by piece: `FeatureMoments` of parts merge into those of the whole (Chan,
Golub and LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances", 1979),
and the whitening matrix follows from sums of outer products. Sums are in float64, so that a million
images lose no digits.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imageloom._errors import InvalidArgumentError
from imageloom._imaging.normalise import EPSILON, FeatureStatistics
from imageloom._machine import free_memory
from imageloom._options import GeneratorOptions

__all__ = [
    "FeatureMoments",
    "OuterProducts",
    "check_whitening_fits",
    "statistics_of_array",
    "statistics_of_moments",
    "whitening_of_products",
]

Doubles = NDArray[np.float64]
# So many times the size of the result is taken while it is computed: products, vectors, and what LAPACK
# works in. Measured for an iterator of 32x32x3: 6.1.
_MATRICES: Final = 7


@dataclass(frozen=True, slots=True)
class FeatureMoments:
    """Mean and spread per channel of some images.

    Attributes:
        count: values per channel.
        mean: per channel.
        squares: sum of the squared deviations from it, per channel.
    """

    count: int
    mean: Doubles
    squares: Doubles

    @classmethod
    def of(cls, images: NDArray[Any], channel_axis: int) -> FeatureMoments:
        """Those of images (n, ...), taken one by one to spare memory."""
        channels = images.shape[channel_axis]
        total = cls(0, np.zeros(channels), np.zeros(channels))
        for image in images:
            if channel_axis == 1:
                values = image.reshape(channels, -1).T.astype(np.float64)
            else:
                values = image.reshape(-1, channels).astype(np.float64)
            # As products, because NumPy's own sums along the long axis take ten times as long.
            ones = np.ones(len(values))
            mean = ones @ values / len(values)
            values -= mean
            values *= values
            total = total.merged(cls(len(values), mean, ones @ values))
        return total

    def merged(self, other: FeatureMoments) -> FeatureMoments:
        """Those of both parts together."""
        count = self.count + other.count
        if count == 0:
            return self
        step = other.mean - self.mean
        mean = self.mean + step * (other.count / count)
        squares = self.squares + other.squares + step**2 * (self.count * other.count / count)
        return FeatureMoments(count, mean, squares)


class OuterProducts:
    """Sums over images (n, d) of x and of x times its transpose, about a provisional centre."""

    def __init__(self, centre: Doubles) -> None:
        """`centre` (d,): near the mean, so that little cancels out."""
        self.count = 0
        self._centre = centre
        self._sum = np.zeros(len(centre))
        self._products = np.zeros((len(centre), len(centre)))

    def add(self, flat: NDArray[Any]) -> None:
        """Takes in more images (n, d)."""
        values = flat.astype(np.float64) - self._centre
        self.count += len(values)
        self._sum += values.sum(axis=0)
        self._products += values.T @ values

    def about(self, mean: Doubles) -> Doubles:
        """The sum of products (d, d) about another centre."""
        step = mean - self._centre
        crossed = np.outer(self._sum, step)
        return self._products - crossed - crossed.T + self.count * np.outer(step, step)


def statistics_of_moments(
    moments: FeatureMoments, options: GeneratorOptions, channel_axis: int
) -> FeatureStatistics:
    """What the options ask for, shaped as in `FeatureStatistics`."""
    shape = [1, 1, 1]
    shape[channel_axis - 1] = -1
    mean = moments.mean.reshape(shape).astype(options.dtype)
    std = np.sqrt(moments.squares / moments.count).reshape(shape).astype(options.dtype)
    return FeatureStatistics(
        mean=mean if options.featurewise_center else None,
        std=std if options.featurewise_std_normalization else None,
    )


def statistics_of_array(
    x: NDArray[Any], options: GeneratorOptions, channel_axis: int
) -> FeatureStatistics:
    """Mean, deviation and whitening of images (n, ...), which whitening centres in place."""
    found = statistics_of_moments(FeatureMoments.of(x, channel_axis), options, channel_axis)
    if not options.zca_whitening:
        return found
    if found.mean is not None:
        x -= found.mean
    if found.std is not None:
        x /= found.std + EPSILON
    flat = x.reshape(len(x), -1)
    u, s, _ = np.linalg.svd(flat.T, full_matrices=False)
    matrix = (u * (np.sqrt(len(flat)) / (s + options.zca_epsilon))).dot(u.T)
    return FeatureStatistics(mean=found.mean, std=found.std, zca_whitening_matrix=matrix)


def whitening_of_products(products: OuterProducts, mean: Doubles, epsilon: float) -> Doubles:
    """The whitening matrix (d, d) of images whose mean (d,) is subtracted.

    The singular values of the images are the roots of the eigenvalues of their products.
    """
    eigenvalues, vectors = np.linalg.eigh(products.about(mean))
    rank = min(products.count, len(mean))
    s = np.sqrt(np.maximum(eigenvalues[-rank:], 0.0))
    u = vectors[:, -rank:]
    whitening: Doubles = (u * (np.sqrt(products.count) / (s + epsilon))) @ u.T
    return whitening


def check_whitening_fits(image_shape: tuple[int, ...], channels: int) -> None:
    """Raises if the whitening matrix of such images is too large for this machine.

    Raises:
        InvalidArgumentError: with the size that is needed and images that would do.
    """
    memory = free_memory()
    values = math.prod(image_shape)
    needed = _MATRICES * values**2 * 8
    if needed <= memory:
        return
    side = math.isqrt(int(math.sqrt(memory / _MATRICES / 8)) // channels)
    raise InvalidArgumentError(
        f"`zca_whitening` of images of shape {image_shape} needs a matrix of {values:,} x {values:,} "
        f"numbers; computing it takes {needed / 2**30:.1f} GiB, and {memory / 2**30:.1f} GiB are free. "
        f"Here it fits for images up to {side}x{side} with {channels} channel(s); for larger ones use "
        "featurewise_center and featurewise_std_normalization."
    )
