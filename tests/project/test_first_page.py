"""The first page of the site, and README, tell figures that were measured."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from document_blocks import PAGES, ROOT, after_the_change, blocks_of, name_of
from PIL import Image

README, FIRST = ROOT / "README.md", ROOT / "docs" / "index.md"
NUMBER = re.compile(r"(?<![\w.,-])\d[\d,]*(?:\.\d+)?(?![\w-])")

pytestmark = pytest.mark.skipif(not PAGES, reason="an unpacked distribution has no documents")


def record(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((ROOT / f"benchmarks/results/{name}.json").read_text("utf-8"))
    return found


def rate(workload: str, peer: str, epoch: str = "first") -> float:
    found: float = record("comparison")["workloads"][workload]["summary"][peer][epoch]
    return found


def drawn(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(ROOT / "docs" / "drawings")  # where it looks for its neighbour
    spec = importlib.util.spec_from_file_location("speed", ROOT / "docs" / "drawings" / "speed.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def section(page: Path, heading: str) -> str:
    text = page.read_text(encoding="utf-8")
    begin = text.index(f"\n{heading}\n")
    level = heading.split(maxsplit=1)[0]
    end = re.search(rf"^#{{1,{len(level)}}} ", text[begin + len(heading) + 1 :], re.MULTILINE)
    return text[begin : begin + len(heading) + 1 + end.start()] if end else text[begin:]


def rows(text: str) -> list[list[str]]:
    """The cells of a table, without its head."""
    table = re.findall(r"^\| ?(.*?) \|$", text, re.MULTILINE)
    return [[cell.strip() for cell in row.split(" |")] for row in table[1:]]


@pytest.mark.parametrize("page", [README, FIRST], ids=name_of)
def test_charts_are_described_with_their_figures(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    described = dict(re.findall(r"!\[([^]]*)\]\((\S+\.svg)\)", page.read_text(encoding="utf-8")))
    described = {Path(file).stem: words for words, file in described.items()}
    charts = drawn(monkeypatch).CHARTS
    assert set(described) == set(charts)
    for name, make in charts.items():
        chart = make()
        told = {float(number.replace(",", "")) for number in NUMBER.findall(described[name])}
        values = {float(round(value)) for _, value in chart.bars}
        assert values <= told, name
        cores = {2.0, 16.0, 8.0}  # words of the sentences
        assert told <= values | cores, name


def test_charts_of_growth_are_described_with_their_figures() -> None:
    text = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
    described = re.findall(r"!\[([^]]*)\]\(drawings/growth-[\w-]+\.svg\)", text)
    curves = record("growth")["curves"]
    assert len(described) == len(curves)
    for words, curve in zip(described, curves, strict=True):
        told = re.findall(r"([\d,]+)\sgives\s([\d,]+)(?:,\s|$)", words)
        assert told == [(f"{int(point):,}", f"{rate:,.0f}") for point, rate in curve["rates"].items()]


def test_charts_of_all_libraries_show_what_the_tables_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn(monkeypatch)
    rates = importlib.import_module("rates")
    text = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
    for name, make in rates.CHARTS.items():
        assert f"(drawings/{name}.svg)" in text
        chart = make()
        for bar, value in chart.bars:
            assert re.search(rf"^\|.*\b{re.escape(bar)} \|.* {value:,.0f} \|", text, re.MULTILINE), bar


def test_readme_tells_measured_figures() -> None:
    fast = re.search(
        r"^\* \*\*Fast\*\*: (.*?)(?=^\S)", README.read_text("utf-8"), re.DOTALL | re.MULTILINE
    )
    assert fast is not None
    photographs, gpu = rate("photographs", "imageloom"), record("gpu")["images_per_second"]["torch"]
    origin = record("origin")["ratios"]
    best = {
        "photographs": rate("photographs", "torch", "later"),
        "cells": rate("cells", "tfdata-cache", "later"),
    }
    ahead = [rate(work, "imageloom-cache", "later") / rival for work, rival in best.items()]
    measured = [
        f"{photographs:,.0f}",
        f"{photographs / rate('photographs', 'keras'):.0f}",
        f"{photographs / rate('photographs', 'tfdata'):.1f}",
        f"{photographs / rate('photographs', 'torch'):.1f}",
        f"{rate('photographs', 'imageloom-cache', 'later'):,.0f}",
        f"{rate('cells', 'imageloom'):,.0f}",
        f"{rate('cells', 'imageloom-cache', 'later'):,.0f}",
        f"{min(ahead):.0f}",
        f"{max(ahead):.0f}",
        f"{100 * gpu['cache, device'] / gpu['there already']:.0f}",
        f"{origin['imageloom: x MLTK']:.1f}",
        f"{origin['imageloom, cache: x MLTK']:.1f}",
    ]
    assert NUMBER.findall(fast[1]) == measured


def test_the_first_page_tells_measured_rates() -> None:
    sixteen = record("sixteen_cores")["images_per_second"]
    peers = {"imageloom": "imageloom-cache", "torch": None, "tfdata": "tfdata-cache", "keras": None}

    def shown(value: float | None, digits: int = 0) -> str:
        return "keeps none" if value is None else f"{value:,.{digits}f}"

    expected = []
    for work in ("photographs", "cells"):
        expected.append([shown(rate(work, peer)) for peer in peers])
        kept = [cache and rate(work, cache, "later") for cache in peers.values()]
        expected.append([shown(value or None) for value in kept])
    expected.append([shown(rate("photographs", peer, "seconds_to_first_batch"), 1) for peer in peers])
    expected.append(
        [shown(sixteen[name]) for name in ("imageloom, 16 processes", "torch DataLoader, 16 workers")]
        + 2 * ["not measured"]
    )
    gpu, earlier = record("gpu")["images_per_second"]["torch"], record("sixteen_cores")["training"]
    cached, finished = (
        f"{100 * gpu[name] / gpu['there already']:.0f} %"
        for name in ("cache, device", "first epoch, finish on the device")
    )
    torch = f"{100 * earlier['torch DataLoader, pinned memory'] / earlier['there already']:.0f} %"
    expected.append(
        [
            f"{cached} from the cache, {finished} in the first epoch, with its last steps there",
            f"{torch}, measured before",
        ]
        + 2 * ["not measured"]
    )
    told = [row[1:] for row in rows(section(FIRST, "### Who is faster where"))]
    assert [[cell.replace("*", "") for cell in row] for row in told] == expected
    floor = rate("photographs", "floor")
    assert f"half of the time: {floor:,.0f} a second" in FIRST.read_text("utf-8")
    assert floor / rate("photographs", "imageloom") < 2


def test_the_record_of_sixteen_cores_is_what_the_page_about_performance_tells() -> None:
    found = record("sixteen_cores")
    text = section(ROOT / "docs" / "performance.md", "## Sixteen cores and a GPU")
    for value in found["images_per_second"].values():
        assert f"{value:,}" in text
    told = {row[0]: row[1] for row in rows(text) if len(row) == 5}
    training = found["training"]
    assert told["batches that are there already"] == f"{training['there already']:,}"
    assert told["torch DataLoader, pinned memory"] == f"{training['torch DataLoader, pinned memory']:,}"


def test_what_the_charts_leave_out_is_told() -> None:
    training = record("sixteen_cores")["training"]
    share = training["imageloom, first epoch"] / training["there already"]
    assert f"in which imageloom had {100 * share:.0f} % in the first epoch" in FIRST.read_text("utf-8")


def test_each_table_compares_the_same_projects() -> None:
    headings = ["### What each is", "### Numbers, workers and failures", "### Data and devices"]
    tables = [rows(section(FIRST, heading)) for heading in headings]
    for table in tables:
        assert len({len(row) for row in table}) == 1
        assert len(table) == 9
    words = [
        [set(re.findall(r"\w{4,}", re.sub(r"\]\[\S+\]", "]", row[0]))) for row in table]
        for table in tables
    ]
    for named, *again in zip(*words, strict=True):
        assert all(one <= named for one in again)


def test_each_source_is_named_once_and_used() -> None:
    text = FIRST.read_text(encoding="utf-8")
    sources = re.findall(r"^\[([\w-]+)\]: https://\S+$", text, re.MULTILINE)
    assert len(sources) == len(set(sources))
    assert set(sources) == set(re.findall(r"\]\[([\w-]+)\]", text))


@pytest.mark.slow
def test_the_change_is_all_that_a_script_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    changes = [
        block for page in (README, FIRST) for block in blocks_of(page) if block.language == "diff"
    ]
    first, second = changes
    assert first.code == second.code
    before = [line[1:] for line in first.code.splitlines() if not line.startswith("+")]
    after = after_the_change(first).splitlines()
    assert len(before) == len(after)
    assert sum(old != new for old, new in zip(before, after, strict=True)) == 1

    monkeypatch.chdir(tmp_path)
    Path("photos", "a").mkdir(parents=True)
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save("photos/a/1.png")
    fed: list[tuple[int, ...]] = []

    class Model:
        """Takes what `fit` is given."""

        def fit(self, batches: Any, epochs: int) -> None:
            assert epochs == 5
            with batches:
                fed.append(next(batches)[0].shape)

    exec(after_the_change(first), {"model": Model()})
    assert fed == [(1, 256, 256, 3)]
