"""The shape and the dtypes of the masks of a data set."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imageloom._errors import BadImageError
from imageloom._imaging.mixing import MixOptions
from imageloom._options import ReadOptions
from imageloom._pipeline.recipe import BatchSpec
from imageloom._sources.base import SampleSource

__all__ = ["mask_dtypes_of", "mask_shape_of"]

_MASKS_TRIED: Final = 100  # until one can be read


def mask_shape_of(row_shape: tuple[int, ...], data_format: str) -> tuple[int, ...]:
    """The shape of a mask: that of the image, with a single channel."""
    return (*row_shape[:-1], 1) if data_format == "channels_last" else (1, *row_shape[1:])


def mask_dtypes_of(
    source: SampleSource, read: ReadOptions, mixing: MixOptions | None
) -> tuple[str, ...]:
    """The dtype of each of a sample's masks: that of the first one that can be read.

    Sums of masks with weights are floats.
    """
    if source.masks == 0:
        return ()
    if mixing is not None and mixing.mixup:
        return ("<f4",) * source.masks
    found: list[str | None] = [None] * source.masks
    for index in range(min(len(source), _MASKS_TRIED)):
        task = source.task(BatchSpec(0, 0, np.array([index], dtype=np.int64), 0, 0))
        for number, name in enumerate(task.masks[0]):
            if found[number] is None:
                with suppress(BadImageError):  # reported when its batch is computed
                    found[number] = _mask(source, task.root, name, index, number, read).dtype.str
        if all(found):
            break
    return tuple(dtype or "|u1" for dtype in found)


def _mask(
    source: SampleSource, root: str, name: str, index: int, number: int, read: ReadOptions
) -> NDArray[Any]:
    from imageloom._imaging.decode import read_pixels, read_stored  # loads Pillow

    if source.mask_records:
        return read_pixels(name, read.for_masks(), source.mask_records[number].content(index))
    return read_stored(root, name, read.for_masks())
