"""What one image looks like, in few numbers: for finding copies, and images without content.

The thumbnail and the hash are the same for a picture that was encoded again, enlarged, reduced, or
made brighter, up to small differences; `near_duplicates` compares them. The hash is the "pHash" of the
field (the signs of the low frequencies of a discrete cosine transform). It is computed here because
OpenCV has the transform, and the package ImageHash would bring SciPy and PyWavelets along.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from imageloom._imaging.opencv import cv2

__all__ = ["THUMBNAIL_SIDE", "Look", "look_at"]

Array = NDArray[Any]  # of OpenCV, which does not tell the types of its results

THUMBNAIL_SIDE: Final = 32  # pixels
_FREQUENCIES: Final = 8  # in each direction: 64 bits
_LEAST_SIDE: Final = 16  # smaller images resemble each other whatever they show
_LEAST_SIDE_OF_EDGES: Final = 32  # smaller images have no room for a blurred edge
_LEAST_CONTRAST: Final = 12.0  # grey levels (standard deviation): a clear sky is not out of focus
_EXAMINED_SIDE: Final = 320  # of finer detail, training sees little
_BLANK_RANGE: Final = 8  # grey levels: what JPEG makes of one colour, and smoothed noise, has fewer
_BLANK_DEVIATION: Final = 6.0  # grey levels: noise
_ROUNDED: Final = 0.02  # of the mean frequency
_SMOOTHING: Final = (5, 5)
_ROUNDING: Final = 2.0  # variance that whole grey levels give to the Laplacian of a smooth image
_WHITE: Final = 255.0
_CHANNELS: Final = (1, 3, 4)


class Look(NamedTuple):
    """What one image looks like.

    Attributes:
        blank: whether all pixels are (nearly) the same.
        bits: the perceptual hash, 64 bits; None for images that cannot be compared.
        thumbnail: grey, 32 x 32 pixels, stretched to 0..255; None for images that cannot be compared.
        sharpness: by which factor smoothing lessens the variance of the Laplacian, after the image was
            reduced to 320 pixels: 20 to 90 for most photographs, 1 for one that is blurred already. The
            variance alone would be that of the contrast and of the motif. None for small and faint
            images.
    """

    blank: bool
    bits: int | None = None
    thumbnail: Array | None = None
    sharpness: float | None = None


def look_at(pixels: Array) -> Look | None:
    """Looks at an image; None for arrays that are none.

    Args:
        pixels: (height, width) or (height, width, channels), of any dtype.
    """
    if pixels.ndim == 2:
        pixels = pixels[:, :, None]
    if pixels.ndim != 3 or pixels.shape[2] not in _CHANNELS or not pixels.size:
        return None
    if pixels.shape[2] == 4:
        pixels = pixels[:, :, :3]
    pixels = np.ascontiguousarray(pixels)
    if pixels.dtype != np.uint8:
        levels = _in_grey_levels(pixels)
        if levels is None:
            return None
        pixels = levels
    grey = pixels[:, :, 0] if pixels.shape[2] == 1 else cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    grey = _reduced(grey)
    tiny = _thumbnail(grey)
    # The first question is answered at once by nearly all images.
    if _range(tiny) <= _BLANK_RANGE and _is_blank(pixels):
        return Look(blank=True)
    bits, thumbnail = _hash(tiny) if min(pixels.shape[:2]) >= _LEAST_SIDE else (None, None)
    return Look(False, bits, thumbnail, _sharpness(grey))


def _in_grey_levels(pixels: Array) -> Array | None:
    """Brings other numbers to 0..255, from 0..1, from -1..1, or from 0 to the largest."""
    with np.errstate(over="ignore", invalid="ignore"):
        numbers = pixels.astype(np.float32)
        low, high = min(float(numbers.min()), 0.0), float(numbers.max())
        if high <= _WHITE:
            high = 1.0 if high <= 1 else _WHITE
        if not np.isfinite(np.float32(high - low)) or not np.isfinite(numbers).all():
            return None
        levels: Array = np.rint((numbers - low) * (_WHITE / (high - low))).astype(np.uint8)
    return levels


def _reduced(grey: Array) -> Array:
    """Reduces to at most 320 pixels a side, by a whole factor, for which OpenCV is quick."""
    return _reduced_by(-(-max(grey.shape) // _EXAMINED_SIDE), grey)


def _thumbnail(grey: Array) -> Array:
    """Reduces to 32 x 32 pixels: first by a whole factor, but not so far that rounding would count."""
    grey = _reduced_by(max(1, min(grey.shape) // (2 * THUMBNAIL_SIDE)), grey)
    size = (THUMBNAIL_SIDE, THUMBNAIL_SIDE)
    return cv2.resize(grey.astype(np.float32), size, interpolation=cv2.INTER_AREA)


def _reduced_by(factor: int, grey: Array) -> Array:
    if factor == 1:
        return grey
    height, width = (max(1, side // factor) for side in grey.shape)
    part = grey[: height * factor, : width * factor]
    return cv2.resize(part, (width, height), interpolation=cv2.INTER_AREA)


def _is_blank(pixels: Array) -> bool:
    """Whether no channel has more than a few grey levels, apart from noise."""
    return all(
        cv2.meanStdDev(channel)[1].item() <= _BLANK_DEVIATION
        and _range(cv2.blur(channel, _SMOOTHING)) <= _BLANK_RANGE
        for channel in cv2.split(pixels)
    )


def _range(grey: Array) -> float:
    low, high, _, _ = cv2.minMaxLoc(grey)
    return float(high - low)


def _hash(tiny: Array) -> tuple[int | None, Array | None]:
    """Returns the hash and the thumbnail. Functions of OpenCV take a third of the time of NumPy's."""
    low, high, _, _ = cv2.minMaxLoc(tiny)
    if high - low <= _BLANK_RANGE:  # fine grain, or colours of the same brightness
        return None, None
    frequencies = cv2.dct(tiny)[:_FREQUENCIES, :_FREQUENCIES].ravel()
    frequencies[0] = 0  # the brightness says nothing
    # Of symmetric pictures, many frequencies are zero up to rounding.
    rounding = _ROUNDED * cv2.norm(frequencies, cv2.NORM_L1) / len(frequencies)
    middle = len(frequencies) // 2
    above = frequencies > np.partition(frequencies, middle)[middle] + rounding
    scale = _WHITE / (high - low)
    return int.from_bytes(np.packbits(above).tobytes(), "big"), cv2.convertScaleAbs(
        tiny, alpha=scale, beta=-low * scale
    )


def _sharpness(grey: Array) -> float | None:
    if min(grey.shape) < _LEAST_SIDE_OF_EDGES:
        return None
    if cv2.meanStdDev(grey)[1].item() < _LEAST_CONTRAST:
        return None
    return _detail(grey) / _detail(cv2.blur(grey, _SMOOTHING))


def _detail(grey: Array) -> float:
    """The variance of the Laplacian, whose mean is 0."""
    laplacian = cv2.Laplacian(grey, cv2.CV_16S)
    return float(cv2.norm(laplacian, cv2.NORM_L2SQR)) / grey.size + _ROUNDING
