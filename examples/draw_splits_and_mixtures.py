"""Draw the pictures of two pages: how samples are divided, and how the images of a batch are mixed.

Both are made with the generator's public methods::

    python examples/draw_splits_and_mixtures.py

The script writes ``docs/splits.png`` and ``docs/mixtures.jpg``. With the same versions of the
libraries, the files have the same bytes each time.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from imageloom import ImageDataGenerator

_DOCS = Path(__file__).resolve().parents[1] / "docs"
_PAPER, _INK, _FAINT = "#fafaf7", "#222222", "#777777"
_CLASSES = {"cat": ("#b4532a", 24), "dog": ("#3a6ea5", 12), "fox": ("#4d8b55", 4)}
_SIDE, _GAP, _MARGIN = 15, 3, 24
_LABELS = 210  # width of the texts at the left
_PHOTOGRAPHS = ("chelsea", "coffee", "astronaut", "rocket")
_TILE = 130


def draw_splits() -> Image.Image:
    """Return the picture of the splits: a row for each, where validation samples stand out."""
    labels = np.repeat(list(_CLASSES), [count for _, count in _CLASSES.values()])
    patients = np.arange(len(labels)) // 4  # pictures of the same patient follow one another
    rows: list[tuple[str, dict[str, Any]]] = [
        ('split="sorted", as in Keras', {}),
        ('split="random"', {"split": "random", "split_seed": 3}),
        ('split="stratified"', {"split": "stratified"}),
        ("... with groups of four", {"split": "stratified", "groups": patients}),
    ]
    width = _LABELS + len(labels) * (_SIDE + _GAP) + 2 * _MARGIN
    sheet = Image.new("RGB", (width, len(rows) * 36 + 2 * _MARGIN + 20), _PAPER)
    pen = ImageDraw.Draw(sheet)
    numbers = np.arange(len(labels)).reshape(-1, 1, 1, 1)
    for row, (title, options) in enumerate(rows):
        generator = ImageDataGenerator(validation_split=0.25, **options)
        flow = generator.flow(numbers, labels, subset="validation", ignore_class_split=True)
        chosen = set(flow.x.ravel().tolist())
        top = _MARGIN + 36 * row
        pen.text((_MARGIN, top), title, _INK, ImageFont.load_default(14))
        for number, label in enumerate(labels):
            left = _MARGIN + _LABELS + number * (_SIDE + _GAP)
            box = (left, top, left + _SIDE, top + _SIDE)
            colour = _CLASSES[label][0]
            pen.rectangle(box, colour if number in chosen else _PAPER, colour)
    words = "Each square is an image, its colour the class; filled: for validation (a quarter)."
    pen.text((_MARGIN, sheet.height - _MARGIN - 10), words, _FAINT, ImageFont.load_default(14))
    return sheet


def draw_mixtures() -> Image.Image:
    """Return the sheet of mixed batches: the photographs, a batch of mixup, and one of cutmix."""
    photographs = np.stack([_photograph(name) for name in _PHOTOGRAPHS])
    targets = np.eye(len(photographs), dtype=np.float32)
    sheet = Image.new("RGB", (4 * (_TILE + 12) + 2 * _MARGIN, 3 * (_TILE + 44) + _MARGIN), _PAPER)
    pen = ImageDraw.Draw(sheet)
    rows: list[tuple[str, dict[str, Any]]] = [
        ("photographs", {}),
        ("mixup", {"mixup": 1.0}),
        ("cutmix", {"cutmix": 1.0}),
    ]
    for row, (name, options) in enumerate(rows):
        generator = ImageDataGenerator(executor="serial", **options)
        flow = generator.flow(photographs, targets, batch_size=4, shuffle=False, seed=3)
        images, shares = next(flow)
        for column, (image, share) in enumerate(zip(images, shares, strict=True)):
            corner = (_MARGIN + column * (_TILE + 12), _MARGIN + row * (_TILE + 44))
            sheet.paste(Image.fromarray(image.round().astype(np.uint8)), corner)
            parts = [
                f"{value:.2f} {_PHOTOGRAPHS[number]}"
                for number, value in enumerate(share.tolist())
                if value
            ]
            text = f"{name}\n{' + '.join(parts)}" if options else f"{_PHOTOGRAPHS[column]}"
            pen.text((corner[0], corner[1] + _TILE + 4), text, _INK, ImageFont.load_default(10))
    return sheet


def _photograph(name: str) -> NDArray[np.uint8]:
    image = Image.fromarray(getattr(import_module("skimage.data"), name)()).convert("RGB")
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    square = image.crop((left, top, left + side, top + side))
    return np.asarray(square.resize((_TILE, _TILE), Image.Resampling.LANCZOS))


def main() -> None:
    """Write both pictures."""
    draw_splits().save(_DOCS / "splits.png", optimize=True)
    draw_mixtures().save(_DOCS / "mixtures.jpg", quality=88)


if __name__ == "__main__":
    main()
