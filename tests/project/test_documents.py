"""The documents keep their word: links lead somewhere, every argument and public name is described."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from document_blocks import DOCUMENTS, PAGES, ROOT, blocks_of, name_of

import imageloom
from imageloom import ImageDataGenerator

LINK = re.compile(r"\]\(([^()\s]+)\)")
FENCE = re.compile(r"^ *```.*?^ *```", re.DOTALL | re.MULTILINE)
ROW = re.compile(r"^\| \[?`(\w+)`(?:\]\(\S+\))? \|[^|]*(?:\\\|[^|]*)*\| (`[^`]*`|–) \|", re.MULTILINE)

pytestmark = pytest.mark.skipif(not PAGES, reason="an unpacked distribution has no documents")


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_links_and_pictures_lead_somewhere(path: Path) -> None:
    text = FENCE.sub("", path.read_text(encoding="utf-8"))
    for target in LINK.findall(text):
        if re.match(r"https?:|mailto:", target):
            continue
        file, _, heading = target.partition("#")
        linked = (path.parent / file).resolve() if file else path
        assert linked.exists(), target
        assert linked.is_relative_to(ROOT), target
        if heading:
            assert heading in anchors(linked), target


def anchors(path: Path) -> set[str]:
    """What the headings of a document are called in links to them, on GitHub."""
    text = FENCE.sub("", path.read_text(encoding="utf-8"))
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_page_can_be_reached_from_the_index() -> None:
    text = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    linked = {name_of((ROOT / "docs" / target).resolve()) for target in LINK.findall(text)}
    # Pages of `project` are files of the root, which the index links to as GitHub needs it.
    pages = {name_of(page) for page in PAGES if page.parent.name != "project"}
    assert pages - linked == {"docs/index.md"}


def test_the_drawings_are_what_their_script_draws(tmp_path: Path) -> None:
    folder = ROOT / "docs" / "drawings"
    subprocess.run([sys.executable, folder / "draw.py", tmp_path], check=True)
    drawn, kept = (
        {path.name: path.read_text(encoding="utf-8") for path in place.glob("*.svg")}
        for place in (tmp_path, folder)
    )
    assert drawn == kept


@pytest.mark.frameworks("keras")  # one of them is a class of Keras'
def test_every_public_name_is_in_the_reference() -> None:
    pages = (ROOT / "docs" / "reference").glob("*.rst")
    text = "\n".join(page.read_text(encoding="utf-8") for page in pages)
    described = re.findall(r"^\.\. (?:auto|py:)\w+:: imageloom\.(\w+)(?:\(\))?$", text, re.MULTILINE)
    assert sorted(described) == sorted(imageloom.__all__)


def test_the_reference_names_no_private_module() -> None:
    pages = (ROOT / "docs" / "reference").glob("*.rst")
    text = "\n".join(page.read_text(encoding="utf-8") for page in pages)
    assert re.findall(r"imageloom\._\w+", text) == []


def test_the_architecture_has_the_layers_that_are_checked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = project["tool"]["importlinter"]["contracts"]
    (checked,) = [contract["layers"] for contract in contracts if contract["type"] == "layers"]
    blocks = [block.code.splitlines() for block in blocks_of(ROOT / "ARCHITECTURE.md")]
    (shown,) = [lines for lines in blocks if lines[0] == "__main__"]
    assert [line.split(" · ") for line in shown] == [
        [name.removeprefix("imageloom.") for name in re.split(" [|:] ", layer)] for layer in checked
    ]


# The reference of the arguments

IN_EVERY_FLOW = "All three flow methods"
OF_FILES = "Both file methods"
OF_COORDINATES = "Boxes and points"
SECTIONS = {
    "__init__": ["Constructor"],
    "flow": [IN_EVERY_FLOW, OF_COORDINATES, "`flow`"],
    "flow_from_directory": [IN_EVERY_FLOW, OF_FILES, "`flow_from_directory`"],
    "flow_from_dataframe": [IN_EVERY_FLOW, OF_FILES, OF_COORDINATES, "`flow_from_dataframe`"],
    "fit": ["`fit`"],
}


def described(sections: list[str]) -> dict[str, str]:
    """Argument -> default, as the rows of the tables of some sections tell them."""
    text = (ROOT / "docs" / "arguments.md").read_text(encoding="utf-8")
    parts = dict(re.findall(r"^## ([^\n]*)\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE))
    rows: dict[str, str] = {}
    for section in sections:
        for name, default in ROW.findall(parts[section]):
            assert name not in rows, f"{name} is described twice"
            rows[name] = default
    return rows


@pytest.mark.parametrize("method", SECTIONS)
def test_every_argument_is_described_with_its_default(method: str) -> None:
    function = getattr(ImageDataGenerator, method)
    rows = described(SECTIONS[method])
    parameters = {
        name: parameter
        for name, parameter in inspect.signature(function).parameters.items()
        if name != "self" and parameter.kind is not inspect.Parameter.VAR_KEYWORD
    }
    assert set(rows) == set(parameters)
    for name, parameter in parameters.items():
        if parameter.default is inspect.Parameter.empty:
            assert rows[name] == "–", name
        else:
            assert ast.literal_eval(rows[name].strip("`")) == parameter.default, name
