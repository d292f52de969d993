"""Damaged PNG files: what Pillow refuses is refused, and what it reads is read alike."""

from __future__ import annotations

import random
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from kernel_support import use
from PIL import Image
from png_files import HARMLESS, assert_as_pillow, file_of, filtered, header_of, photo

from imageloom._imaging.kernels import kernels

pytest.importorskip("kornia_rs")


@pytest.fixture(autouse=True, params=["kernels", "kornia-rs"])
def decoder(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    name: str = request.param
    if name != "kernels":
        use(None, monkeypatch)
    elif kernels is None:
        pytest.skip("no kernels were compiled")
    return name


@pytest.fixture
def sums_are_checked(decoder: str) -> None:
    if decoder == "kornia-rs":
        pytest.skip("it does not look at zlib's sum (Adler-32), which Pillow checks")


@pytest.fixture
def small_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """No gigabytes for a size with a flipped bit."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 2**20)


def random_plain(rng: random.Random) -> tuple[bytes, bytes]:
    """The header chunk of a small image, and its compressed rows."""
    pixels = photo(rng.choice([1, 3]), rng.randint(1, 24), rng.randint(1, 24))
    rows = filtered(pixels, rng.choices(range(5), k=len(pixels)))
    return header_of(pixels), zlib.compress(rows, rng.choice([0, 1, 6, 9]))


def random_around(rng: random.Random) -> dict[str, Any]:
    return {
        "cuts": [rng.random() for _ in range(rng.randint(0, 3))],
        "before": rng.sample(list(HARMLESS.items()), rng.randint(0, 2)),
        "after": rng.sample(list(HARMLESS.items()), rng.randint(0, 2)),
    }


def flip_bits(content: bytes, rng: random.Random) -> bytes:
    """One bit or two, most of them in the first 80 or the last 40 bytes."""
    flipped = bytearray(content)
    for _ in range(rng.choice([1, 1, 2])):
        first, last = rng.choice(
            [(0, 80), (0, 80), (len(content) - 40, len(content)), (0, len(content))]
        )
        place = rng.randrange(max(first, 0), min(last, len(content)))
        flipped[place] ^= 1 << rng.randrange(8)
    return bytes(flipped)


@pytest.mark.usefixtures("small_bound")
@pytest.mark.parametrize("part", range(4))
def test_damaged_files_are_refused_as_by_pillow(part: int, tmp_path: Path) -> None:
    read = 0
    for number in range(150):
        rng = random.Random(f"{part} {number}")
        content = flip_bits(file_of(*random_plain(rng), **random_around(rng)), rng)
        if number % 3 == 0:
            content = content[
                : rng.choice([rng.randrange(80), -rng.randint(1, 40), rng.randrange(999)])
            ]
        read += assert_as_pillow(content, tmp_path / "a.png", (part, number))
    assert 10 < read < 100  # flipped checksums, and the like


def flipped_and_repaired(number: int) -> tuple[bytes, bool]:
    """A file with flipped bits inside its compressed rows, and whether only their sum betrays that."""
    rng = random.Random(number)
    head, compressed = random_plain(rng)
    flipped = flip_bits(compressed, rng)
    betrayed_by_sum = False
    try:
        zlib.decompress(flipped)
    except zlib.error as error:
        betrayed_by_sum = "incorrect data check" in str(error)
    return file_of(head, flipped, **random_around(rng)), betrayed_by_sum


@pytest.mark.slow
def test_damaged_pixels_behind_good_checksums(tmp_path: Path) -> None:
    read = refused = 0
    for number in range(500):
        content, betrayed_by_sum = flipped_and_repaired(number)
        if betrayed_by_sum:
            continue  # see below
        if assert_as_pillow(content, tmp_path / "a.png", number):
            read += 1
        else:
            refused += 1
    assert read > 5
    assert refused > 50


@pytest.mark.usefixtures("sums_are_checked")
def test_damaged_pixels_that_zlibs_sum_betrays(tmp_path: Path) -> None:
    for number in range(500):
        content, betrayed_by_sum = flipped_and_repaired(number)
        if betrayed_by_sum:
            assert_as_pillow(content, tmp_path / "a.png", number)


ROWS = filtered(photo(), [0, 1, 2, 3, 4, 0] * 4)
ROW = 1 + 3 * 31


def with_filter(kind: int, row: int) -> bytes:
    rows = bytearray(ROWS)
    rows[row * ROW] = kind
    return zlib.compress(bytes(rows))


# What is wrong with the compressed rows -> these, and whether Pillow reads them (None: at times).
STREAMS: dict[str, tuple[bytes, bool | None]] = {
    "whole": (zlib.compress(ROWS), True),
    "a byte short": (zlib.compress(ROWS[:-1]), False),
    "a row short": (zlib.compress(ROWS[:-ROW]), None),
    "empty": (zlib.compress(b""), False),
    "no stream": (b"", False),
    "half a stream": (zlib.compress(ROWS)[:700], False),
    "a byte more": (zlib.compress(ROWS + b"\0"), True),
    "a row more": (zlib.compress(ROWS + ROWS[:ROW]), True),
    "much more": (zlib.compress(ROWS + bytes(100_000)), True),
    "bytes behind the stream": (zlib.compress(ROWS) + b"more", True),
    "two streams": (zlib.compress(ROWS) * 2, True),
    "no sum": (zlib.compress(ROWS)[:-4], True),
    "half a sum": (zlib.compress(ROWS)[:-2], True),
    "filter 5": (with_filter(5, 0), False),
    "filter 255": (with_filter(255, 11), False),
    "last row's filter": (with_filter(5, 23), False),
    "no deflate": (b"\x77\x85" + zlib.compress(ROWS)[2:], False),
    "a dictionary": (b"\x78\xbb" + zlib.compress(ROWS)[2:], False),
    "bad header sum": (b"\x78\x9d" + zlib.compress(ROWS)[2:], False),
    "raw deflate": (zlib.compress(ROWS)[2:-4], False),
}


@pytest.mark.parametrize("cuts", [(), (0.5,), (0.1, 0.1, 0.999)], ids=len)
@pytest.mark.parametrize("name", STREAMS)
def test_streams(name: str, cuts: Sequence[float], tmp_path: Path) -> None:
    stream, readable = STREAMS[name]
    read = assert_as_pillow(file_of(header_of(photo()), stream, cuts), tmp_path / "a.png")
    assert readable in (read, None)


@pytest.mark.usefixtures("sums_are_checked")
@pytest.mark.parametrize("cuts", [(), (0.5,), (0.1, 0.1, 0.999)], ids=len)
def test_wrong_sum(cuts: Sequence[float], tmp_path: Path) -> None:
    stream = zlib.compress(ROWS)[:-4] + b"\1\2\3\4"
    read = assert_as_pillow(file_of(header_of(photo()), stream, cuts), tmp_path / "a.png")
    assert read == (len(cuts) == 3), "Pillow does not read a last chunk that has nothing but the sum"
