"""What the client programs of tests/clients find in their working directory: a folder `data`."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
from pictures import photograph
from PIL import Image

CLASSES: Final = ("chelsea", "coffee", "rocket")
_SIDE: Final = 16
_ROWS: Final = 40


def write_client_data(root: Path) -> Path:
    """Pictures in folders, pairs of pictures and masks, a table, and arrays; returns `root`."""
    _write_classes(root / "train", files=8, variants=0)
    _write_classes(root / "validation", files=4, variants=100)
    _write_pictures(root / "test" / "all", CLASSES[0], files=7, variants=200)
    _write_pairs(root / "pairs", files=6)
    _write_table(root)
    _write_arrays(root)
    return root


def _write_classes(folder: Path, files: int, variants: int) -> None:
    for number, name in enumerate(CLASSES):
        # The classes have different numbers of files.
        _write_pictures(folder / name, name, files - number, variants)


def _write_pictures(folder: Path, name: str, files: int, variants: int) -> None:
    folder.mkdir(parents=True)
    for i in range(files):
        pixels = photograph(name, 30 + 3 * i, 44 - 2 * i, variant=variants + i)
        Image.fromarray(pixels).save(folder / f"{i:02d}.{('jpg', 'png')[i % 3 == 2]}")


def _write_pairs(folder: Path, files: int) -> None:
    """Pictures and, under the same names, what is bright in them."""
    for kind in ("images", "masks"):
        (folder / kind / "all").mkdir(parents=True)
    for i in range(files):
        pixels = photograph("coins", 32, 32, variant=i)
        bright = np.where(pixels[..., 0] > np.median(pixels), 255, 0).astype(np.uint8)
        Image.fromarray(pixels).save(folder / "images" / "all" / f"{i:02d}.png")
        Image.fromarray(bright).save(folder / "masks" / "all" / f"{i:02d}.png")


def _write_table(root: Path) -> None:
    """One row for each training picture, with columns of every kind that a flow can take."""
    lines = ["filename,class,tags,x,y,weight"]
    for i, path in enumerate(sorted((root / "train").rglob("*.*"))):
        name = path.relative_to(root / "train").as_posix()
        kind = path.parent.name
        tags = f"{kind} odd" if i % 2 else kind
        lines.append(f"{name},{kind},{tags},{i / 10},{1 - i / 20},{1 + i % 3}")
    (root / "labels.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _write_arrays(root: Path) -> None:
    names = [*CLASSES, "coins"]
    images = [photograph(names[i % 4], _SIDE, _SIDE, variant=300 + i) for i in range(_ROWS)]
    np.savez(root / "arrays.npz", x=np.stack(images), y=np.arange(_ROWS) % 4)
    clips = [[photograph(name, _SIDE, _SIDE, variant=i) for i in range(5)] for name in names]
    np.savez(root / "clips.npz", clips=np.array(clips), y=np.arange(len(names)))
