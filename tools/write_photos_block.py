"""Copy the block that makes the folder "photos" into the pages that have one of an earlier wording.

Usage::

    python tools/write_photos_block.py

Each page that needs the folder makes it, so that a reader can paste the page's blocks into an empty
folder. The block is kept once, in `docs/snippets/photos.py`; a block is known by its first line.
"""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "docs" / "snippets" / "photos.py"


def with_block(page: str, block: str) -> str:
    """The text of a page, with `block` in the place of each block with the same first line."""
    first = re.escape(block.splitlines()[0])
    return re.sub(rf"(?<=^```python\n){first}\n.*?(?=^```$)", lambda _: block, page, flags=re.M | re.S)


def main() -> None:
    """Rewrite the pages."""
    block = SOURCE.read_text(encoding="utf-8")
    for path in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]:
        page = path.read_text(encoding="utf-8")
        path.write_text(with_block(page, block), encoding="utf-8")


if __name__ == "__main__":
    main()
