"""Normalisation: what `standardize` does to pixels. The statistics it needs come from `moments`."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imageloom._errors import InvalidArgumentError, MissingFileError
from imageloom._options import GeneratorOptions
from imageloom._storage.atomic import replacing
from imageloom._warnings import warn_user

__all__ = [
    "FeatureStatistics",
    "StandardizeOptions",
    "load_statistics",
    "save_statistics",
    "standardize",
    "warn_if_unfitted",
]

EPSILON: Final = 1e-6
_NAMES: Final = ("mean", "std", "zca_whitening_matrix")
Floats = NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureStatistics:
    """What `fit` found out about a data set; None where it was not asked to.

    Attributes:
        mean: per channel, shaped (1, 1, channels) or, channels first, (channels, 1, 1).
        std: the same shape.
        zca_whitening_matrix: (d, d) with d = height * width * channels.
    """

    mean: Floats | None = None
    std: Floats | None = None
    zca_whitening_matrix: Floats | None = None


_FILE_FORMAT: Final = "imageloom-statistics"


def save_statistics(found: FeatureStatistics, path: str | os.PathLike[str]) -> None:
    """Writes statistics to an `.npz` file, which `load_statistics` reads."""
    arrays = {name: getattr(found, name) for name in _NAMES if getattr(found, name) is not None}
    with replacing(path, durable=True) as draft, open(draft, "xb") as file:
        np.savez(file, format=np.array(_FILE_FORMAT), **arrays)


def load_statistics(path: str | os.PathLike[str]) -> FeatureStatistics:
    """Statistics out of a file that `save_statistics` has written.

    Raises:
        MissingFileError: there is no such file.
        InvalidArgumentError: it is another file, or damaged.
    """
    try:
        # Opened here, because NumPy leaves the file open when it finds no archive in it.
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as arrays:
            if str(arrays["format"]) != _FILE_FORMAT:
                raise KeyError("format")
            return FeatureStatistics(**{name: arrays[name] for name in _NAMES if name in arrays})
    except FileNotFoundError as error:
        raise MissingFileError(f"There is no file {os.fspath(path)!r}.") from error
    except Exception as error:  # on damaged files NumPy raises whatever it stumbles over
        raise InvalidArgumentError(
            f"{os.fspath(path)!r} does not hold what `imageloom stats` writes: {error}"
        ) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class StandardizeOptions:
    """Which steps `standardize` takes; the names are the constructor's."""

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
        return bool(self.rescale) or self._normalises

    @property
    def sole_factor(self) -> float | None:
        """The factor, if all there is to do is one multiplication."""
        return None if self._normalises else self.rescale or None

    @property
    def _normalises(self) -> bool:
        return (
            self.samplewise_center
            or self.samplewise_std_normalization
            or self.featurewise_center
            or self.featurewise_std_normalization
            or self.zca_whitening
        )


def standardize(x: Floats, options: StandardizeOptions) -> Floats:
    """Normalises one image, or a batch as if it were one image, in place where the step allows.

    Order: rescale, samplewise centre and deviation (over all elements), featurewise centre and
    deviation, whitening. Steps that need statistics which are not there are skipped.
    """
    if options.rescale:
        x *= options.rescale
    if options.samplewise_center:
        x -= np.mean(x, keepdims=True)
    if options.samplewise_std_normalization:
        x /= np.std(x, keepdims=True) + EPSILON
    known = options.statistics
    if options.featurewise_center and known.mean is not None:
        x -= known.mean
    if options.featurewise_std_normalization and known.std is not None:
        x /= known.std + EPSILON
    if options.zca_whitening and known.zca_whitening_matrix is not None:
        flat = x.reshape(-1, int(np.prod(x.shape[-3:])))
        x = np.dot(flat, known.zca_whitening_matrix).reshape(x.shape)
    return x


def warn_if_unfitted(options: StandardizeOptions) -> None:
    """Keras' warning, once for each option whose statistics are missing."""
    known = options.statistics
    for name, value in (
        ("featurewise_center", known.mean),
        ("featurewise_std_normalization", known.std),
        ("zca_whitening", known.zca_whitening_matrix),
    ):
        if getattr(options, name) and value is None:
            warn_user(
                f"This generator specifies `{name}`, but it has not been fit on any training data, "
                "so that step is left out. Fit it first by calling `.fit(numpy_data)`."
            )
