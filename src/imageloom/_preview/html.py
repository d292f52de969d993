"""The notebook form of an iterator: a summary, the counts of its classes, a few thumbnails."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from PIL import Image

__all__ = ["Thumbnail", "html_form"]

_SIDE: Final = 96
_SHOWN_AS_PIXELS: Final = 64  # smaller images are enlarged with hard edges, from a lossless PNG
_CLASSES_SHOWN: Final = 12
_BAR_WIDTH: Final = 160
_JPEG_QUALITY: Final = 85
# Translucent colours only, because notebooks may be light or dark.
_BAR: Final = "background:rgba(180,83,42,.65);height:.7em;border-radius:2px"
_FAINT: Final = "opacity:.65;font-size:85%"


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A picture with its class. `image` is None for a file that cannot be read."""

    name: str
    class_name: str
    image: Image.Image | None


def html_form(summary: str, counts: Mapping[str, int], thumbnails: Sequence[Thumbnail]) -> str:
    """Returns HTML without style sheets or scripts. Texts from outside are escaped.

    Args:
        summary: a description of the iterator.
        counts: number of samples by class; empty without classes. If there are many classes, the
            largest and the smallest are shown.
        thumbnails: the images to show.
    """
    parts = [
        "<div style='line-height:1.4'>",
        f"<code style='white-space:pre-wrap'>{html.escape(summary)}</code>",
    ]
    if counts:
        parts.append(_table(counts))
    if thumbnails:
        parts.append("<div style='display:flex;flex-wrap:wrap;gap:8px;margin-top:8px'>")
        parts += map(_figure, thumbnails)
        parts.append("</div>")
    return "".join([*parts, "</div>"])


def _table(counts: Mapping[str, int]) -> str:
    largest = max(counts.values()) or 1
    if len(counts) <= _CLASSES_SHOWN:
        return _rows([_row(name, count, largest) for name, count in counts.items()])
    by_size = sorted(counts.items(), key=lambda item: -item[1])
    half = _CLASSES_SHOWN // 2
    between = (
        f"<tr><td colspan='3' style='text-align:left;{_FAINT}'>"
        f"... {len(counts) - 2 * half:,} more classes ...</td></tr>"
    )
    rows = [_row(name, count, largest) for name, count in by_size]
    return _rows([*rows[:half], between, *rows[-half:]])


def _rows(rows: Iterable[str]) -> str:
    return f"<table style='margin-top:6px'>{''.join(rows)}</table>"


def _row(name: str, count: int, largest: int) -> str:
    width = round(_BAR_WIDTH * count / largest)
    return (
        f"<tr><td style='text-align:left'>{html.escape(name)}</td>"
        f"<td style='text-align:right'>{count:,}</td>"
        f"<td style='text-align:left'><div style='width:{width}px;{_BAR}'></div></td></tr>"
    )


def _figure(one: Thumbnail) -> str:
    label = html.escape(one.class_name or one.name)
    title = html.escape(one.name, quote=True)
    if one.image is None:
        box = f"width:{_SIDE}px;height:{_SIDE}px;border:1px dashed;opacity:.65;text-align:center"
        shown = f"<div style='{box}' title='{title}'>cannot be read</div>"
    else:
        shown = _picture(one.image, title)
    text = f"max-width:{_SIDE}px;overflow:hidden;text-overflow:ellipsis;white-space:nowrap;{_FAINT}"
    return f"<figure style='margin:0'>{shown}<figcaption style='{text}'>{label}</figcaption></figure>"


def _picture(image: Image.Image, title: str) -> str:
    small = image.copy()
    small.thumbnail((2 * _SIDE, 2 * _SIDE))  # twice the size, for high-resolution screens
    buffer = io.BytesIO()
    exact = max(small.size) <= _SHOWN_AS_PIXELS
    if exact:
        small.save(buffer, "PNG")
    else:
        small.save(buffer, "JPEG", quality=_JPEG_QUALITY)
    data = base64.b64encode(buffer.getvalue()).decode()
    kind = "png" if exact else "jpeg"
    scale = _SIDE / max(small.size)
    width, height = round(small.width * scale), round(small.height * scale)
    hard = ";image-rendering:pixelated" if exact else ""
    return (
        f"<img alt='{title}' title='{title}' width='{width}' height='{height}' style='margin:0{hard}' "
        f"src='data:image/{kind};base64,{data}'>"
    )
