"""Drawings as SVG, without any library, in colours that follow what the reader's system prefers.

Each colour is a class, for which the file has a rule for light and one for dark; where no style sheets are
read, the light colours are in the attributes, too. On the site, `docs/extensions/pictures.py` leads the rules
to the site's own switch.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

FONT = "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif"
# Each colour on light and on dark grounds. Words have the first three, and lie on the others but the last four.
COLOURS = {
    "ink": ("#24292f", "#e6edf3"),
    "grey": ("#57606a", "#b1bac4"),
    "line": ("#57606a", "#9aa4af"),
    "paper": ("#ffffff", "#131416"),
    "plain": ("#f3f5f8", "#262c36"),
    "blue": ("#d6e8fb", "#12385f"),
    "green": ("#d7f0dc", "#174128"),
    "yellow": ("#fdf0c8", "#4d3b06"),
    # Bars, lines and areas of charts; each can be told from its neighbours without its colour, too.
    "first": ("#0b5cad", "#6cb2ff"),
    "second": ("#c2410c", "#ff9d5c"),
    "third": ("#4b7a1f", "#8fcf56"),
    "fourth": ("#7d4bb0", "#c9a2f5"),
    "faint": ("#d0d7de", "#3a424c"),
}


class Drawing:
    """Boxes, arrows and words on a ground of their own.

    Args:
        width: in pixels, as all lengths.
        height: likewise.
        title: what it shows.
        ground: whether there is a ground; a mark that lies on any has none.
    """

    def __init__(self, width: float, height: float, title: str, *, ground: bool = True) -> None:
        self._size = width, height
        self._title = title
        self._ground = ground
        self._parts: list[str] = []
        self._used: set[tuple[str, str]] = set()

    def text(self, x: float, y: float, words: str, *, size: float = 13, colour: str = "ink",
             anchor: str = "middle", bold: bool = False, turned: bool = False) -> None:  # fmt: skip
        """Words whose base line goes through a point; turned ones run upwards."""
        weight = ' font-weight="600"' if bold else ""
        turn = f' transform="rotate(-90 {x:g} {y:g})"' if turned else ""
        self._parts.append(
            f'<text x="{x:g}" y="{y:g}" font-size="{size:g}" text-anchor="{anchor}"{weight}{turn} '
            f"{self.paint(colour)}>{escape(words)}</text>"
        )

    def box(self, x: float, y: float, width: float, height: float, lines: Sequence[str] = (),
            *, fill: str = "plain", dashed: bool = False, size: float = 13) -> None:  # fmt: skip
        """A box with words in its middle; the first line is bold if there are several."""
        self.area(x, y, width, height, fill, stroke="line", rounded=5, dashed=dashed)
        step = size + 4
        first = y + height / 2 + size * 0.36 - step * (len(lines) - 1) / 2
        for number, line in enumerate(lines):
            bold = number == 0 and len(lines) > 1
            self.text(x + width / 2, first + step * number, line, size=size, bold=bold)

    def area(self, x: float, y: float, width: float, height: float, fill: str,
             *, stroke: str = "", rounded: float = 0, dashed: bool = False) -> None:  # fmt: skip
        """A rectangle, with an edge if that has a colour."""
        corner = f' rx="{rounded:g}"' if rounded else ""
        dashes = ' stroke-dasharray="5 4"' if dashed else ""
        self._parts.append(
            f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}"{corner} '
            f"{self.paint(fill, stroke=stroke)}{dashes}/>"
        )

    def arrow(self, *points: tuple[float, float], both: bool = False, dashed: bool = False) -> None:
        """A line through some points, with a tip at its end."""
        start = ' marker-start="url(#tip)"' if both else ""
        self.line(*points, width=1.5, dashed=dashed, more=f'{start} marker-end="url(#tip)"')

    def line(self, *points: tuple[float, float], colour: str = "line", width: float = 1,
             dashed: bool | str = False, more: str = "") -> None:  # fmt: skip
        """A line through some points."""
        path = " ".join(f"{x:g} {y:g}" for x, y in points)
        pattern = dashed if isinstance(dashed, str) else "5 4"
        dashes = f' stroke-dasharray="{pattern}"' if dashed else ""
        thick = f' stroke-width="{width:g}"' if width != 1 else ""
        self._parts.append(
            f'<path d="M{path}" fill="none" {self.paint(stroke=colour)}{thick}{dashes}{more}/>'
        )

    def dot(self, x: float, y: float, radius: float, fill: str) -> None:
        """A disc."""
        self._parts.append(f'<circle cx="{x:g}" cy="{y:g}" r="{radius:g}" {self.paint(fill)}/>')

    def paint(self, fill: str = "", *, stroke: str = "") -> str:
        """The attributes that give an element its colours."""
        used = [(kind, name) for kind, name in (("fill", fill), ("stroke", stroke)) if name]
        self._used.update(used)
        classes = " ".join(_class(kind, name) for kind, name in used)
        return f'class="{classes}" ' + " ".join(f'{kind}="{COLOURS[name][0]}"' for kind, name in used)

    def as_text(self) -> str:
        """The file."""
        width, height = self._size
        before = []
        if any("url(#tip)" in part for part in self._parts):
            before.append(
                '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
                f'markerHeight="7" orient="auto-start-reverse"><path d="M0 0 8 4 0 8z" {self.paint("line")}/>'
                "</marker></defs>"
            )
        if self._ground:
            before.append(f'<rect width="{width:g}" height="{height:g}" rx="8" {self.paint("paper")}/>')
        light, dark = (_rules(sorted(self._used), scheme) for scheme in (0, 1))
        lines = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" '
            f'width="{width:g}" height="{height:g}" role="img" font-family="{FONT}">',
            f"<title>{escape(self._title)}</title>",
            *("<style>", *light, "@media (prefers-color-scheme: dark) {", *dark, "}", "</style>"),
            *before,
            *self._parts,
            "</svg>",
        ]
        return "\n".join(lines) + "\n"

    def write(self, path: Path) -> None:
        """Writes it, with the same bytes everywhere."""
        path.write_text(self.as_text(), encoding="utf-8", newline="\n")


def _class(kind: str, name: str) -> str:
    return name if kind == "fill" else f"{name}-{kind}"


def _rules(used: Iterable[tuple[str, str]], scheme: int) -> list[str]:
    return [f".{_class(kind, name)} {{ {kind}: {COLOURS[name][scheme]} }}" for kind, name in used]
