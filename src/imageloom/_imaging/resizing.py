"""Brings decoded images to their size: how they are cropped, and at which scale they were decoded."""

from __future__ import annotations

from typing import Any, Final

from numpy.typing import NDArray
from PIL import Image

from imageloom._checks.values import check_choice
from imageloom._imaging.native import in_channels, resize_channels
from imageloom._options import INTERPOLATIONS, ReadOptions

__all__ = ["ORIGIN", "centre_box", "fitted", "least_size", "resize", "scale_of"]

ORIGIN: Final = (0.0, 0.0)


def resize(
    image: Image.Image,
    target_size: tuple[int, int],
    interpolation: str,
    keep_aspect_ratio: bool,
    file_size: tuple[int, int],
    origin: tuple[float, float] = ORIGIN,
) -> Image.Image:
    """Resizes to (height, width).

    An image that was decoded at a smaller scale is cropped as it would be at full scale.
    """
    height, width = target_size
    if image.size == (width, height):
        return image
    check_choice("interpolation", interpolation, INTERPOLATIONS)
    box: tuple[float, float, float, float] | None = None
    if keep_aspect_ratio or file_size != image.size:
        # Computed for the full size, because the last pixel at a smaller scale may cover only a part.
        scale = scale_of(image.size, file_size)
        part = (0, 0, *file_size)
        if keep_aspect_ratio:
            part = centre_box(file_size, (width, height))
        left, upper, right, lower = (place * scale for place in part)
        box = (left + origin[0], upper + origin[1], right + origin[0], lower + origin[1])
    return image.resize((width, height), Image.Resampling[interpolation.upper()], box=box)


def scale_of(decoded: tuple[int, int], original: tuple[int, int]) -> float:
    """The scale n/8 at which a file was decoded; the decoder rounds both sides up."""
    pairs = tuple(zip(decoded, original, strict=True))
    fitting = (n for n in range(8, 0, -1) if all(-(-b * n // 8) == a for a, b in pairs))
    return next(fitting, 8) / 8


def least_size(size: tuple[int, int], options: ReadOptions) -> tuple[int, int]:
    """The (height, width) below which an image of this size would have to be enlarged again."""
    if options.interpolation is None:
        return 0, 0  # the image keeps its size
    (height, width), (target_height, target_width) = size, options.target_size
    if options.keep_aspect_ratio:
        left, upper, right, lower = centre_box((width, height), (target_width, target_height))
        if lower <= upper or right <= left:
            return 0, 0  # the crop contains no whole pixel
        target_height = -(-target_height * height // (lower - upper))
        target_width = -(-target_width * width // (right - left))
    return min(target_height, height), min(target_width, width)


def centre_box(size: tuple[int, int], target: tuple[int, int]) -> tuple[int, int, int, int]:
    """The largest part (left, upper, right, lower) about the centre with the target's aspect ratio."""
    (width, height), (target_width, target_height) = size, target
    crop_height = min(height, width * target_height // target_width)
    crop_width = min(width, height * target_width // target_height)
    left, upper = (width - crop_width) // 2, (height - crop_height) // 2
    return left, upper, left + crop_width, upper + crop_height


def fitted(pixels: NDArray[Any], options: ReadOptions, name: str) -> NDArray[Any]:
    """Brings pixels with values of any range to the colour mode and the size of the options."""
    pixels = in_channels(pixels, options.color_mode, name)
    if options.interpolation is None:
        return pixels
    height, width = options.target_size
    box = None
    if options.keep_aspect_ratio:
        box = centre_box((pixels.shape[1], pixels.shape[0]), (width, height))
    return resize_channels(pixels, options.target_size, options.interpolation, box)
