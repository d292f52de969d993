"""Draw the mark, the pictures of docs/how-it-works.md and the charts of docs/index.md as SVG.

    python docs/drawings/draw.py [FOLDER]

writes them to this folder, or to another one; the same bytes each time.
"""

from __future__ import annotations

import sys
from pathlib import Path

from drawing import Drawing
from speed import CHARTS
from timeline import Timelines


def stream() -> Drawing:
    """Epochs end to end, and the window ahead of the reader."""
    picture = Drawing(760, 250, "The stream of batches and the window ahead of the reader")
    left, top, width = 20, 70, 45
    for position in range(16):
        fill = (
            "plain"
            if position < 9
            else "green"
            if position < 12
            else "yellow"
            if position < 14
            else "paper"
        )
        picture.box(left + width * position, top, width - 5, 46, [str(position)], fill=fill)
    for epoch in range(2):
        x = left + 8 * width * epoch
        picture.line((x, 52), (x + 8 * width - 5, 52))
        picture.text(x + 4 * width - 2, 42, f"epoch {epoch}: positions {8 * epoch} to {8 * epoch + 7}",
                     colour="grey")  # fmt: skip
    reader = left + 9 * width - 2.5
    picture.arrow((reader, 170), (reader, 122))
    picture.text(reader - 8, 166, "next(it) reads here", anchor="end", bold=True)
    picture.line((reader + 8, 134), (left + 14 * width - 5, 134))
    picture.text(reader + 5 * width / 2 + 3, 152, "the window, computed ahead", anchor="middle")
    legend = [
        ("plain", "handed out"),
        ("green", "ready, waiting"),
        ("yellow", "being computed"),
        ("paper", "later"),
    ]
    for number, (fill, words) in enumerate(legend):
        x = 60 + 175 * number
        picture.box(x, 204, 22, 22, fill=fill)
        picture.text(x + 30, 220, words, anchor="start")
    return picture


def seeds() -> Drawing:
    """From a position to a batch."""
    picture = Drawing(760, 330, "How a position becomes a batch")
    picture.box(20, 130, 120, 64, ["position 19", "seed 1"], fill="blue")
    picture.box(190, 40, 210, 64, ["epoch 2, batch 3", "19 = 2 × 8 + 3"])
    picture.box(450, 40, 290, 64, ["order of the epoch", "RandomState(1 + 16).permutation(128)"])
    picture.box(190, 220, 210, 64, ["numbers of the batch", "RandomState(1 + 19)"])
    picture.box(
        450, 220, 290, 64, ["angles, shifts, flips, ...", "drawn image by image, in Keras' order"]
    )
    picture.box(520, 130, 150, 64, ["the batch", "16 images"], fill="green")
    picture.arrow((140, 148), (165, 148), (165, 72), (188, 72))
    picture.arrow((140, 176), (165, 176), (165, 252), (188, 252))
    picture.arrow((400, 72), (448, 72))
    picture.arrow((400, 252), (448, 252))
    picture.arrow((595, 104), (595, 128))
    picture.text(583, 121, "which samples: places 48 to 63", anchor="end", size=12, colour="grey")
    picture.arrow((595, 220), (595, 196))
    picture.text(583, 213, "their transforms", anchor="end", size=12, colour="grey")
    example = "128 samples in batches of 16: 8 batches an epoch, so epoch 2 begins at position 16"
    picture.text(380, 316, example, colour="grey", size=12)
    return picture


