"""Plain PNG files past Pillow: the same pixels, and the same files refused."""

from __future__ import annotations

import io
import random
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pictures import Pixels, as_mode, photograph
from PIL import Image, PngImagePlugin
from png_files import (
    END,
    HARMLESS,
    RGB,
    Chunks,
    assert_as_pillow,
    assert_decoded,
    chunk,
    file_of,
    filtered,
    header,
    header_of,
    photo,
    pieces,
    plain,
)

from imageloom import BadImageError
from imageloom._imaging.decode import load_img, read_pixels
from imageloom._imaging.png import PNG_MAGIC, decode_png
from imageloom._options import ReadOptions

pytest.importorskip("kornia_rs")

GREY = ReadOptions(color_mode="grayscale", target_size=(1, 1), interpolation=None,
                   keep_aspect_ratio=False, exact_resize=False)  # fmt: skip
HEADER_SIZE = 13


harmless_chunks = st.lists(st.sampled_from(list(HARMLESS.items())), max_size=3)
sides = st.integers(1, 40)


@st.composite
def images(draw: st.DrawFn) -> Pixels:
    height, width = draw(st.one_of(st.tuples(sides, sides), st.tuples(st.just(1), sides),
                                   st.tuples(sides, st.just(1))))  # fmt: skip
    channels, rng = draw(st.sampled_from([1, 3])), np.random.default_rng(draw(st.integers(0, 2**32)))
    if draw(st.booleans()):  # little differences, as in photographs
        steps = rng.integers(-3, 4, (height, width, channels))
        smooth: Pixels = (steps.cumsum(axis=0) + steps.cumsum(axis=1)).astype(np.uint8)
        return smooth
    return rng.integers(0, 256, (height, width, channels), dtype=np.uint8)


@pytest.mark.slow
@settings(max_examples=300)
@given(
    pixels=images(),
    filter_seed=st.integers(0, 2**32),
    level=st.sampled_from([0, 1, 6, 9]),
    cuts=st.lists(st.floats(0, 1), max_size=5),
    before=harmless_chunks,
    after=harmless_chunks,
    tail=st.binary(max_size=20),
)
def test_plain_files_are_decoded_as_by_pillow(
    pixels: Pixels, filter_seed: int, level: int, cuts: list[float],
    before: Chunks, after: Chunks, tail: bytes,
) -> None:  # fmt: skip
    filters = random.Random(filter_seed).choices(range(5), k=len(pixels))
    content = plain(pixels, filters, level, cuts=cuts, before=before, after=after) + tail
    assert_decoded(content)
    np.testing.assert_array_equal(decode_png(content, None), pixels)  # the test's own filters


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("kind", range(5))
@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (123, 257)])
def test_every_filter(size: tuple[int, int], kind: int, channels: int) -> None:
    pixels = np.random.default_rng(kind).integers(0, 256, (*size, channels), dtype=np.uint8)
    assert_decoded(plain(pixels, [kind] * size[0]))


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("how", [{}, {"optimize": True}, {"compress_level": 0}, {"dpi": (72, 72)}])
def test_files_that_pillow_wrote(how: dict[str, Any], mode: str, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    image = Image.fromarray(photograph("coffee", 90, 70)).convert(mode)
    image.save(path, **how)
    assert_decoded(path.read_bytes())
    np.testing.assert_array_equal(read_pixels(path, RGB), np.asarray(image.convert("RGB")))
    grey = np.asarray(load_img(path, "grayscale"))[..., None]
    np.testing.assert_array_equal(read_pixels(path, GREY), grey)


def saved(mode: str, **how: Any) -> bytes:
    image, content = as_mode(photo(), mode), io.BytesIO()
    image.save(content, format="PNG", **how)
    return content.getvalue()


def raw(depth: int, colour: int, row_bytes: int, before: Chunks = (), interlaced: int = 0) -> bytes:
    """Eight rows of eight pixels; `row_bytes` long each, and for interlaced files as if each were."""
    rows = np.random.default_rng(depth).integers(0, 256, (8, 1 + row_bytes), dtype=np.uint8)
    rows[:, 0] = 0
    head = header(8, 8, colour, depth, interlaced)
    return file_of(head, zlib.compress(rows.tobytes()), before=before)


def interlaced() -> bytes:
    """8 by 8 grey pixels in the seven passes of Adam7."""
    starts = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2),
              (1, 0, 2, 1)]  # fmt: skip
    pixels = photo(1, 8, 8)
    passes = [filtered(pixels[y::dy, x::dx], [0] * len(pixels[y::dy])) for y, x, dy, dx in starts]
    return file_of(header(8, 8, 0, interlaced=1), zlib.compress(b"".join(passes)))


