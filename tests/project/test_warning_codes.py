"""Every warning has a code, and every code a section of the page about them."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import imageloom
from imageloom._warnings import Code, coded

ROOT = Path(__file__).parents[2]
PACKAGE = Path(imageloom.__file__).parent


def test_the_page_has_a_section_for_each_code() -> None:
    page = (ROOT / "docs/warnings.md").read_text(encoding="utf-8")
    assert re.findall(r"^### (.*)$", page, re.MULTILINE) == sorted(Code)


def test_codes_are_used() -> None:
    used = "".join(p.read_text(encoding="utf-8") for p in PACKAGE.rglob("*.py"))
    assert [code.name for code in Code if f"Code.{code.name}" not in used] == []


def test_every_call_names_a_code() -> None:
    """Except those that pass on what a worker has worded."""
    without = []
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and getattr(node.func, "id", "") == "warn_user"):
                continue
            passed_on = [getattr(a, "id", "") for a in node.args] == ["text", "category"]
            if not passed_on and not any(k.arg == "code" for k in node.keywords):
                without.append(f"{path.name}:{node.lineno}")
    assert without == []


def test_where_the_code_stands() -> None:
    assert coded(Code.CLIPPED_FILES, "Some.") == "IL101: Some."
    assert coded(Code.MISSING_FILES, "Found 1.") == "Found 1. [IL403]"
