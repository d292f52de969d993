"""Check the built documentation: internal links work, and no page loads external files.

Usage::

    python tools/check_site.py DIRECTORY

Sphinx checks only the links that it makes itself. This program checks the HTML files.
"""

from __future__ import annotations

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

# The attribute of each element that makes a browser load a file.
FETCHED = {"img": "src", "script": "src", "link": "href", "iframe": "src", "source": "src"}
# What a `link` may be that no browser loads.
NOT_LOADED = {"canonical", "index", "search", "next", "prev", "author", "copyright"}


class Page(HTMLParser):
    """The links, the loaded files and the anchors of a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.fetched: list[str] = []
        self.anchors: set[str] = set()
        self.root = ""
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.anchors |= {value for name in ("id", "name") if (value := given.get(name))}
        if tag == "html":
            self.root = given.get("data-content_root") or ""
        if tag == "a" and given.get("href"):
            self.links.append(str(given["href"]))
        if tag == "link" and given.get("rel") in NOT_LOADED:
            return
        if given.get(FETCHED.get(tag, "")):
            self.fetched.append(str(given[FETCHED[tag]]))


def problems_of(root: Path) -> list[str]:
    """Return the problems of the site."""
    pages = {path.resolve(): Page(path) for path in root.rglob("*.html")}
    if not pages:
        return [f"{root} has no pages"]
    problems = []
    for path, page in pages.items():
        name = path.relative_to(root.resolve())
        for target in [*page.links, *page.fetched]:
            url = urlsplit(target)
            if url.scheme in ("http", "https") or url.netloc:
                if target in page.fetched:
                    problems.append(f"{name} loads {target}")
                continue
            if url.scheme:  # mailto:, data:
                continue
            folder, place = path.parent, url.path
            if page.root.startswith("/") and place.startswith(page.root):  # as a server gives it out
                folder, place = root, place.removeprefix(page.root)
            file = (folder / unquote(place)).resolve() if place else path
            if not file.exists():
                problems.append(f"{name} links to {target}, which does not exist")
            elif url.fragment and file in pages and unquote(url.fragment) not in pages[file].anchors:
                problems.append(f"{name} links to {target}, which has no such anchor")
    for path in root.rglob("*.css"):
        text = path.read_text(encoding="utf-8")
        if "url(http" in text or "url(//" in text or "@import" in text:
            problems.append(f"{path.relative_to(root)} loads an external file")
    return problems


def main(directory: Path) -> int:
    """Check the site; return the exit status."""
    problems = problems_of(directory)
    for problem in problems:
        print(problem, file=sys.stderr)
    if not problems:
        print(f"{directory}: {len(list(directory.rglob('*.html')))} pages, all links work")
    return 1 if problems else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(Path(sys.argv[1])))
