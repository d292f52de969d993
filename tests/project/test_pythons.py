"""`make test-pythons` finds interpreters; one page says on which Pythons and systems tests ran."""

from __future__ import annotations

import os
import re
import sys
import tomllib
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest
from document_blocks import ROOT

PAGE = ROOT / "docs" / "project" / "pythons.md"
SYSTEMS = ("Linux", "macOS", "Windows")

pytestmark = pytest.mark.skipif(not PAGE.exists(), reason="an unpacked distribution has no documents")


@pytest.fixture(scope="module")
def pythons() -> ModuleType:
    spec = spec_from_file_location("pythons", ROOT / "tools" / "pythons.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def supported() -> list[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return re.findall(r"Python :: (3\.\d+)", "\n".join(project["classifiers"]))


def test_an_interpreter_is_found_by_its_version(
    pythons: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = "{}.{}".format(*sys.version_info)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    named = [os.devnull, sys.executable]
    assert pythons.supported() == supported()
    assert pythons.find([own, "3.99"], named) == {own: sys.executable, "3.99": None}
    assert pythons.find([own]) == {own: None}


@pytest.mark.skipif(sys.platform == "win32", reason="scripts as stand-ins")
def test_a_stand_in_that_does_not_run_is_passed_over(pythons: ModuleType, tmp_path: Path) -> None:
    stand_in = tmp_path / "python3.99"
    stand_in.write_text("#!/bin/sh\nexit 127\n", encoding="utf-8")
    stand_in.chmod(0o755)
    assert pythons.version_of(str(stand_in)) is None
    stand_in.write_text("#!/bin/sh\necho 3.99\n", encoding="utf-8")
    assert pythons.find(["3.99"], [str(stand_in)]) == {"3.99": str(stand_in)}


def test_every_python_has_a_word_for_every_system() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert "| Python | " + " | ".join(SYSTEMS) + " |" in text
    rows = re.findall(r"^\| (3\.\d+) \|(.*)\|$", text, re.MULTILINE)
    assert [version for version, _ in rows] == supported()
    for version, cells in rows:
        for system, cell in zip(SYSTEMS, cells.split("|"), strict=True):
            ran = re.search(r"\d{4}-\d\d-\d\d", cell)
            assert ran or "not run" in cell, f"Python {version} on {system}: run when?"
