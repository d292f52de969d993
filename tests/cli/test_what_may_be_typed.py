"""Whatever is typed: numbers of any size, ranges in both spellings, URLs for folders. No traceback."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
from click.testing import CliRunner
from command_line import run
from PIL import Image
from remote_support import zipped

from imageloom._cli import main
from imageloom._cli.values import paired

# Ranges


@pytest.mark.parametrize(
    ("typed", "passed"),
    [
        ("--zoom-range 0.8 1.2 x", "--zoom-range 0.8,1.2 x"),
        ("x --zoom-range 0.8 1.2", "x --zoom-range 0.8,1.2"),
        ("--zoom-range=0.8 1.2 x", "--zoom-range 0.8,1.2 x"),
        ("--zoom-range 0.8, 1.2 x", "--zoom-range 0.8,1.2 x"),
        ("--zoom-range 0.8,1.2 x", "--zoom-range 0.8,1.2 x"),
        ("--zoom-range 0.2 x", "--zoom-range 0.2 x"),
        ("--zoom-range 0.2 --versions 3", "--zoom-range 0.2 --versions 3"),
        ("--zoom-range 8e-1 12e-1", "--zoom-range 8e-1,12e-1"),
        (
            "--brightness-range 0.5 1.5 --contrast-range -1 2",
            "--brightness-range 0.5,1.5 --contrast-range -1,2",
        ),
        ("--zoom-range", "--zoom-range"),
        ("--size 8 8 x", "--size 8 8 x"),
        ("-- --zoom-range 0.8 1.2", "-- --zoom-range 0.8 1.2"),
    ],
)
def test_two_numbers_are_one_range(typed: str, passed: str) -> None:
    assert list(paired(typed.split())) == passed.split()


def test_a_folder_whose_name_is_a_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "2024").mkdir()
    assert list(paired(["--zoom-range", "0.2", "2024"])) == ["--zoom-range", "0.2", "2024"]
    assert list(paired(["--zoom-range", "0.2", "2025"])) == ["--zoom-range", "0.2,2025"]
    assert list(paired(["--contrast-range", "1", "2024"])) == ["--contrast-range", "1,2024"]


@pytest.mark.parametrize("words", [("0.5", "0.9"), ("0.5,0.9",), ("0.9", "0.9"), ("0.25",)])
def test_ranges_arrive(folder: Path, tmp_path: Path, words: tuple[str, ...]) -> None:
    out = tmp_path / "x.png"
    found = json.loads(
        run("preview", folder, "-o", out, "--versions", 2, "--zoom-range", *words, "--json").stdout
    )
    numbers = [float(word) for word in ",".join(words).split(",")]
    low, high = numbers if len(numbers) == 2 else (0.75, 1.25)
    drawn = [version["parameters"][key] for version in found["versions"] for key in ("zx", "zy")]
    assert low <= min(drawn) <= max(drawn) <= high


# No traceback

NUMBERS = (
    "100000000000000000000", "-1", "0", "1e308", "-1e308", "1e-320", "nan", "inf", "-inf", "", "²",
    "1_0", "0x10", "1e999999999", "9" * 5000, "a\0b", "\udcff", "1/0", "1/3", "true",
)  # fmt: skip
OPTIONS = {
    "preview": (
        "--size", "--rotation-range", "--width-shift-range", "--height-shift-range", "--shear-range",
        "--zoom-range", "--brightness-range", "--contrast-range", "--channel-shift-range", "--cval",
        "--interpolation-order", "--noise", "--fill-mode", "--geometry", "--seed", "--samples",
        "--versions", "-o", "--color-mode",
    ),
    "stats": ("--size", "--rescale", "--cores", "--executor", "--on-bad-image", "-o"),
    "bench": ("--size", "--seconds", "--cores", "--batch-size", "--executor"),
}  # fmt: skip


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny" / "class").mkdir(parents=True)
    Image.new("RGB", (4, 4), (9, 99, 199)).save(tmp_path / "tiny" / "class" / "x.png")
    return tmp_path / "tiny"


def invoked(*words: str) -> Any:
    result = CliRunner().invoke(main, words)
    assert result.exception is None or isinstance(result.exception, SystemExit), words
    assert "Traceback" not in result.output
    return result


@pytest.mark.parametrize(
    "option", [(command, option) for command in OPTIONS for option in OPTIONS[command]], ids=" ".join
)
def test_no_value_ends_in_a_traceback(tiny: Path, option: tuple[str, str]) -> None:
    command, name = option
    more = {
        "preview": ("--versions", "1", "--samples", "1"),
        "stats": ("--executor", "serial"),
        "bench": ("--executor", "serial", "--seconds", "0.1", "--no-cache"),
    }[command]
    more = () if name in more else more
    if command == "bench" and name not in ("--size", "--batch-size"):
        more = (*more, "--cores", "100000")  # refused before anything is measured
    if command == "stats" and name != "--executor":
        more = (*more, "--size", "4", "4") if name != "--size" else more
    for number in NUMBERS:
        values = (
            (number, number)
            if name in ("--size", "--brightness-range", "--contrast-range")
            else (number,)
        )
        result = invoked(command, str(tiny), *more, name, *values)
        assert result.exit_code in (0, 1, 2)
        if result.exit_code:
            (line,) = [each for each in result.stderr.splitlines() if each.startswith("Error: ")]
            assert len(line) < 6000
            assert "--traceback" not in line, "it was foreseen"


@pytest.mark.parametrize("command", ["inspect", "browse", "preview", "stats", "bench"])
@pytest.mark.parametrize(
    "name", ["a\0b", "x" * 5000, "", "\udcff", "nix://a/b", "zip://a", "memory://none"]
)
def test_no_folder_ends_in_a_traceback(tiny: Path, command: str, name: str) -> None:
    result = invoked(command, name)
    assert result.exit_code in (1, 2)
    assert "Error: " in result.stderr
    assert "--traceback" not in result.stderr


def test_an_unforeseen_error_is_one_line(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any, **__: Any) -> None:
        raise RuntimeError("of\nmany \x1b[31m lines")

    monkeypatch.setattr("imageloom._cli.findings.examine", fails)
    (line,) = invoked("inspect", str(tiny)).stderr.splitlines()
    assert line.startswith(r"Error: RuntimeError: of many \x1b[31m lines")
    result = CliRunner().invoke(main, ["--traceback", "inspect", str(tiny)])
    assert isinstance(result.exception, RuntimeError)


def test_images_that_do_not_fit_into_memory(tiny: Path) -> None:
    result = run("stats", tiny, "--size", 65535, 65535, status=2)
    assert "GB are free" in result.stderr


# URLs


@pytest.fixture(params=["zip", "memory", "file"])
def url(request: pytest.FixtureRequest, folder: Path, tmp_path: Path) -> Iterator[str]:
    """The data set by URL, with a placeholder for the folder in it."""
    memory = fsspec.filesystem("memory")
    for path in folder.rglob("*.*"):
        memory.pipe(f"/cli/{path.relative_to(folder)}", path.read_bytes())
    yield {
        "zip": f"zip://{{}}::{zipped(folder, tmp_path / 'x.zip')}",
        "file": f"file://{folder}/{{}}",
        "memory": "memory://cli/{}",
    }[request.param]
    memory.rm("/cli", recursive=True)


def test_inspect_by_url(folder: Path, url: str) -> None:
    for inside, status in (("", 0), ("coffee", 1)):  # there, the images lie directly in the folder
        told = json.loads(run("inspect", url.format(inside), "--json", status=status).stdout)
        expected = json.loads(run("inspect", folder / inside, "--json", status=status).stdout)
        for one in (told, expected):
            del one["folder"], one["other_files"]
            one["mistakes"] = [mistake["kind"] for mistake in one["mistakes"]]
        assert told["images"] > 2
        assert told == expected


def test_preview_by_url(folder: Path, tmp_path: Path, url: str) -> None:
    drawn = ("--rotation-range", 20, "--versions", 2, "--json", "-o", tmp_path / "x.png")
    for inside in ("", "coffee", "coffee/one.png"):
        told = json.loads(run("preview", url.format(inside), *drawn).stdout)["versions"]
        expected = json.loads(run("preview", folder / inside, *drawn).stdout)["versions"]
        assert [v["parameters"] for v in told] == [v["parameters"] for v in expected]


def test_stats_and_bench_by_url(folder: Path, tmp_path: Path, url: str) -> None:
    words = ("--size", 8, 8, "--executor", "serial", "--json")
    for inside in ("", "coffee"):
        told = json.loads(run("stats", url.format(inside), *words, "-o", tmp_path / "x.npz").stdout)
        expected = json.loads(run("stats", folder / inside, *words, "-o", tmp_path / "y.npz").stdout)
        np.testing.assert_array_equal(told["mean"], expected["mean"])
    told = json.loads(run("bench", url.format(""), *words, "--seconds", 0.1, "--no-cache").stdout)
    assert told["images"] > expected["images"]  # those of one class
