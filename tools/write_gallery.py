"""Draw the strips of docs/gallery.md with the code that stands there, and put them into the page.

Usage::

    python tools/write_gallery.py

A block of the page that assigns `strip`, a dictionary of captions and images, becomes a picture
`docs/gallery/NAME.webp` below the block, where NAME is the heading above it. All other blocks prepare
something. In docs/arguments.md, the names that have a heading become links to it. The same versions of
the libraries give the same bytes each time.
"""

from __future__ import annotations

import ast
import contextlib
import io
import re
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

PAGE = Path(__file__).resolve().parent.parent / "docs" / "gallery.md"
FOLDER = PAGE.with_suffix("")
ARGUMENTS = PAGE.with_name("arguments.md")

_PART = re.compile(
    r"^#+ (?P<heading>[^\n]*)$|^```python\n(?P<code>.*?)^```\n(?P<image>\n!\[[^\n]*\n)?",
    re.M | re.DOTALL,
)
_PHOTOGRAPHS = ("cat", "woman", "rocket", "cup", "scene")
_QUALITY, _LARGEST_FILE = 72, 36_000
_PAPER, _INK, _FAINT = "#fafaf7", "#222222", "#6b6b6b"
_HEIGHT, _GAP, _LINE, _LARGEST = 140, 8, 24, 20


class Block(NamedTuple):
    """A block of Python.

    Attributes:
        name: of the picture; empty if the block only prepares something.
        code: what stands in it.
        end: where in the page the block ends.
        image: what stands behind it and shows the picture; nothing in a new block.
    """

    name: str
    code: str
    end: int
    image: str

    @property
    def file(self) -> Path:
        """The picture."""
        return FOLDER / f"{self.name}.webp"


def blocks_of(page: str) -> list[Block]:
    """The blocks of the page, in order. A second picture below the same heading is called NAME-2."""
    found: list[Block] = []
    heading, counts = "", dict[str, int]()
    for match in _PART.finditer(page):
        if match["heading"]:
            heading = match["heading"].strip("`")
            continue
        name, image = "", match["image"] or ""
        if re.search(r"^strip = ", match["code"], re.M):
            counts[heading] = counts.get(heading, 0) + 1
            name = heading if counts[heading] == 1 else f"{heading}-{counts[heading]}"
        found.append(Block(name, match["code"], match.end() - len(image), image))
    return found


def strips_of(blocks: Iterable[Block]) -> Iterator[tuple[Block, dict[str, Any]]]:
    """Run the blocks in an empty folder, and yield each picture's images under their captions."""
    names: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as empty, contextlib.chdir(empty):
        for block in blocks:
            with contextlib.redirect_stdout(io.StringIO()):
                exec(compile(block.code, f"{PAGE.name}, {block.name}", "exec"), names)
            if block.name:
                strip = {str(caption): image for caption, image in names["strip"].items()}
                used = [name for name in _names_in(block.code) if name in _PHOTOGRAPHS]
                yield block, ({"the photograph": names[used[0]]} if used else {}) | strip


def _names_in(code: str) -> list[str]:
    """The variables that some code uses, in the order in which they stand there."""
    found = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Name)]
    return [node.id for node in sorted(found, key=lambda node: (node.lineno, node.col_offset))]


def drawn(strip: dict[str, Any]) -> Image.Image:
    """The images side by side, each above its caption."""
    tiles = [_tile(image) for image in strip.values()]
    captions = [caption.split("\n") for caption in strip]
    width = sum(tile.width + _GAP for tile in tiles) - _GAP
    picture = Image.new("RGB", (width, _HEIGHT + max(map(len, captions)) * _LINE + 4), _PAPER)
    draw = ImageDraw.Draw(picture)
    left = 0
    for tile, lines in zip(tiles, captions, strict=True):
        corner = (left, (_HEIGHT - tile.height) // 2)
        picture.paste(tile, corner, tile if tile.mode == "RGBA" else None)
        for number, line in enumerate(lines):
            middle = (left + tile.width / 2, _HEIGHT + (number + 0.5) * _LINE + 2)
            font = _font_for(line, tile.width, _LARGEST - 3 * (number > 0))
            draw.text(middle, line, _FAINT if number else _INK, font, anchor="mm")
        left += tile.width + _GAP
    return picture


def _tile(image: Any) -> Image.Image:
    """An image of 0..255 as a picture, of at most the height of a strip."""
    levels = np.clip(np.round(np.asarray(image, np.float32)), 0, 255).astype(np.uint8)
    tile = Image.fromarray(levels[..., 0] if levels.shape[2] == 1 else levels)
    if tile.height > _HEIGHT:
        tile.thumbnail((tile.width, _HEIGHT))
    return tile


def _font_for(line: str, width: int, size: int) -> Any:
    """The font, of a size at which the line is no wider than its tile."""
    font: Any = ImageFont.load_default(size)
    while font.getlength(line) > width:
        size -= 1
        font = ImageFont.load_default(size)
    return font


def save(picture: Image.Image, path: Path) -> int:
    """Write a file of at most `_LARGEST_FILE` bytes; noise needs more of them."""
    for quality in range(_QUALITY, 0, -6):
        picture.save(path, quality=quality, method=4)
        if path.stat().st_size <= _LARGEST_FILE:
            break
    return path.stat().st_size


def line_of(block: Block, strip: Iterable[str]) -> str:
    """What the page says behind a block: the picture, with its captions in words."""
    words = "; ".join(strip).replace("\n", ", ").replace("[", "(").replace("]", ")")
    return f"\n![{words}]({FOLDER.name}/{block.file.name})\n"


def linked(arguments: str, names: Iterable[str]) -> str:
    """The page of all arguments, where the names in tables lead to the headings of the gallery."""
    for name in names:
        link = rf"[`{name}`]({PAGE.name}#{name})"
        arguments = re.sub(rf"^\| `{name}` \|", f"| {link} |", arguments, flags=re.M)
    return arguments


def main() -> None:
    """Draw all strips, and remove those of earlier pages."""
    page = PAGE.read_text(encoding="utf-8")
    FOLDER.mkdir(exist_ok=True)
    for old in FOLDER.glob("*.webp"):
        old.unlink()
    pieces, start, size = [], 0, 0
    for block, strip in strips_of(blocks_of(page)):
        size += save(drawn(strip), block.file)
        pieces += [page[start : block.end], line_of(block, strip)]
        start = block.end + len(block.image)
    PAGE.write_text("".join([*pieces, page[start:]]), encoding="utf-8")
    headings = re.findall(r"^### `(\w+)`$", page, re.M)
    ARGUMENTS.write_text(linked(ARGUMENTS.read_text(encoding="utf-8"), headings), encoding="utf-8")
    print(f"{len(pieces) // 2} strips, {size / 1024:.0f} KiB")


if __name__ == "__main__":
    main()
