"""Draw the pictures of docs/how-it-works.md, and the charts of docs/index.md, as SVG, with no library.

    python docs/drawings/draw.py [FOLDER]

writes them to this folder, or to another one; the same bytes each time.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from html import escape
from pathlib import Path

from speed import CHARTS

INK, GREY, LINE = "#24292f", "#6e7781", "#57606a"
PLAIN, BLUE, GREEN, YELLOW = "#f6f8fa", "#d6e8fb", "#d7f0dc", "#fdf0c8"
FONT = "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif"


class Drawing:
    """Boxes, arrows and words on a white ground."""

    def __init__(self, width: int, height: int, title: str) -> None:
        self._parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            f'width="{width}" height="{height}" role="img" font-family="{FONT}">',
            f"<title>{escape(title)}</title>",
            '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
            f'markerHeight="7" orient="auto-start-reverse"><path d="M0 0 8 4 0 8z" fill="{LINE}"/>'
            "</marker></defs>",
            f'<rect width="{width}" height="{height}" rx="8" fill="white"/>',
        ]

    def text(self, x: float, y: float, words: str, *, size: int = 13, colour: str = INK,
             anchor: str = "middle", bold: bool = False) -> None:  # fmt: skip
        weight = ' font-weight="600"' if bold else ""
        self._parts.append(
            f'<text x="{x:g}" y="{y:g}" font-size="{size}" fill="{colour}" text-anchor="{anchor}"'
            f"{weight}>{escape(words)}</text>"
        )

    def box(self, x: float, y: float, width: float, height: float, lines: Sequence[str] = (),
            *, fill: str = PLAIN, dashed: bool = False, size: int = 13) -> None:  # fmt: skip
        """A box with words in its middle; the first line is bold if there are several."""
        dashes = ' stroke-dasharray="5 4"' if dashed else ""
        self._parts.append(
            f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="5" fill="{fill}" '
            f'stroke="{LINE}"{dashes}/>'
        )
        step = size + 4
        first = y + height / 2 + size * 0.36 - step * (len(lines) - 1) / 2
        for number, line in enumerate(lines):
            bold = number == 0 and len(lines) > 1
            self.text(x + width / 2, first + step * number, line, size=size, bold=bold)

    def arrow(self, *points: tuple[float, float], both: bool = False, dashed: bool = False) -> None:
        """A line through some points, with a tip at its end."""
        path = " ".join(f"{x:g} {y:g}" for x, y in points)
        start = ' marker-start="url(#tip)"' if both else ""
        dashes = ' stroke-dasharray="5 4"' if dashed else ""
        self._parts.append(
            f'<path d="M{path}" fill="none" stroke="{LINE}" stroke-width="1.5"{start}{dashes} '
            'marker-end="url(#tip)"/>'
        )

    def line(self, x1: float, y1: float, x2: float, y2: float) -> None:
        self._parts.append(f'<path d="M{x1:g} {y1:g} {x2:g} {y2:g}" stroke="{GREY}"/>')

    def write(self, path: Path) -> None:
        path.write_text("\n".join([*self._parts, "</svg>"]) + "\n", encoding="utf-8", newline="\n")


def stream() -> Drawing:
    """Epochs end to end, and the window ahead of the reader."""
    picture = Drawing(760, 250, "The stream of batches and the window ahead of the reader")
    left, top, width = 20, 70, 45
    for position in range(16):
        fill = (
            PLAIN if position < 9 else GREEN if position < 12 else YELLOW if position < 14 else "white"
        )
        picture.box(left + width * position, top, width - 5, 46, [str(position)], fill=fill)
    for epoch in range(2):
        x = left + 8 * width * epoch
        picture.line(x, 52, x + 8 * width - 5, 52)
        picture.text(x + 4 * width - 2, 42, f"epoch {epoch}: positions {8 * epoch} to {8 * epoch + 7}",
                     colour=GREY)  # fmt: skip
    reader = left + 9 * width - 2.5
    picture.arrow((reader, 170), (reader, 122))
    picture.text(reader - 8, 166, "next(it) reads here", anchor="end", bold=True)
    picture.line(reader + 8, 134, left + 14 * width - 5, 134)
    picture.text(reader + 5 * width / 2 + 3, 152, "the window, computed ahead", anchor="middle")
    legend = [
        (PLAIN, "handed out"),
        (GREEN, "ready, waiting"),
        (YELLOW, "being computed"),
        ("white", "later"),
    ]
    for number, (fill, words) in enumerate(legend):
        x = 60 + 175 * number
        picture.box(x, 204, 22, 22, fill=fill)
        picture.text(x + 30, 220, words, anchor="start")
    return picture


def seeds() -> Drawing:
    """From a position to a batch."""
    picture = Drawing(760, 330, "How a position becomes a batch")
    picture.box(20, 130, 120, 64, ["position 19", "seed 1"], fill=BLUE)
    picture.box(190, 40, 210, 64, ["epoch 2, batch 3", "19 = 2 × 8 + 3"])
    picture.box(450, 40, 290, 64, ["order of the epoch", "RandomState(1 + 16).permutation(128)"])
    picture.box(190, 220, 210, 64, ["numbers of the batch", "RandomState(1 + 19)"])
    picture.box(
        450, 220, 290, 64, ["angles, shifts, flips, ...", "drawn image by image, in Keras' order"]
    )
    picture.box(520, 130, 150, 64, ["the batch", "16 images"], fill=GREEN)
    picture.arrow((140, 148), (165, 148), (165, 72), (188, 72))
    picture.arrow((140, 176), (165, 176), (165, 252), (188, 252))
    picture.arrow((400, 72), (448, 72))
    picture.arrow((400, 252), (448, 252))
    picture.arrow((595, 104), (595, 128))
    picture.text(583, 121, "which samples: places 48 to 63", anchor="end", size=12, colour=GREY)
    picture.arrow((595, 220), (595, 196))
    picture.text(583, 213, "their transforms", anchor="end", size=12, colour=GREY)
    example = "128 samples in batches of 16: 8 batches an epoch, so epoch 2 begins at position 16"
    picture.text(380, 316, example, colour=GREY, size=12)
    return picture


def workers() -> Drawing:
    """Who computes, and where the pixels lie."""
    picture = Drawing(760, 400, "Worker processes write into memory that the program maps, too")
    picture.box(15, 40, 300, 345, dashed=True, fill="white")
    picture.text(165, 30, "your program", bold=True)
    picture.box(35, 60, 260, 54, ["model.fit, or your loop"], fill=BLUE)
    picture.box(35, 150, 260, 62, ["iterator", "a window of positions"])
    picture.box(35, 250, 260, 62, ["dispatcher, a thread", "starts, feeds and replaces workers"])
    picture.arrow((120, 114), (120, 148))
    picture.text(128, 136, "next(it)", anchor="start", size=12, colour=GREY)
    picture.arrow((120, 212), (120, 248))
    picture.text(128, 236, "tasks: a position, file names", anchor="start", size=12, colour=GREY)
    for number in range(3):
        y = 60 + 70 * number
        name = f"worker {number + 1}" if number < 2 else "..."
        picture.box(585, y, 160, 48, [name, "reads, warps, writes"] if number < 2 else [name])
    picture.text(665, 30, "worker processes", bold=True)
    picture.box(370, 60, 150, 188, fill="white")
    picture.text(445, 30, "shared memory", bold=True)
    for number, (fill, words) in enumerate(
        [
            (GREEN, "slot: ready"),
            (YELLOW, "slot: written"),
            (YELLOW, "slot: written"),
            (PLAIN, "slot: free"),
        ]
    ):
        picture.box(382, 72 + 43 * number, 126, 34, [words], fill=fill)
    picture.arrow((583, 84), (510, 132))
    picture.arrow((583, 154), (510, 172))
    picture.arrow((382, 88), (297, 88))
    picture.text(340, 80, "no copy", size=12, colour=GREY)
    picture.arrow((295, 290), (665, 290), (665, 250), both=True)
    picture.text(470, 282, 'tasks out, "done" back: about 2 kB', size=12, colour=GREY)
    picture.box(35, 335, 260, 36, ["a slot is free when its array is gone"], fill="white", size=12)
    picture.text(
        345, 340, "A worker that dies leaves its slot; a new one", anchor="start", colour=GREY, size=12
    )
    picture.text(
        345, 357, "computes the same task again: the same bytes.", anchor="start", colour=GREY, size=12
    )
    return picture


def image() -> Drawing:
    """What happens to one image."""
    picture = Drawing(760, 214, "The steps that an image goes through")
    upper = [
        ("read", "decode"),
        ("resize", ""),
        ("cache", "if any"),
        ("noaug_", "function"),
        ("warp, flips", "one resampling"),
    ]
    lower = [
        ("colour", "noise"),
        ("preprocessing", "_function"),
        ("rescale", ""),
        ("normalise", ""),
        ("slot", "of the batch"),
    ]
    for row, steps in enumerate((upper, lower)):
        for number, words in enumerate(steps):
            x, y = 20 + 148 * number, 24 + 100 * row
            fill = {"cache": YELLOW, "slot": GREEN, "noaug_": BLUE, "preprocessing": BLUE}.get(
                words[0], PLAIN
            )
            picture.box(x, y, 124, 56, [word for word in words if word], fill=fill)
            if number:
                picture.arrow((x - 24, y + 28), (x - 2, y + 28))
    picture.arrow((674, 80), (674, 102), (82, 102), (82, 122))
    picture.text(20, 203, "blue: your functions", anchor="start", colour=GREY, size=12)
    skipped = "yellow: from the second epoch on, everything before it is skipped"
    picture.text(180, 203, skipped, anchor="start", colour=GREY, size=12)
    return picture


def main() -> None:
    """Writes all of them."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    for draw in (stream, seeds, workers, image):
        draw().write(folder / f"{draw.__name__}.svg")
    for name, chart in CHARTS.items():
        chart().write(folder / f"{name}.svg")


if __name__ == "__main__":
    main()
