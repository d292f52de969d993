"""Computes the statistics that `fit` finds: mean and deviation per channel, and the whitening matrix.

Statistics are computed batch by batch. The `FeatureMoments` of parts are merged into those of the whole
(Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances",
1979), and the whitening matrix is computed from sums of outer products. The sums are in float64, which
is exact enough for a million images. `normalise` applies the statistics.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imageloom._checks.values import computing_dtype
from imageloom._errors import InvalidArgumentError
from imageloom._imaging.normalise import EPSILON, FeatureStatistics
from imageloom._machine import free_memory
from imageloom._options import GeneratorOptions

__all__ = [
    "FeatureMoments",
    "OuterProducts",
    "check_whitening_fits",
    "per_value",
    "statistics_of_array",
    "statistics_of_blocks",
    "statistics_of_moments",
    "whitening_of_products",
]

Doubles = NDArray[np.float64]
# Computing the whitening matrix needs so many times its own size, for the products, the eigenvectors
# and LAPACK's working memory. An iterator over images of 32x32x3 was measured to need 6.1.
_MATRICES: Final = 7


@dataclass(frozen=True, slots=True)
class FeatureMoments:
    """Mean and spread per channel of some images.

    Attributes:
        count: the number of values of each channel.
        mean: the mean of each channel.
        squares: the sum of the squared deviations from the mean, of each channel.
    """

    count: int
    mean: Doubles
    squares: Doubles

    @classmethod
    def of_all(cls, arrays: Iterable[NDArray[Any]], channel_axis: int) -> FeatureMoments:
        """The moments of several arrays of images together."""
        return functools.reduce(cls.merged, (cls.of(images, channel_axis) for images in arrays))

    @classmethod
    def of(
        cls, images: NDArray[Any], channel_axis: int, before: FeatureMoments | None = None
    ) -> FeatureMoments:
        """The moments of images (n, ...), which are read one by one to save memory.

        With the moments of the images `before` them, those of all, as if they had come at once.
        """
        channels = images.shape[channel_axis]
        total = before or cls(0, np.zeros(channels), np.zeros(channels))
        for image in images:
            if channel_axis == 1:
                values = image.reshape(channels, -1).T.astype(np.float64)
            else:
                values = image.reshape(-1, channels).astype(np.float64)
            # Matrix products are ten times as fast as NumPy's sums along the long axis.
            ones = np.ones(len(values))
            mean = ones @ values / len(values)
            values -= mean
            values *= values
            total = total.merged(cls(len(values), mean, ones @ values))
        return total

    def merged(self, other: FeatureMoments) -> FeatureMoments:
        """The moments of both parts together."""
        count = self.count + other.count
        if count == 0:
            return self
        step = other.mean - self.mean
        mean = self.mean + step * (other.count / count)
        squares = self.squares + other.squares + step**2 * (self.count * other.count / count)
        return FeatureMoments(count, mean, squares)


class OuterProducts:
    """Sums of images x (n, d) and of their outer products, after subtracting a provisional centre."""

    def __init__(self, centre: Doubles) -> None:
        """Starts with empty sums.

        Args:
            centre: a vector (d,) near the mean, so that the differences of the sums stay exact.
        """
        self.count = 0
        self._centre = centre
        self._sum = np.zeros(len(centre))
        self._products = np.zeros((len(centre), len(centre)))

    def add(self, flat: NDArray[Any]) -> None:
        """Adds images (n, d)."""
        values = flat.astype(np.float64) - self._centre
        self.count += len(values)
        self._sum += values.sum(axis=0)
        self._products += values.T @ values

    def about(self, mean: Doubles) -> Doubles:
        """The sum of the outer products (d, d) after subtracting `mean` instead of the centre."""
        step = mean - self._centre
        crossed = np.outer(self._sum, step)
        return self._products - crossed - crossed.T + self.count * np.outer(step, step)


def statistics_of_moments(
    moments: FeatureMoments, options: GeneratorOptions, channel_axis: int
) -> FeatureStatistics:
    """The statistics that the options ask for, in the shapes that `FeatureStatistics` describes."""
    shape = [1, 1, 1]
    shape[channel_axis - 1] = -1
    mean = moments.mean.reshape(shape).astype(computing_dtype(options.dtype))
    std = np.sqrt(moments.squares / moments.count).reshape(shape).astype(computing_dtype(options.dtype))
    return FeatureStatistics(
        mean=mean if options.featurewise_center else None,
        std=std if options.featurewise_std_normalization else None,
    )


def statistics_of_array(
    x: NDArray[Any], options: GeneratorOptions, channel_axis: int
) -> FeatureStatistics:
    """The statistics of images (n, ...); whitening changes the images in place, as in Keras."""
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


def statistics_of_blocks(
    blocks: Iterable[NDArray[Any]], options: GeneratorOptions, channel_axis: int
) -> FeatureStatistics:
    """The statistics of images that come in blocks (n, ...), of which one is in memory at a time."""
    moments: FeatureMoments | None = None
    products: OuterProducts | None = None
    row_shape: tuple[int, ...] = ()
    for block in blocks:
        moments = FeatureMoments.of(block, channel_axis, moments)
        row_shape = block.shape[1:]
        if options.zca_whitening:
            products = products or OuterProducts(per_value(moments.mean, row_shape, channel_axis))
            products.add(block.reshape(len(block), -1))
    assert moments is not None, "there is an image"
    found = statistics_of_moments(moments, options, channel_axis)
    if products is None:
        return found
    mean = per_value(moments.mean, row_shape, channel_axis)
    matrix = whitening_of_products(products, mean, options.zca_epsilon)
    return FeatureStatistics(mean=found.mean, std=found.std, zca_whitening_matrix=matrix)


def per_value(per_channel: Doubles, row_shape: tuple[int, ...], channel_axis: int) -> Doubles:
    """The number of each channel for each value of an image of this shape, (d,)."""
    shape = [1, 1, 1]
    shape[channel_axis - 1] = -1
    spread: Doubles = np.broadcast_to(per_channel.reshape(shape), row_shape)
    return spread.reshape(-1)


def whitening_of_products(products: OuterProducts, mean: Doubles, epsilon: float) -> Doubles:
    """The whitening matrix (d, d) of images, after subtracting their mean (d,).

    The singular values of the images are the square roots of the eigenvalues of their outer products.
    """
    eigenvalues, vectors = np.linalg.eigh(products.about(mean))
    rank = min(products.count, len(mean))
    s = np.sqrt(np.maximum(eigenvalues[-rank:], 0.0))
    u = vectors[:, -rank:]
    whitening: Doubles = (u * (np.sqrt(products.count) / (s + epsilon))) @ u.T
    return whitening


def check_whitening_fits(image_shape: tuple[int, ...], channels: int) -> None:
    """Raises if computing the whitening matrix of such images needs more memory than is free.

    Raises:
        InvalidArgumentError: It names the memory that is needed and the largest images that would fit.
    """
    memory = free_memory()
    values = math.prod(image_shape)
    needed = _MATRICES * values**2 * 8
    if needed <= memory:
        return
    side = math.isqrt(int(math.sqrt(memory / _MATRICES / 8)) // channels)
    raise InvalidArgumentError(
        f"`zca_whitening` of images of shape {image_shape} needs a matrix of {values:,} x {values:,} "
        f"numbers. Computing it takes {needed / 2**30:.1f} GiB, and {memory / 2**30:.1f} GiB are free. "
        f"The memory is enough for images up to {side}x{side} with {channels} channel(s); for larger "
        "images use featurewise_center and featurewise_std_normalization."
    )
