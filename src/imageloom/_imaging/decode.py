"""Reads image files: decodes them, converts their colour mode, and resizes them.

Pillow is the reference, as it is for Keras. Three faster ways replace it where they give the same
pixels. JPEG files are decoded by libjpeg-turbo straight into an array, bit for bit as Pillow's copy of
that library decodes them. Plain PNG files are decoded by a library written in Rust. Bilinear resizing
may use a SIMD resizer, which differs from Pillow by at most one grey level. Pillow reads every file
that a faster way cannot read, or finds damaged.
"""

from __future__ import annotations

import io
import math
import os
from typing import Any, Final, NamedTuple

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image

from imageloom._checks.keywords import explained
from imageloom._checks.values import check_choice
from imageloom._errors import (
    ArgumentTypeError,
    BadImageError,
)
from imageloom._imaging.clipping import note_if_clipped
from imageloom._imaging.opening import (
    DecompressionBombError,
    UnidentifiedImageError,
    largest_file,
    open_image,
    read_by_plugin,
)
from imageloom._imaging.png import PNG_MAGIC, decode_png
from imageloom._imaging.simd_resize import resize_bilinear
from imageloom._options import COLOUR_CHANNELS, INTERPOLATIONS, ReadOptions
from imageloom._public import public
from imageloom._storage.fetching import fetch
from imageloom._storage.local import read_file
from imageloom._storage.urls import is_url, join, last_part

__all__ = [
    "DecompressionBombError",
    "UnidentifiedImageError",
    "load_img",
    "read_pixels",
    "read_stored",
    "resized_part",
]

_JPEG_MAGIC: Final = b"\xff\xd8\xff"
_JPEG_COLOURS: Final = {"Gray": "GRAY", "YCbCr": "RGB", "RGB": "RGB"}
_CHANNELS: Final = {"GRAY": 1, "RGB": 3}
# libjpeg-turbo has SIMD code for the scales 1, 2, 4 and 8 of 8, and 3 makes up for it by fewer pixels.
# From 5 on, decoding takes longer than at full scale, by 10 to 50 %. Resizing by Pillow from fewer
# pixels makes up for that as far as this, as measured from 100 to 4000 pixels.
_LARGEST_SCALES: Final = {"nearest": 4, "box": 5}
_FAST_SCALE, _LARGEST_SCALE = 4, 6
_GREY_MODES: Final = ("L", "I;16", "I")
_NUMBER_MODES: Final = ("L", "P", "F", "I", "I;16", "I;16B")
_MODES: Final = {"rgb": "RGB", "rgba": "RGBA", "grayscale": "L"}


@public
@explained("load_img")
def load_img(
    path: str | bytes | os.PathLike[str] | io.BytesIO,
    color_mode: str = "rgb",
    target_size: tuple[int, int] | None = None,
    interpolation: str = "nearest",
    keep_aspect_ratio: bool = False,
) -> Image.Image:
    """Reads an image file as a Pillow image.

    It reads every format that Pillow reads, whatever the suffix of the file, except EPS, which would
    start Ghostscript. Of an animation it reads the first picture. It ignores orientation tags, as Keras
    does. Pillow's switches and the formats that a program has registered with it have their effect.

    Args:
        path: the name or URL of the file, or its content as `io.BytesIO`.
        color_mode: `"rgb"`, `"rgba"` or `"grayscale"`. The last keeps grey images of 16 or 32 bits as
            they are.
        target_size: the (height, width) to resize to; None keeps the size.
        interpolation: `"nearest"`, `"bilinear"`, `"bicubic"`, `"hamming"`, `"box"` or `"lanczos"`.
        keep_aspect_ratio: whether to crop the image to the aspect ratio of `target_size` first, about
            its centre.

    Raises:
        BadImageError: The file is damaged, has no known format, or does not exist.
        DecompressionBombError: The image has more than twice the pixels of Pillow's
            `Image.MAX_IMAGE_PIXELS`.
        StorageError: The storage of a URL cannot be reached, or refuses the request.
        InvalidArgumentError: The colour mode or the interpolation is unknown.
        ArgumentTypeError: `path` has another type.
    """
    name = "the given bytes"
    if isinstance(path, io.BytesIO):
        image = open_image(path.getvalue(), name)
    elif isinstance(path, (str, bytes, os.PathLike)):
        name = os.fsdecode(path)
        image = open_image(fetch(name, largest_file()) if is_url(path) else _read(path), name)
    else:
        raise ArgumentTypeError(
            f"path should be path-like or io.BytesIO, received {type(path).__name__}"
        )
    check_choice("color_mode", color_mode, tuple(_MODES))
    image = _in_colour_mode(image, color_mode, name)
    if target_size is None:
        return image
    return _resize(image, target_size, interpolation, keep_aspect_ratio, image.size)


