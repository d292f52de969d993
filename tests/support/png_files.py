"""PNG files that are put together chunk by chunk, and what Pillow makes of them."""

from __future__ import annotations

import io
import itertools
import struct
import warnings
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pictures import Pixels, photograph
from PIL import Image

from imageloom import BadImageError
from imageloom._imaging.decode import read_pixels
from imageloom._imaging.png import PNG_MAGIC, decode_png
from imageloom._options import ReadOptions

RGB = ReadOptions(color_mode="rgb", target_size=(1, 1), interpolation=None,
                  keep_aspect_ratio=False, exact_resize=False)  # fmt: skip


END = b"IEND"


# Chunks that say nothing about the pixels.
HARMLESS: dict[bytes, bytes] = {
    b"gAMA": struct.pack(">I", 45455),
    b"cHRM": struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000),
    b"pHYs": struct.pack(">IIB", 2835, 2835, 1),
    b"sRGB": b"\0",
    b"tIME": struct.pack(">HBBBBB", 2024, 2, 29, 23, 59, 60),
    b"tEXt": b"Title\0A cup",
    b"bKGD": bytes(6),
    b"sBIT": b"\x08\x08\x08",
}


Chunks = Sequence[tuple[bytes, bytes]]


def chunk(kind: bytes, data: bytes = b"", checksum: int | None = None) -> bytes:
    if checksum is None:
        checksum = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)


def header(height: int, width: int, colour: int, depth: int = 8, interlaced: int = 0) -> bytes:
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced))


def header_of(pixels: Pixels) -> bytes:
    height, width, channels = pixels.shape
    return header(height, width, 2 if channels == 3 else 0)


def paeth(left: NDArray[Any], above: NDArray[Any], corner: NDArray[Any]) -> NDArray[Any]:
    to_left, to_above = abs(above - corner), abs(left - corner)
    to_corner = abs(left + above - 2 * corner)
    nearest = np.where(to_above <= to_corner, above, corner)
    return np.where((to_left <= to_above) & (to_left <= to_corner), left, nearest)


def filtered(pixels: Pixels, filters: Iterable[int]) -> bytes:
    """The rows as they are compressed, each with its own filter (0 to 4) in front."""
    height, width, channels = pixels.shape
    rows: NDArray[Any] = np.zeros((height + 1, width + 1, channels), np.int64)
    rows[1:, 1:] = pixels
    content = b""
    for y, kind in zip(range(1, height + 1), filters, strict=True):
        left, above, corner = rows[y, :-1], rows[y - 1, 1:], rows[y - 1, :-1]
        guess: Any = [0, left, above, (left + above) // 2, paeth(left, above, corner)][kind]
        content += bytes([kind]) + (rows[y, 1:] - guess).astype(np.uint8).tobytes()
    return content


def pieces(content: bytes, cuts: Sequence[float]) -> list[bytes]:
    """Cut at these shares of the length; equal ones make empty pieces."""
    places = [0, *sorted(int(share * len(content)) for share in cuts), len(content)]
    return [content[a:b] for a, b in itertools.pairwise(places)]


def file_of(
    head: bytes,
    compressed: bytes,
    cuts: Sequence[float] = (),
    before: Chunks = (),
    after: Chunks = (),
) -> bytes:
    parts = [PNG_MAGIC, head, *(chunk(*one) for one in before)]
    parts += [chunk(b"IDAT", piece) for piece in pieces(compressed, cuts)]
    return b"".join([*parts, *(chunk(*one) for one in after), chunk(END)])


def plain(pixels: Pixels, filters: Iterable[int] | None = None, level: int = 6, **others: Any) -> bytes:
    """A file of these pixels; without `filters` each row has the next one."""
    if filters is None:
        filters = [y % 5 for y in range(len(pixels))]
    return file_of(header_of(pixels), zlib.compress(filtered(pixels, filters), level), **others)


def photo(channels: int = 3, height: int = 24, width: int = 31) -> Pixels:
    mode = "RGB" if channels == 3 else "L"
    pixels: Pixels = photograph("coffee", height, width, mode).reshape(height, width, channels)
    return pixels


def by_pillow(content: bytes) -> Image.Image:
    """Raises whatever Pillow raises."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        image = Image.open(io.BytesIO(content), formats=["PNG"])
        image.load()
    return image


def assert_decoded(content: bytes) -> None:
    expected = np.asarray(by_pillow(content))
    decoded = decode_png(content, None)
    assert decoded is not None
    assert decoded.dtype == np.uint8
    np.testing.assert_array_equal(
        decoded, expected if expected.ndim == 3 else expected[..., None], strict=True
    )


def assert_as_pillow(content: bytes, path: Path, case: object = "") -> bool:
    """Whether Pillow reads the file; `read_pixels` must do the same with it."""
    path.write_bytes(content)
    try:
        expected = np.asarray(by_pillow(content).convert("RGB"))
    except Exception:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with pytest.raises(BadImageError):
                pytest.fail(f"{case}: Pillow refuses it, received {read_pixels(path, RGB).shape}")
        return False
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pixels = read_pixels(path, RGB)
    np.testing.assert_array_equal(pixels, expected, err_msg=str(case), strict=True)
    return True
