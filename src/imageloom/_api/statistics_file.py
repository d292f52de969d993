"""Statistics out of a file: whether they are those that a generator and its iterators need."""

from __future__ import annotations

import dataclasses
import math
import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imageloom._checks.values import computing_dtype
from imageloom._errors import InvalidArgumentError
from imageloom._imaging.normalise import FeatureStatistics
from imageloom._imaging.statistics_file import load_statistics
from imageloom._options import GeneratorOptions
from imageloom._pipeline.recipe import Recipe
from imageloom._warnings import Code, warn_user

__all__ = ["check_images", "statistics_of_file"]


def statistics_of_file(path: str | os.PathLike[str], options: GeneratorOptions) -> FeatureStatistics:
    """Reads the statistics that a generator with these options needs, in its layout and dtype.

    Raises:
        MissingFileError: the file does not exist.
        InvalidArgumentError: it is damaged, lacks what is needed, or is of images that were rescaled
            otherwise.
    """
    found, name = load_statistics(path), os.fspath(path)
    for option, value in (
        ("featurewise_center", found.mean),
        ("featurewise_std_normalization", found.std),
        ("zca_whitening", found.zca_whitening_matrix),
    ):
        if getattr(options, option) and value is None:
            raise InvalidArgumentError(
                f"{name!r} does not have the statistics that `{option}` needs"
                + ("; make it with `imageloom stats --zca`." if option == "zca_whitening" else ".")
            )
    theirs, ours = found.images and found.images.rescale, options.rescale
    if found.images is not None and not math.isclose(theirs or 1.0, ours or 1.0, rel_tol=1e-6):
        raise InvalidArgumentError(
            f"{name!r} has the statistics of images with rescale={theirs}, but this generator has "
            f"rescale={ours}: make the file with `imageloom stats --rescale {ours or 1}`, or change "
            "`rescale`."
        )
    return dataclasses.replace(
        found,
        mean=_laid_out(found.mean, options),
        std=_laid_out(found.std, options),
        zca_whitening_matrix=_matrix_laid_out(found, options),
    )


def _laid_out(array: NDArray[Any] | None, options: GeneratorOptions) -> NDArray[Any] | None:
    if array is None:
        return None
    shape = (-1, 1, 1) if options.data_format == "channels_first" else (1, 1, -1)
    return array.reshape(shape).astype(np.dtype(computing_dtype(options.dtype)), copy=False)


def _matrix_laid_out(found: FeatureStatistics, options: GeneratorOptions) -> NDArray[Any] | None:
    """The matrix for images in the generator's layout; that of the file is for channels last."""
    matrix, mean = found.zca_whitening_matrix, found.mean
    if matrix is None or mean is None or options.data_format == "channels_last":
        return matrix
    size, channels = len(matrix), mean.size
    parts = matrix.reshape(size // channels, channels, size // channels, channels)
    return np.ascontiguousarray(parts.transpose(1, 0, 3, 2)).reshape(size, size)


def check_images(statistics: FeatureStatistics, recipe: Recipe) -> None:
    """Compares the images of an iterator with those that the statistics of a file are of.

    Another size gives almost the same mean and deviation, so it is a warning.

    Raises:
        InvalidArgumentError: they have another colour mode, or a whitening matrix is for another size.
    """
    measured, read = statistics.images, recipe.read
    steps = recipe.standardize
    averaged = steps.featurewise_center or steps.featurewise_std_normalization
    if measured is None or read is None or not (averaged or steps.zca_whitening):
        return
    if measured.color_mode != read.color_mode:
        raise InvalidArgumentError(
            f"The statistics given to `fit` are of images with color_mode={measured.color_mode!r}, but "
            f"those of this iterator have {read.color_mode!r}: make the file with "
            f"`imageloom stats --color-mode {read.color_mode}`."
        )
    if read.interpolation is None or measured.target_size == tuple(read.target_size):
        return
    theirs, ours = ("x".join(map(str, size)) for size in (measured.target_size, read.target_size))
    text = (
        f"The statistics given to `fit` are of images of {theirs} pixels (height x width), but those "
        f"of this iterator have {ours}: make the file with `imageloom stats --size "
        f"{ours.replace('x', ' ')}`."
    )
    if steps.zca_whitening and statistics.zca_whitening_matrix is not None:
        raise InvalidArgumentError(text)
    warn_user(text, code=Code.OTHER_STATISTICS)
