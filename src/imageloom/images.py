"""From a file to pixels: decode, colour mode, resize.

Pillow is the reference, as it is for Keras. Two shortcuts give the same pixels sooner: JPEG files
are decoded by libjpeg-turbo straight into an array (bit for bit what Pillow's copy of it decodes),
and bilinear and box resizing may use a SIMD resizer, which rounds differently by one grey level at
the most. Whatever a shortcut cannot do, or finds fault with, goes to Pillow.
"""

from __future__ import annotations

import io
import os
from typing import Any, Final

import numpy as np
import PIL
import simplejpeg
from numpy.typing import NDArray
from PIL import Image

from imageloom.errors import (
    ArgumentTypeError,
    BadImageError,
    MissingImageError,
)
from imageloom.options import INTERPOLATIONS, ReadOptions
from imageloom.validation import check_choice

__all__ = ["UnidentifiedImageError", "load_img", "read_pixels"]

try:
    import cykooz_resizer
except ImportError:  # it has no wheels for some processors, where Pillow resizes everything
    _SIMD_FILTERS: dict[Image.Resampling, Any] = {}
else:
    # Measured against Pillow: these two differ by at most 1, bicubic and lanczos by up to 8.
    _SIMD_FILTERS = {
        Image.Resampling.BILINEAR: cykooz_resizer.FilterType.bilinear,
        Image.Resampling.BOX: cykooz_resizer.FilterType.box,
    }
_SIMD_MODES: Final = ("L", "RGB")
_JPEG_MAGIC: Final = b"\xff\xd8\xff"
_JPEG_MODES: Final = {"Gray": ("GRAY", "L"), "YCbCr": ("RGB", "RGB"), "RGB": ("RGB", "RGB")}
_GREY_MODES: Final = ("L", "I;16", "I")
_MODES: Final = {"rgb": "RGB", "rgba": "RGBA", "grayscale": "L"}


class UnidentifiedImageError(BadImageError, PIL.UnidentifiedImageError):
    """A file is in no image format that is known."""


def load_img(
    path: str | bytes | os.PathLike[str] | io.BytesIO,
    color_mode: str = "rgb",
    target_size: tuple[int, int] | None = None,
    interpolation: str = "nearest",
    keep_aspect_ratio: bool = False,
) -> Image.Image:
    """Reads an image file as a Pillow image.

    Args:
        path: file name, or the file's content as `io.BytesIO`.
        color_mode: `"rgb"`, `"rgba"` or `"grayscale"` (16 and 32 bit grey images stay as they are).
        target_size: (height, width) to resize to; None keeps the size.
        interpolation: `"nearest"`, `"bilinear"`, `"bicubic"`, `"hamming"`, `"box"` or `"lanczos"`.
        keep_aspect_ratio: cut the centre out in the target's aspect ratio before resizing.

    Raises:
        BadImageError: the file is damaged, of no known format, or missing.
        InvalidArgumentError: an unknown colour mode or interpolation.
        ArgumentTypeError: a `path` of another type.
    """
    if isinstance(path, io.BytesIO):
        image = _open(path.getvalue(), "the given bytes")
    elif isinstance(path, (str, bytes, os.PathLike)):
        image = _open(_read(path), os.fsdecode(path))
    else:
        raise ArgumentTypeError(
            f"path should be path-like or io.BytesIO, received {type(path).__name__}"
        )
    check_choice("color_mode", color_mode, tuple(_MODES))
    image = _in_colour_mode(image, color_mode)
    if target_size is None:
        return image
    return _resize(image, target_size, interpolation, keep_aspect_ratio, exact=True)


def read_pixels(path: str | os.PathLike[str], options: ReadOptions) -> NDArray[Any]:
    """Pixels (height, width, channels) as stored: uint8, or for 16 and 32 bit grey files wider.

    The array may be read-only.

    Raises:
        BadImageError: the file is damaged, of no known format, or missing.
    """
    content = _read(path)
    image = _decode_jpeg(content) if content.startswith(_JPEG_MAGIC) else None
    if image is None:
        image = _open(content, os.fspath(path))
    image = _in_colour_mode(image, options.color_mode)
    if options.interpolation is not None:
        image = _resize(
            image,
            options.target_size,
            options.interpolation,
            options.keep_aspect_ratio,
            exact=options.exact_resize,
        )
    pixels = np.asarray(image)
    return pixels if pixels.ndim == 3 else pixels[:, :, None]


def _read(path: str | bytes | os.PathLike[str]) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError as error:
        raise MissingImageError(f"The image file {os.fsdecode(path)!r} does not exist.") from error


def _decode_jpeg(content: bytes) -> Image.Image | None:
    """The image, or None where only Pillow can say what to make of the file."""
    try:
        colours = simplejpeg.decode_jpeg_header(content)[2]
        if colours not in _JPEG_MODES:
            return None
        colorspace, mode = _JPEG_MODES[colours]
        pixels = simplejpeg.decode_jpeg(content, colorspace)
    except ValueError:
        return None
    height, width = pixels.shape[:2]
    return Image.frombuffer(mode, (width, height), pixels, "raw", mode, 0, 1)


def _open(content: bytes, name: str) -> Image.Image:
    try:
        image = Image.open(io.BytesIO(content))
        image.load()
    except PIL.UnidentifiedImageError as error:
        raise UnidentifiedImageError(
            f"{name!r} ({len(content)} bytes) is not an image of a known format."
        ) from error
    except (OSError, SyntaxError, ValueError) as error:
        raise BadImageError(f"{name!r} ({len(content)} bytes) cannot be decoded: {error}") from error
    return image


def _in_colour_mode(image: Image.Image, color_mode: str) -> Image.Image:
    if color_mode == "grayscale" and image.mode in _GREY_MODES:
        return image
    mode = _MODES[color_mode]
    return image if image.mode == mode else image.convert(mode)


def _resize(
    image: Image.Image,
    target_size: tuple[int, int],
    interpolation: str,
    keep_aspect_ratio: bool,
    *,
    exact: bool,
) -> Image.Image:
    height, width = target_size
    if image.size == (width, height):
        return image
    check_choice("interpolation", interpolation, INTERPOLATIONS)
    resample = Image.Resampling[interpolation.upper()]
    box = _centre_box(image.size, (width, height)) if keep_aspect_ratio else None
    if exact or resample not in _SIMD_FILTERS or image.mode not in _SIMD_MODES:
        return image.resize((width, height), resample, box=box)
    resized = Image.new(image.mode, (width, height))
    options = cykooz_resizer.ResizeOptions(
        resize_alg=cykooz_resizer.ResizeAlg.convolution(_SIMD_FILTERS[resample])
    )
    if box is not None:
        left, upper, right, lower = box
        options.crop_box = cykooz_resizer.CropBox(left, upper, right - left, lower - upper)
    cykooz_resizer.Resizer().resize_pil(image, resized, options)
    return resized


def _centre_box(size: tuple[int, int], target: tuple[int, int]) -> tuple[int, int, int, int]:
    """The largest centred part (left, upper, right, lower) in the target's aspect ratio."""
    (width, height), (target_width, target_height) = size, target
    crop_height = min(height, width * target_height // target_width)
    crop_width = min(width, height * target_width // target_height)
    left, upper = (width - crop_width) // 2, (height - crop_height) // 2
    return left, upper, left + crop_width, upper + crop_height
