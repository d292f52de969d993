"""The file that keeps the statistics of a data set, and what of the images they depend on.

It is an `.npz` file, whose archive has a checksum for each array. What is read is checked all the same:
numbers that are not finite, or that fit no images, would spoil a training in silence.
"""

from __future__ import annotations

import io
import json
import math
import os
from dataclasses import asdict
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imageloom._errors import InvalidArgumentError, MissingFileError
from imageloom._imaging.normalise import FeatureStatistics, MeasuredImages
from imageloom._options import COLOUR_CHANNELS
from imageloom._storage.atomic import replace_file
from imageloom._storage.refusals import telling

__all__ = ["load_statistics", "save_statistics"]

_FORMAT: Final = "imageloom-statistics"
_NAMES: Final = ("mean", "std", "zca_whitening_matrix")


def save_statistics(found: FeatureStatistics, path: str | os.PathLike[str]) -> None:
    """Writes statistics to an `.npz` file, in one step; `load_statistics` reads it.

    Raises:
        MissingDirectoryError: Its folder does not exist.
        StorageError: The system has refused it.
    """
    arrays = {name: getattr(found, name) for name in _NAMES if getattr(found, name) is not None}
    if found.images is not None:
        arrays["images"] = np.array(json.dumps(asdict(found.images)))
    # In memory, because old releases of NumPy keep an archive open whose file could not be written.
    content = io.BytesIO()
    np.savez(content, format=np.array(_FORMAT), **arrays)
    with telling(f"Could not write {os.fspath(path)!r}"):
        replace_file(path, content.getvalue(), durable=True)


def load_statistics(path: str | os.PathLike[str]) -> FeatureStatistics:
    """Reads statistics from a file that `save_statistics` has written.

    Raises:
        MissingFileError: The file does not exist.
        InvalidArgumentError: The file contains something else, or is damaged.
    """
    try:
        # NumPy does not close the file if it is no archive, so it is opened and closed here.
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as arrays:
            if str(arrays["format"]) != _FORMAT:
                raise KeyError("format")
            found = FeatureStatistics(
                **{name: arrays[name] for name in _NAMES if name in arrays},
                images=_described(str(arrays["images"])) if "images" in arrays else None,
            )
        _check(found)
    except FileNotFoundError as error:
        raise MissingFileError(f"The file {os.fspath(path)!r} does not exist.") from error
    except Exception as error:  # NumPy raises errors of many classes for damaged files
        raise InvalidArgumentError(
            f"The file {os.fspath(path)!r} contains no statistics as `imageloom stats` writes them, or "
            f"is damaged: {error}"
        ) from error
    return found


def _described(text: str) -> MeasuredImages:
    values = json.loads(text)
    height, width = values["target_size"]
    images = MeasuredImages(**{**values, "target_size": (height, width)})
    rescale = images.rescale
    if (
        not (rescale is None or (type(rescale) in (int, float) and math.isfinite(rescale)))
        or not all(type(side) is int and side > 0 for side in images.target_size)
        or images.color_mode not in COLOUR_CHANNELS
        or not isinstance(images.dtype, str)
    ):
        raise ValueError(f"the images are described as {values!r:.200}")
    return images


def _check(found: FeatureStatistics) -> None:
    """Raises a ValueError if no images have such statistics."""
    images = found.images
    channels = None if images is None else COLOUR_CHANNELS[images.color_mode]
    for name in ("mean", "std"):
        array = getattr(found, name)
        if array is None:
            continue
        _check_numbers(name, array)
        if array.ndim != 3 or sorted(array.shape)[:2] != [1, 1]:
            raise ValueError(f"`{name}` has the shape {array.shape}")
        if array.size != (channels or array.size):
            raise ValueError(f"`{name}` has {array.size} channels instead of {channels}")
        channels = array.size
    if found.std is not None and (found.std < 0).any():
        raise ValueError("`std` is negative")
    matrix = found.zca_whitening_matrix
    if matrix is not None:
        _check_numbers("zca_whitening_matrix", matrix)
        size = None if images is None else math.prod(images.target_size) * (channels or 0)
        if matrix.ndim != 2 or len(set(matrix.shape)) > 1 or len(matrix) % (channels or 1):
            raise ValueError(f"`zca_whitening_matrix` has the shape {matrix.shape}")
        if size is not None and len(matrix) != size:
            raise ValueError(f"`zca_whitening_matrix` has the shape {matrix.shape}")


def _check_numbers(name: str, array: NDArray[Any]) -> None:
    if array.dtype.kind != "f" or array.size == 0 or not np.isfinite(array).all():
        raise ValueError(f"`{name}` has values that are no finite numbers")
