"""Which tests need a framework, or another large package that users may lack: a pytest plugin.

They are marked `frameworks`, and `--without-frameworks`, as in `make quick`, leaves them out. Most
marks are set here: a test needs a framework if its module imports one, or if it imports one itself, in
a fixture, through a function of its module or of tests/support, or in a program of tests/programs. What
cannot be seen in this way is marked by hand: `@pytest.mark.frameworks("ray")` also skips the test where
there is no Ray.
"""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

import pytest

FRAMEWORKS: Final = frozenset(
    {
        "albumentations", "jax", "keras", "moto", "nbclient", "nbformat", "ray", "s3fs", "sklearn",
        "tensorflow", "tf_keras", "torch",
    }
)  # fmt: skip
_SUPPORT: Final = Path(__file__).parent
_PROGRAMS: Final = _SUPPORT.parent / "programs"
# Statements that run when a module is imported, and concern all of it.
_OF_THE_MODULE: Final = ""
Needs = dict[str, set[str]]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the option of `make quick`."""
    parser.addoption(
        "--without-frameworks", action="store_true", help="leave out what needs Keras or the like"
    )


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leaves out the modules that import a framework which is not there, or not wanted."""
    if collection_path.suffix != ".py":
        return None
    without = config.getoption("without_frameworks")
    left_out = [n for n in _imported(collection_path, _OF_THE_MODULE) if without or not _installed(n)]
    return True if left_out else None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Marks what needs a framework, before pytest selects by marks; or leaves it out."""
    for item in items:
        marks = [name for mark in item.iter_markers("frameworks") for name in mark.args]
        for name in marks:
            if not _installed(name):
                item.add_marker(pytest.mark.skip(reason=f"needs {name}"))
        function = getattr(item, "originalname", item.name)
        if not marks and any(_reach(item.path, name) for name in (_OF_THE_MODULE, function)):
            item.add_marker(pytest.mark.frameworks)
    if config.getoption("without_frameworks"):
        needing = [item for item in items if item.get_closest_marker("frameworks")]
        config.hook.pytest_deselected(items=needing)
        items[:] = [item for item in items if not item.get_closest_marker("frameworks")]


@cache
def _installed(name: str) -> bool:
    return importlib.util.find_spec(name) is not None


def _imported(path: Path, name: str) -> set[str]:
    """The frameworks that a definition names itself."""
    return _definitions(path).get(name, set()) & FRAMEWORKS


def _reach(path: Path, name: str) -> bool:
    """Whether a definition of a module needs a framework, itself or through what it uses."""
    to_look_at, seen = [(path, name)], set()
    while to_look_at:
        place = to_look_at.pop()
        if place in seen:
            continue
        seen.add(place)
        if _imported(*place):
            return True
        to_look_at += _used(*place)
    return False


def _used(path: Path, name: str) -> Iterator[tuple[Path, str]]:
    for used in _definitions(path).get(name, ()):
        if used.endswith(".py"):
            if (program := _PROGRAMS / used).is_file():
                yield from ((program, defined) for defined in _definitions(program))
        elif used in _definitions(path):
            yield path, used
        elif (there := _shared().get(used)) is not None and there != path:
            yield there, used


@cache
def _shared() -> dict[str, Path]:
    """Where each name of tests/support is defined."""
    return {name: path for path in sorted(_SUPPORT.glob("*.py")) for name in _definitions(path) if name}


@cache
def _definitions(path: Path) -> Needs:
    """What each definition of a module uses: names, frameworks that are imported, programs."""
    found: Needs = {_OF_THE_MODULE: set()}
    for statement in ast.parse(path.read_text(encoding="utf-8")).body:
        match statement:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                names = [name]
            case ast.Assign(value=ast.Call(func=ast.Attribute(attr="importorskip"))):
                names = [_OF_THE_MODULE]
            case ast.Assign(targets=targets):
                names = [target.id for target in targets if isinstance(target, ast.Name)]
            case ast.AnnAssign(target=ast.Name(id=name)):
                names = [name]
            case _:
                names = [_OF_THE_MODULE]
        uses = set(_uses(statement))
        if "pytestmark" in names:
            names = [_OF_THE_MODULE]
        for name in names:
            found[name] = found.get(name, set()) | uses
    return found


def _uses(statement: ast.stmt) -> Iterator[str]:
    for node in ast.walk(statement):
        match node:
            case ast.Name(id=name) | ast.arg(arg=name):
                # A mark belongs to the tests that it is given to, not to all that name it.
                if not name.startswith("needs_"):
                    yield name
            case ast.Import(names=names):
                yield from (alias.name.partition(".")[0] for alias in names)
            case ast.ImportFrom(module=str(module)):
                yield module.partition(".")[0]
            case ast.Call(
                func=ast.Attribute(attr="importorskip" | "usefixtures" | "frameworks"),
                args=[ast.Constant(value=str(name)), *_],
            ):
                yield name
            case ast.Constant(value=str(text)) if text.endswith(".py"):
                yield text
