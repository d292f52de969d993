"""Notebooks in pages: `<!-- the cells of FILE -->` becomes the cells of a notebook, and what they show.

A picture has the words that its cell has as `alt` in its metadata. Tables of pandas look as all others.
"""

from __future__ import annotations

import json
import re
from html import escape
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

ROW = re.compile(r"<tr[^>]*>(.*?)</tr>", re.DOTALL)
CELL = re.compile(r"<t[hd][^>]*>(.*?)</t[hd]>", re.DOTALL)


def put_notebook_in(app: Sphinx, docname: str, source: list[str]) -> None:
    """Does so."""
    page = Path(app.env.doc2path(docname))
    source[0] = re.sub(
        r"^<!-- the cells of (\S+) -->$",
        lambda match: cells_as_markdown(page.parent / match[1]),
        source[0],
        flags=re.MULTILINE,
    )


def cells_as_markdown(path: Path) -> str:
    """The cells of a notebook."""
    parts = []
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"][1:]:  # the first has the title
        text = "".join(cell["source"])
        parts.append(f"```python\n{text}\n```" if cell["cell_type"] == "code" else text)
        parts += [_shown(output, cell, path) for output in cell.get("outputs", [])]
    return "\n\n".join(parts)


def _shown(output: dict[str, Any], cell: dict[str, Any], path: Path) -> str:
    data = {kind: "".join(part) for kind, part in output.get("data", {}).items()}
    if "image/jpeg" in data:
        words = cell["metadata"].get("alt")
        if not words:
            raise ExtensionError(f"{path.name}: a cell shows a picture, and its metadata have no `alt`")
        pixels = "".join(data["image/jpeg"].split())
        picture = f'<img alt="{escape(words)}" src="data:image/jpeg;base64,{pixels}">'
        return f"```{{raw}} html\n{picture}\n```"
    if "text/html" in data:
        return f"```{{raw}} html\n{with_tables_of_the_site(data['text/html'])}\n```"
    return f"```text\n{''.join(output.get('text', '')).rstrip()}\n```"


def with_tables_of_the_site(shown: str) -> str:
    """What a cell shows, with tables of pandas as `tables.py` writes all others."""
    if 'class="dataframe"' not in shown:
        return shown
    shown = re.sub(r"<style scoped>.*?</style>\s*", "", shown, flags=re.DOTALL)
    return re.sub(
        r'<table[^>]*class="dataframe">(.*?)</table>', lambda found: _table(found[1]), shown,
        flags=re.DOTALL,
    )  # fmt: skip


def _table(inner: str) -> str:
    head, body = (_rows(part) for part in inner.split("</thead>"))
    # The index has its name in a row of its own, where the columns have none.
    names = [max(column, key=len) for column in zip(*head, strict=True)]
    top = "".join(
        f'<th role="columnheader" class="head">{name}</th>' if name else '<td role="cell"></td>'
        for name in names
    )
    labels = [f' data-label="{name}"' if name else "" for name in names]
    lines = [
        "".join(
            f'<td role="cell"{label}>{value}</td>' for label, value in zip(labels, row, strict=True)
        )
        for row in body
    ]
    rows = "\n".join(f'<tr role="row">{line}</tr>' for line in lines)
    return (
        '<div class="table-wrapper docutils container">'
        '<table role="table" class="docutils align-default">'
        f'<thead role="rowgroup"><tr role="row">{top}</tr></thead>'
        f'<tbody role="rowgroup">{rows}</tbody></table></div>'
    )


def _rows(part: str) -> list[list[str]]:
    return [CELL.findall(row) for row in ROW.findall(part)]


def setup(app: Sphinx) -> dict[str, bool]:
    """Registers it."""
    app.connect("source-read", put_notebook_in)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
