"""The project's own description: bounds that are tested, Pythons that are named."""

from __future__ import annotations

import re
import tomllib
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

import imageloom

ROOT = Path(__file__).resolve().parents[2]
OLDEST = ROOT / "constraints" / "oldest.txt"
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))[
    "project"
]
# Builds the site, with the latest versions.
NO_FEATURE = {"docs"}
EXTRAS = {
    name: needs for name, needs in PROJECT["optional-dependencies"].items() if name not in NO_FEATURE
}

of_a_checkout = pytest.mark.skipif(
    not OLDEST.exists(), reason="an unpacked distribution has no constraints"
)


def requirements() -> list[Requirement]:
    """Of the package and its extras."""
    return [Requirement(text) for text in chain(PROJECT["dependencies"], *EXTRAS.values())]


def oldest() -> dict[str, Version]:
    lines = re.sub(r"#.*", "", OLDEST.read_text(encoding="utf-8")).split()
    pinned = [Requirement(line) for line in lines]
    assert len({need.name for need in pinned}) == len(pinned)
    assert all(str(need.specifier).startswith("==") for need in pinned)
    return {need.name: Version(str(need.specifier)[2:]) for need in pinned}


@of_a_checkout
@pytest.mark.parametrize("need", requirements(), ids=lambda need: need.name)
def test_lower_bounds_are_those_that_are_tested(need: Requirement) -> None:
    (bound,) = need.specifier
    assert bound.operator == ">="
    assert oldest()[need.name] == Version(bound.version)


@of_a_checkout
def test_nothing_else_is_held_back() -> None:
    assert set(oldest()) - {need.name for need in requirements()} == {"jaxlib"}, "which goes with jax"


@of_a_checkout
def test_all_extras_are_tested_with_the_oldest_versions() -> None:
    recipe = (ROOT / "Makefile").read_text(encoding="utf-8").partition("$(OLDEST)/stamp: ")[2]
    (installed,) = re.findall(r'--editable "\.\[([\w,-]+)\]"', recipe)
    assert sorted(installed.split(",")) == sorted(EXTRAS)


def test_versions_agree() -> None:
    assert imageloom.__version__ == PROJECT["version"]


def test_every_python_that_is_allowed_is_named() -> None:
    allowed = SpecifierSet(PROJECT["requires-python"])
    prefix = "Programming Language :: Python :: "
    named = {text.removeprefix(prefix) for text in PROJECT["classifiers"] if text.startswith(prefix)}
    versions = {name for name in named if re.fullmatch(r"3\.\d+", name)}
    assert versions == {f"3.{minor}" for minor in range(15) if Version(f"3.{minor}") in allowed}


@of_a_checkout
def test_every_python_is_tested() -> None:
    workflow = (ROOT / ".github" / "workflows" / "tests.yml").read_text(encoding="utf-8")
    (matrix,) = re.findall(r"python: \[(.*)\]", workflow)
    named = re.findall(r"Python :: (3\.\d+)", "\n".join(PROJECT["classifiers"]))
    assert re.findall(r'"([\d.]+)"', matrix) == named


@of_a_checkout
@pytest.mark.parametrize("name", PROJECT["optional-dependencies"])
def test_extras_are_described(name: str) -> None:
    assert f"`{name}`" in (ROOT / "docs" / "installation.md").read_text(encoding="utf-8")