def animated() -> bytes:
    content = io.BytesIO()
    frames = [Image.fromarray(photo()), Image.fromarray(255 - photo())]
    frames[0].save(content, format="PNG", save_all=True, append_images=frames[1:])
    assert b"acTL" in content.getvalue()
    return content.getvalue()


def split_pixels(kind: bytes = b"tEXt") -> bytes:
    """Another chunk between two of pixels."""
    one, other = pieces(zlib.compress(filtered(photo(), [0] * 24)), [0.5])
    parts = [chunk(b"IDAT", one), chunk(kind, HARMLESS[kind]), chunk(b"IDAT", other), chunk(END)]
    return b"".join([PNG_MAGIC, header_of(photo()), *parts])


def with_chunk(kind: bytes, data: bytes, *, last: bool = False) -> bytes:
    chunks = [(kind, data)]
    return plain(photo(), after=chunks) if last else plain(photo(), before=chunks)


def wrong_checksum(kind: bytes) -> bytes:
    content = bytearray(plain(photo(), before=[(kind, HARMLESS[kind])]))
    content[content.index(kind) + 4 + len(HARMLESS[kind])] ^= 1
    return bytes(content)


COMPRESSED = zlib.compress(b"words " * 9)
PALETTE = (b"PLTE", bytes(range(3 * 4)))
# What is not plain -> the file, and whether Pillow can read it (None: depends on its version).
LEFT_TO_PILLOW: dict[str, tuple[Callable[[], bytes], bool | None]] = {
    "palette": (lambda: saved("P"), True),
    "palette of 1 bit": (lambda: raw(1, 3, 1, [PALETTE]), True),
    "1 bit": (lambda: raw(1, 0, 1), True),
    "2 bits": (lambda: raw(2, 0, 2), True),
    "4 bits": (lambda: raw(4, 0, 4), True),
    "16 bits": (lambda: raw(16, 0, 16), True),
    "16 bits RGB": (lambda: raw(16, 2, 48), True),
    "RGBA": (lambda: saved("RGBA"), True),
    "LA": (lambda: saved("LA"), True),
    "interlaced": (interlaced, True),
    "transparent": (lambda: saved("RGB", transparency=(0, 0, 0)), True),
    "transparent grey": (lambda: saved("L", transparency=9), True),
    "suggested palette": (lambda: with_chunk(*PALETTE), True),
    "animation": (animated, True),
    "no animation": (lambda: with_chunk(b"acTL", struct.pack(">II", 1, 0)), True),
    "zTXt": (lambda: with_chunk(b"zTXt", b"Title\0\0" + COMPRESSED), True),
    "late zTXt": (lambda: with_chunk(b"zTXt", b"Title\0\0" + COMPRESSED, last=True), True),
    "iTXt": (lambda: with_chunk(b"iTXt", b"Title\0\0\0en\0\0words"), True),
    "iCCP": (lambda: with_chunk(b"iCCP", b"name\0\0" + COMPRESSED), True),
    "eXIf": (lambda: with_chunk(b"eXIf", b"MM\0*"), True),
    "unknown": (lambda: with_chunk(b"abCd", b"?"), True),
    "late unknown": (lambda: with_chunk(b"abCd", b"?", last=True), True),
    "unknown and needed": (lambda: with_chunk(b"ABCD", b"?"), True),
    "split pixels": (split_pixels, False),
    "pixels behind a text": (
        lambda: plain(photo(), after=[(b"tEXt", b"a\0b"), (b"IDAT", b"more")]),
        True,
    ),
    "no pixels behind a text": (
        lambda: plain(photo(), after=[(b"tEXt", b"a\0b"), (b"IDAT", b"")]),
        True,
    ),
    "no end": (lambda: plain(photo())[:-12], True),
    "nothing after the end's length": (lambda: plain(photo())[:-8], True),
    "half an end": (lambda: plain(photo())[:-2], True),
    "end with content": (lambda: plain(photo())[:-12] + chunk(END, b"!"), True),
    "second header": (lambda: with_chunk(b"IHDR", header_of(photo())[8:-4]), True),
    "late second header": (lambda: with_chunk(b"IHDR", header_of(photo())[8:-4], last=True), True),
    "another header": (lambda: with_chunk(b"IHDR", header(9, 9, 0)[8:-4]), False),
    "long header": (
        lambda: PNG_MAGIC + chunk(b"IHDR", header_of(photo())[8:-4] + b"\0") + plain(photo())[33:],
        True,
    ),
    "short gAMA": (lambda: with_chunk(b"gAMA", b"\0\0\x01"), False),
    "long gAMA": (lambda: with_chunk(b"gAMA", b"\0\0\0\x01\0"), True),
    "long cHRM": (lambda: with_chunk(b"cHRM", bytes(33)), None),
    "long text": (lambda: with_chunk(b"tEXt", b"a\0" + b" " * 2**20), True),
    "gAMA's checksum": (lambda: wrong_checksum(b"gAMA"), False),
    "tEXt's checksum": (lambda: wrong_checksum(b"tEXt"), False),
    "no pixels": (lambda: PNG_MAGIC + header_of(photo()) + chunk(END), False),
    "no rows": (lambda: file_of(header(0, 5, 0), zlib.compress(b"")), False),
    "no columns": (lambda: file_of(header(5, 0, 0), zlib.compress(bytes(5))), False),
    "header only": (lambda: PNG_MAGIC + header_of(photo()), False),
    "magic only": (lambda: PNG_MAGIC, False),
}


