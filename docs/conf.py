"""How Sphinx makes the site of these pages (`make docs`). Nothing is fetched, here or by who reads it."""

from __future__ import annotations

import re

from sphinx.application import Sphinx

from imageloom import __version__

project = "imageloom"
author = "The imageloom developers"
project_copyright = "The imageloom developers, Apache 2.0"
version = release = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_click",
]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
exclude_patterns: list[str] = []
nitpicky = True
nitpick_ignore_regex = [
    # Names in single backticks become links where there is something to link to (see `default_role`).
    ("py:obj", r".*"),
    # Other projects' documentation is not looked up, because that needs the network.
    ("py:.*", r"(collections|io|keras|np|numpy|os|pandas|PIL|tensorflow|torch)\..*"),
    # Types of the numpy annotations that have no page of their own.
    ("py:class", r"(ArrayLike|DTypeLike|NDArray|ShiftRange|Batch|Image\.Image|SampleName)"),
]

# The pages are Markdown that GitHub shows too, so nothing of MyST is used but its directives.
myst_heading_anchors = 4

default_role = "py:obj"
autodoc_mock_imports = ["keras"]
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True}
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
napoleon_use_ivar = True
napoleon_use_rtype = False
python_maximum_signature_line_length = 90
python_display_short_literal_types = True

html_theme = "furo"
html_title = f"imageloom {__version__}"
html_copy_source = False
html_show_sourcelink = False
html_static_path = ["static"]
html_css_files = ["imageloom.css"]

_INCLUDED = re.compile(r"\]\((?:\.\./)+(ARCHITECTURE|CHANGELOG|CONTRIBUTING)\.md")


def link_to_included_pages(app: Sphinx, docname: str, source: list[str]) -> None:
    """Files beside `docs` are pages of the site too; links to them, as GitHub needs them, are led there."""
    source[0] = _INCLUDED.sub(lambda match: f"](/project/{match[1].lower()}.md", source[0])


def setup(app: Sphinx) -> None:
    """Registers what stands above."""
    app.connect("source-read", link_to_included_pages)
