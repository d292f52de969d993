"""Notes files with more than 8 bits, where they are converted to a colour mode of 8 bits.

Pillow, and so Keras, sets larger values to 255 and drops fractions. Nothing is noted, and nothing costs
time, unless somebody asks for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final

from PIL import Image

__all__ = ["ClippedFile", "note_if_clipped", "noting_clipped_files"]

_WIDE_MODES: Final = ("I;16", "I;16L", "I;16B", "I;16N", "I", "F")
_WHITE: Final = 255


@dataclass(frozen=True, slots=True)
class ClippedFile:
    """A file that loses values in its conversion.

    Attributes:
        name: The path.
        mode: The mode of the file, as Pillow names it.
        low: The smallest value.
        high: The largest value.
    """

    name: str
    mode: str
    low: float
    high: float

    @property
    def is_fractional(self) -> bool:
        """Whether the values are floating ones on a 0..1 scale, of which only 0 and 1 are left."""
        return self.mode == "F" and self.low >= 0 and self.high <= 1


_noted: ContextVar[list[ClippedFile] | None] = ContextVar("imageloom.clipped", default=None)


@contextmanager
def noting_clipped_files() -> Iterator[list[ClippedFile]]:
    """Notes the clipped files that this thread reads, in the list that it yields."""
    files: list[ClippedFile] = []
    token = _noted.set(files)
    try:
        yield files
    finally:
        _noted.reset(token)


def note_if_clipped(image: Image.Image, name: str) -> None:
    """Notes a file before it is converted to 8 bits, if values of it will be lost."""
    files = _noted.get()
    if files is None or image.mode not in _WIDE_MODES:
        return
    with suppress(ValueError, OSError):  # the conversion raises it again
        measured = image.convert("I") if image.mode.startswith("I;16") else image
        low, high = (float(value) for value in measured.getextrema())  # type: ignore[arg-type]
        file = ClippedFile(name, image.mode, low, high)
        if low < 0 or high > _WHITE or (file.is_fractional and high > 0):
            files.append(file)
