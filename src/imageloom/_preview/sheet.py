"""Draws contact sheets: originals beside transformed versions, with the drawn parameters.

::

    title
    subtitle
    ▌┌ original ┐ ┌ version ┐ ┌ version ┐     small images are enlarged with hard edges
    ▌└──────────┘ └─────────┘ └─────────┘     (masks follow below, in colours over the grey image)
       ■ class    parameters   parameters     ▌ and ■ have the colour of the class
      file name
    notes, and the colours of the labels in masks, or of boxes and points, which are drawn over images
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final

import numpy as np
from PIL import Image, ImageDraw

from imageloom._checks.values import check_int, check_seed
from imageloom._errors import BadImageError, InvalidArgumentError
from imageloom._pipeline.recipe import Recipe
from imageloom._preview.captions import conventions, phrases
from imageloom._preview.colours import Colour, distinct_colour, label_colours
from imageloom._preview.lettering import Lettering
from imageloom._preview.marks import draw_marks, mark_keys
from imageloom._preview.pictures import Range, grey_range, overlay, picture
from imageloom._preview.samples import (
    PreviewImage,
    Version,
    make_preview_images,
    pick_samples,
    why_not_augmented,
)
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
_BAR: Final = 6  # width of the bar beside a row, in the colour of its class
_CHIP: Final = 9  # side of a square in the colour of a class or label


@dataclass(frozen=True, slots=True)
class _Panel:
    """Pictures one below the other, with lines of text below them.

    The first line of a panel with a `class_colour` is the name of that class.
    """

    pictures: list[Image.Image]
    lines: list[str]
    colour: str
    class_colour: Colour | None = None

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
    first = check_seed(seed) or 0
    images = make_preview_images(
        recipe,
        source,
        pick_samples(source, samples, first),
        versions=versions,
        seed=first,
        natural_size=natural_size,
    )
    return draw_sheet(
        images,
        title=title,
        subtitle=subtitle,
        notice=why_not_augmented(recipe, images),
        notes=[*about_values(images, recipe.standardize.rescale), *notes],
    )


def about_values(images: Sequence[PreviewImage], rescale: float | None) -> list[str]:
    """Says what files of 16 bits become, and what the model sees of values above 255."""
    clipped = max((one.clipped for one in images), default=0.0)
    if clipped:
        return [
            f"files of 16 bits: values above 255 become 255, as in Keras (up to {clipped:.0%} of an "
            "image); color_mode='grayscale' keeps them"
        ]
    most = max((float(v.image.max(initial=0)) for one in images for v in one.versions), default=0.0)
    if rescale is None or most <= 256:
        return []
    return [f"values up to {most:g}: after the rescaling, the model sees up to {most * rescale:.3g}"]


def draw_sheet(
    images: Sequence[PreviewImage],
    *,
    title: str,
    subtitle: str,
    notice: str = "",
    notes: Sequence[str] = (),
    across: int = 1,
) -> Image.Image:
    """Draws one row for each image, or for `across` images: as stored, and then its versions.

    The picture's `info["versions"]` lists the file, the seed and all parameters of each version;
    `info["notice"]` and `info["notes"]` are the texts around the images.

    Args:
        images: the images to show.
        title: the headline.
        subtitle: the text below the headline.
        notice: what matters more than the subtitle, and stands above it.
        notes: sentences for the foot, in addition to those that explain the captions.
        across: number of images in a row.

    Raises:
        BadImageError: none of the images can be read.
    """
    if all(one.error for one in images):
        raise BadImageError(f"None of the images can be read. {images[0].error}")
    large, small = Lettering(24), Lettering(13)
    original, transformed, ranges = _ranges(images)
    labels = _labels(images)
    shown = [
        [
            _original_panel(one, original, labels),
            *(_version_panel(version, transformed, labels) for version in one.versions),
        ]
        for one in images
    ]
    column = max(_NARROWEST, *(panel.width for panels in shown for panel in panels))
    for first, *others in shown:
        room = column - (2 * _CHIP if first.class_colour else 0)
        first.lines[:] = [small.cut(line, room) for line in first.lines]
        for panel in others:
            panel.lines[:] = _fitted(panel.lines, column - _GAP, small)
    starts = range(0, len(shown), across)
    rows = [list(chain(*shown[place : place + across])) for place in starts]
    used = {text for one in images for v in one.versions for text in phrases(v.params)}
    notes = [*conventions(used), *ranges, *notes]
    marks = [one.marks for one in images]
    marks += [version.marks for one in images for version in one.versions]
    legends = [*_legends(labels), *(_Key(*key) for key in mark_keys(marks))]
    width = 2 * _MARGIN + max(len(row) for row in rows) * (column + _GAP) - _GAP
    inner = width - 2 * _MARGIN
    heading = [(line, _ACCENT) for line in (small.wrapped([notice], inner) if notice else [])]
    heading += [(line, _FAINT) for line in (small.wrapped([subtitle], inner) if subtitle else [])]
    footing = small.wrapped(notes, inner)
    heights = [
        max(panel.height for panel in row) + 6 + _LINE * max(len(panel.lines) for panel in row) + _GAP
        for row in rows
    ]
    keys = _placed(legends, inner, small)
    lines = len(footing) + (keys[-1].line + 1 if keys else 0)
    top = 62 + _LINE * len(heading) + _GAP
    sheet = Image.new("RGB", (width, top + sum(heights) + _LINE * lines + _MARGIN // 2), _PAPER)
    pen = ImageDraw.Draw(sheet)
    large.draw(pen, (_MARGIN, 20), large.cut(title, inner), _INK)
    for line, (text, colour) in enumerate(heading):
        small.draw(pen, (_MARGIN, 58 + _LINE * line), text, colour)
    for row, height in zip(rows, heights, strict=True):
        for place, panel in enumerate(row):
            corner = (_MARGIN + place * (column + _GAP), top)
            _draw_panel(sheet, pen, panel, corner, column, row, small)
        top += height
    for line, text in enumerate(footing):
        small.draw(pen, (_MARGIN, top + _LINE * line), text, _FAINT)
    for key in keys:
        _draw_key(pen, key, top + _LINE * len(footing), small)
    sheet.info["versions"] = [
        {"file": one.name, "seed": version.seed, "parameters": _plain(version.params)}
        for one in images
        for version in one.versions
    ]
    sheet.info["notice"] = notice
    sheet.info["notes"] = [*notes, *(legend.text for legend in legends if legend.colour is None)]
    return sheet


@dataclass(frozen=True, slots=True)
class _Key:
    """A text with its colour, for the foot; at `left` in the line number `line`."""

    text: str
    colour: Colour | None = None
    left: float = _MARGIN
    line: int = 0


def _legends(labels: Sequence[Sequence[float]]) -> list[_Key]:
    """What the colours in masks mean."""
    keys = []
    for place, numbers in enumerate(labels, 1):
        name = "mask" if len(labels) == 1 else f"mask {place}"
        colours = label_colours(numbers)
        if colours is None:
            keys.append(_Key(f"{name}: from {numbers[0]:g} to {numbers[-1]:g}, stronger when higher"))
        elif colours:
            keys.append(_Key(f"{name}:"))
            keys += [_Key(f"{label:g}", colour) for label, colour in colours.items()]
    return keys


def _placed(keys: Sequence[_Key], width: float, small: Lettering) -> list[_Key]:
    """Puts keys side by side, as many on each line as fit."""
    found: list[_Key] = []
    left, line = float(_MARGIN), 0
    for key in keys:
        room = small.length(key.text) + (1.5 * _CHIP if key.colour else 0)
        if left > _MARGIN and left + room > _MARGIN + width:
            left, line = float(_MARGIN), line + 1
        found.append(_Key(key.text, key.colour, left, line))
        left += room + _GAP
    return found


def _draw_key(pen: ImageDraw.ImageDraw, key: _Key, top: float, small: Lettering) -> None:
    left, top = key.left, top + _LINE * key.line
    if key.colour is not None:
        pen.rectangle((left, top + 3, left + _CHIP, top + 3 + _CHIP), key.colour)
        left += 1.5 * _CHIP
    small.draw(pen, (left, top), key.text, _FAINT)


def _fitted(texts: Sequence[str], width: float, small: Lettering) -> list[str]:
    """Puts phrases into lines, and shortens phrases that are longer than a line."""
    lines = small.wrapped([small.cut(text, width) for text in texts], width)
    if len(lines) > _MOST_CAPTION_LINES:
        lines[_MOST_CAPTION_LINES - 1 :] = ["..."]
    return lines


def _draw_panel(
    sheet: Image.Image,
    pen: ImageDraw.ImageDraw,
    panel: _Panel,
    corner: tuple[int, int],
    column: int,
    row: Sequence[_Panel],
    small: Lettering,
) -> None:
    left, top = corner
    if panel.class_colour is not None and panel.pictures:
        bar = (left - 2 * _BAR, top, left - _BAR, top + panel.height - 1)
        pen.rectangle(bar, panel.class_colour)
    for image in panel.pictures:
        place = (left + (column - image.width) // 2, top)
        sheet.paste(image, place)
        box = (place[0] - 1, top - 1, place[0] + image.width, top + image.height)
        pen.rectangle(box, outline=panel.colour)
        top += image.height + _MASK_GAP
    # The captions of a row start at the same height, below its tallest panel.
    top = corner[1] + max(other.height for other in row) + 6
    for number, line in enumerate(panel.lines):
        start = left + (column - small.length(line)) // 2
        if panel.class_colour is not None and number == 0:
            start += _CHIP // 2 + 2
            chip = (start - _CHIP - 5, top + 3, start - 5, top + 3 + _CHIP)
            pen.rectangle(chip, panel.class_colour)
        small.draw(pen, (start, top), line, panel.colour)
        top += _LINE


def _original_panel(one: PreviewImage, values: Range, labels: Sequence[Sequence[float]]) -> _Panel:
    name = one.name.replace("\\", "/").rpartition("/")[2]
    lines = [one.class_name, name] if one.class_name else [name]
    colour = None if one.class_number is None else distinct_colour(one.class_number)
    if one.error:
        return _Panel([], [*lines, "cannot be read"], _ACCENT, colour)
    return _Panel(_pictures(one, values, labels), lines, _ACCENT, colour)


def _version_panel(version: Version, values: Range, labels: Sequence[Sequence[float]]) -> _Panel:
    pictures = _pictures(version, values, labels)
    return _Panel(pictures, phrases(version.params), _FAINT)


def _pictures(
    shown: PreviewImage | Version, values: Range, labels: Sequence[Sequence[float]]
) -> list[Image.Image]:
    ground = picture(shown.image, values)
    found = [ground]
    for mask, numbers in zip(shown.masks, labels, strict=True):
        # A stored mask that is not resized may have another size than its image.
        same = ground if ground.size == mask.shape[1::-1] else ground.resize(mask.shape[1::-1])
        found.append(overlay(same, mask, numbers))
    first, *others = map(_sized, found)
    return [draw_marks(first, shown.marks), *others]


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
    """The values for black and white of originals and of versions, and notes of unusual ones."""
    stored = [one.image for one in images if one.image.size]
    made = [version.image for one in images for version in one.versions]
    original = grey_range(stored)
    # Versions have the dtype of the batch: bytes of files may have become floats on the same scale.
    low, high = min((x.min() for x in made), default=0), max((x.max() for x in made), default=0)
    black, white = original
    spare = 0.1 * (white - black)
    changed = low < black - spare or high > white + spare or high - low <= (white - black) / 32
    transformed = grey_range([x.astype(np.float32) for x in made]) if changed else original
    shown = [(original, "values"), (transformed, "versions: values")]
    if transformed == original:
        shown.pop()
    usual = ((0.0, 255.0), (0.0, 1.0))
    if transformed == original and original in usual:
        return original, original, []
    notes = [f"{what} {black:g} (black) to {white:g} (white)" for (black, white), what in shown]
    return original, transformed, notes


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
