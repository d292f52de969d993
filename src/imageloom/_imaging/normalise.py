"""Normalises pixels; `moments` computes the statistics of a data set that some steps need."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imageloom._options import GeneratorOptions
from imageloom._warnings import Code, warn_user

__all__ = [
    "FeatureStatistics",
    "MeasuredImages",
    "StandardizeOptions",
    "in_lines",
    "standardize",
    "standardize_into",
    "warn_if_unfitted",
]

EPSILON: Final = 1e-6
Floats = NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredImages:
    """What statistics in a file depend on, besides the images' files.

    Attributes:
        rescale: the factor that pixels were multiplied by; None for none.
        target_size: height and width.
        color_mode: the colour mode, which says the number of channels.
        dtype: the dtype that the images were in.
    """

    rescale: float | None
    target_size: tuple[int, int]
    color_mode: str
    dtype: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureStatistics:
    """The statistics of a data set, as `fit` finds them; None for those that are not known.

    Attributes:
        mean: the mean of each channel, (1, 1, channels), or (channels, 1, 1) for channels first.
        std: the standard deviation of each channel, in the same shape.
        zca_whitening_matrix: a matrix (d, d) with d = height * width * channels.
        images: what they depend on, if they are out of a file that says so.
    """

    mean: Floats | None = None
    std: Floats | None = None
    zca_whitening_matrix: Floats | None = None
    images: MeasuredImages | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StandardizeOptions:
    """The steps that `standardize` takes, named like the constructor's arguments."""

    rescale: float | None
    samplewise_center: bool
    samplewise_std_normalization: bool
    featurewise_center: bool
    featurewise_std_normalization: bool
    zca_whitening: bool
    statistics: FeatureStatistics

    @classmethod
    def of(cls, options: GeneratorOptions, statistics: FeatureStatistics) -> StandardizeOptions:
        """The steps that a generator's options ask for."""
        return cls(
            rescale=options.rescale,
            samplewise_center=bool(options.samplewise_center),
            samplewise_std_normalization=bool(options.samplewise_std_normalization),
            featurewise_center=bool(options.featurewise_center),
            featurewise_std_normalization=bool(options.featurewise_std_normalization),
            zca_whitening=bool(options.zca_whitening),
            statistics=statistics,
        )

    @property
    def active(self) -> bool:
        """Whether any step would change pixels."""
        return bool(self.rescale) or self.normalises

    @property
    def sole_factor(self) -> float | None:
        """The factor, if the only step is a multiplication; else None."""
        return None if self.normalises else self.rescale or None

    @property
    def first_normalisation(self) -> str | None:
        """The first step behind `rescale` whose statistics are known; None if there is none."""
        known = self.statistics
        steps = {
            "samplewise_center": self.samplewise_center,
            "samplewise_std_normalization": self.samplewise_std_normalization,
            "featurewise_center": self.featurewise_center and known.mean is not None,
            "featurewise_std_normalization": (
                self.featurewise_std_normalization and known.std is not None
            ),
            "zca_whitening": self.zca_whitening and known.zca_whitening_matrix is not None,
        }
        return next((name for name, taken in steps.items() if taken), None)

    @property
    def normalises(self) -> bool:
        """Whether there is a step beside `rescale`."""
        return (
            self.samplewise_center
            or self.samplewise_std_normalization
            or self.featurewise_center
            or self.featurewise_std_normalization
            or self.zca_whitening
        )


def standardize(x: Floats, options: StandardizeOptions) -> Floats:
    """Normalises an image in place where possible, and returns it; a batch is treated as one image.

    The steps are, in this order: rescale, samplewise centre and deviation (over all elements),
    featurewise centre and deviation, whitening. A step whose statistics are not known is skipped.
    """
    return _standardized(x, x, options)


