"""How Sphinx makes the site of these pages (`make docs`). Neither making nor reading needs the net.

The folder `extensions` has what Sphinx lacks: tabs and cards from marks in the Markdown, tables for
narrow screens, drawings that follow the colours of the site, cells of notebooks, links to the source,
and what a page says of itself. `static` has the look of it all, and the one script. `SITE_ADDRESS` and
`SITE_SOURCE` in the environment say where the site will be and which branch or tag of the repository
it is made from.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.domains.python import PyXRefRole
from sphinx.util.docutils import SphinxRole

from imageloom import __version__

sys.path.insert(0, str(Path(__file__).parent / "extensions"))

from links import REPOSITORY, source_of

project = "imageloom"
author = "The imageloom developers"
project_copyright = "The imageloom developers, Apache 2.0"
version = release = __version__


class Callback:
    """Stands for Keras' class: importing Keras takes longer than everything here, and is not needed."""

    __module__ = "keras.callbacks"


keras = ModuleType("keras")
keras.callbacks = SimpleNamespace(Callback=Callback)  # type: ignore[attr-defined]
sys.modules["keras"] = keras

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.linkcode",
    "sphinx_click",
    "sphinx_copybutton",
    "access",
    "heads",
    "links",
    "notebooks",
    "pictures",
    "sections",
    "tables",
]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
exclude_patterns: list[str] = []
nitpicky = True
nitpick_ignore_regex = [
    # Names in single backticks become links where there is something to link to (see `NameOrCode`).
    ("py:obj", r".*"),
    # Other projects' documentation is not looked up, because that needs the network.
    ("py:.*", r"(collections|io|keras|np|numpy|os|pandas|PIL|tensorflow|torch)\..*"),
    # Types of the numpy annotations that have no page of their own.
    (
        "py:class",
        r"(ArrayLike|DTypeLike|NDArray|ShiftRange|Batch|Image\.Image|SampleName)",
    ),
    # The kinds of attributes that may be assigned.
    ("py:class", r"(imageloom\._api\.iterators\.attributes\.)?(Label|Number|Order|Setting)"),
    # Names that appear in signatures alone.
    (
        "py:class",
        r".*\.(BatchT_co|FileSettings|MeasuredIterator|RecordSource|ReplayableIterator|ResumableIterator"
        r"|SampleSource)",
    ),
]

# The pages are Markdown that GitHub shows too, so nothing of MyST is used but its directives.
myst_heading_anchors = 4

default_role = "name-or-code"
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True}
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
napoleon_use_ivar = True
napoleon_use_rtype = False
python_maximum_signature_line_length = 90
python_display_short_literal_types = True

linkcode_resolve = source_of(os.environ.get("SITE_SOURCE", "main"))

# What is copied of commands is what a reader types; what a program prints needs no button.
copybutton_selector = "div:not(.highlight-text) > div.highlight > pre"
copybutton_prompt_text = "$ "

html_theme = "furo"
html_title = "imageloom"
html_baseurl = os.environ.get("SITE_ADDRESS", "https://imageloom.github.io/imageloom/latest/")
html_copy_source = False
html_domain_indices = False  # it would list one module, and be too wide for a phone
html_show_sourcelink = False
html_static_path = ["static"]
html_css_files = ["imageloom.css", "landing.css"]
html_js_files = [("imageloom.js", {"defer": "defer"})]
html_favicon = "drawings/logo.svg"
templates_path = ["templates"]
html_additional_pages = {"404": "404.html"}
html_sidebars = {
    "**": [
        "brand.html",
        "versions.html",
        "sidebar/search.html",
        "sidebar/scroll-start.html",
        "sidebar/navigation.html",
        "sidebar/scroll-end.html",
    ]
}
html_theme_options = {
    "source_repository": REPOSITORY,
    "source_branch": "main",
    "source_directory": "docs/",
    "top_of_page_buttons": ["view", "edit"],
    "light_css_variables": {
        "color-code-background": "#eff3f8",
        "color-brand-primary": "#0b5394",
        "color-brand-content": "#0b5cad",
        "color-brand-visited": "#6b3fa0",
    },
    "dark_css_variables": {
        "color-brand-primary": "#8cc4ff",
        "color-brand-content": "#8cc4ff",
        "color-brand-visited": "#c9a9f5",
    },
}
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "a11y-high-contrast-dark"

_INCLUDED = re.compile(r"\]\((?:\.\./)*(ARCHITECTURE|CHANGELOG|CONTRIBUTING)\.md")
_BESIDE = re.compile(r"\]\(((?:changes/README|SECURITY)\.md)\)")


def link_to_included_pages(app: Sphinx, docname: str, source: list[str]) -> None:
    """Files beside `docs` are pages of the site, too: links as GitHub needs them are led there."""
    source[0] = _INCLUDED.sub(lambda match: f"](/project/{match[1].lower()}.md", source[0])


def link_from_included_pages(app: Sphinx, path: Path, docname: str, source: list[str]) -> None:
    """The same for what stands in these files; others beside `docs` are on GitHub only."""
    link_to_included_pages(app, docname, source)
    source[0] = _BESIDE.sub(rf"]({REPOSITORY}/blob/main/\1)", source[0])


class NameOrCode(SphinxRole):
    """What docstrings have in single backticks: a link if it is a name described here, else code."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """The nodes."""
        if re.fullmatch(r"[A-Za-z_][\w.]*", self.text):
            return PyXRefRole()("py:obj", self.rawtext, self.text, self.lineno, self.inliner)
        return [nodes.literal(self.rawtext, self.text)], []


def setup(app: Sphinx) -> None:
    """Registers what stands above."""
    app.add_role("name-or-code", NameOrCode())
    app.connect("source-read", link_to_included_pages)
    app.connect("include-read", link_from_included_pages)