@pytest.mark.parametrize("name", LEFT_TO_PILLOW)
def test_what_is_left_to_pillow(name: str, tmp_path: Path) -> None:
    make, readable = LEFT_TO_PILLOW[name]
    content, path = make(), tmp_path / "a.png"
    assert decode_png(content, None) is None
    read = assert_as_pillow(content, path)
    assert readable in (read, None)
    if read:
        np.testing.assert_array_equal(read_pixels(path, RGB), np.asarray(load_img(path)))
        grey = np.asarray(load_img(path, "grayscale"))[..., None]
        np.testing.assert_array_equal(read_pixels(path, GREY), grey, strict=True)


@pytest.mark.slow
def test_more_text_than_pillow_takes(tmp_path: Path) -> None:
    text = (b"tEXt", b"a\0" + b" " * (2**20 - 2))
    content = plain(photo(), before=[text] * (PngImagePlugin.MAX_TEXT_MEMORY // 2**20 + 1))
    assert not assert_as_pillow(content, tmp_path / "a.png")


def test_large_images_are_left_to_pillow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content, path = plain(photo(height=10, width=20)), tmp_path / "a.png"
    path.write_bytes(content)
    assert decode_png(content, 199) is None
    for bound in (200, None):
        assert decode_png(content, bound) is not None
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 199)
    with pytest.warns(Image.DecompressionBombWarning):
        read_pixels(path, RGB)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 99)
    with pytest.raises(BadImageError, match="exceeds limit"):
        read_pixels(path, RGB)


def test_sizes_that_no_memory_holds() -> None:
    content = file_of(header(2**20, 2**31 - 1, 2), zlib.compress(b""))
    assert decode_png(content, None) is None  # a panic in Rust is a BaseException


@pytest.mark.parametrize("keyword", ["Title", "Software", "date:create", "comment"])
def test_usual_texts(keyword: str) -> None:
    assert_decoded(plain(photo(), before=[(b"tEXt", keyword.encode() + b"\0words")]))


# Pillow keeps texts among what it knows of the image itself.
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("keyword", ["bbox", "interlace", "transparency", "gamma", "icc_profile"])
def test_texts_that_pillow_takes_for_settings(keyword: str, channels: int, tmp_path: Path) -> None:
    for content in (
        plain(photo(channels), before=[(b"tEXt", keyword.encode() + b"\0words")]),
        plain(photo(channels), after=[(b"tEXt", keyword.encode() + b"\0words")]),
    ):
        assert decode_png(content, None) is None
        if (keyword, channels) != ("transparency", 1):  # see below
            assert_as_pillow(content, tmp_path / "a.png")


def test_a_text_that_stops_pillow_from_converting(tmp_path: Path) -> None:
    content = plain(photo(1), before=[(b"tEXt", b"transparency\0words")])
    assert not assert_as_pillow(content, tmp_path / "a.png")
