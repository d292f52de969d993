"""Converts pixels of any range and number of channels to pictures for the screen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imageloom._preview.colours import label_colours

__all__ = ["grey_range", "overlay", "picture"]

Range = tuple[float, float]

_OVERSHOOT: Final = 0.1  # splines and noise may leave the range of their image by this share
_CHECKS: Final = ((255, 255, 255), (226, 226, 226))  # the two colours behind transparent pixels
_CHECK_SIDE: Final = 8
_MASK_SHARE: Final = 0.6
_MEASURED: Final = (213, 94, 0)  # the colour of the highest value of a measurement


def grey_range(images: Sequence[NDArray[Any]]) -> Range:
    """Returns the values to show as black and as white in images that belong together.

    For bytes these are 0 and 255. For other dtypes the range of the values decides: 0..1, -1..1 or
    0..255, whichever contains the values first, with some tolerance; otherwise their own range.
    """
    if all(image.dtype == np.uint8 for image in images):
        return 0.0, 255.0
    low, high = 0.0, 0.0
    for image in images:
        if image.size == 0:
            continue
        least, most = float(image.min()), float(image.max())
        if not np.isfinite(least + most):
            finite = image[np.isfinite(image)]
            least, most = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
        low, high = min(low, least), max(high, most)
    for black, white in ((0.0, 1.0), (-1.0, 1.0), (0.0, 255.0)):
        spare = _OVERSHOOT * (white - black)
        if black - spare <= low and high <= white + spare:
            return black, white
    return low, high


def picture(pixels: NDArray[Any], values: Range) -> Image.Image:
    """Converts an image (height, width, channels) to an RGB picture.

    Transparent pixels are shown on a chequered background. If the number of channels is neither 3
    nor 4, the mean of the channels is shown in grey.

    Args:
        pixels: the image, of any dtype.
        values: the values to show as black and as white.
    """
    plain: Any = pixels.dtype == np.uint8 and values == (0, 255)
    levels = pixels if plain else _levels(pixels, values)
    if levels.shape[-1] == 4:
        image = Image.fromarray(levels)
        ground = _chequered(image.size)
        ground.paste(image, mask=image.getchannel("A"))
        return ground
    if levels.shape[-1] != 3:
        grey = np.rint(levels.mean(axis=-1, keepdims=True)).astype(np.uint8)
        levels = np.repeat(grey, 3, axis=-1)
    return Image.fromarray(np.ascontiguousarray(levels))


def _levels(pixels: NDArray[Any], values: Range) -> NDArray[np.uint8]:
    """Scales to bytes, in place where possible, because photographs may be large."""
    black, white = values
    wide = pixels.dtype.itemsize > 2 and pixels.dtype.kind != "f"  # float32 would round these
    dtype = np.float64 if wide or pixels.dtype == np.float64 else np.float32
    scaled: Any = pixels.astype(dtype)
    if not np.isfinite(scaled.sum()):
        np.nan_to_num(scaled, copy=False, posinf=white, neginf=black)
    scaled -= black
    scaled *= 255 / ((white - black) or 1)
    np.rint(scaled, out=scaled)
    np.clip(scaled, 0, 255, out=scaled)
    levels: NDArray[np.uint8] = scaled.astype(np.uint8)
    return levels


def overlay(ground: Image.Image, mask: NDArray[Any], labels: Sequence[float]) -> Image.Image:
    """Draws a mask in colours over its image in grey. Where the mask is 0, only the image is shown.

    Args:
        ground: the image, RGB.
        mask: the mask (height, width, 1).
        labels: all numbers in the masks of this kind, sorted. Each label has its own colour. Of
            measurements, such as probabilities, the highest has the strongest colour.
    """
    numbers = mask[..., 0]
    grey = np.asarray(ground.convert("L").convert("RGB"), dtype=np.float64)
    colours = label_colours(labels)
    if colours is None:
        low, high = min(0, labels[0]), labels[-1]
        share = np.nan_to_num((numbers.astype(np.float64) - low) / ((high - low) or 1))
        share = _MASK_SHARE * np.clip(share, 0, 1)[..., None]
        shown = share * np.array(_MEASURED) + (1 - share) * grey
        return Image.fromarray(np.rint(shown).astype(np.uint8))
    shown = grey.copy()
    for label, colour in colours.items():
        there = numbers == label
        shown[there] = _MASK_SHARE * np.array(colour) + (1 - _MASK_SHARE) * grey[there]
    return Image.fromarray(np.rint(shown).astype(np.uint8))


def _chequered(size: tuple[int, int]) -> Image.Image:
    column, row = np.meshgrid(np.arange(size[0]), np.arange(size[1]))
    odd = (column // _CHECK_SIDE + row // _CHECK_SIDE) % 2
    return Image.fromarray(np.array(_CHECKS, dtype=np.uint8)[odd])
