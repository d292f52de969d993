"""Draw the two pictures of docs/arguments.md: the fill modes, and what ``geometry`` changes.

Every tile is a photograph of scikit-image, transformed by the public methods of the generator::

    python examples/draw_fill_modes.py

The script writes ``docs/fill-modes.png`` and ``docs/geometry.png``. With the same versions of the
libraries, the files have the same bytes each time.
"""

from __future__ import annotations

import math
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from imageloom import ParallelImageDataGenerator

Pixels = NDArray[Any]
Point = tuple[float, float]

_DOCS = Path(__file__).resolve().parents[1] / "docs"
_PAPER, _INK, _FAINT, _ACCENT = "#fafaf7", "#222222", "#777777", "#b4532a"
_GAP, _MARGIN = 16, 24
_COLOURS = 255
_GREY = 205  # the value of `cval` in the pictures

# Mode -> the letters left of the image, those of the image, and those right of it.
_MODES = {
    "constant": ("kkkk", "abcd", "kkkk"),
    "nearest": ("aaaa", "abcd", "dddd"),
    "reflect": ("dcba", "abcd", "dcba"),
    "wrap": ("abcd", "abcd", "abcd"),
    "mirror": ("edcb", "abcde", "dcba"),
}
# Keras' names: positive tx and ty move the picture to the left and up.
_MOVED = {"tx": -48.0, "ty": -36.0}
_TURNED = {"theta": 33.0, "zx": 4 / 3, "zy": 4 / 3}


def draw_fill_modes() -> Image.Image:
    """Return the sheet of fill modes: a column per mode, moved above and rotated below."""
    photograph = _photograph("chelsea", (118, 10, 308, 200), (150, 150))
    side = photograph.shape[0]
    sheet, draw = _sheet(len(_MODES) + 1, 2, (side, side), caption=74)
    top = _MARGIN
    _tile(sheet, (_MARGIN, top), photograph)
    _caption(draw, (_MARGIN + side / 2, top + side + 8), "the photograph", _ACCENT, 15)
    notes = [
        "Upper row: moved to the",
        "right and down.",
        "Lower row: turned, and",
        "shrunk by a quarter.",
    ]
    notes += ["The white line is the", "photograph's border."]
    for line, text in enumerate(notes):
        draw.text((_MARGIN, top + side + 40 + 19 * line), text, _FAINT, _font(12))
    for column, (mode, pattern) in enumerate(_MODES.items(), start=1):
        generator = ParallelImageDataGenerator(fill_mode=mode, cval=_GREY)
        left = _MARGIN + column * (side + _GAP)
        for row, parameters in enumerate((_MOVED, _TURNED)):
            corner = (left, top + row * (side + _GAP))
            _tile(sheet, corner, generator.apply_transform(photograph, parameters))
            _outline(sheet, corner, side, parameters)
        middle, below = left + side / 2, top + 2 * side + _GAP + 8
        _caption(draw, (middle, below), f'"{mode}"', _INK, 15)
        _pattern(draw, (middle, below + 24), pattern)
        if mode == "constant":
            _caption(draw, (middle, below + 48), "k = cval", _FAINT, 12)
        if mode == "mirror":
            _caption(draw, (middle, below + 48), "the edge is not repeated", _FAINT, 12)
    return sheet


def draw_geometry() -> Image.Image:
    """Return the sheet of geometries: a row per range, with the same draws on both sides."""
    photograph = _photograph("coffee", (90, 60, 570, 300), (260, 130))
    height, width = photograph.shape[:2]
    rows: list[tuple[dict[str, Any], int]] = [
        ({"rotation_range": 40}, 4),
        ({"height_shift_range": 0.4}, 6),
    ]
    sheet, draw = _sheet(3, len(rows), (width, height), caption=30, head=30)
    titles = ("the photograph", 'geometry="keras"', 'geometry="corrected"')
    for column, title in enumerate(titles):
        middle = _MARGIN + column * (width + _GAP) + width / 2
        _caption(draw, (middle, _MARGIN), title, _ACCENT if column == 0 else _INK, 15)
    for row, (options, seed) in enumerate(rows):
        top = _MARGIN + 30 + row * (height + 30 + _GAP)
        _tile(sheet, (_MARGIN, top), photograph)
        below = top + height + 7
        text = ", ".join(f"{name}={value}" for name, value in options.items())
        _caption(draw, (_MARGIN + width / 2, below), text, _INK, 14)
        for column, geometry in enumerate(("keras", "corrected"), start=1):
            generator = ParallelImageDataGenerator(
                fill_mode="constant", cval=_GREY, geometry=geometry, **options
            )
            parameters = generator.get_random_transform(photograph.shape, seed)
            left = _MARGIN + column * (width + _GAP)
            _tile(sheet, (left, top), generator.apply_transform(photograph, parameters))
            _caption(draw, (left + width / 2, below), _drawn(parameters), _FAINT, 14)
    return sheet


