"""Channel shift, brightness, contrast and flips of images (height, width, channels).

Brightness and contrast are Pillow's, so that the numbers are Keras' to the last bit. Both map each byte
to a byte. So the 256 values are computed once, and the image is looked up in this table. Where bytes
are wanted, OpenCV's multiplication is faster, if the table says that it rounds no value otherwise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imageloom._errors import InvalidArgumentError
from imageloom._imaging.opencv import cv2

__all__ = ["Scaling", "adjust_brightness", "adjust_contrast", "flip", "shift_bytes", "shift_channels"]

_RAMP: Final = np.arange(256, dtype=np.float32)
_BRIGHTEST: Final = 255
_CHANNELS: Final = (1, 3, 4)
_TO_GREY: Final = {3: cv2.COLOR_RGB2GRAY, 4: cv2.COLOR_RGBA2GRAY}
_MARGIN: Final = 2**-12  # of a level; the blending of two bytes in float32 has less than a fifth
_WHOLE: Final = (
    2**-14
)  # of a level, so that whole values keep theirs, which the warp has almost exactly
_FEW: Final = 2**15  # pixels that are looked up while a formula would be checked
_DECIDED: Final = 0.01  # farther from half a level than the other greys can move the mean


def shift_channels(x: NDArray[Any], intensity: float, *, in_place: bool = False) -> NDArray[Any]:
    """Adds a value to all channels, and clips to the range (minimum, maximum) of the image.

    Args:
        x: the image, of any numeric dtype.
        intensity: what is added.
        in_place: whether `x`, which is floating then, may be overwritten.
    """
    if not x.size:
        return x + intensity
    # A positive value takes no pixel below the minimum.
    limit = x.max() if intensity > 0 else x.min()
    shifted: NDArray[Any] = np.add(x, intensity, out=x if in_place else None)
    out = shifted if shifted.dtype == x.dtype else None
    if shifted.dtype.kind == "f":  # of which NumPy clips both sides in a quarter of the time of one
        low, high = (-np.inf, limit) if intensity > 0 else (limit, np.inf)
        return shifted.clip(low, high, out=out)
    clip: Any = np.minimum if intensity > 0 else np.maximum
    return clip(shifted, limit, out=out)  # type: ignore[no-any-return]


def shift_bytes(x: NDArray[np.float32], intensity: float) -> NDArray[np.uint8]:
    """`shift_channels` for values in 0..255 whose fractions are cut off next, in half the time.

    Whole values keep their level: before fractions are cut off, 2**-14 is added.
    """
    lines = x.reshape(len(x), -1)
    # OpenCV takes absolute values, so that whole numbers are subtracted from the bytes.
    lower = math.floor(min(intensity, 0.0))
    levels: Any = cv2.convertScaleAbs(lines, beta=intensity - lower - 0.5 + _WHOLE)
    if intensity > 0:
        highest: Any = float(int(x.max()))
        cv2.min(levels, highest, dst=levels)
    else:
        lowest: Any = float(int(x.min()))
        cv2.subtract(levels, -float(lower), dst=levels)  # type: ignore[call-overload]
        cv2.max(levels, lowest, dst=levels)
    return levels.reshape(x.shape)  # type: ignore[no-any-return]


def flip(x: NDArray[Any], *, horizontal: bool, vertical: bool) -> NDArray[Any]:
    """Mirrors columns, rows, or both; the result may be a view."""
    if horizontal and x.dtype in (np.float32, np.uint8):
        # Copying a view with mirrored columns would take 14 times as long, pixel by pixel.
        mirrored: Any = cv2.flip(x, -1 if vertical else 1)
        return mirrored.reshape(x.shape)  # type: ignore[no-any-return]
    if horizontal:
        x = x[:, ::-1]
    return x[::-1] if vertical else x


@dataclass(frozen=True, slots=True)
class Scaling:
    """Where the result of a transform goes, and a multiplication that is done with its last step.

    Attributes:
        factor: what the pixels are multiplied by; 1 for nothing.
        out: a contiguous float32 array of the image's shape for the result.
    """

    factor: float
    out: NDArray[np.float32]


def adjust_brightness(
    x: NDArray[Any], factor: float, scaling: Scaling | None = None, *, in_range: bool = False
) -> NDArray[Any]:
    """Blends with black; factor 0.0 gives black, 1.0 the image without fractions, as in Keras.

    Args:
        x: the image, of any numeric dtype.
        factor: the share of the image.
        scaling: the next step, if it is done at once.
        in_range: whether it is known that all values are in 0..255.

    Returns:
        Bytes, because no value has a fraction; float32 for an image beyond 0..255. `scaling.out` if
        there is one.
    """
    return _blended(*_to_bytes(x, in_range), 0, factor, scaling)


def adjust_contrast(
    x: NDArray[Any], factor: float, scaling: Scaling | None = None, *, in_range: bool = False
) -> NDArray[Any]:
    """Blends with the mean grey of the image; factor 0.0 gives that grey, 1.0 the image.

    Arguments and result as of `adjust_brightness`.
    """
    pixels, low, span = _to_bytes(x, in_range)
    grey = _mean_grey(pixels)
    return _blended(pixels, low, span, grey, factor, scaling)


def _to_bytes(x: NDArray[Any], in_range: bool) -> tuple[NDArray[np.uint8], float, float | None]:
    """Converts an image to bytes; returns them, the minimum, and the span of the values.

    An image with values outside 0..255 is stretched to this range. For all others, fractions are cut
    off and the span is None.
    """
    if x.shape[2] not in _CHANNELS:
        raise InvalidArgumentError(
            f"Unsupported channel number: brightness and contrast need images with 1, 3 or 4 "
            f"channels; received {x.shape[2]} (shape {x.shape})."
        )
    if x.dtype == np.uint8:
        return np.ascontiguousarray(x), 0.0, None
    if not in_range:
        low, high = float(x.min()), float(x.max())
        if low < 0 or high > 255:
            return _stretched(x, low), low, high - low
    return x.astype(np.uint8, order="C"), 0.0, None


def _stretched(x: NDArray[Any], low: float) -> NDArray[np.uint8]:
    stretched = x.astype(np.float32, order="C") - np.float32(low)
    peak = stretched.max()
    if peak != 0:
        stretched /= peak
    stretched *= 255
    return stretched.astype(np.uint8)


def _mean_grey(pixels: NDArray[np.uint8]) -> int:
    """The mean of the grey image that Pillow makes, rounded."""
    channels = pixels.shape[2]
    grey: Any = pixels if channels == 1 else cv2.cvtColor(pixels, _TO_GREY[channels])
    mean = float(cv2.mean(grey)[0])
    # Of a thousand colours, OpenCV rounds one to another grey than Pillow. That changes the result
    # if the mean is about to be rounded otherwise, or if all pixels have that colour.
    if channels > 1 and not _DECIDED < abs(mean % 1 - 0.5) < 0.5:
        counts = np.array(Image.fromarray(pixels).convert("L").histogram())
        mean = float(counts @ _RAMP / counts.sum())
    return int(mean + 0.5)


def _blended(
    pixels: NDArray[np.uint8],
    low: float,
    span: float | None,
    grey: int,
    factor: float,
    scaling: Scaling | None,
) -> NDArray[Any]:
    """Blends bytes with a grey as Pillow does, and takes back that they were stretched."""
    exact = (_RAMP - np.float32(grey)) * np.float32(factor) + np.float32(grey)
    clipped = exact.clip(0, 255)
    levels = clipped.astype(np.uint8)
    has_alpha = pixels.shape[2] == 4
    if span is None and scaling is None and not has_alpha:
        blended = None
        # No level may be so near the next one that rounding could make it that.
        if pixels.size > _FEW and factor >= 0 and (clipped - levels).max() <= 1 - _MARGIN:
            blended = _blended_by_formula(pixels, exact, grey, factor)
        return _looked_up(pixels, levels) if blended is None else blended
    table = levels.astype(np.float32)
    if has_alpha:  # Pillow's enhancers do not change alpha
        table = np.stack([table, table, table, _RAMP], axis=-1)
    if span is not None:
        table = (table / 255 * np.float32(span) + np.float32(low)).astype(np.float32)
    if scaling is not None:
        cv2.LUT(pixels, table[None] * np.float32(scaling.factor), dst=scaling.out)
        return scaling.out
    return _looked_up(pixels, table if span is not None else table.astype(np.uint8))


def _looked_up(pixels: NDArray[np.uint8], table: NDArray[Any]) -> NDArray[Any]:
    found: Any = cv2.LUT(pixels, table[None])
    return found.reshape(pixels.shape)  # type: ignore[no-any-return]


def _blended_by_formula(
    pixels: NDArray[np.uint8],
    exact: NDArray[np.float32],
    grey: int,
    factor: float,
) -> NDArray[np.uint8] | None:
    """The bytes of a table by one multiplication and addition, which takes a third of the time.

    Returns:
        None if OpenCV, which takes the absolute value, could make a negative one positive.
    """
    darkest = 0
    if exact[0] < 0:
        # All that becomes black is brought to the brightest value that does.
        darkest = int(np.count_nonzero(exact < 1)) - 1
        if exact[darkest] < 0:
            return None
        pixels = pixels.clip(np.uint8(darkest), np.uint8(_BRIGHTEST))  # quicker than `np.maximum`
    offset = grey * (1 - float(np.float32(factor))) - 0.5 + _MARGIN / 2
    rounded: Any = cv2.convertScaleAbs(pixels, alpha=float(np.float32(factor)), beta=offset)
    return rounded.reshape(pixels.shape)  # type: ignore[no-any-return]