def read_pixels(
    path: str | os.PathLike[str], options: ReadOptions, content: bytes | None = None
) -> NDArray[Any]:
    """Reads the pixels (height, width, channels) of a file, as uint8 or, for 16 and 32 bit grey, wider.

    The array may be read-only. The array of an `.npy` file is returned as it is, with any shape and
    dtype.

    Args:
        path: the path of a local file; if `content` is given, only a name.
        options: the colour mode, the size, and how to resize.
        content: the bytes of the file, if they have been read already.

    Raises:
        BadImageError: The file is damaged, has no known format, or does not exist.
    """
    name = os.fspath(path)
    if (name if content is None else last_part(name)).lower().endswith(".npy"):
        return _load_array(path, content)
    if content is None:
        content = _read(path)
    decoded = _decode(content, options)
    if decoded is None:
        image = open_image(content, name)
        size = image.size
    else:
        resized = _resize_simd(decoded, options)
        if resized is not None:
            return resized
        image, size = _as_image(decoded.pixels), decoded.file_size
    if options.as_labels:
        image = _with_numbers(image, name)
    else:
        image = _in_colour_mode(image, options.color_mode, name)
    if options.interpolation is not None:
        image = _resize(
            image, options.target_size, options.interpolation, options.keep_aspect_ratio, size
        )
    pixels = np.asarray(image)
    return pixels if pixels.ndim == 3 else pixels[:, :, None]


def read_stored(root: str, name: str, options: ReadOptions) -> NDArray[Any]:
    """Reads the pixels of a file of a data set, which may be local or remote."""
    path = join(root, name)
    return read_pixels(path, options, fetch(path, largest_file()) if is_url(path) else None)


def resized_part(
    options: ReadOptions, before: tuple[int, int], after: tuple[int, int]
) -> tuple[int, int, int, int]:
    """The (left, upper, right, lower) part of a file's image that becomes the image of a batch.

    Args:
        options: how the file was read.
        before: the (height, width) of the image in the file.
        after: the (height, width) that it was resized to.
    """
    if not options.keep_aspect_ratio:
        return 0, 0, before[1], before[0]
    return _centre_box(before[::-1], after[::-1])


def _read(path: str | bytes | os.PathLike[str]) -> bytes:
    return read_file(path, largest_file())


def _load_array(path: str | os.PathLike[str], content: bytes | None) -> NDArray[Any]:
    file = io.BytesIO(_read(path) if content is None else content)
    try:
        array = np.load(file, allow_pickle=False)
    except MemoryError as error:
        if not _claims_too_much(error, len(file.getbuffer())):
            raise
        raise BadImageError(f"{os.fspath(path)!r} is shorter than it says: {error}") from error
    except Exception as error:  # NumPy raises errors of many classes for damaged files
        raise BadImageError(f"{os.fspath(path)!r} cannot be read as an array: {error}") from error
    if isinstance(array, np.ndarray) and array.dtype.kind in "biuf":
        return array
    raise BadImageError(f"{os.fspath(path)!r} does not contain a single array of numbers.")


def _claims_too_much(error: MemoryError, nbytes: int) -> bool:
    """Whether NumPy has asked for more memory than a file of so many bytes can need."""
    shape, dtype = getattr(error, "shape", ()), getattr(error, "dtype", None)
    return dtype is not None and math.prod(shape) * np.dtype(dtype).itemsize > nbytes


class _Decoded(NamedTuple):
    """Decoded pixels (height, width, channels), and the (width, height) of the image in the file."""

    pixels: NDArray[np.uint8]
    file_size: tuple[int, int]


def _decode(content: bytes, options: ReadOptions) -> _Decoded | None:
    """Decodes a file by a faster decoder; returns None if Pillow has to decode it."""
    if content.startswith(_JPEG_MAGIC) and not read_by_plugin(content, "JPEG"):
        return _decode_jpeg(content, options)
    if content.startswith(PNG_MAGIC) and not read_by_plugin(content, "PNG"):
        pixels = decode_png(content, Image.MAX_IMAGE_PIXELS)
        return None if pixels is None else _Decoded(pixels, (pixels.shape[1], pixels.shape[0]))
    return None


def _decode_jpeg(content: bytes, options: ReadOptions) -> _Decoded | None:
    """Decodes a JPEG file to pixels with the file's own channels.

    With `options.scaled` the decoder leaves out high frequencies, which gives n/8 of the size, with the
    smallest n at which resizing does not have to enlarge the image again, if that is faster.
    """
    try:
        height, width, colours = simplejpeg.decode_jpeg_header(content)[:3]
        too_large = Image.MAX_IMAGE_PIXELS is not None and height * width > Image.MAX_IMAGE_PIXELS
        if too_large or colours not in _JPEG_COLOURS:
            return None
        stored = _JPEG_COLOURS[colours]
        least = _least_size((height, width), options) if options.scaled else (0, 0)
        if not _is_faster((height, width), least, _CHANNELS[stored], options):
            least = (0, 0)
        pixels = simplejpeg.decode_jpeg(
            content, stored, min_height=least[0], min_width=least[1], min_factor=1
        )
    except ValueError:
        return None
    return _Decoded(pixels, (width, height))


