"""Tables and bars fit 60 columns, and colours appear where a terminal shows them."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

import pytest
from click.testing import CliRunner
from command_line import run
from PIL import Image

from imageloom._cli import main
from imageloom._cli.bench import _line
from imageloom._cli.measuring import Configuration, Rate
from imageloom._cli.terminal import COLUMNS, columns, cut, padded

NAMES = ("a", "猫" * 40, "x" * 90, "Übergrößenträger" * 4, "of\nlines", "e\u0301" * 50)


@pytest.fixture
def classes(tmp_path: Path) -> Path:
    """Classes with long names of all kinds."""
    for count, name in enumerate(NAMES, 1):
        (tmp_path / name).mkdir()
        for i in range(count):
            Image.new("RGB", (4 + i, 4), (20 * count, 9 * i, 0)).save(tmp_path / name / f"{i}.png")
    return tmp_path


def test_tables_and_bars_fit(classes: Path) -> None:
    text = run("inspect", classes, "--all").stdout
    rows = [line for line in text.splitlines() if re.match(r"  .*\d", line)]
    bars = [line for line in rows if line.endswith("#")]
    assert len(bars) == len(NAMES)
    assert all(columns(line) <= COLUMNS for line in rows)
    assert max(line.count("#") for line in bars) >= 10
    ends = {columns(line.rstrip("#")) for line in bars}
    assert len(ends) == 1, "counts stand one below the other"


def test_the_table_of_bench_fits() -> None:
    rate = Rate(
        Configuration("processes", 16, cache=True), 123456.7, 98765.4, 234567.8, 1, 1.0, 123.45, {}
    )
    quick = Rate(Configuration("serial", 1), 5.5, 4.4, 6.6, 1, 1.0, 0.1, {})
    assert len(_line(rate)) <= COLUMNS
    assert len(_line(quick)) == len(_line(rate))


def test_statistics_of_many_channels_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data" / "one").mkdir(parents=True)
    for i in range(3):
        Image.new("RGBA", (4, 4), (20 * i, 90, 10, 255 - i)).save(
            tmp_path / "data" / "one" / f"{i}.png"
        )
    words = ("--size", 4, 4, "--color-mode", "rgba", "--executor", "serial")
    lines = run("stats", "data", *words).stdout.splitlines()
    assert all(len(line) <= COLUMNS for line in lines[:2])


@pytest.mark.parametrize("room", [1, 4, 5, 12, 31])
@pytest.mark.parametrize("name", NAMES)
def test_names_are_cut_by_columns(name: str, room: int) -> None:
    name = name.replace("\n", "")
    short = cut(name, max(room, 5))
    assert columns(short) <= max(room, 5)
    assert columns(padded(name, max(room, 5))) == max(room, 5)
    if columns(name) > 40 and room > 10:
        assert short[0] == name[0]
        assert short[-1] == name[-1]
        assert "..." in short
    assert cut("猫犬", 4) == "猫犬"
    assert columns(unicodedata.normalize("NFD", "Ä")) == 1


@pytest.mark.parametrize(
    ("environment", "terminal", "coloured"),
    [
        ({}, False, False),
        ({}, True, True),
        ({"FORCE_COLOR": "1"}, False, True),
        ({"NO_COLOR": "1"}, True, False),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, True, False),
        ({"TERM": "dumb"}, True, False),
    ],
)
def test_colours(
    classes: Path,
    monkeypatch: pytest.MonkeyPatch,
    environment: dict[str, str],
    terminal: bool,
    coloured: bool,
) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    done = CliRunner().invoke(main, ["inspect", str(classes)], color=terminal)
    assert ("\x1b[" in done.stdout) == coloured
    failed = CliRunner().invoke(main, ["inspect", "memory://none"], color=terminal)
    assert ("\x1b[" in failed.stderr) == coloured
    assert failed.exit_code == 1
