"""Turns images as their orientation tag says (EXIF and TIFF 6.0, tag 274; or XMP).

Cameras store the pixels as the sensor gives them, and a tag for whoever shows them. Pillow turns TIFF
files always, and no others.
"""

from __future__ import annotations

import io
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imageloom._imaging.png import PNG_MAGIC

__all__ = ["TAG", "is_sideways", "orientation_in", "orientation_of", "turn", "turned_origin"]

TAG: Final = 0x0112
_IN_JPEG: Final = (b"Exif\0\0", b"tiff:Orientation")
_IN_PNG: Final = (b"eXIf", b"tiff:Orientation", b"Raw profile type")
_LONGEST_HEAD: Final = 2**18  # bytes of a JPEG file before its pixels, with a thumbnail and XMP
# What a value means: whether rows and columns are exchanged first, and then which axes are mirrored.
_ROWS, _COLUMNS, _BOTH = (True, False), (False, True), (True, True)
_MIRRORED: Final = {2: _COLUMNS, 3: _BOTH, 4: _ROWS, 6: _COLUMNS, 7: _BOTH, 8: _ROWS}
_SIDEWAYS: Final = range(5, 9)
_UPRIGHT: Final = 1


def orientation_in(content: bytes) -> int:
    """The orientation of a JPEG or PNG file, 1..8, without decoding it; 1 without a valid tag."""
    if content.startswith(PNG_MAGIC):
        may_have = any(name in content for name in _IN_PNG)  # also behind the pixels
    else:
        may_have = any(content.find(name, 0, _LONGEST_HEAD) >= 0 for name in _IN_JPEG)
    if not may_have:
        return _UPRIGHT
    try:
        with Image.open(io.BytesIO(content)) as image:
            if image.format == "PNG":
                image.load()  # the tag may be behind the pixels
            return orientation_of(image)
    except MemoryError:
        raise
    except Exception:  # who decodes the file says what is wrong with it
        return _UPRIGHT


def orientation_of(image: Image.Image) -> int:
    """The orientation of an opened image, 1..8; 1 without a valid tag."""
    try:
        value = image.getexif().get(TAG, _UPRIGHT)
    except MemoryError:
        raise
    except Exception:  # Pillow raises errors of many classes for damaged tags
        return _UPRIGHT
    return value if value in range(1, 9) else _UPRIGHT


def is_sideways(orientation: int) -> bool:
    """Whether height and width are exchanged."""
    return orientation in _SIDEWAYS


def turn(pixels: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Turns pixels (height, width, ...) upright."""
    if orientation == _UPRIGHT:
        return pixels
    if is_sideways(orientation):
        pixels = np.swapaxes(pixels, 0, 1)
    rows, columns = _MIRRORED.get(orientation, (False, False))
    return np.ascontiguousarray(pixels[:: -1 if rows else 1, :: -1 if columns else 1])


def turned_origin(
    orientation: int, shown: tuple[float, float], whole: tuple[int, int]
) -> tuple[float, float]:
    """Where the image begins in pixels that were turned, (left, upper).

    Of a file that was decoded at a smaller scale, the last row and column may stand for less of the
    image than the others do, and may have become the first ones.

    Args:
        orientation: how the pixels were turned.
        shown: the (width, height) that the image takes in them.
        whole: their (width, height).
    """
    rows, columns = _MIRRORED.get(orientation, (False, False))
    return (whole[0] - shown[0] if columns else 0.0), (whole[1] - shown[1] if rows else 0.0)
