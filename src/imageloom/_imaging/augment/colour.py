"""Channel shift, brightness, contrast and flips of images (height, width, channels).

Brightness and contrast are Pillow's, so that the numbers are Keras' to the last bit. Both map each byte
to a byte. So the 256 values are computed once, and the image is looked up in this table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imageloom._errors import InvalidArgumentError
from imageloom._imaging.opencv import cv2

__all__ = ["Scaling", "adjust_brightness", "adjust_contrast", "flip", "shift_channels"]

_RAMP: Final = np.arange(256, dtype=np.float32)
_CHANNELS: Final = (1, 3, 4)
_TO_GREY: Final = {3: cv2.COLOR_RGB2GRAY, 4: cv2.COLOR_RGBA2GRAY}
_DECIDED: Final = 0.01  # farther from half a level than the other greys can move the mean


def shift_channels(x: NDArray[Any], intensity: float) -> NDArray[Any]:
    """Adds a value to all channels, and clips to the range (minimum, maximum) of the image."""
    shifted = x + intensity
    return np.clip(shifted, x.min(), x.max(), out=shifted if shifted.dtype == x.dtype else None)


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
    """A multiplication that is done together with the last step of a transform.

    Attributes:
        factor: what the pixels are multiplied by.
        out: a contiguous float32 array of the image's shape for the result.
    """

    factor: float
    out: NDArray[np.float32]


def adjust_brightness(
    x: NDArray[Any], factor: float, scaling: Scaling | None = None
) -> NDArray[np.float32]:
    """Blends with black; factor 0.0 gives black, 1.0 the image without fractions, as in Keras."""
    pixels, low, span = _to_bytes(x)
    return _through_table(pixels, _blend_table(0, factor), low, span, scaling)


def adjust_contrast(
    x: NDArray[Any], factor: float, scaling: Scaling | None = None
) -> NDArray[np.float32]:
    """Blends with the mean grey of the image; factor 0.0 gives that grey, 1.0 the image."""
    pixels, low, span = _to_bytes(x)
    return _through_table(pixels, _blend_table(_mean_grey(pixels), factor), low, span, scaling)


def _to_bytes(x: NDArray[Any]) -> tuple[NDArray[np.uint8], float, float | None]:
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
        return x, 0.0, None
    low, high = float(x.min()), float(x.max())
    if low >= 0 and high <= 255:
        return x.astype(np.uint8), 0.0, None
    stretched = x.astype(np.float32) - np.float32(low)
    peak = stretched.max()
    if peak != 0:
        stretched /= peak
    stretched *= 255
    return stretched.astype(np.uint8), low, high - low


def _mean_grey(pixels: NDArray[np.uint8]) -> int:
    """The mean of the grey image that Pillow makes, rounded."""
    channels = pixels.shape[2]
    pixels = np.ascontiguousarray(pixels)
    grey: Any = pixels if channels == 1 else cv2.cvtColor(pixels, _TO_GREY[channels])
    mean = float(cv2.mean(grey)[0])
    # Of a thousand colours, OpenCV rounds one to another grey than Pillow. That changes the result
    # if the mean is about to be rounded otherwise, or if all pixels have that colour.
    if channels > 1 and not _DECIDED < abs(mean % 1 - 0.5) < 0.5:
        counts = np.array(Image.fromarray(pixels).convert("L").histogram())
        mean = float(counts @ _RAMP / counts.sum())
    return int(mean + 0.5)


def _blend_table(degenerate: int, factor: float) -> NDArray[np.float32]:
    """What Pillow's blending with a grey makes of each byte, computed in float32 as there."""
    blended = np.float32(degenerate) + np.float32(factor) * (_RAMP - np.float32(degenerate))
    np.clip(blended, 0, 255, out=blended)
    table: NDArray[np.float32] = np.trunc(blended)
    return table


def _through_table(
    pixels: NDArray[np.uint8],
    table: NDArray[np.float32],
    low: float,
    span: float | None,
    scaling: Scaling | None,
) -> NDArray[np.float32]:
    if pixels.shape[2] == 4:  # Pillow's enhancers do not change alpha
        table = np.stack([table, table, table, _RAMP], axis=-1)
    if span is not None:
        table = (table / 255 * np.float32(span) + np.float32(low)).astype(np.float32)
    pixels = np.ascontiguousarray(pixels)
    if scaling is not None:
        cv2.LUT(pixels, table[None] * np.float32(scaling.factor), dst=scaling.out)
        return scaling.out
    looked_up: Any = cv2.LUT(pixels, table[None])
    return looked_up.reshape(pixels.shape)  # type: ignore[no-any-return]
