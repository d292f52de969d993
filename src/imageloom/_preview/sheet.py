"""Draws contact sheets: originals beside transformed versions, with the drawn parameters.

::

    title
    subtitle
    ┌ original ┐ ┌ version ┐ ┌ version ┐     small images are enlarged with hard edges
    └──────────┘ └─────────┘ └─────────┘     (masks follow below, in colours over the grey image)
       class     parameters   parameters
     file name
    notes
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
from imageloom._preview.samples import Pixels, PreviewImage, Version, make_preview_images, pick_samples
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
# Images of up to this side are enlarged with hard edges, so that their pixels are visible.
_SHOWN_AS_PIXELS: Final = 100
_MOST_CAPTION_LINES: Final = 5


@dataclass(frozen=True, slots=True)
class _Panel:
    """Pictures one below the other, with lines of text below them."""

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
    subtitle: str,
    notes: Sequence[str] = (),
    natural_size: bool = False,
) -> Image.Image:
    """Draws the sheet of a data set; arguments as in `make_preview_images` and `draw_sheet`.

    Raises:
        InvalidArgumentError: a number is below 1, or the data set is empty.
        BadImageError: none of the samples can be read.
    """
    check_int("samples", samples, 1)
    check_int("versions", versions, 1)
    if len(source) == 0:
        raise InvalidArgumentError("The data set is empty: there is no image to preview.")
    images = make_preview_images(
        recipe,
        source,
        pick_samples(source, samples),
        versions=versions,
        seed=check_seed(seed) or 0,
        natural_size=natural_size,
    )
    return draw_sheet(images, title=title, subtitle=subtitle, notes=notes)


def draw_sheet(
    images: Sequence[PreviewImage], *, title: str, subtitle: str, notes: Sequence[str] = ()
) -> Image.Image:
    """Draws one row for each image: the image as stored, and then its versions.

    The picture's `info["versions"]` lists the file, the seed and all parameters of each version.

    Args:
        images: the images to show.
        title: the headline.
        subtitle: the text below the headline.
        notes: sentences for the foot, in addition to those that explain the captions.

    Raises:
        BadImageError: none of the images can be read.
    """
    if all(one.error for one in images):
        raise BadImageError(f"None of the images can be read. {images[0].error}")
    fonts = _Fonts()
    original, transformed, note = _ranges(images)
    labels = _labels(images)
    rows = [
        [
            _original_panel(one, original, labels),
            *(_version_panel(version, transformed, labels) for version in one.versions),
        ]
        for one in images
    ]
    column = max(_NARROWEST, *(panel.width for row in rows for panel in row))
    for first, *others in rows:
        first.lines[:] = [fonts.cut(line, column, fonts.small) for line in first.lines]
        for panel in others:
            panel.lines[:] = fonts.fitted(panel.lines, column - _GAP)
    used = {text for one in images for v in one.versions for text in phrases(v.params)}
    notes = [*conventions(used), *note, *notes]
    width = 2 * _MARGIN + max(len(row) for row in rows) * (column + _GAP) - _GAP
    heading = fonts.wrapped([subtitle], width - 2 * _MARGIN) if subtitle else []
    footing = fonts.wrapped(notes, width - 2 * _MARGIN)
    heights = [
        max(panel.height for panel in row) + 6 + _LINE * max(len(panel.lines) for panel in row) + _GAP
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
        for place, panel in enumerate(row):
            _draw_panel(sheet, pen, panel, (_MARGIN + place * (column + _GAP), top), column, row, fonts)
        top += height
    for line, text in enumerate(footing):
        pen.text((_MARGIN, top + _LINE * line), text, _FAINT, fonts.small)
    sheet.info["versions"] = [
        {"file": one.name, "seed": version.seed, "parameters": _plain(version.params)}
        for one in images
        for version in one.versions
    ]
    return sheet


def _draw_panel(
    sheet: Image.Image,
    pen: ImageDraw.ImageDraw,
    panel: _Panel,
    corner: tuple[int, int],
    column: int,
    row: Sequence[_Panel],
    fonts: _Fonts,
) -> None:
    left, top = corner
    for image in panel.pictures:
        place = (left + (column - image.width) // 2, top)
        sheet.paste(image, place)
        box = (place[0] - 1, top - 1, place[0] + image.width, top + image.height)
        pen.rectangle(box, outline=panel.colour)
        top += image.height + _MASK_GAP
    # The captions of a row start at the same height, below its tallest panel.
    top = corner[1] + max(other.height for other in row) + 6
    for line in panel.lines:
        pen.text((left + column / 2, top), line, panel.colour, fonts.small, anchor="ma")
        top += _LINE


def _original_panel(one: PreviewImage, values: Range, labels: Sequence[Sequence[float]]) -> _Panel:
    name = one.name.replace("\\", "/").rpartition("/")[2]
    lines = [one.class_name, name] if one.class_name else [name]
    if one.error:
        return _Panel([], [*lines, "cannot be read"], _ACCENT)
    return _Panel(_pictures(one.image, one.masks, values, labels), lines, _ACCENT)


def _version_panel(version: Version, values: Range, labels: Sequence[Sequence[float]]) -> _Panel:
    pictures = _pictures(version.image, version.masks, values, labels)
    return _Panel(pictures, phrases(version.params), _FAINT)


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
    """Resizes a picture to the size of a tile."""
    longer = max(image.size)
    if longer <= _SHOWN_AS_PIXELS:
        factor = max(1, _TILE // longer)
        return image.resize((image.width * factor, image.height * factor), Image.Resampling.NEAREST)
    scale = _TILE / longer
    size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    return image.resize(size, Image.Resampling.LANCZOS)


def _ranges(images: Sequence[PreviewImage]) -> tuple[Range, Range, list[str]]:
    """The values for black and white of originals and of versions, and a note if they differ."""
    stored = [one.image for one in images if one.image.size]
    made = [version.image for one in images for version in one.versions]
    original = grey_range(stored)
    # Versions have the dtype of the batch: bytes of files may have become floats on the same scale.
    low, high = min((x.min() for x in made), default=0), max((x.max() for x in made), default=0)
    black, white = original
    spare = 0.1 * (white - black)
    changed = low < black - spare or high > white + spare or high - low <= (white - black) / 32
    transformed = grey_range([x.astype(np.float32) for x in made]) if changed else original
    if transformed == original:
        return original, original, []
    return original, transformed, [f"versions: values {transformed[0]:g} (black) to {transformed[1]:g}"]


def _labels(images: Sequence[PreviewImage]) -> list[list[float]]:
    """Returns the numbers that occur in the masks, for each mask of a sample."""
    kinds = max((len(one.masks) for one in images), default=0)
    return [
        sorted(
            {
                float(number)
                for one in images
                for masks in (one.masks, *(version.masks for version in one.versions))
                if masks
                for number in np.unique(masks[kind])
            }
        )
        for kind in range(kinds)
    ]


def _plain(params: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Converts parameters to types of JSON."""
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
    """Fonts, and functions that fit text into lines."""

    def __init__(self) -> None:
        self.large = ImageFont.load_default(24)
        self.small = ImageFont.load_default(13)

    def fitted(self, texts: Iterable[str], width: int) -> list[str]:
        """Puts phrases into lines, and shortens phrases that are longer than a line."""
        lines = self.wrapped([self.cut(text, width, self.small) for text in texts], width)
        if len(lines) > _MOST_CAPTION_LINES:
            lines[_MOST_CAPTION_LINES - 1 :] = ["..."]
        return lines

    def wrapped(self, texts: Sequence[str], width: int) -> list[str]:
        """Puts as many phrases on each line as fit, and breaks longer phrases at spaces."""
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
        """Shortens a text in its middle until it fits."""
        if font.getlength(text) <= width:
            return text
        kept = len(text)
        while kept > 4 and font.getlength(f"{text[: kept // 2]}...{text[-(kept // 2) :]}") > width:
            kept -= 1
        return f"{text[: kept // 2]}...{text[-(kept // 2) :]}"
