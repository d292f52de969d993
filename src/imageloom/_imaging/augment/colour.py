"""Channel shift, brightness, contrast and flips of images (height, width, channels).

Brightness and contrast are Pillow's, so that the numbers are Keras' to the last bit. Both map each byte
to a byte. So Pillow computes the 256 values once, and the image is looked up in this table.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageStat

from imageloom._errors import InvalidArgumentError
from imageloom._imaging.opencv import cv2

__all__ = ["adjust_brightness", "adjust_contrast", "flip", "shift_channels"]

_RAMP: Final = Image.fromarray(np.arange(256, dtype=np.uint8)[None, :])
_CHANNELS: Final = (1, 3, 4)


def shift_channels(x: NDArray[Any], intensity: float) -> NDArray[Any]:
    """Adds a value to all channels, and clips to the range (minimum, maximum) of the image."""
    return np.clip(x + intensity, x.min(), x.max())


def flip(x: NDArray[Any], *, horizontal: bool, vertical: bool) -> NDArray[Any]:
    """Mirrors columns, rows, or both; the result may be a view."""
    if horizontal and x.dtype in (np.float32, np.uint8):
        # Copying a view with mirrored columns would take 14 times as long, pixel by pixel.
        mirrored: Any = cv2.flip(x, -1 if vertical else 1)
        return mirrored.reshape(x.shape)  # type: ignore[no-any-return]
    if horizontal:
        x = x[:, ::-1]
    return x[::-1] if vertical else x


def adjust_brightness(x: NDArray[Any], factor: float) -> NDArray[np.float32]:
    """Blends with black; factor 0.0 gives black, 1.0 the image without fractions, as in Keras."""
    pixels, low, span = _to_bytes(x)
    return _through_table(pixels, _blend_table(0, factor), low, span)


def adjust_contrast(x: NDArray[Any], factor: float) -> NDArray[np.float32]:
    """Blends with the mean grey of the image; factor 0.0 gives that grey, 1.0 the image."""
    pixels, low, span = _to_bytes(x)
    return _through_table(pixels, _blend_table(_mean_grey(pixels), factor), low, span)


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
    image = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    return int(ImageStat.Stat(image.convert("L")).mean[0] + 0.5)


def _blend_table(degenerate: int, factor: float) -> NDArray[np.float32]:
    flat = Image.new("L", _RAMP.size, degenerate)
    return np.asarray(Image.blend(flat, _RAMP, factor), dtype=np.float32)


def _through_table(
    pixels: NDArray[np.uint8], table: NDArray[np.float32], low: float, span: float | None
) -> NDArray[np.float32]:
    if pixels.shape[2] == 4:  # Pillow's enhancers do not change alpha
        alpha = np.arange(256, dtype=np.float32)[None, :]
        table = np.stack([table, table, table, alpha], axis=-1)
    if span is not None:
        table = (table / 255 * np.float32(span) + np.float32(low)).astype(np.float32)
    looked_up: Any = cv2.LUT(np.ascontiguousarray(pixels), table)
    return looked_up.reshape(pixels.shape)  # type: ignore[no-any-return]
