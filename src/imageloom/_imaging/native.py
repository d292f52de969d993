"""Decodes files with more than 8 bits, or more than four channels, without changing a value.

Pillow keeps grey values of 16 and 32 bits, and nothing else: it makes bytes of the other files of 16
bits, and cannot open TIFF files with five channels. OpenCV reads colours of 16 bits. For more channels,
tifffile is asked for, which reads all that microscopes, cameras and satellites write.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imageloom._checks.depth import channels_of
from imageloom._errors import BadImageError, MissingDependencyError
from imageloom._imaging.file_size import size_in_header
from imageloom._imaging.opencv import cv2
from imageloom._imaging.opening import check_pixels
from imageloom._imaging.orientation import TAG, turn
from imageloom._imaging.png import PNG_MAGIC

__all__ = ["DEEP_MODES", "as_stored", "decode_native", "in_channels", "resize_channels"]

DEEP_MODES: Final = ("I;16", "I;16L", "I;16B", "I;16N", "I", "F")
_TIFF_MAGICS: Final = {b"II*\0": "<", b"MM\0*": ">"}
_BIG_TIFF_MAGICS: Final = (b"II+\0", b"MM\0+")
_PPM_MAGIC: Final = b"P6"
_PNG_DEPTH, _PNG_COLOUR = 24, 25  # places of bytes in the header
_WIDTH, _HEIGHT, _BITS, _COLOURS, _CHANNELS, _PLANES = 256, 257, 258, 262, 277, 284  # tags
_RGB, _ONE_PLANE = 2, 1  # values of the fourth and the last
_FORMATS: Final = {3: "H", 4: "I"}  # of a tag's values, by their type
_MOST_TAGS: Final = 4096
_GREY_WEIGHTS: Final = np.array([0.299, 0.587, 0.114])  # ITU-R 601, as Pillow's
_FULL_16: Final = 65535
_FLOAT_EXACT: Final = 2**24  # whole numbers beyond this are rounded in float32


def decode_native(content: bytes, name: str) -> NDArray[Any] | None:
    """Decodes a file whose values Pillow would change; returns None if Pillow keeps them all.

    Returns:
        Pixels (height, width, channels), in the order red, green, blue, alpha.

    Raises:
        BadImageError: The file is damaged.
        MissingDependencyError: It is a TIFF file that only tifffile reads, which is not installed.
    """
    if content.startswith(PNG_MAGIC):
        if len(content) <= _PNG_COLOUR or content[_PNG_DEPTH] != 16 or content[_PNG_COLOUR] == 0:
            return None
        size = size_in_header(content)
        assert size is not None, "the header was looked at"
        check_pixels(size[1], size[0], name, len(content))
        return _by_opencv(content, name)
    if content.startswith(_PPM_MAGIC):
        pixels = _by_opencv(content, name)
        return None if pixels.dtype == np.uint8 else pixels
    if content.startswith(_BIG_TIFF_MAGICS):
        return _by_tifffile(content, name)
    order = _TIFF_MAGICS.get(content[:4])
    return None if order is None else _of_tiff(content, order, name)


def _of_tiff(content: bytes, order: str, name: str) -> NDArray[Any] | None:
    tags = _whole_tags(content, order)
    channels, bits = tags.get(_CHANNELS, 1), tags.get(_BITS, 1)
    if channels == 1 or (channels <= 4 and bits <= 8):
        return None
    check_pixels(tags.get(_WIDTH, 0), tags.get(_HEIGHT, 0), name, len(content))
    # OpenCV mixes up the channels of files with a plane for each of them.
    plain = tags.get(_COLOURS) == _RGB and tags.get(_PLANES, _ONE_PLANE) == _ONE_PLANE
    return _by_opencv(content, name) if plain and channels <= 4 else _by_tifffile(content, name)


def as_stored(image: Image.Image) -> NDArray[Any]:
    """The values of a grey image of 16 or 32 bits, (height, width, 1)."""
    pixels = np.asarray(image)
    return pixels.astype(pixels.dtype.newbyteorder("="), copy=False)[:, :, None]


def in_channels(pixels: NDArray[Any], color_mode: str | int, name: str) -> NDArray[Any]:
    """Converts pixels (height, width, channels) to a colour mode, in their own range of values.

    Raises:
        BadImageError: There is no such conversion.
    """
    given, wanted = pixels.shape[2], channels_of(color_mode)
    if given == wanted:
        return pixels
    if isinstance(color_mode, int) or given > 4:
        raise wrong_channels(name, given, color_mode)
    colours = pixels[:, :, :1] if given < 3 else pixels[:, :, :3]
    if color_mode == "grayscale":
        return colours if given < 3 else _rounded(colours @ _GREY_WEIGHTS, pixels.dtype)[:, :, None]
    if given < 3:
        colours = np.repeat(colours, 3, axis=2)
    if color_mode == "rgb":
        return colours
    alpha = pixels[:, :, 1:2] if given == 2 else np.full_like(colours[:, :, :1], _full(pixels.dtype))
    return np.concatenate([colours, alpha], axis=2)


def wrong_channels(name: str, given: int, color_mode: str | int) -> BadImageError:
    """The error for a file with another number of channels than the colour mode has."""
    return BadImageError(
        f"{name!r} has {given} channel{'s' if given > 1 else ''}, which color_mode={color_mode!r} does "
        f"not have: pass color_mode={given} for files with so many channels each."
    )


def resize_channels(
    pixels: NDArray[Any],
    size: tuple[int, int],
    interpolation: str,
    box: tuple[float, float, float, float] | None,
) -> NDArray[Any]:
    """Resizes pixels (height, width, channels) to (height, width), each channel with Pillow.

    Whole numbers are rounded, and stay in the range of their dtype. `box` is the part to take, as
    (left, upper, right, lower).
    """
    height, width = size
    if box is None and pixels.shape[:2] == (height, width):
        return pixels
    whole = pixels.dtype.kind in "iu"
    wide = whole and pixels.size and int(abs(pixels).max()) > _FLOAT_EXACT
    filter_ = Image.Resampling[interpolation.upper()]
    resized = [
        np.asarray(
            Image.fromarray(np.ascontiguousarray(pixels[:, :, c], np.int32 if wide else np.float32))
            .resize((width, height), filter_, box=box)
        )
        for c in range(pixels.shape[2])
    ]  # fmt: skip
    return _rounded(np.stack(resized, axis=2), pixels.dtype)


def _rounded(values: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    if dtype.kind not in "iu":
        return values.astype(dtype, copy=False)
    limits = np.iinfo(dtype)
    found: NDArray[Any] = np.clip(np.rint(values), limits.min, limits.max).astype(dtype)
    return found


def _full(dtype: np.dtype[Any]) -> float:
    """What an opaque pixel has in its alpha channel."""
    if dtype.kind == "f":
        return 1.0
    return min(int(np.iinfo(dtype).max), _FULL_16)


def _by_opencv(content: bytes, name: str) -> NDArray[Any]:
    """OpenCV turns TIFF files, as Pillow does, and no others with this flag."""
    try:
        found: Any = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise BadImageError(f"{name!r} ({len(content)} bytes) cannot be decoded: {error}") from error
    if found is None:
        raise BadImageError(f"{name!r} ({len(content)} bytes) cannot be decoded.")
    if found.ndim == 2:
        return np.asarray(found)[:, :, None]
    order = [2, 1, 0, 3][: found.shape[2]] if found.shape[2] > 2 else [0, 1]
    return np.ascontiguousarray(found[:, :, order])


def _by_tifffile(content: bytes, name: str) -> NDArray[Any]:
    try:
        import tifffile
    except ImportError as error:
        raise MissingDependencyError(
            f"Reading {name!r}, a TIFF file with channels that no other decoder reads, needs tifffile, "
            'which is not installed. Install it with pip install "imageloom[tiff]".'
        ) from error
    try:
        with tifffile.TiffFile(io.BytesIO(content)) as file:
            page: Any = file.pages[0]
            pixels, axes = page.asarray(), page.axes
            orientation = page.tags[TAG].value if TAG in page.tags else 1
    except MemoryError:
        raise
    except Exception as error:  # it raises errors of many classes for damaged files
        raise BadImageError(f"{name!r} ({len(content)} bytes) cannot be decoded: {error}") from error
    if pixels.ndim == 2:
        pixels, axes = pixels[:, :, None], "YXS"
    if pixels.ndim != 3 or pixels.dtype.kind not in "biuf":
        raise BadImageError(f"{name!r} has pixels of shape {pixels.shape}, which are no image.")
    if not axes.endswith("YXS"):  # one plane for each channel
        pixels = np.moveaxis(pixels, 0, -1)
    return turn(np.ascontiguousarray(pixels), int(orientation))


def _whole_tags(content: bytes, order: str) -> Mapping[int, int]:
    """The first values of the whole-number tags of a TIFF file; damaged files have fewer."""
    found: dict[int, int] = {}
    try:
        (place,) = struct.unpack_from(f"{order}I", content, 4)
        (count,) = struct.unpack_from(f"{order}H", content, place)
        for number in range(min(count, _MOST_TAGS)):
            start = place + 2 + 12 * number
            tag, kind, values = struct.unpack_from(f"{order}HHI", content, start)
            if (form := _FORMATS.get(kind)) is None:
                continue
            inside = start + 8  # up to four bytes fit in there; of more, it is the place
            if values * struct.calcsize(form) > 4:
                (inside,) = struct.unpack_from(f"{order}I", content, inside)
            (found[tag],) = struct.unpack_from(f"{order}{form}", content, inside)
    except struct.error:
        pass
    return found
