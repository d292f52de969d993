"""Decodes plain PNG files at six times Pillow's speed.

Most of the time of decoding a PNG file goes into inflating, and into undoing the row filters. isal does
the former, and a kernel the latter for 32 rows at once. Where there are no kernels, kornia-rs (with
Rust's `png`) does both. They get only files that all decoders decode alike: grey or RGB with 8 bits,
not interlaced, without transparency, animation or compressed text, and with every chunk complete.
Pillow decodes all others.
"""

from __future__ import annotations

import functools
import struct
import zlib
from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imageloom._imaging.kernels import kernels
from imageloom._imaging.kernels.signatures import Kernels
from imageloom._machine import memory_may_be_refused

__all__ = ["PNG_MAGIC", "decode_png"]

PNG_MAGIC: Final = b"\x89PNG\r\n\x1a\n"
_HEADER: Final = struct.Struct(">4sIIBBBBB")
_CHUNK: Final = struct.Struct(">I4s")
_CHANNELS: Final = {0: 1, 2: 3}  # by colour type
_MODES: Final = {1: "mono", 3: "rgb"}
# Chunks that do not affect the pixels, with their sizes where decoders check them.
_HARMLESS: Final[dict[bytes, int | None]] = {
    b"gAMA": 4,
    b"cHRM": 32,
    b"pHYs": 9,
    b"sRGB": 1,
    b"tIME": 7,
    b"bKGD": None,
    b"sBIT": None,
    b"tEXt": None,
    b"IEND": 0,
}
# Pillow takes a text named "transparency", for example, for an option of the image. The registered
# names begin with a capital, which no option does, and ImageMagick adds two names of its own.
_CAPITALS: Final = (bytes([letter]) for letter in range(ord("A"), ord("Z") + 1))
_PLAIN_TEXTS: Final = (*_CAPITALS, b"date:", b"comment\0")
_LONGEST_TEXT: Final = 2**20
_DEFLATE_RATIO: Final = 1032  # the highest compression, which equal bytes reach
_LEAST_CHUNK: Final = 12
_END_OF_HEADER: Final = 33


def decode_png(content: bytes, max_pixels: int | None) -> NDArray[np.uint8] | None:
    """Decodes to pixels (height, width, 1 or 3); returns None if Pillow has to decode the file.

    Args:
        content: the bytes of the file, which begin with `PNG_MAGIC`.
        max_pixels: the largest image to decode; None for no bound.
    """
    if len(content) < _END_OF_HEADER:
        return None
    kind, width, height, depth, colour, *methods = _HEADER.unpack_from(content, len(PNG_MAGIC) + 4)
    plain = kind == b"IHDR" and depth == 8 and colour in _CHANNELS and methods == [0, 0, 0]
    # Without this check, a false header would make the decoder allocate memory for pixels that the
    # file cannot contain.
    most = len(content) * _DEFLATE_RATIO if max_pixels is None else max_pixels
    plausible = 0 < width * height <= min(most, len(content) * _DEFLATE_RATIO)
    if not plain or not plausible:
        return None
    shape = height, width, _CHANNELS[colour]
    isal_zlib = None if kernels is None else _inflater()
    if kernels is None or isal_zlib is None:
        return _by_kornia(content, shape)
    return _by_kernels(kernels, isal_zlib, content, shape)


def _by_kernels(
    kernels: Kernels, isal_zlib: Any, content: bytes, shape: tuple[int, int, int]
) -> NDArray[np.uint8] | None:
    parts = _pixels_of(content, isal_zlib.crc32)
    if parts is None:
        return None
    height, width, channels = shape
    nbytes = height * (1 + width * channels)
    stream = isal_zlib.decompressobj()
    try:
        filtered = stream.decompress(parts[0] if len(parts) == 1 else b"".join(parts), nbytes + 1)
    except Exception:  # of the stream, of which the class is not typed as one
        return None
    if len(filtered) != nbytes or not stream.eof:  # too short, too long, or with a wrong checksum
        return None
    pixels = np.empty(shape, np.uint8)
    try:
        kernels.unfilter(filtered, pixels, height, width * channels, channels)
    except ValueError:
        return None
    return pixels


def _by_kornia(content: bytes, shape: tuple[int, int, int]) -> NDArray[np.uint8] | None:
    # Where memory is refused, the decoder ends the process; Pillow raises a MemoryError.
    decode = None if memory_may_be_refused() else _decoder()
    if decode is None or _pixels_of(content, zlib.crc32, of_pixels=False) is None:
        return None
    try:
        return decode(content, shape[:2], _MODES[shape[2]])
    except Exception:  # the decoder has no error classes of its own
        return None


def _pixels_of(
    content: bytes, crc32: Callable[[memoryview], int], *, of_pixels: bool = True
) -> list[memoryview] | None:
    """The compressed pixels; None unless the file is whole, and all of its chunks are harmless.

    The chunks must be a header, harmless chunks, one run of pixels, harmless chunks, an end. It checks
    their checksums, those of the pixels only if `of_pixels` is true. All is done in one loop without
    calls of other functions, because a file of 30 kB has eight chunks.
    """
    view, nbytes = memoryview(content), len(content)
    place, end_of_pixels, kind = len(PNG_MAGIC), 0, b""
    parts: list[memoryview] = []
    while kind != b"IEND" and place + _LEAST_CHUNK <= nbytes:
        length, kind = _CHUNK.unpack_from(content, place)
        end = place + _LEAST_CHUNK + length
        if kind == b"IDAT":
            whole = end_of_pixels in (0, place) and end <= nbytes
            parts.append(view[place + 8 : end - 4])
            end_of_pixels = end
            checked = of_pixels
        else:
            size = _HARMLESS.get(kind, -1) if place > len(PNG_MAGIC) else _HEADER.size - 4
            whole = (
                end <= nbytes
                and (length == size or (size is None and length <= _LONGEST_TEXT))
                and (kind != b"tEXt" or content.startswith(_PLAIN_TEXTS, place + 8))
            )
            checked = True
        if not whole:
            return None
        if checked and crc32(view[place + 4 : end - 4]) != int.from_bytes(view[end - 4 : end], "big"):
            return None
        place = end
    return parts if kind == b"IEND" and parts else None


@functools.cache
def _inflater() -> Any:
    """Loads the module that inflates, for the first PNG file; returns None if it is not installed."""
    try:
        from isal import isal_zlib
    except ImportError:  # this processor has no wheel
        return None
    return isal_zlib


@functools.cache
def _decoder() -> Callable[[bytes, tuple[int, int], str], NDArray[Any]] | None:
    """Loads the decoder, for the first PNG file; returns None if it is not installed."""
    try:
        from kornia_rs.io import decode_image_png_u8
    except ImportError:  # this processor has no wheel, or another version is installed
        return None
    return decode_image_png_u8  # type: ignore[no-any-return]
