"""The picture of docs/how-to/splits.md: which samples the kinds of splits choose for validation.

The splits are those of the package, so a change of them changes the picture.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from drawing import Drawing

from imageloom import ImageDataGenerator

# Classes, with their colour and number of samples.
CLASSES = {"cats": ("first", 24), "dogs": ("second", 12), "foxes": ("third", 4)}
SIDE, STEP, GAP = 11, 14, 3  # of squares; groups have a wider distance
LINES = (("cats",), ("dogs", "foxes"))  # in a row of the picture
WIDTH, TOP, ROW = 360, 66, 66


def splits() -> Drawing:
    """A row for each split, where validation samples are filled."""
    labels = np.repeat(list(CLASSES), [count for _, count in CLASSES.values()])
    patients = np.arange(len(labels)) // 4  # pictures of the same patient follow one another
    rows: list[tuple[str, dict[str, Any]]] = [
        ('split="sorted", as in Keras', {}),
        ('split="random"', {"split": "random", "split_seed": 3}),
        ('split="stratified"', {"split": "stratified"}),
        ('split="stratified", with groups of four', {"split": "stratified", "groups": patients}),
    ]
    title = "The samples that three splits choose for validation, and one that keeps groups together"
    picture = Drawing(WIDTH, TOP + ROW * len(rows), title, ground=False)
    _legend(picture)
    for row, (words, options) in enumerate(rows):
        top = TOP + ROW * row
        picture.text(0, top + 12, words, anchor="start", bold=True)
        chosen = validated(labels, options)
        for line, classes in enumerate(LINES):
            x = 0.0
            for name in classes:
                for number in np.flatnonzero(labels == name).tolist():
                    y = top + 20 + 17 * line
                    _square(picture, x, y, CLASSES[name][0], filled=number in chosen)
                    apart = "groups" in options and number % 4 == 3
                    x += STEP + (GAP if apart else 0)
                x += STEP
    return picture


def validated(labels: Any, options: dict[str, Any]) -> set[int]:
    """The numbers of the samples that a quarter for validation has."""
    generator = ImageDataGenerator(validation_split=0.25, **options)
    numbers = np.arange(len(labels)).reshape(-1, 1, 1, 1)
    flow = generator.flow(numbers, labels, subset="validation", ignore_class_split=True)
    return set(flow.x.ravel().tolist())


def _legend(picture: Drawing) -> None:
    x = 0.0
    for name, (colour, count) in CLASSES.items():
        _square(picture, x, 6, colour, filled=True)
        picture.text(x + 18, 16, f"{count} {name}", anchor="start")
        x += 90
    words = "filled: for validation, a quarter; else: for training"
    picture.text(0, 40, words, anchor="start", colour="grey", size=12)


def _square(picture: Drawing, x: float, y: float, colour: str, *, filled: bool) -> None:
    fill = colour if filled else "paper"
    picture.area(x + 0.5, y + 0.5, SIDE, SIDE, fill, stroke=colour, rounded=1)
