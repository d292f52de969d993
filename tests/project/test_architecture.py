"""ARCHITECTURE.md is one page, and true: rooms, dependencies, and what inner pages say of modules."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from document_blocks import ROOT, name_of
from packaging.requirements import Requirement

import imageloom

ARCHITECTURE = ROOT / "ARCHITECTURE.md"
INNER = sorted((ROOT / "docs" / "project").glob("*.md"))
PACKAGE = Path(imageloom.__file__).parent
# What users bring, to which imageloom adapts.
FRAMEWORKS = {"jax", "keras", "tensorflow", "tf-keras", "torch"}
LONGEST = 120

pytestmark = pytest.mark.skipif(
    not ARCHITECTURE.exists(), reason="an unpacked distribution has no documents"
)


def section(title: str) -> str:
    text = ARCHITECTURE.read_text(encoding="utf-8")
    (found,) = re.findall(rf"^## {title}\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)
    return str(found)


def test_it_is_one_page() -> None:
    assert len(ARCHITECTURE.read_text(encoding="utf-8").splitlines()) <= LONGEST


def test_it_has_a_charter_for_every_room() -> None:
    rooms = {path.parent.name for path in PACKAGE.glob("_*/__init__.py")}
    assert set(re.findall(r"^\| `(\w+)` \|", section("Rooms"), re.MULTILINE)) == rooms


def test_it_names_the_modules_outside_the_rooms() -> None:
    alone = section("Rooms").partition("stand outside the rooms:")[2].partition("Imports go down")[0]
    modules = {path.stem for path in PACKAGE.glob("*.py")} - {"__init__", "__main__"}
    assert set(re.findall(r"`(_?\w+)`", alone)) == modules


def test_every_dependency_has_its_reason() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    needs = [*project["dependencies"], *(need for name in extras for need in extras[name])]
    names = {Requirement(need).name for need in needs if need not in extras["docs"]} - FRAMEWORKS
    rows = re.findall(r"^\|([^|]*)\|([^|]*)\|([^|]*)\|$", section("Dependencies"), re.MULTILINE)
    for name in names:
        reasons = [reason for _, library, reason in rows if re.search(rf"\b{name}\b", library)]
        assert len(reasons) == 1, f"{name} has {len(reasons)} lines"
        assert len(reasons[0].split()) > 3, reasons[0]


@pytest.mark.parametrize("path", [ARCHITECTURE, *INNER], ids=name_of)
def test_modules_that_are_named_with_their_room_exist(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for named in re.findall(r"`(_[a-z]+/[\w/]+?)(?:\.py)?`", text):
        place = PACKAGE / named
        assert place.is_dir() or place.with_suffix(".py").exists(), named


@pytest.mark.parametrize("path", INNER, ids=name_of)
def test_scripts_and_tests_that_are_named_exist(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for named in re.findall(r"`((?:tests|benchmarks|tools|docs|constraints)/[\w./-]+)`", text):
        assert (ROOT / named).exists(), named
