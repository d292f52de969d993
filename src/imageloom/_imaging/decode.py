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
from dataclasses import replace
from typing import Any, Final, NamedTuple

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image

from imageloom._checks.depth import channels_of
from imageloom._checks.keywords import explained
from imageloom._checks.values import check_choice
from imageloom._errors import (
    ArgumentTypeError,
    BadImageError,
)
from imageloom._imaging.clipping import note_if_clipped
from imageloom._imaging.file_size import JPEG_MAGIC
from imageloom._imaging.native import (
    DEEP_MODES,
    as_stored,
    decode_native,
    wrong_channels,
)
from imageloom._imaging.opening import (
    DecompressionBombError,
    UnidentifiedImageError,
    largest_file,
    open_image,
    read_by_plugin,
)
from imageloom._imaging.orientation import (
    is_sideways,
    orientation_in,
    orientation_of,
    turn,
    turned_origin,
)
from imageloom._imaging.pillow_resize import resize_as_pillow, resizes
from imageloom._imaging.png import PNG_MAGIC, decode_png
from imageloom._imaging.resizing import ORIGIN, centre_box, fitted, least_size, scale_of
from imageloom._imaging.resizing import resize as _resize
from imageloom._imaging.simd_resize import resize_bilinear
from imageloom._options import ReadOptions
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
_TURNS: Final = {  # by the value of the tag
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


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
    native = decode_native(content, name) if options.native else None
    if native is not None:
        turned = options.exif_orientation and content.startswith(PNG_MAGIC)
        return fitted(turn(native, orientation_in(content)) if turned else native, options, name)
    decoded = _decode(content, options)
    if decoded is None:
        image = open_image(content, name)
        if options.exif_orientation and (orientation := orientation_of(image)) in _TURNS:
            image = image.transpose(_TURNS[orientation])
        if options.native and image.mode in DEEP_MODES and not _is_kept(image, options):
            return fitted(as_stored(image), options, name)
        file_size, origin = image.size, ORIGIN
    else:
        resized = _resize_bytes(decoded, options)
        if resized is not None:
            return resized
        image, file_size, origin = _as_image(decoded.pixels), decoded.file_size, decoded.origin
    if options.as_labels:
        image = _with_numbers(image, name)
    else:
        image = _in_colour_mode(image, options.color_mode, name)
    if options.interpolation is not None:
        image = _resize(
            image,
            options.target_size,
            options.interpolation,
            options.keep_aspect_ratio,
            file_size,
            origin,
        )
    pixels = np.asarray(image)
    return pixels if pixels.ndim == 3 else pixels[:, :, None]


def _is_kept(image: Image.Image, options: ReadOptions) -> bool:
    """Whether an image of more than 8 bits keeps its values on the usual way, as in Keras."""
    return options.as_labels or (options.color_mode == "grayscale" and image.mode in _GREY_MODES)


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
    return centre_box(before[::-1], after[::-1])


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
    """Decoded pixels.

    Attributes:
        pixels: (height, width, channels).
        file_size: the (width, height) of the image in the file.
        origin: where the image begins in the pixels, (left, upper).
    """

    pixels: NDArray[np.uint8]
    file_size: tuple[int, int]
    origin: tuple[float, float] = ORIGIN


def _decode(content: bytes, options: ReadOptions) -> _Decoded | None:
    """Decodes a file by a faster decoder; returns None if Pillow has to decode it."""
    if content.startswith(JPEG_MAGIC) and not read_by_plugin(content, "JPEG"):
        orientation = orientation_in(content) if options.exif_orientation else 1
        if is_sideways(orientation):
            height, width = options.target_size
            options = replace(options, target_size=(width, height))
        decoded = _decode_jpeg(content, options)
        return decoded and _turned(decoded, orientation)
    if content.startswith(PNG_MAGIC) and not read_by_plugin(content, "PNG"):
        pixels = decode_png(content, Image.MAX_IMAGE_PIXELS)
        if pixels is None:
            return None
        decoded = _Decoded(pixels, (pixels.shape[1], pixels.shape[0]))
        return _turned(decoded, orientation_in(content)) if options.exif_orientation else decoded
    return None


def _turned(decoded: _Decoded, orientation: int) -> _Decoded:
    """Turns decoded pixels upright."""
    if orientation not in _TURNS:
        return decoded
    pixels, (width, height) = turn(decoded.pixels, orientation), decoded.file_size
    size = (height, width) if is_sideways(orientation) else (width, height)
    whole = (pixels.shape[1], pixels.shape[0])
    scale = scale_of(whole, size)
    origin = turned_origin(orientation, (size[0] * scale, size[1] * scale), whole)
    return _Decoded(pixels, size, origin)


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
        least = least_size((height, width), options) if options.scaled else (0, 0)
        if not _is_faster((height, width), least, _CHANNELS[stored], options):
            least = (0, 0)
        pixels = simplejpeg.decode_jpeg(
            content, stored, min_height=least[0], min_width=least[1], min_factor=1
        )
    except ValueError:
        return None
    return _Decoded(pixels, (width, height))


def _is_faster(
    size: tuple[int, int], least: tuple[int, int], channels: int, options: ReadOptions
) -> bool:
    """Whether decoding at the smallest scale that gives this size takes less time than the whole."""
    largest = _LARGEST_SCALES.get(options.interpolation or "", _LARGEST_SCALE)
    if options.keep_aspect_ratio or _suits_kernels(channels, options) or _suits_simd(channels, options):
        largest = _FAST_SCALE  # a cut, or a fast resizer, makes little of the pixels that are left out
    return all(-(-side * largest // 8) >= short for side, short in zip(size, least, strict=True))


def _as_image(pixels: NDArray[np.uint8]) -> Image.Image:
    return Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)


def _in_colour_mode(image: Image.Image, color_mode: str | int, name: str) -> Image.Image:
    if isinstance(color_mode, int):
        if len(image.getbands()) != color_mode or image.mode == "P":
            raise wrong_channels(name, len(image.getbands()), color_mode)
        return image
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


def _resize_bytes(decoded: _Decoded, options: ReadOptions) -> NDArray[np.uint8] | None:
    """Resizes by the kernels or by the SIMD resizer; returns None if Pillow has to resize."""
    rows, columns, channels = decoded.pixels.shape
    as_pillow = options.interpolation if _suits_kernels(channels, options) else None
    if as_pillow is None and not _suits_simd(channels, options):
        return None
    (width, height), part = decoded.file_size, None
    scale = scale_of((columns, rows), decoded.file_size)
    if (rows, columns) != (height * scale, width * scale):
        if decoded.origin != ORIGIN:
            return None
        part = height * scale, width * scale  # the last pixels stand for less of the image
    if as_pillow is not None:
        return resize_as_pillow(decoded.pixels, options.target_size, as_pillow, part)
    share = options.differing_share if (rows, columns) == (height, width) else 1.0
    return resize_bilinear(decoded.pixels, options.target_size, part=part, share=share)


def _is_only_resized(channels: int, options: ReadOptions) -> bool:
    """Whether nothing but the size of the decoded pixels changes."""
    return channels == channels_of(options.color_mode) and not options.keep_aspect_ratio


def _suits_kernels(channels: int, options: ReadOptions) -> bool:
    return resizes(channels, options.interpolation) and _is_only_resized(channels, options)


def _suits_simd(channels: int, options: ReadOptions) -> bool:
    """Whether the SIMD resizer may resize.

    Its box filter rounds ties differently than Pillow's, and its Lanczos and bicubic filters differ by
    up to 8 grey levels.
    """
    return (
        options.interpolation == "bilinear"
        and not options.exact_resize
        and _is_only_resized(channels, options)
    )