def _standardized(x: Floats, out: Floats, options: StandardizeOptions) -> Floats:
    """Writes the normalised image into `out` where possible: `x` itself, or float32 of its shape."""
    if not _samplewise_at_once(x, out, options):
        if x is out:
            if options.rescale:
                out *= options.rescale
        elif options.rescale and x.dtype == out.dtype:
            np.multiply(x, options.rescale, out=out, casting="same_kind")
        else:
            np.copyto(out, x)
            if options.rescale:
                out *= options.rescale
        _samplewise(out, options)
    return _by_features(out, options)


def _samplewise_at_once(x: Floats, out: Floats, options: StandardizeOptions) -> bool:
    """Rescales, centres and divides in two passes, if that can be done; else changes nothing."""
    if not (options.samplewise_center and options.samplewise_std_normalization):
        return False
    # It loads OpenCV, which those do not need who only import this library.
    from imageloom._imaging.whole import centre_and_divide

    return centre_and_divide(x, out, options.rescale or 1.0, EPSILON)


def _samplewise(x: Floats, options: StandardizeOptions) -> None:
    if options.samplewise_center or options.samplewise_std_normalization:
        from imageloom._imaging.whole import deviation, mean

        if options.samplewise_center:
            x -= mean(x)
        if options.samplewise_std_normalization:
            x /= deviation(x) + EPSILON


def _by_features(x: Floats, options: StandardizeOptions) -> Floats:
    known = options.statistics
    if options.featurewise_center and known.mean is not None:
        pixels, mean_of_each = in_lines(x, known.mean)
        pixels -= mean_of_each
    if options.featurewise_std_normalization and known.std is not None:
        pixels, std_of_each = in_lines(x, known.std + EPSILON)
        pixels /= std_of_each
    if options.zca_whitening and known.zca_whitening_matrix is not None:
        flat = x.reshape(-1, int(np.prod(x.shape[-3:])))
        x = np.dot(flat, known.zca_whitening_matrix).reshape(x.shape)
    return x


def standardize_into(row: Floats, x: Floats, options: StandardizeOptions) -> Floats:
    """Normalises an image, in a row of the batch where possible.

    Args:
        row: the image's place in the batch, of any dtype; or `x` itself.
        x: the image, which may be overwritten unless it consists of whole numbers.
        options: the steps.

    Returns:
        `row` if the result is there; else another array.
    """
    if not options.active:
        return x
    if x.shape == row.shape:
        if row.dtype == np.float32 and x.dtype in (np.uint8, np.float32):
            return _standardized(x, row, options)  # there the steps need no further memory
        factor = options.sole_factor
        if factor is not None and row.dtype != np.float16:
            np.multiply(x, factor, out=row, casting="unsafe")
            return row
    return standardize(x if x.dtype.kind == "f" else x.astype(np.float32), options)


def in_lines(x: Floats, of_channels: Floats) -> tuple[Floats, Floats]:
    """A view of an image (height, width, channels), and a value for each of its elements.

    NumPy computes lines of all channels in a seventh of the time of three channels after three others.
    """
    if x.ndim != 3 or np.shape(of_channels) != (1, 1, x.shape[2]) or not x.flags.c_contiguous:
        return x, of_channels
    line = np.broadcast_to(of_channels, (1, *x.shape[1:])).reshape(-1)
    return x.reshape(len(x), -1), line.astype(x.dtype, copy=False)


def warn_if_unfitted(options: StandardizeOptions) -> None:
    """Warns of each option whose statistics are not known, with Keras' text."""
    known = options.statistics
    for name, value in (
        ("featurewise_center", known.mean),
        ("featurewise_std_normalization", known.std),
        ("zca_whitening", known.zca_whitening_matrix),
    ):
        if getattr(options, name) and value is None:
            warn_user(
                f"This generator specifies `{name}`, but it has not been fit on any training data, "
                "so that step is left out. Fit it first by calling `.fit(numpy_data)`.",
                code=Code.NOT_FITTED,
            )
