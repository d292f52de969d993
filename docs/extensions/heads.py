"""What a page says of itself to those who show a link to it; and the page for addresses that are none."""

from __future__ import annotations

import re
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from docutils import nodes
from pictures import in_page
from sphinx.application import Sphinx

LONGEST = 200
CARD = "social-card.jpg"
CARD_SIZE = (1200, 630)
CARD_SHOWS = "imageloom: photographs beside augmented versions of them"


def describe(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Adds the tags of OpenGraph, and those that differ from them at other places."""
    del template
    base = app.config.html_baseurl
    title = re.sub(r"<[^>]*>", "", context.get("title", "")) or app.config.project
    words = first_words(doctree) if doctree is not None else ""
    tags = {
        "og:type": "website" if page == app.config.root_doc else "article",
        "og:site_name": app.config.project,
        "og:title": title,
        "og:description": words,
        "og:url": f"{base}{app.builder.get_target_uri(page)}",
        "og:image": f"{base}_static/{CARD}",
        "og:image:width": str(CARD_SIZE[0]),
        "og:image:height": str(CARD_SIZE[1]),
        "og:image:alt": CARD_SHOWS,
    }
    lines = [
        f'<meta property="{name}" content="{_quoted(text)}">' for name, text in tags.items() if text
    ]
    lines.append('<meta name="twitter:card" content="summary_large_image">')
    if words:
        lines.append(f'<meta name="description" content="{_quoted(words)}">')
    logo = Path(app.srcdir, "drawings", "logo.svg").read_text(encoding="utf-8")
    context["logo"] = in_page(logo, "logo", "")
    context["metatags"] = "\n".join([context.get("metatags", ""), *lines])


def _quoted(text: str) -> str:
    return escape(text.replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">"))


def first_words(doctree: nodes.document) -> str:
    """The first paragraph of a page, cut at a word."""
    paragraph = next(
        (one for one in doctree.findall(nodes.paragraph) if len(one.astext().split()) > 3), None
    )
    text = " ".join(paragraph.astext().split()) if paragraph is not None else ""
    return text if len(text) <= LONGEST else text[: LONGEST - 2].rsplit(" ", 1)[0] + " …"


def lead_from_anywhere(app: Sphinx, failed: Exception | None) -> None:
    """The page 404 is shown at any address, so its links begin at the root of the server."""
    path = Path(app.outdir, "404.html")
    if failed is None and path.exists():
        root = urlsplit(app.config.html_baseurl).path
        text = path.read_text(encoding="utf-8")
        text = re.sub(r'\b(href|src)="(?!#|/|[a-z]+:)([^"]*)"', rf'\1="{root}\2"', text)
        text = text.replace('data-content_root="./"', f'data-content_root="{root}"')
        path.write_text(text, encoding="utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    """Registers them."""
    app.connect("html-page-context", describe)
    app.connect("build-finished", lead_from_anywhere)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
