"""Draws text of any script.

Pillow's own font has unaccented Latin letters only. Words that it cannot draw are drawn with GNU
Unifont, which comes with this package and has a picture of every character of the first two planes of
Unicode. A character beyond them, or without a picture, is shown by its number.
"""

from __future__ import annotations

import io
import lzma
import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache
from importlib.resources import files
from typing import Any, Final

from PIL import ImageDraw, ImageFont

from imageloom._errors import in_one_line

__all__ = ["Lettering"]

_SHIPPED: Final = ("unifont.otf.xz", "unifont_upper.otf.xz")
_GRID: Final = 16  # the pictures of Unifont are sharp in multiples of this height
_NOWHERE: Final = "\U0010ffff"  # no font has a picture of it, but that of a missing one
_INVISIBLE: Final = re.compile("[\u200b-\u200d\u2060\ufe00-\ufe0f\ufeff]")  # joiners, variants


class Lettering:
    """Text of one size, in the first of several fonts that can draw a word."""

    def __init__(self, size: int) -> None:
        self._default: Any = ImageFont.load_default(size)
        self._size = _GRID * max(1, round(size / _GRID))
        self._shipped: dict[str, Any] = {}
        self._has: dict[tuple[int, str], bool] = {}

    def length(self, text: str) -> float:
        """The width of a text, in pixels."""
        return float(sum(font.getlength(run) for font, run in self._runs(text)))

    def draw(
        self, pen: ImageDraw.ImageDraw, corner: tuple[float, float], text: str, colour: str
    ) -> None:
        """Draws a text whose first letter has its upper left corner at `corner`."""
        left, top = corner
        baseline = top + self._default.getmetrics()[0]
        for font, run in self._runs(text):
            pen.text((left, baseline), run, colour, font, anchor="ls")
            left += font.getlength(run)

    def cut(self, text: str, width: float) -> str:
        """Shortens a text in its middle until it fits."""
        if self.length(text) <= width:
            return text
        kept = len(text)
        while kept > 4 and self.length(f"{text[: kept // 2]}...{text[-(kept // 2) :]}") > width:
            kept -= 1
        return f"{text[: kept // 2]}...{text[-(kept // 2) :]}"

    def wrapped(self, texts: Sequence[str], width: float) -> list[str]:
        """Puts as many phrases on each line as fit, and breaks longer phrases at spaces."""
        lines: list[str] = []
        for text in texts:
            if lines and self.length(f"{lines[-1]}   {text}") <= width:
                lines[-1] = f"{lines[-1]}   {text}"
                continue
            line = ""
            for word in text.split(" "):
                if line and self.length(f"{line} {word}") > width:
                    lines.append(line)
                    line = word
                else:
                    line = f"{line} {word}".lstrip()
            lines.append(line)
        return lines

    def _runs(self, text: str) -> Iterator[tuple[Any, str]]:
        """Splits a text into parts of one font each: words, as far as a font has whole words."""
        # File names of macOS have letters and accents apart, which few fonts can put together.
        text = in_one_line(_INVISIBLE.sub("", unicodedata.normalize("NFC", text)))
        for word in re.split("( +)", text):
            place = self._place(word)
            if place is not None:
                yield self._font(place), word
                continue
            for char in word:
                place = self._place(char)
                if place is None:
                    yield self._default, f"[U+{ord(char):04X}]"
                else:
                    yield self._font(place), char

    def _place(self, word: str) -> int | None:
        """The number of the first font with all letters of a word."""
        return next(
            (
                place
                for place in range(len(_SHIPPED) + 1)
                if all(self._draws(place, char) for char in word)
            ),
            None,
        )

    def _draws(self, place: int, char: str) -> bool:
        if " " <= char <= "~":
            return True
        if (place, char) not in self._has:
            font = self._font(place)
            self._has[place, char] = _look(font, char) != _look(font, _NOWHERE)
        return self._has[place, char]

    def _font(self, place: int) -> Any:
        if place == 0:
            return self._default
        name = _SHIPPED[place - 1]
        if name not in self._shipped:
            self._shipped[name] = ImageFont.truetype(io.BytesIO(_unpacked(name)), self._size)
        return self._shipped[name]


def _look(font: Any, char: str) -> tuple[tuple[int, int], bytes]:
    mask = font.getmask(char)
    return mask.size, bytes(mask)


@lru_cache(maxsize=len(_SHIPPED))
def _unpacked(name: str) -> bytes:
    return lzma.decompress((files("imageloom._preview") / "fonts" / name).read_bytes())