def _photograph(name: str, box: tuple[int, int, int, int], size: tuple[int, int]) -> Pixels:
    """Return a part of a photograph of scikit-image, as float32 of 0..255, as in batches."""
    # scikit-image's functions have no type annotations, so their results are "Any".
    data: Any = import_module("skimage.data")
    part = Image.fromarray(getattr(data, name)()).resize(size, Image.Resampling.LANCZOS, box=box)
    return np.asarray(part, dtype=np.float32)


def _sheet(
    columns: int, rows: int, tile: tuple[int, int], *, caption: int, head: int = 0
) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    """Return an empty sheet; with a head every row has a caption, otherwise only the last one."""
    captions = caption * rows if head else caption
    width = 2 * _MARGIN + columns * (tile[0] + _GAP) - _GAP
    height = 2 * _MARGIN + head + rows * (tile[1] + _GAP) - _GAP + captions
    sheet = Image.new("RGB", (width, height), _PAPER)
    return sheet, ImageDraw.Draw(sheet)


def _tile(sheet: Image.Image, corner: tuple[int, int], pixels: Pixels) -> None:
    """Put one image on the sheet, in a thin frame."""
    levels = np.clip(np.round(pixels), 0, 255).astype(np.uint8)
    sheet.paste(Image.fromarray(levels), corner)
    box = (corner[0] - 1, corner[1] - 1, corner[0] + levels.shape[1], corner[1] + levels.shape[0])
    ImageDraw.Draw(sheet).rectangle(box, outline=_FAINT)


def _outline(
    sheet: Image.Image, corner: tuple[int, int], side: int, parameters: dict[str, float]
) -> None:
    """Draw the border of the transformed photograph within the tile."""
    tile = Image.new("L", (side, side))
    edge, centre = side - 0.5, side / 2 - 0.5
    ends = [_moved(x, y, centre, parameters) for x, y in ((0, 0), (edge, 0), (edge, edge), (0, edge))]
    ImageDraw.Draw(tile).line([*ends, ends[0]], fill=255, width=1)
    sheet.paste(Image.new("RGB", tile.size, "white"), corner, tile)


def _moved(x: float, y: float, centre: float, parameters: dict[str, float]) -> Point:
    """Return the new place of a point of a square image, by the inverse of the sampled grid."""
    angle = math.radians(parameters.get("theta", 0.0))
    x, y = x - centre, y - centre
    # The column coordinate comes first. Keras rotates (x, y), then moves, and scales last.
    x, y = x * math.cos(angle) + y * math.sin(angle), y * math.cos(angle) - x * math.sin(angle)
    x, y = x - parameters.get("tx", 0.0), y - parameters.get("ty", 0.0)
    return x / parameters.get("zx", 1.0) + centre, y / parameters.get("zy", 1.0) + centre


def _pattern(draw: ImageDraw.ImageDraw, middle: Point, pattern: tuple[str, str, str]) -> None:
    """Write the letters around the middle, those of the image in the accent colour."""
    font = _font(15)
    left, inside, right = pattern
    parts = ((left, _FAINT), ("|", _FAINT), (inside, _ACCENT), ("|", _FAINT), (right, _FAINT))
    x = middle[0] - sum(font.getlength(text) + 3 for text, _ in parts) / 2
    for text, colour in parts:
        draw.text((x, middle[1]), text, colour, font)
        x += font.getlength(text) + 3


def _drawn(parameters: dict[str, Any]) -> str:
    """Return the drawn parameters as text, without those that have no effect."""
    names = ("theta", "tx", "ty")
    return ", ".join(f"{name} = {parameters[name]:.1f}" for name in names if parameters[name])


def _caption(draw: ImageDraw.ImageDraw, middle: Point, text: str, colour: str, size: int) -> None:
    draw.text(middle, text, colour, _font(size), anchor="ma")


def _font(size: int) -> Any:
    return ImageFont.load_default(size=size)


def main() -> None:
    """Write both pictures with few colours, so that the files are small."""
    for name, sheet in (("fill-modes", draw_fill_modes()), ("geometry", draw_geometry())):
        path = _DOCS / f"{name}.png"
        few = sheet.quantize(_COLOURS, dither=Image.Dither.NONE)
        few.save(path, optimize=True)
        print(f"{path}: {sheet.width}x{sheet.height}, {path.stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    main()
