"""Bilinear resizing by a SIMD resizer, and how often it rounds otherwise than Pillow.

Both resize in two passes, one for each direction, and round to bytes between them. Pillow begins with
the rows, the SIMD resizer with the columns. So every fifth value differs by one grey level. In Pillow's
order, a value in several hundred does, where its fraction is about one half. How many, depends on the
sizes: for 5 to 4 pixels, many fractions are exactly one half.
"""

from __future__ import annotations

import functools
import threading
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imageloom._imaging.pillow_resize import begins_with_rows

__all__ = ["resize_bilinear", "simd_resizer"]

Bytes = NDArray[np.uint8]

_CHANNELS: Final = (1, 3)
_ROWS: Final = 64  # of noise that is resized for trial


def resize_bilinear(
    pixels: Bytes, size: tuple[int, int], *, part: tuple[float, float] | None = None, share: float = 1.0
) -> Bytes | None:
    """Resizes an image (height, width, channels); no value differs from Pillow's by more than a level.

    Args:
        pixels: the image, C-contiguous.
        size: the (height, width) of the result.
        part: the (height, width) from the upper left corner that is resized; None for all.
        share: the share of the values that may differ from Pillow's. It needs the whole image.

    Returns:
        The resized image; None if Pillow has to resize.
    """
    rows, columns, channels = pixels.shape
    library = simd_resizer()
    if library is None or channels not in _CHANNELS:
        return None
    if size == (rows, columns) and part is None:
        return pixels
    height, width = size
    if share < 1 and _share(rows, height) + _share(columns, width) > share:
        return None
    kept = _resizer(height, width, channels)
    source = library.ImageData(columns, rows, kept.pixel_type, pixels.tobytes())
    if share < 1 and begins_with_rows(rows, columns, height, width):
        between = library.ImageData(width, rows, kept.pixel_type)
        kept.resizer.resize(source, between, kept.options)
        source = between
    options = kept.options
    if part is not None:
        crop = library.CropBox(0, 0, part[1], part[0])
        options = library.ResizeOptions(resize_alg=kept.filter, crop_box=crop)
    kept.resizer.resize(source, kept.target, options)
    resized = np.frombuffer(kept.target.get_buffer(), np.uint8)  # a copy
    return resized.reshape(height, width, channels)


@functools.cache
def simd_resizer() -> Any:
    """Loads the resizer, for the first image without kernels; returns None if it has no wheel here."""
    try:
        import cykooz_resizer
    except ImportError:  # Pillow resizes everything then
        return None
    return cykooz_resizer


class _Resizer(threading.local):
    """The objects that resizing to one size needs; making them takes half as long as the resizing."""

    def __init__(self, height: int, width: int, channels: int) -> None:
        library = simd_resizer()
        self.filter = library.ResizeAlg.convolution(library.FilterType.bilinear)
        self.options = library.ResizeOptions(resize_alg=self.filter)
        self.pixel_type = library.PixelType.U8x3 if channels == 3 else library.PixelType.U8
        self.target = library.ImageData(width, height, self.pixel_type)
        self.resizer = library.Resizer()


_resizer = functools.lru_cache(maxsize=8)(_Resizer)


@functools.lru_cache(maxsize=4096)
def _share(before: int, after: int) -> float:
    """The share of values that differ from Pillow's when rows are resized, as a trial finds it."""
    if before == after:
        return 0.0
    noise = np.random.default_rng(0).integers(0, 256, (_ROWS, before, 1), dtype=np.uint8)
    found = resize_bilinear(noise, (_ROWS, after))
    expected = Image.fromarray(noise[..., 0]).resize((after, _ROWS), Image.Resampling.BILINEAR)
    assert found is not None
    return float(np.mean(found[..., 0] != np.asarray(expected)))