def workers() -> Drawing:
    """Who computes, and where the pixels lie."""
    picture = Drawing(760, 400, "Worker processes write into memory that the program maps, too")
    picture.box(15, 40, 300, 345, dashed=True, fill="paper")
    picture.text(165, 30, "your program", bold=True)
    picture.box(35, 60, 260, 54, ["model.fit, or your loop"], fill="blue")
    picture.box(35, 150, 260, 62, ["iterator", "a window of positions"])
    picture.box(35, 250, 260, 62, ["dispatcher, a thread", "starts, feeds and replaces workers"])
    picture.arrow((120, 114), (120, 148))
    picture.text(128, 136, "next(it)", anchor="start", size=12, colour="grey")
    picture.arrow((120, 212), (120, 248))
    picture.text(128, 236, "tasks: a position, file names", anchor="start", size=12, colour="grey")
    for number in range(3):
        y = 60 + 70 * number
        name = f"worker {number + 1}" if number < 2 else "..."
        picture.box(585, y, 160, 48, [name, "reads, warps, writes"] if number < 2 else [name])
    picture.text(665, 30, "worker processes", bold=True)
    picture.box(370, 60, 150, 188, fill="paper")
    picture.text(445, 30, "shared memory", bold=True)
    for number, (fill, words) in enumerate(
        [
            ("green", "slot: ready"),
            ("yellow", "slot: written"),
            ("yellow", "slot: written"),
            ("plain", "slot: free"),
        ]
    ):
        picture.box(382, 72 + 43 * number, 126, 34, [words], fill=fill)
    picture.arrow((583, 84), (510, 132))
    picture.arrow((583, 154), (510, 172))
    picture.arrow((382, 88), (297, 88))
    picture.text(340, 80, "no copy", size=12, colour="grey")
    picture.arrow((295, 290), (665, 290), (665, 250), both=True)
    picture.text(470, 282, 'tasks out, "done" back: about 2 kB', size=12, colour="grey")
    picture.box(35, 335, 260, 36, ["a slot is free when its array is gone"], fill="paper", size=12)
    picture.text(
        345,
        340,
        "A worker that dies leaves its slot; a new one",
        anchor="start",
        colour="grey",
        size=12,
    )
    picture.text(
        345,
        357,
        "computes the same task again: the same bytes.",
        anchor="start",
        colour="grey",
        size=12,
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
            fill = {"cache": "yellow", "slot": "green", "noaug_": "blue", "preprocessing": "blue"}.get(
                words[0], "plain"
            )
            picture.box(x, y, 124, 56, [word for word in words if word], fill=fill)
            if number:
                picture.arrow((x - 24, y + 28), (x - 2, y + 28))
    picture.arrow((674, 80), (674, 102), (82, 102), (82, 122))
    picture.text(20, 203, "blue: your functions", anchor="start", colour="grey", size=12)
    skipped = "yellow: from the second epoch on, everything before it is skipped"
    picture.text(180, 203, skipped, anchor="start", colour="grey", size=12)
    return picture


def logo() -> Drawing:
    """A weave: threads that go over and under one another, with the pixels of a picture between them."""
    picture = Drawing(64, 64, "imageloom", ground=False)
    places, thread, gap = (13, 32, 51), 10, 3
    for number, place in enumerate(places):
        # Each thread is cut where it goes under another one.
        under = [(other - thread / 2 - gap, other + thread / 2 + gap)
                 for index, other in enumerate(places) if (number + index) % 2]  # fmt: skip
        ends = [2.0, *(end for cut in under for end in cut), 62.0]
        crossing = [(other - thread / 2 - gap, other + thread / 2 + gap)
                    for index, other in enumerate(places) if not (number + index) % 2]  # fmt: skip
        across = [2.0, *(end for cut in crossing for end in cut), 62.0]
        for first, last in zip(ends[::2], ends[1::2], strict=True):
            picture.area(place - thread / 2, first, thread, last - first, "first", rounded=2)
        for first, last in zip(across[::2], across[1::2], strict=True):
            picture.area(first, place - thread / 2, last - first, thread, "second", rounded=2)
    return picture


def main() -> None:
    """Writes all of them."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    for draw in (stream, seeds, workers, image, logo):
        draw().write(folder / f"{draw.__name__}.svg")
    for name, chart in CHARTS.items():
        chart().drawing().write(folder / f"{name}.svg")
    Timelines().write(folder / "timeline.svg")


if __name__ == "__main__":
    main()
