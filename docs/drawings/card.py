"""Draw the picture beside links to the site: the mark, the name, and augmented photographs.

    pip install imageloom scikit-image
    python docs/drawings/card.py [FILE]

writes docs/static/social-card.jpg, or another file.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import skimage.data
from PIL import Image, ImageDraw, ImageFont

from imageloom import ImageDataGenerator

SIZE = (1200, 630)
PAPER, INK, GREY = "#131416", "#ffffff", "#c3cad3"
THREADS = ("#6cb2ff", "#ff9d5c")
SIDE, ROWS = 180, 2
NAMES = ("astronaut", "chelsea", "coffee")


def versions() -> list[list[Image.Image]]:
    """For each photograph, itself and two augmented versions of it."""
    generator = ImageDataGenerator(
        executor="serial", rotation_range=25, zoom_range=(0.75, 1.0), horizontal_flip=True,
        brightness_range=(0.7, 1.3), fill_mode="reflect",
    )  # fmt: skip
    rows = []
    for name in NAMES:
        photograph = Image.fromarray(getattr(skimage.data, name)())
        left, upper = ((photograph.width - photograph.height) // 2, 0)
        square = photograph.crop((left, upper, left + photograph.height, photograph.height))
        pixels = np.asarray(square.resize((SIDE, SIDE)), np.float32)
        drawn = [generator.random_transform(pixels, seed=seed) for seed in (3, 8)]
        rows.append([Image.fromarray(one.clip(0, 255).astype(np.uint8)) for one in (pixels, *drawn)])
    return rows


def draw_mark(card: ImageDraw.ImageDraw, left: int, top: int, size: int) -> None:
    """The weave of the logo, thread by thread."""
    unit = size / 64
    for number, place in enumerate((13, 32, 51)):
        for other_number, other in enumerate((13, 32, 51)):
            upright = (number + other_number) % 2 == 0
            wide, high = (10, 22) if upright else (22, 10)
            x, y = left + place * unit, top + other * unit
            box = (x - wide / 2 * unit, y - high / 2 * unit, x + wide / 2 * unit, y + high / 2 * unit)
            card.rounded_rectangle(box, radius=2 * unit, fill=THREADS[0 if upright else 1])


def draw() -> Image.Image:
    """The card."""
    picture = Image.new("RGB", SIZE, PAPER)
    card = ImageDraw.Draw(picture)
    draw_mark(card, 60, 70, 110)
    card.text((195, 80), "imageloom", INK, ImageFont.load_default(76))
    words = (
        "Keras' ImageDataGenerator,\nwith the work done\nin the background:\n"
        "the same call,\nthe same numbers."
    )
    card.multiline_text((64, 240), words, GREY, ImageFont.load_default(38), spacing=14)
    for row, pictures in enumerate(versions()):
        for column, one in enumerate(pictures):
            picture.paste(one, (620 + column * (SIDE + 6), 36 + row * (SIDE + 6)))
    return picture


if __name__ == "__main__":
    file = Path(__file__).parents[1] / "static" / "social-card.jpg"
    draw().save(Path(sys.argv[1]) if len(sys.argv) > 1 else file, quality=85, optimize=True)
