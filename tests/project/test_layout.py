"""The tests lie by room, and their programs are files that can be read."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from programs import PROGRAMS

import imageloom

TESTS = Path(__file__).resolve().parents[1]
# What concerns no room alone, and what is no folder of tests.
ACROSS = {"clients", "keras_parity", "project", "reliability"}
NO_TESTS = {"programs", "support", "typing"}
LONGEST = 400
MODULES = sorted(TESTS.rglob("test_*.py"))


def test_every_room_has_a_folder_of_tests() -> None:
    package = Path(imageloom.__file__).parent
    rooms = {path.parent.name.removeprefix("_") for path in package.glob("_*/__init__.py")}
    modules = {path.stem.removeprefix("_") for path in package.glob("_*.py")}
    folders = {path.parent.relative_to(TESTS).as_posix() for path in MODULES}
    assert rooms | ACROSS <= folders
    assert folders - rooms - ACROSS <= modules, "folders of modules that stand in no room"
    there = {path.name for path in TESTS.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert there == folders | NO_TESTS


def test_names_of_modules_are_unique() -> None:
    """Hooks of tests travel to workers by the name of their module, without its folder."""
    modules = [*MODULES, *(TESTS / "support").glob("*.py")]
    assert len({path.name for path in modules}) == len(modules)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_modules_can_be_read_in_one_sitting(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_no_program_is_a_string(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    texts = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    assert not [text for text in texts if isinstance(text, str) and is_program(text)]


def is_program(text: str) -> bool:
    """Whether it is Python of some length; what users have in a cell or an editor is shorter."""
    try:
        statements = ast.parse(text).body
    except (SyntaxError, ValueError):
        return False
    return len(statements) > 4 and any(
        isinstance(one, ast.Import | ast.ImportFrom) for one in statements
    )


def test_every_program_is_run_or_imported() -> None:
    programs = list(PROGRAMS.rglob("*.py"))
    for path in programs:
        compile(path.read_bytes(), str(path), "exec")
    readers = [*MODULES, *(TESTS / "support").glob("*.py"), *programs]
    texts = {path: path.read_text(encoding="utf-8") for path in readers}
    for path in programs:
        wanted = f'/{path.name}"', f'"{path.name}"', f"from {path.stem} import", f"import {path.stem}\n"
        used = any(one in text for one in wanted for text in texts.values())
        assert used, f"nobody uses {path.relative_to(PROGRAMS)}"
