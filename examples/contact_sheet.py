"""Draw a contact sheet: originals in the first column, augmented versions beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Pixels = NDArray[Any]

_TILE = (240, 180)
_GAP = 14
_MARGIN = 28
_TITLE_HEIGHT = 70
_CAPTION_HEIGHT = 38
_PAPER = "#fafaf7"
_INK = "#222222"
_FAINT = "#777777"
_ACCENT = "#b4532a"
# Smaller images are enlarged with hard edges, so that their pixels can be seen.
_SHOWN_AS_PIXELS = 64


class Augmenter(Protocol):
    """The part of an image data generator that the sheet needs."""

    def get_random_transform(
        self, img_shape: tuple[int, ...], seed: int | None = None
    ) -> Mapping[str, Any]:
        """Draw the parameters of one transformation."""

    def apply_transform(self, x: Pixels, transform_parameters: Mapping[str, Any]) -> Pixels:
        """Return ``x`` transformed with the parameters."""


@dataclass(frozen=True)
class Row:
    """One image with its class name and the generator that augments it."""

    name: str
    pixels: Pixels
    generator: Augmenter


def draw_contact_sheet(rows: Sequence[Row], versions: int, title: str, seed: int) -> Image.Image:
    """Return a sheet with one line per row: the original and ``versions`` augmented ones."""
    size = (
        2 * _MARGIN + (versions + 1) * (_TILE[0] + _GAP) - _GAP,
        _TITLE_HEIGHT + _MARGIN + len(rows) * (_TILE[1] + _CAPTION_HEIGHT + _GAP) - _GAP,
    )
    sheet = Image.new("RGB", size, _PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((_MARGIN, 20), title, _INK, ImageFont.load_default(size=26))
    for index, row in enumerate(rows):
        top = _TITLE_HEIGHT + index * (_TILE[1] + _CAPTION_HEIGHT + _GAP)
        _draw_row(sheet, row, top, versions, seed + index * versions)
    return sheet


def _draw_row(sheet: Image.Image, row: Row, top: int, versions: int, seed: int) -> None:
    """Draw one image and its augmented versions, each with its own seed."""
    _draw_tile(sheet, (_MARGIN, top), row.pixels, (row.name, "original"), _ACCENT)
    for version in range(versions):
        parameters = row.generator.get_random_transform(row.pixels.shape, seed + version)
        # A copy, as Keras' own generator may write to what it is given.
        augmented = row.generator.apply_transform(row.pixels.copy(), parameters)
        left = _MARGIN + (version + 1) * (_TILE[0] + _GAP)
        _draw_tile(sheet, (left, top), augmented, describe(parameters), _FAINT)


def _draw_tile(
    sheet: Image.Image,
    corner: tuple[int, int],
    pixels: Pixels,
    caption: tuple[str, str],
    colour: str,
) -> None:
    """Draw one image, as large as fits in the middle of its tile, and two lines below it."""
    image = _to_image(pixels)
    scale = min(_TILE[0] / image.width, _TILE[1] / image.height)
    small = max(image.size) <= _SHOWN_AS_PIXELS
    resampling = Image.Resampling.NEAREST if small else Image.Resampling.LANCZOS
    image = image.resize((round(image.width * scale), round(image.height * scale)), resampling)
    left = corner[0] + (_TILE[0] - image.width) // 2
    sheet.paste(image, (left, corner[1]))
    draw = ImageDraw.Draw(sheet)
    box = (left - 1, corner[1] - 1, left + image.width, corner[1] + image.height)
    draw.rectangle(box, outline=colour)
    font = ImageFont.load_default(size=13)
    for number, line in enumerate(caption):
        position = (corner[0] + _TILE[0] / 2, corner[1] + _TILE[1] + 5 + 16 * number)
        draw.text(position, line, colour, font, anchor="ma")


def _to_image(pixels: Pixels) -> Image.Image:
    """Return an array of values from 0 to 255 as a colour image."""
    levels = np.clip(np.round(pixels), 0, 255).astype(np.uint8)
    if levels.shape[-1] == 1:
        levels = np.repeat(levels, 3, axis=-1)
    return Image.fromarray(levels)


def describe(parameters: Mapping[str, Any]) -> tuple[str, str]:
    """Return the drawn parameters in two short lines, horizontal values first.

    Keras calls rows x and columns y, and its shifts and zoom factors move and scale the grid of
    points that is read; a flip comes last and turns their direction round. The text says what
    becomes of the picture: clockwise, to the right and down count as positive, and a factor
    above 1 enlarges.
    """
    flipped = bool(parameters.get("flip_horizontal"))
    side = -1 if flipped else 1
    right, down = -side * round(parameters.get("ty", 0)), -round(parameters.get("tx", 0))
    moves = [
        f"turn {side * round(parameters.get('theta', 0)):+d}°",
        f"shear {side * round(parameters.get('shear', 0)):+d}°",
        f"shift {right:+d}, {down:+d}",
    ]
    looks = [f"zoom {1 / parameters.get('zy', 1):.2f}, {1 / parameters.get('zx', 1):.2f}"]
    if flipped:
        looks.append("flipped")
    if parameters.get("brightness") is not None:
        looks.append(f"light {parameters['brightness']:.2f}")
    return "  ".join(moves), "  ".join(looks)
