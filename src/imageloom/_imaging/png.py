"""Decodes plain PNG files at three times Pillow's speed.

Most of the time of decoding a PNG file goes into undoing the row filters, which kornia-rs (with Rust's
`png`) does for several bytes at once. It gets only files that all decoders decode alike: grey or RGB
with 8 bits, not interlaced, without transparency, animation or compressed text, and with every chunk
complete. Pillow decodes all others.
"""

from __future__ import annotations

import functools
import struct
import zlib
from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imageloom._machine import memory_may_be_refused

__all__ = ["PNG_MAGIC", "decode_png"]

PNG_MAGIC: Final = b"\x89PNG\r\n\x1a\n"
_HEADER: Final = struct.Struct(">4sIIBBBBB")
_CHUNK: Final = struct.Struct(">I4s")
_MODES: Final = {0: "mono", 2: "rgb"}  # by colour type
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
    # Where memory is refused, the decoder ends the process; Pillow raises a MemoryError.
    decode = None if memory_may_be_refused() else _decoder()
    if decode is None or len(content) < _END_OF_HEADER:
        return None
    kind, width, height, depth, colour, *methods = _HEADER.unpack_from(content, len(PNG_MAGIC) + 4)
    plain = kind == b"IHDR" and depth == 8 and colour in _MODES and methods == [0, 0, 0]
    # Without this check, a false header would make the decoder allocate memory for pixels that the
    # file cannot contain.
    most = len(content) * _DEFLATE_RATIO if max_pixels is None else max_pixels
    plausible = 0 < width * height <= min(most, len(content) * _DEFLATE_RATIO)
    if not plain or not plausible or not _is_whole(content):
        return None
    try:
        return decode(content, (height, width), _MODES[colour])
    except Exception:  # the decoder has no error classes of its own
        return None


def _is_whole(content: bytes) -> bool:
    """Whether the chunks are a header, harmless chunks, one run of pixels, harmless chunks, an end.

    It checks the checksums of all chunks but those of the pixels, which the decoder checks. (Nothing
    checks zlib's own checksum of the pixels; no damage could leave those of the chunks right.) All is
    done in one loop without function calls, because a file of 30 kB has eight chunks.
    """
    view, nbytes, crc32 = memoryview(content), len(content), zlib.crc32
    place, end_of_pixels, kind = len(PNG_MAGIC), 0, b""
    while kind != b"IEND" and place + _LEAST_CHUNK <= nbytes:
        length, kind = _CHUNK.unpack_from(content, place)
        end = place + _LEAST_CHUNK + length
        if kind == b"IDAT":
            whole = end_of_pixels in (0, place)
            end_of_pixels = end
        else:
            size = _HARMLESS.get(kind, -1) if place > len(PNG_MAGIC) else _HEADER.size - 4
            whole = (
                end <= nbytes
                and (length == size or (size is None and length <= _LONGEST_TEXT))
                and (kind != b"tEXt" or content.startswith(_PLAIN_TEXTS, place + 8))
                and crc32(view[place + 4 : end - 4]) == int.from_bytes(view[end - 4 : end], "big")
            )
        if not whole:
            return False
        place = end
    return kind == b"IEND" and end_of_pixels > 0


@functools.cache
def _decoder() -> Callable[[bytes, tuple[int, int], str], NDArray[Any]] | None:
    """Loads the decoder, for the first PNG file; returns None if it is not installed."""
    try:
        from kornia_rs.io import decode_image_png_u8
    except ImportError:  # this processor has no wheel, or another version is installed
        return None
    return decode_image_png_u8  # type: ignore[no-any-return]
