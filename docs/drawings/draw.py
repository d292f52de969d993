"""Draw the mark, the pictures of the pages and their charts as SVG.

    python docs/drawings/draw.py [FOLDER]

writes them to this folder, or to another one; the same bytes each time.
"""

from __future__ import annotations

import sys
from pathlib import Path

import rates
import speed
from drawing import Drawing
from splits import splits
from timeline import Timelines

WIDTH = 360  # the column of a phone


def stream() -> Drawing:
    """Epochs end to end, and the window ahead of the reader."""
    picture = Drawing(WIDTH, 300, "The stream of batches and the window ahead of the reader")
    left, step, tops = 6, 44, (40, 130)
    for position in range(16):
        epoch, place = divmod(position, 8)
        fill = (
            "plain"
            if position < 9
            else "green"
            if position < 12
            else "yellow"
            if position < 14
            else "paper"
        )
        picture.box(left + step * place, tops[epoch], step - 4, 42, [str(position)], fill=fill)
    for epoch, top in enumerate(tops):
        words = f"epoch {epoch}: positions {8 * epoch} to {8 * epoch + 7}"
        picture.text(left, top - 12, words, anchor="start", colour="grey")
    reader = left + step - 2
    picture.arrow((reader, 206), (reader, 175))
    picture.text(left, 222, "next(it) reads here", anchor="start", bold=True)
    picture.line((reader + 8, 182), (left + 6 * step - 4, 182))
    picture.text(left + 3.5 * step, 199, "the window, computed ahead")
    legend = [
        ("plain", "handed out"),
        ("green", "ready, waiting"),
        ("yellow", "being computed"),
        ("paper", "later"),
    ]
    for number, (fill, words) in enumerate(legend):
        x, y = left + 180 * (number % 2), 240 + 29 * (number // 2)
        picture.box(x, y, 20, 20, fill=fill)
        picture.text(x + 28, y + 15, words, anchor="start")
    return picture


def seeds() -> Drawing:
    """From a position to a batch."""
    picture = Drawing(WIDTH, 418, "How a position becomes a batch")
    picture.box(110, 10, 140, 52, ["position 19", "seed 1"], fill="blue")
    for left, first, second in (
        (
            6,
            ["epoch 2, batch 3", "19 = 2 × 8 + 3"],
            ["order of the epoch", "RandomState(1 + 16)", ".permutation(128)"],
        ),
        (
            186,
            ["numbers of the batch", "RandomState(1 + 19)"],
            ["angles, shifts, ...", "image by image,", "in Keras' order"],
        ),
    ):
        middle = left + 84
        picture.arrow((150 if left < 180 else 210, 62), (middle, 98))
        picture.box(left, 100, 168, 54, first)
        picture.arrow((middle, 154), (middle, 186))
        picture.box(left, 188, 168, 70, second)
    picture.arrow((90, 258), (90, 322), (108, 322))
    picture.arrow((270, 258), (270, 322), (252, 322))
    picture.text(98, 278, "which samples:", anchor="start", size=12, colour="grey")
    picture.text(98, 293, "places 48 to 63", anchor="start", size=12, colour="grey")
    picture.text(278, 278, "their", anchor="start", size=12, colour="grey")
    picture.text(278, 293, "transforms", anchor="start", size=12, colour="grey")
    picture.box(110, 302, 140, 50, ["the batch", "16 images"], fill="green")
    for number, words in enumerate(
        ("128 samples in batches of 16: 8 batches an epoch,", "so epoch 2 begins at position 16")
    ):
        picture.text(WIDTH / 2, 382 + 18 * number, words, colour="grey", size=12)
    return picture


def workers() -> Drawing:
    """Who computes, and where the pixels lie."""
    picture = Drawing(WIDTH, 536, "Worker processes write into memory that the program maps, too")
    picture.text(98, 20, "your program", bold=True)
    picture.box(4, 30, 188, 280, dashed=True, fill="paper")
    picture.box(14, 42, 168, 52, ["model.fit,", "or your loop"], fill="blue")
    picture.box(14, 130, 168, 52, ["iterator", "a window of positions"])
    picture.box(14, 236, 168, 62, ["dispatcher, a thread", "starts, feeds and", "replaces workers"])
    picture.arrow((44, 94), (44, 128))
    picture.text(52, 116, "next(it)", anchor="start", size=12, colour="grey")
    picture.arrow((44, 182), (44, 234))
    picture.text(52, 205, "tasks: a position,", anchor="start", size=12, colour="grey")
    picture.text(52, 220, "file names", anchor="start", size=12, colour="grey")
    picture.text(302, 20, "shared memory", bold=True)
    picture.box(248, 30, 108, 188, fill="paper")
    slots = [("green", "ready"), ("yellow", "written"), ("yellow", "written"), ("plain", "free")]
    for number, (fill, words) in enumerate(slots):
        picture.box(256, 40 + 43 * number, 92, 38, [f"slot: {words}"], fill=fill)
    picture.arrow((256, 59), (184, 59))
    picture.text(220, 52, "no copy", size=12, colour="grey")
    for number, x in enumerate((4, 126, 248)):
        lines = [f"worker {number + 1}", "reads, warps,", "writes"] if number < 2 else ["..."]
        picture.box(x, 380, 108, 68, lines)
    picture.text(4, 466, "worker processes", anchor="start", bold=True)
    picture.arrow((58, 378), (58, 300), both=True)
    picture.text(66, 332, 'tasks out, "done" back:', anchor="start", size=12, colour="grey")
    picture.text(66, 347, "about 2 kB", anchor="start", size=12, colour="grey")
    picture.arrow((200, 378), (200, 360), (220, 360), (220, 102), (254, 102))
    picture.arrow((302, 378), (302, 360), (236, 360), (236, 145), (254, 145))
    for number, words in enumerate(
        (
            "A slot is free when its array is gone.",
            "A worker that dies leaves its slot; a new one",
            "computes the same task again: the same bytes.",
        )
    ):
        picture.text(4, 488 + 18 * number, words, anchor="start", colour="grey", size=12)
    return picture


def image() -> Drawing:
    """What happens to one image: down on the left, and then down on the right."""
    picture = Drawing(WIDTH, 414, "The steps that an image goes through")
    columns = [
        [
            ("read", "decode"),
            ("resize",),
            ("cache", "if any"),
            ("noaug_", "function"),
            ("warp, flips", "one resampling"),
        ],
        [
            ("colour", "noise"),
            ("preprocessing", "_function"),
            ("rescale",),
            ("normalise",),
            ("slot", "of the batch"),
        ],
    ]
    fills = {"cache": "yellow", "slot": "green", "noaug_": "blue", "preprocessing": "blue"}
    for column, steps in enumerate(columns):
        for number, words in enumerate(steps):
            x, y = 6 + 196 * column, 8 + 70 * number
            picture.box(x, y, 152, 46, words, fill=fills.get(words[0], "plain"))
            if number:
                picture.arrow((x + 76, y - 24), (x + 76, y - 2))
    picture.arrow((158, 311), (180, 311), (180, 31), (200, 31))
    for number, words in enumerate(
        ("blue: your functions", "yellow: from the second epoch on, all before is skipped")
    ):
        picture.text(6, 366 + 22 * number, words, anchor="start", colour="grey", size=12)
    return picture


def logo() -> Drawing:
    """A weave: threads that go over and under one another, with pixels between them."""
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
    for draw in (stream, seeds, workers, image, splits, logo):
        draw().write(folder / f"{draw.__name__}.svg")
    for name, chart in {**speed.CHARTS, **rates.CHARTS}.items():
        chart().drawing().write(folder / f"{name}.svg")
    for number, name in enumerate(rates.GROWTH):
        rates.growth(number).write(folder / f"growth-{name}.svg")
    Timelines().write(folder / "timeline.svg")


if __name__ == "__main__":
    main()
