"""Tables whose cells name their columns: on narrow screens, each row becomes a list of names and values."""

from __future__ import annotations

import re
from html import escape
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

# Said again, because a browser forgets what a table is as soon as its rows are shown in another way.
ROLES = {"table": "table", "thead": "rowgroup", "tbody": "rowgroup", "row": "row"}


def visit(writer: Any, node: nodes.Element) -> None:
    """Writes the beginning of a part as Sphinx does, with its role, and with the column of a cell."""
    before = len(writer.body)
    getattr(type(writer), f"visit_{node.tagname}")(writer, node)
    attributes = f' role="{ROLES.get(node.tagname) or _role_of_cell(node)}"'
    if node.tagname == "entry" and (label := _label_of(node)):
        attributes += f' data-label="{escape(label)}"'
    for index in range(before, len(writer.body)):
        begun, number = re.subn(
            r"<(table|thead|tbody|tr|th|td)\b", rf"<\1{attributes}", writer.body[index], count=1
        )
        if number:
            writer.body[index] = begun
            return


def depart(writer: Any, node: nodes.Element) -> None:
    """The end of a part."""
    getattr(type(writer), f"depart_{node.tagname}")(writer, node)


def _role_of_cell(node: nodes.Element) -> str:
    return "columnheader" if isinstance(node.parent.parent, nodes.thead) else "cell"


def _label_of(node: nodes.Element) -> str:
    """The words at the head of a cell's column."""
    group = node.parent.parent.parent
    head = next((part for part in group if isinstance(part, nodes.thead)), None)
    if head is None or head is node.parent.parent:
        return ""
    column = node.parent.index(node)
    titles = list(head[0])
    return titles[column].astext().strip() if column < len(titles) else ""


def setup(app: Sphinx) -> dict[str, bool]:
    """Registers them."""
    for kind in (nodes.table, nodes.thead, nodes.tbody, nodes.row, nodes.entry):
        app.add_node(kind, override=True, html=(visit, depart))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
