"""Pictures: photographs are loaded when they are needed, and drawings follow the colours of the site.

A drawing that follows the colours of the reader's system has a `<style>` with a `prefers-color-scheme`. As a
file it cannot know of the switch of the site, so it stands in the page itself, where its rules look at the
switch, too.
"""

from __future__ import annotations

import re
from html import escape
from pathlib import Path
from typing import Any

from docutils import nodes
from PIL import Image
from sphinx.application import Sphinx

DARK = re.compile(r"@media \(prefers-color-scheme: dark\) \{((?:[^{}]*\{[^{}]*\})*)\s*\}")
RULE = re.compile(r"([^{}]+)\{([^{}]*)\}")


def visit_image(writer: Any, node: nodes.Element) -> None:
    """Writes a picture, with its size, so that nothing moves when it arrives."""
    path = Path(writer.builder.srcdir, node["uri"])
    if not path.is_file():  # an address, or data
        type(writer).visit_image(writer, node)
        return
    alt = node.get("alt", "")
    if path.suffix == ".svg":
        writer.body.append(in_page(path.read_text(encoding="utf-8"), path.stem, alt))
        return
    with Image.open(path) as picture:
        width, height = picture.size
    first = not hasattr(writer, "pictures_before")
    writer.pictures_before = True
    attributes = {
        "src": f"{writer.builder.imgpath}/{writer.builder.images[node['uri']]}",
        "alt": alt, "width": width, "height": height,
        "decoding": "async",
    }  # fmt: skip
    if not first:
        attributes["loading"] = "lazy"
    writer.body.append(writer.emptytag(node, "img", "", **attributes))


def depart_image(writer: Any, node: nodes.Element) -> None:
    """Nothing is left to be written."""


def in_page(drawing: str, name: str, alt: str) -> str:
    """A drawing as a part of a page: with names of its own, and rules that look at the site's switch.

    Args:
        drawing: the file.
        name: what no other drawing of the page is called.
        alt: what it shows, in words.
    """
    own = f"drawing-{name}"
    drawing = re.sub(
        r"<\?xml.*?\?>|<!DOCTYPE.*?>|<!--.*?-->|<metadata>.*?</metadata>", "", drawing, flags=re.DOTALL
    )
    drawing = re.sub(r'\bid="([^"]+)"', rf'id="{own}-\1"', drawing)
    drawing = re.sub(r"url\(#([^)]+)\)", rf"url(#{own}-\1)", drawing)
    drawing = re.sub(r'href="#([^"]+)"', rf'href="#{own}-\1"', drawing)
    drawing = re.sub(
        r"<style[^>]*>(.*?)</style>", lambda found: _style(found[1], own), drawing, flags=re.DOTALL
    )
    drawing = re.sub(r"^\s*<title>.*?</title>\n?", "", drawing, count=1, flags=re.DOTALL | re.MULTILINE)
    begin = f'<svg id="{own}" class="drawing" role="img" aria-label="{escape(alt)}"'
    return re.sub(
        r"<svg\b",
        begin,
        re.sub(r' (?:role|aria-label|class)="[^"]*"(?=[^<]*>)', "", drawing, count=1),
        count=1,
    ).strip()


def _style(rules: str, own: str) -> str:
    dark = "".join(found[1] for found in DARK.finditer(rules))
    light = DARK.sub("", rules)
    by_switch = _scoped(dark, f'body[data-theme="dark"] #{own}')
    by_system = _scoped(dark, f'body:not([data-theme="light"]) #{own}')
    return f"<style>{_scoped(light, f'#{own}')}@media not print{{{by_switch}@media (prefers-color-scheme: dark) {{{by_system}}}}}</style>"


def _scoped(rules: str, scope: str) -> str:
    rules = re.sub(r"/\*.*?\*/", "", rules, flags=re.DOTALL)
    return "".join(
        ", ".join(_selector(one.strip(), scope) for one in found[1].split(","))
        + f" {{{found[2].strip()}}}"
        for found in RULE.finditer(rules)
    )


def _selector(selector: str, scope: str) -> str:
    """`svg` and `:root` are the drawing itself."""
    itself = re.match(r"(svg|:root)\b", selector)
    return scope + selector[itself.end() :] if itself else f"{scope} {selector}"


def setup(app: Sphinx) -> dict[str, bool]:
    """Registers them."""
    app.add_node(nodes.image, override=True, html=(visit_image, depart_image))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
