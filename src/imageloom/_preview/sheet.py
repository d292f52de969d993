"""A contact sheet: originals beside what the random transforms make of them, with what was drawn.

::

    title
    settings
    ┌ original ┐ ┌ version ┐ ┌ version ┐     an image that is small enough is enlarged with hard edges
    └──────────┘ └─────────┘ └─────────┘     (its masks, coloured over it in grey, follow below)
       class      what was     what was
     file name     drawn        drawn
    what the numbers mean
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from imageloom._checks import check_int, check_seed
from imageloom._errors import BadImageError, InvalidArgumentError
from imageloom._pipeline.recipe import Recipe
from imageloom._preview.captions import conventions, phrases
from imageloom._preview.pictures import Range, grey_range, overlay, picture
from imageloom._preview.samples import Pixels, Specimen, Version, make_specimens, pick_samples
from imageloom._sources.base import SampleSource

__all__ = ["draw_sheet", "preview_sheet"]

_TILE: Final = 240  # the longer side of an image
_NARROWEST: Final = 184  # of a column, for its captions
_GAP: Final = 14
_MASK_GAP: Final = 4
_MARGIN: Final = 28
_LINE: Final = 17
_PAPER: Final = "#fafaf7"
_INK: Final = "#222222"
_FAINT: Final = "#6f6f6f"
_ACCENT: Final = "#b4532a"
# Smaller images are enlarged with hard edges, so that their pixels can be seen.
_SHOWN_AS_PIXELS: Final = 100
_MOST_CAPTION_LINES: Final = 5


@dataclass(frozen=True, slots=True)
class _Cell:
    """Pictures one below the other, and what stands below them: lines, or phrases to make lines of."""

    pictures: list[Image.Image]
    lines: list[str]
    colour: str

    @property
    def width(self) -> int:
        return max((image.width for image in self.pictures), default=0)

    @property
    def height(self) -> int:
        return sum(i.height for i in self.pictures) + _MASK_GAP * (len(self.pictures) - 1)


def preview_sheet(
    recipe: Recipe,
    source: SampleSource,
    *,
    samples: int,
    versions: int,
    seed: int,
    title: str,
    settings: str,
    notes: Sequence[str] = (),
    natural_size: bool = False,
) -> Image.Image:
    """The sheet of some samples of a data set; arguments as in `make_specimens` and `draw_sheet`.

    Raises:
        InvalidArgumentError: a number below 1, or nothing to show.
        BadImageError: none of the samples can be read.
    """
    check_int("samples", samples, 1)
    check_int("versions", versions, 1)
    if len(source) == 0:
        raise InvalidArgumentError("There is no image to preview.")
    specimens = make_specimens(
        recipe,
        source,
        pick_samples(source, samples),
        versions=versions,
        seed=check_seed(seed) or 0,
        natural_size=natural_size,
    )
    return draw_sheet(specimens, title=title, settings=settings, notes=notes)


def draw_sheet(
    specimens: Sequence[Specimen], *, title: str, settings: str, notes: Sequence[str] = ()
) -> Image.Image:
    """One row for each image: as it is stored, then its versions.

    The picture's `info["versions"]` holds what was drawn, in full: for each version its file, seed and
    parameters.

    Args:
        specimens: what to show.
        title: the headline.
        settings: a line below it.
        notes: sentences for the foot, beside those that explain the captions.

    Raises:
        BadImageError: there is no image at all.
    """
    if all(one.error for one in specimens):
        raise BadImageError(f"None of the images can be read. {specimens[0].error}")
    fonts = _Fonts()
    original, transformed, note = _ranges(specimens)
    labels = _labels(specimens)
    rows = [
        [
            _original_cell(one, original, labels),
            *(_version_cell(version, transformed, labels) for version in one.versions),
        ]
        for one in specimens
    ]
    column = max(_NARROWEST, *(cell.width for row in rows for cell in row))
    for first, *others in rows:
        first.lines[:] = [fonts.cut(line, column, fonts.small) for line in first.lines]
        for cell in others:
            cell.lines[:] = fonts.fitted(cell.lines, column - _GAP)
    used = {text for one in specimens for v in one.versions for text in phrases(v.params)}
    notes = [*conventions(used), *note, *notes]
    width = 2 * _MARGIN + max(len(row) for row in rows) * (column + _GAP) - _GAP
    heading = fonts.wrapped([settings], width - 2 * _MARGIN) if settings else []
    footing = fonts.wrapped(notes, width - 2 * _MARGIN)
    heights = [
        max(cell.height for cell in row) + 6 + _LINE * max(len(cell.lines) for cell in row) + _GAP
        for row in rows
    ]
    top = 62 + _LINE * len(heading) + _GAP
    size = (width, top + sum(heights) + _LINE * len(footing) + _MARGIN // 2)
    sheet = Image.new("RGB", size, _PAPER)
    pen = ImageDraw.Draw(sheet)
    pen.text((_MARGIN, 20), fonts.cut(title, width - 2 * _MARGIN, fonts.large), _INK, fonts.large)
    for line, text in enumerate(heading):
        pen.text((_MARGIN, 58 + _LINE * line), text, _FAINT, fonts.small)
    for row, height in zip(rows, heights, strict=True):
        for place, cell in enumerate(row):
            _draw_cell(sheet, pen, cell, (_MARGIN + place * (column + _GAP), top), column, row, fonts)
        top += height
    for line, text in enumerate(footing):
        pen.text((_MARGIN, top + _LINE * line), text, _FAINT, fonts.small)
    sheet.info["versions"] = [
        {"file": one.name, "seed": version.seed, "parameters": _plain(version.params)}
        for one in specimens
        for version in one.versions
    ]
    return sheet


def _draw_cell(
    sheet: Image.Image,
    pen: ImageDraw.ImageDraw,
    cell: _Cell,
    corner: tuple[int, int],
    column: int,
    row: Sequence[_Cell],
    fonts: _Fonts,
) -> None:
    left, top = corner
    for image in cell.pictures:
        place = (left + (column - image.width) // 2, top)
        sheet.paste(image, place)
        box = (place[0] - 1, top - 1, place[0] + image.width, top + image.height)
        pen.rectangle(box, outline=cell.colour)
        top += image.height + _MASK_GAP
    # All captions of a row stand on one line, below its tallest cell.
    top = corner[1] + max(other.height for other in row) + 6
    for line in cell.lines:
        pen.text((left + column / 2, top), line, cell.colour, fonts.small, anchor="ma")
        top += _LINE


def _original_cell(one: Specimen, values: Range, labels: Sequence[Sequence[float]]) -> _Cell:
    name = one.name.replace("\\", "/").rpartition("/")[2]
    lines = [one.class_name, name] if one.class_name else [name]
    if one.error:
        return _Cell([], [*lines, "cannot be read"], _ACCENT)
    return _Cell(_pictures(one.image, one.masks, values, labels), lines, _ACCENT)


def _version_cell(version: Version, values: Range, labels: Sequence[Sequence[float]]) -> _Cell:
    pictures = _pictures(version.image, version.masks, values, labels)
    return _Cell(pictures, phrases(version.params), _FAINT)


def _pictures(
    image: Pixels, masks: Sequence[Pixels], values: Range, labels: Sequence[Sequence[float]]
) -> list[Image.Image]:
    ground = picture(image, values)
    found = [ground]
    for mask, numbers in zip(masks, labels, strict=True):
        # A stored mask that is not resized may have another size than its image.
        same = ground if ground.size == mask.shape[1::-1] else ground.resize(mask.shape[1::-1])
        found.append(overlay(same, mask, numbers))
    return [_sized(each) for each in found]


def _sized(image: Image.Image) -> Image.Image:
    """As large as the tile allows."""
    longer = max(image.size)
    if longer <= _SHOWN_AS_PIXELS:
        factor = max(1, _TILE // longer)
        return image.resize((image.width * factor, image.height * factor), Image.Resampling.NEAREST)
    scale = _TILE / longer
    size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    return image.resize(size, Image.Resampling.LANCZOS)


def _ranges(specimens: Sequence[Specimen]) -> tuple[Range, Range, list[str]]:
    """Which values are black and white, in originals and in versions, and a note if that is unusual."""
    stored = [one.image for one in specimens if one.image.size]
    made = [version.image for one in specimens for version in one.versions]
    original = grey_range(stored)
    # A version's dtype is the batch's: bytes of files may have become floats, on the same scale.
    low, high = min((x.min() for x in made), default=0), max((x.max() for x in made), default=0)
    black, white = original
    spare = 0.1 * (white - black)
    changed = low < black - spare or high > white + spare or high - low <= (white - black) / 32
    transformed = grey_range([x.astype(np.float32) for x in made]) if changed else original
    if transformed == original:
        return original, original, []
    return original, transformed, [f"versions: values {transformed[0]:g} (black) to {transformed[1]:g}"]


def _labels(specimens: Sequence[Specimen]) -> list[list[float]]:
    """All numbers that occur in the masks, for each mask of a sample."""
    kinds = max((len(one.masks) for one in specimens), default=0)
    return [
        sorted(
            {
                float(number)
                for one in specimens
                for masks in (one.masks, *(version.masks for version in one.versions))
                if masks
                for number in np.unique(masks[kind])
            }
        )
        for kind in range(kinds)
    ]


def _plain(params: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Parameters as JSON knows them."""
    if params is None:
        return None
    found: dict[str, Any] = {}
    for name, value in params.items():
        known = value is None or isinstance(value, (bool, int, float, str))
        if isinstance(value, np.generic):
            found[name] = value.item()
        else:
            found[name] = value if known else repr(value)
    return found


