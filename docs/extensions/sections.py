"""Marks in the Markdown that become tabs, cards and the like on the site; GitHub shows what is inside.

* `<!-- tabs: NAME -->` ... `<!-- end of tabs -->`: each paragraph of bold words only is the label of a tab,
  and what follows it is the tab. All tabs of a NAME show the same choice, on all pages.
* `<!-- KIND -->` ... `<!-- end of KIND -->` for the kinds below: what stands between gets a look of its own.

Both marks of a pair stand under the same heading.
"""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.transforms import SphinxTransform

# hero: the first screen of the site. cards: each item of a list is a card. gallery: pictures side by side.
# wide: as wide as the window allows.
KINDS = ("hero", "cards", "gallery", "wide")
BEGIN = re.compile(rf"^<!-- (?:(tabs): ([\w-]+)|({'|'.join(KINDS)})) -->$")
END = re.compile(rf"^<!-- end of ({'|'.join(('tabs', *KINDS))}) -->$")


class tabs(nodes.General, nodes.Element):  # noqa: N801 (docutils calls its nodes so)
    """Several tabs, of which a reader sees one."""


class tab(nodes.General, nodes.Element):  # noqa: N801
    """One of them."""


class Marks(SphinxTransform):
    """Puts what stands between two marks into an element."""

    default_priority = 20  # before links are looked up

    def apply(self, **kwargs: Any) -> None:
        """Does so."""
        while (first := next(self._marks(BEGIN), None)) is not None:
            found = BEGIN.match(first.astext().strip())
            assert found is not None
            kind = found[1] or found[3]
            inner = self._up_to_the_end(first, kind)
            made = self._tabs(found[2], inner, first) if found[1] else nodes.container(classes=[kind])
            if not found[1]:
                made += inner
            first.replace_self(made)
        for last in list(self._marks(END)):
            raise ExtensionError(f"{self.env.docname}: {last.astext()} ends nothing")

    def _marks(self, pattern: re.Pattern[str]) -> Any:
        return (one for one in self.document.findall(nodes.raw) if pattern.match(one.astext().strip()))

    def _up_to_the_end(self, first: nodes.Element, kind: str) -> list[nodes.Node]:
        """Takes what stands between the marks, and the second mark, out of the document."""
        inner: list[nodes.Node] = []
        depth = 1
        for node in first.parent[first.parent.index(first) + 1 :]:
            text = node.astext().strip() if isinstance(node, nodes.raw) else ""
            depth += bool((begin := BEGIN.match(text)) and kind in begin.groups())
            depth -= bool((end := END.match(text)) and end[1] == kind)
            node.parent.remove(node)
            if not depth:
                return inner
            inner.append(node)
        raise ExtensionError(f"{self.env.docname}: {first.astext()} has no end under its heading")

    def _tabs(self, name: str, inner: list[nodes.Node], first: nodes.Element) -> nodes.Element:
        made = tabs(name=name)
        for node in inner:
            words = node[0] if isinstance(node, nodes.paragraph) and len(node) == 1 else None
            if isinstance(words, nodes.strong):
                made += tab()
                made[-1] += nodes.paragraph("", "", words, classes=["tab-label"])
            elif len(made):
                made[-1] += node
            else:
                raise ExtensionError(f"{self.env.docname}: {first.astext()} begins without a label")
        return made


def visit_tabs(writer: Any, node: nodes.Element) -> None:
    """What the script of the site makes tabs of; without scripts, all are shown."""
    writer.body.append(writer.starttag(node, "div", CLASS="tabs", **{"data-name": node["name"]}))


def visit_tab(writer: Any, node: nodes.Element) -> None:
    """One of them."""
    writer.body.append(writer.starttag(node, "div", CLASS="tab"))


def end_division(writer: Any, node: nodes.Element) -> None:
    """The end of either."""
    del node
    writer.body.append("</div>\n")


def setup(app: Sphinx) -> dict[str, bool]:
    """Registers them."""
    app.add_node(tabs, html=(visit_tabs, end_division))
    app.add_node(tab, html=(visit_tab, end_division))
    app.add_transform(Marks)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
