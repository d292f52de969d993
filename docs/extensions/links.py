"""Links to the repository: the source of each name of the reference, and the file of each page."""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import imageloom
from sphinx.application import Sphinx

REPOSITORY = "https://github.com/imageloom/imageloom"
ROOT = Path(__file__).resolve().parents[2]
PACKAGE = Path(imageloom.__file__).parent
INCLUDED = re.compile(r"\A```\{include\} (\S+)", re.MULTILINE)
CELLS = re.compile(r"^<!-- the cells of (\S+) -->$", re.MULTILINE)


def source_of(reference: str) -> Callable[[str, dict[str, str]], str | None]:
    """What `sphinx.ext.linkcode` asks for: the lines of a name, in a branch or a tag of the repository."""

    def resolve(domain: str, info: dict[str, str]) -> str | None:
        found = lines_of(info["module"], info["fullname"]) if domain == "py" else None
        if found is None:
            return None
        path, first, last = found
        place = path.relative_to(PACKAGE.parent).as_posix()
        return f"{REPOSITORY}/blob/{reference}/src/{place}#L{first}-L{last}"

    return resolve


def lines_of(module: str, name: str) -> tuple[Path, int, int] | None:
    """The file, and the first and the last line, in which a name of the package is defined."""
    found: Any = sys.modules.get(module)
    owner: Any = None
    for part in name.split("."):
        owner, found = found, inspect.getattr_static(found, part, None) or getattr(found, part, None)
    if isinstance(found, property):
        found = found.fget
    if isinstance(found, staticmethod | classmethod):
        found = found.__func__
    if inspect.isclass(found):
        return _lines_of_class(found)
    if isinstance(found, ModuleType):
        return None
    function = inspect.unwrap(found) if callable(found) else None
    code = getattr(function, "__code__", None)
    if code is None:  # an attribute: where its class is
        return _lines_of_class(owner) if inspect.isclass(owner) else None
    if not Path(code.co_filename).is_relative_to(PACKAGE):
        return None
    lines, first = inspect.getsourcelines(function)
    return Path(code.co_filename), first, first + len(lines) - 1


def _lines_of_class(found: type) -> tuple[Path, int, int] | None:
    """Public classes say that they are of `imageloom` itself, so they are looked for."""
    for module in [one for name, one in sys.modules.items() if name.startswith("imageloom.")]:
        if vars(module).get(found.__name__) is found and module.__file__:
            for node in _classes_of(Path(module.__file__)):
                if node.name == found.__name__:
                    first = min([node.lineno, *(one.lineno for one in node.decorator_list)])
                    return Path(module.__file__), first, node.end_lineno or first
    return None


@cache
def _classes_of(path: Path) -> list[ast.ClassDef]:
    return [node for node in ast.parse(path.read_bytes()).body if isinstance(node, ast.ClassDef)]


def lead_to_the_file(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any
) -> None:
    """A page that shows another file is changed there: the edit link leads to that one."""
    del template
    if doctree is None:  # no file has this page
        return
    path = Path(app.env.doc2path(page))
    text = path.read_text(encoding="utf-8")
    other = INCLUDED.search(text) or CELLS.search(text)
    path = (path.parent / other[1]).resolve() if other else path
    place = path.relative_to(ROOT).as_posix()
    context["theme_source_edit_link"] = f"{REPOSITORY}/edit/main/{place}"
    context["theme_source_view_link"] = f"{REPOSITORY}/blob/main/{place}"


def setup(app: Sphinx) -> dict[str, bool]:
    """Registers them."""
    app.connect("html-page-context", lead_to_the_file)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