class _Fonts:
    """The letters, and lines that fit."""

    def __init__(self) -> None:
        self.large = ImageFont.load_default(24)
        self.small = ImageFont.load_default(13)

    def fitted(self, texts: Iterable[str], width: int) -> list[str]:
        """Phrases in lines; what is longer than a line by itself is cut in its middle."""
        lines = self.wrapped([self.cut(text, width, self.small) for text in texts], width)
        if len(lines) > _MOST_CAPTION_LINES:
            lines[_MOST_CAPTION_LINES - 1 :] = ["..."]
        return lines

    def wrapped(self, texts: Sequence[str], width: int) -> list[str]:
        """Phrases in lines, as many on each as fit; a phrase that is longer is broken at spaces."""
        lines: list[str] = []
        for text in texts:
            if lines and self.small.getlength(f"{lines[-1]}   {text}") <= width:
                lines[-1] = f"{lines[-1]}   {text}"
                continue
            line = ""
            for word in text.split(" "):
                if line and self.small.getlength(f"{line} {word}") > width:
                    lines.append(line)
                    line = word
                else:
                    line = f"{line} {word}".lstrip()
            lines.append(line)
        return lines

    def cut(self, text: str, width: int, font: Any) -> str:
        """The text, without as much of its middle as does not fit."""
        if font.getlength(text) <= width:
            return text
        kept = len(text)
        while kept > 4 and font.getlength(f"{text[: kept // 2]}...{text[-(kept // 2) :]}") > width:
            kept -= 1
        return f"{text[: kept // 2]}...{text[-(kept // 2) :]}"
