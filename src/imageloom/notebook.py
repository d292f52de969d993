"""What a notebook shows of an iterator: a line, the counts of its classes, a few thumbnails."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Mapping, Sequence
from typing import Final

from PIL import Image

__all__ = ["html_form"]

_THUMBNAIL: Final = (96, 96)
_CLASSES_SHOWN: Final = 20


def html_form(
    summary: str, counts: Mapping[str, int], images: Sequence[tuple[str, Image.Image]]
) -> str:
    """HTML of its own, without style sheets or scripts; everything from outside is escaped.

    Args:
        summary: one line.
        counts: samples by class; empty without classes.
        images: names and pictures to show small.
    """
    parts = [f"<div><code>{html.escape(summary)}</code>"]
    if counts:
        rows = [
            f"<tr><td style='text-align:left'>{html.escape(name)}</td><td>{count:,}</td></tr>"
            for name, count in list(counts.items())[:_CLASSES_SHOWN]
        ]
        if len(counts) > _CLASSES_SHOWN:
            rows.append(f"<tr><td colspan='2'>and {len(counts) - _CLASSES_SHOWN} more</td></tr>")
        parts.append(f"<table><tr><th>class</th><th>samples</th></tr>{''.join(rows)}</table>")
    parts += [_thumbnail(name, image) for name, image in images]
    return "".join([*parts, "</div>"])


def _thumbnail(name: str, image: Image.Image) -> str:
    small = image.copy()
    small.thumbnail(_THUMBNAIL)
    buffer = io.BytesIO()
    small.save(buffer, "PNG")
    data = base64.b64encode(buffer.getvalue()).decode()
    return f"<img title='{html.escape(name, quote=True)}' src='data:image/png;base64,{data}'> "
