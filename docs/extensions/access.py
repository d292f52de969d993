"""Repairs of what the theme and Sphinx write, so that everybody finds their way through the pages."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

# What every page has, and what it should say: parts of a page have names, and headings have levels.
EVERYWHERE = {
    '<div class="content-icon-container">': (
        '<div class="content-icon-container" role="region" aria-label="This page">'
    ),
    '<aside class="sidebar-drawer">': '<aside class="sidebar-drawer" aria-label="All pages">',
    '<aside class="toc-drawer': '<aside aria-label="On this page" class="toc-drawer',
}
CAPTION = '<p class="caption" role="heading">'
# The parameters of a signature are written as a list of definitions without terms.
PARAMETERS = re.compile(r"<dl>(?=\s*<dd>)")


def repair(app: Sphinx, failed: Exception | None) -> None:
    """Repairs all pages."""
    if failed is not None or app.builder.name != "html":
        return
    for path in Path(app.outdir).rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        for old, new in EVERYWHERE.items():
            if new in text:  # an unchanged page of the last build
                continue
            if text.count(old) != 1:
                raise ExtensionError(f"{path}: the theme writes no {old} any more")
            text = text.replace(old, new)
        text = text.replace(CAPTION, CAPTION.replace(">", ' aria-level="2">'))
        path.write_text(PARAMETERS.sub('<dl role="none">', text), encoding="utf-8")


def setup(app: Sphinx) -> dict[str, Any]:
    """Registers it."""
    app.connect("build-finished", repair)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
