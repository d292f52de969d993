"""Draw the picture of how the images of a batch are mixed.

It is made with the generator's public methods::

    python examples/draw_mixtures.py

The script writes ``docs/mixtures.jpg``. With the same versions of the libraries, the file has the
same bytes each time.
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
_PAPER, _INK = "#fafaf7", "#222222"
_MARGIN = 24
_PHOTOGRAPHS = ("chelsea", "coffee", "astronaut", "rocket")
_TILE = 130


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
    """Write the picture."""
    draw_mixtures().save(_DOCS / "mixtures.jpg", quality=88)


if __name__ == "__main__":
    main()
