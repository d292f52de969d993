"""Records of decisions have all their parts, are linked, and name what exists."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest
from document_blocks import ROOT, name_of

import imageloom

FOLDER = ROOT / "docs" / "decisions"
RECORDS = sorted(FOLDER.glob("[0-9]*.md"))
PARTS = ["Context", "Options", "Measurement", "Decision", "Consequences"]
LONGEST = 60  # lines: who wants more looks at the measurements

pytestmark = pytest.mark.skipif(not RECORDS, reason="an unpacked distribution has no documents")


def parts_of(path: Path) -> dict[str, str]:
    found = re.split(r"^## (.*)$", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return dict(zip(found[1::2], (part.strip() for part in found[2::2]), strict=True))


def test_they_are_numbered_without_a_gap() -> None:
    assert [int(path.name[:4]) for path in RECORDS] == list(range(len(RECORDS)))
    assert len(RECORDS) > 25


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_a_record_has_its_parts(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    title, _, when, *_ = text.splitlines()
    assert re.fullmatch(rf"# {int(path.name[:4])}\. \S.*", title)
    day, status = re.split(" · ", when)
    if path != RECORDS[0]:
        assert date.fromisoformat(day) >= date(2026, 11, 22), "before there was anything"
        assert re.fullmatch(r"accepted|proposed|replaced by \[\d+\]\(\d{4}-[\w-]+\.md\)", status)
    parts = parts_of(path)
    assert list(parts) == PARTS
    assert all(parts.values())
    assert parts["Options"].count("\n* ") >= 1, "there was a choice"
    assert len(text.splitlines()) <= LONGEST


@pytest.mark.parametrize("path", RECORDS[1:], ids=lambda path: path.stem)
def test_a_figure_settled_it(path: Path) -> None:
    assert re.search(r"\d", parts_of(path)["Measurement"])


@pytest.mark.parametrize("path", RECORDS[1:], ids=lambda path: path.stem)
def test_what_a_record_names_exists(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for named in re.findall(r"`((?:tests|benchmarks|tools|docs)/[\w./-]+)`", text):
        assert (ROOT / named).exists(), named
    modules = {found.name for found in Path(imageloom.__file__).parent.rglob("*.py")}
    modules |= {found.name for found in (ROOT / "tests").rglob("test_*.py")}
    assert set(re.findall(r"`(\w+\.py)`", text)) <= modules
    for number in re.findall(r"\bdecision (\d+)\b", text):
        assert int(number) < len(RECORDS)


def test_the_index_lists_them_with_title_and_date() -> None:
    rows = re.findall(
        r"^\| (\d+) \| \[(.+)\]\(([\w-]+\.md)\) \| ([\d-]+) \|$",
        (FOLDER / "index.md").read_text(encoding="utf-8"), re.MULTILINE,
    )  # fmt: skip
    assert [row[2] for row in rows] == [path.name for path in RECORDS[1:]]
    for number, title, name, day in rows:
        first, _, when = (FOLDER / name).read_text(encoding="utf-8").splitlines()[:3]
        assert first == f"# {number}. {title}"
        assert when.startswith(day)


@pytest.mark.parametrize("path", [ROOT / "ARCHITECTURE.md", ROOT / "CONTRIBUTING.md"], ids=name_of)
def test_contributors_are_led_there(path: Path) -> None:
    assert "(docs/decisions/index.md)" in path.read_text(encoding="utf-8")