def _least_size(size: tuple[int, int], options: ReadOptions) -> tuple[int, int]:
    """The (height, width) below which an image of this size would have to be enlarged again."""
    if options.interpolation is None:
        return 0, 0  # the image keeps its size
    (height, width), (target_height, target_width) = size, options.target_size
    if options.keep_aspect_ratio:
        left, upper, right, lower = _centre_box((width, height), (target_width, target_height))
        if lower <= upper or right <= left:
            return 0, 0  # the crop contains no whole pixel
        target_height = -(-target_height * height // (lower - upper))
        target_width = -(-target_width * width // (right - left))
    return min(target_height, height), min(target_width, width)


def _is_faster(
    size: tuple[int, int], least: tuple[int, int], channels: int, options: ReadOptions
) -> bool:
    """Whether decoding at the smallest scale that gives this size takes less time than the whole."""
    largest = _LARGEST_SCALES.get(options.interpolation or "", _LARGEST_SCALE)
    if options.keep_aspect_ratio or _suits_simd(channels, options):
        largest = _FAST_SCALE  # a cut, or a fast resizer, makes little of the pixels that are left out
    return all(-(-side * largest // 8) >= short for side, short in zip(size, least, strict=True))


def _as_image(pixels: NDArray[np.uint8]) -> Image.Image:
    return Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)


def _in_colour_mode(image: Image.Image, color_mode: str, name: str) -> Image.Image:
    if color_mode == "grayscale" and image.mode in _GREY_MODES:
        return image
    mode = _MODES[color_mode]
    if image.mode == mode:
        return image
    note_if_clipped(image, name)
    try:
        return image.convert(mode)
    except (ValueError, OSError, TypeError) as error:
        raise BadImageError(f"{name!r} cannot be converted to {color_mode}: {error}") from error


def _with_numbers(image: Image.Image, name: str) -> Image.Image:
    """Keeps the numbers of a mask: one channel, with values or palette indices as they are stored."""
    return image if image.mode in _NUMBER_MODES else _in_colour_mode(image, "grayscale", name)


def _resize(
    image: Image.Image,
    target_size: tuple[int, int],
    interpolation: str,
    keep_aspect_ratio: bool,
    file_size: tuple[int, int],
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
        scale = _scale(image.size, file_size)
        part = (0, 0, *file_size)
        if keep_aspect_ratio:
            part = _centre_box(file_size, (width, height))
        left, upper, right, lower = part
        box = (left * scale, upper * scale, right * scale, lower * scale)
    return image.resize((width, height), Image.Resampling[interpolation.upper()], box=box)


def _scale(decoded: tuple[int, int], original: tuple[int, int]) -> float:
    """The scale n/8 at which a file was decoded; the decoder rounds both sides up."""
    pairs = tuple(zip(decoded, original, strict=True))
    fitting = (n for n in range(8, 0, -1) if all(-(-b * n // 8) == a for a, b in pairs))
    return next(fitting, 8) / 8


def _resize_simd(decoded: _Decoded, options: ReadOptions) -> NDArray[np.uint8] | None:
    """Resizes by the SIMD resizer; returns None if Pillow has to resize.

    Its box filter rounds ties differently than Pillow's, and its Lanczos and bicubic filters differ by
    up to 8 grey levels.
    """
    rows, columns, channels = decoded.pixels.shape
    if not _suits_simd(channels, options):
        return None
    (width, height), part = decoded.file_size, None
    if (rows, columns) == (height, width):
        share = options.differing_share
        return resize_bilinear(decoded.pixels, options.target_size, share=share)
    scale = _scale((columns, rows), decoded.file_size)
    if (rows, columns) != (height * scale, width * scale):
        part = height * scale, width * scale  # the last pixels stand for less of the image
    return resize_bilinear(decoded.pixels, options.target_size, part=part)


def _suits_simd(channels: int, options: ReadOptions) -> bool:
    return (
        options.interpolation == "bilinear"
        and channels == COLOUR_CHANNELS[options.color_mode]
        and not options.exact_resize
        and not options.keep_aspect_ratio
    )


def _centre_box(size: tuple[int, int], target: tuple[int, int]) -> tuple[int, int, int, int]:
    """The largest part (left, upper, right, lower) about the centre with the target's aspect ratio."""
    (width, height), (target_width, target_height) = size, target
    crop_height = min(height, width * target_height // target_width)
    crop_width = min(width, height * target_width // target_height)
    left, upper = (width - crop_width) // 2, (height - crop_height) // 2
    return left, upper, left + crop_width, upper + crop_height
