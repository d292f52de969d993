"""The command line as a user calls it: help, errors, and `imageloom preview`.

How they end, at pipes and at Ctrl-C, is in `test_command_line_endings.py`.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
from command_line import run
from PIL import Image
from programs import run_program

from imageloom import ImageDataGenerator, __version__
from imageloom import _options as library_options
from imageloom._cli import arguments, main

COMMANDS = ("inspect", "browse", "preview", "stats", "bench")


# Help and errors


@pytest.mark.parametrize("command", COMMANDS)
def test_help_is_worth_reading(command: str) -> None:
    text = run(command, "--help").output
    assert re.search(rf"{command} \[OPTIONS\] DIR", text)
    found = [p for p in main.commands[command].params if isinstance(p, click.Option)]
    assert all(option.help for option in found)
    examples = text[text.index("Examples:") :].splitlines()[1:]
    assert len(examples) >= 2
    assert all(len(line) < 90 and line.startswith("  ") for line in examples), "each on its own line"


@pytest.mark.parametrize("command", COMMANDS)
def test_the_examples_of_help_are_right(command: str) -> None:
    """As far as the command line goes: every option is known, every value can be read."""
    text = run(command, "--help").output
    for line in text[text.index("Examples:") :].splitlines()[1:]:
        call = line.strip().partition(" | ")[0].split()
        if call[0] == "imageloom":
            words = [word.replace("photos", ".").replace("digits", ".") for word in call[2:]]
            words = [
                "." if word in ("cat.jpg", "labels.csv") else word for word in words if word != "-o"
            ]
            words = [word for word in words if not word.endswith((".png", ".npz"))]
            main.commands[command].make_context(command, words)


def test_options_stand_in_sections() -> None:
    text = run("preview", "--help").output
    sections = re.findall(r"^(\w+):", text, re.MULTILINE)[1:]  # the first is the usage
    assert sections == ["Sheet", "Reading", "Augmentation", "Options", "Examples"]
    words = " ".join(text.split())
    assert "[default: 4, or all" in words
    assert "[default: nearest]" in words


def test_choices_are_the_librarys() -> None:
    for name in ("FILL_MODES", "INTERPOLATIONS", "NOISE_NAMES"):
        assert getattr(arguments, name) == getattr(library_options, name)
    known = {option.partition(" ")[0] for option, _ in arguments._AUGMENTATION}
    generator = ImageDataGenerator()
    assert all(hasattr(generator, name[2:].replace("-", "_")) for name in known)


def test_the_program_itself() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "imageloom", "--version"], capture_output=True, text=True, check=True
    )
    assert __version__ in done.stdout
    text = run("--help").output
    assert [text.index(f"  {command} ") for command in COMMANDS] == sorted(
        text.index(f"  {command} ") for command in COMMANDS
    )


def test_help_loads_nothing_heavy(tmp_path: Path) -> None:
    done = run_program("cli/help_alone.py", cwd=tmp_path, timeout=60)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_a_folder_that_is_not_there(command: str, tmp_path: Path) -> None:
    assert "nowhere" in run(command, tmp_path / "nowhere", status=2).stderr


@pytest.mark.parametrize("command", ["browse", "preview", "stats", "bench"])
def test_a_folder_without_images(command: str, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    result = run(command, tmp_path / "empty", status=1)
    assert "no images" in result.stderr
    assert result.stdout == ""
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]


def test_what_the_library_finds_fault_with_is_a_line_and_where_it_is_explained(
    folder: Path, tmp_path: Path
) -> None:
    result = run("preview", folder, "-o", tmp_path / "x.png", "--shear-range", "nan", status=1)
    assert result.stdout == ""
    line, where = result.stderr.splitlines()
    assert line.startswith("Error: ")
    assert "shear_range" in line
    assert where.startswith("What to do: imageloom explain InvalidArgumentError, or ")
    assert not (tmp_path / "x.png").exists()


@pytest.mark.parametrize(
    "words",
    [
        ("preview", "--size", "0", "5"),
        ("preview", "-o", "sheet.txt"),
        ("preview", "-o", "nowhere/sheet.png"),
        ("preview", "--zoom-range", "1,2,3"),
        ("preview", "--zoom-range", "much"),
        ("preview", "--noise", "loud"),
        ("stats", "-o", "stats.png"),
        ("stats", "--cores", "-5"),
        ("stats", "--cores", "many"),
        ("stats", "--rescale", "1/0"),
        ("bench", "--seconds", "0"),
        ("bench", "--cores", "100000"),
        ("inspect", "--what"),
    ],
    ids=" ".join,
)
def test_a_wrong_command_line_has_status_2(folder: Path, words: tuple[str, ...]) -> None:
    result = run(words[0], folder, *words[1:], status=2)
    assert result.stdout == ""
    assert words[1] in result.stderr or "DIR" in result.stderr


# preview

DRAWN = (
    "--size", 60, 80, "--rotation-range", 30, "--horizontal-flip", "--brightness-range", 0.5, 1.5,
    "--samples", 3, "--versions", 2, "--noise", "gauss", "--zoom-range", "0.5,0.9",
)  # fmt: skip


def test_a_sheet_is_drawn(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "sheet.png"
    result = run("preview", folder, "-o", out, *DRAWN)
    assert result.stdout == f"{out}\n"
    with Image.open(out) as sheet:
        assert sheet.width > 3 * 240
        assert sheet.height > 3 * 180
    run("preview", folder, "-o", tmp_path / "again.png", *DRAWN)
    assert out.read_bytes() == (tmp_path / "again.png").read_bytes(), "the same seed, the same sheet"


def test_what_was_drawn_as_json(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "sheet.webp"
    found = json.loads(run("preview", folder, "-o", out, *DRAWN, "--json").stdout)
    assert found["file"] == str(out)
    assert len(found["versions"]) == 6
    for version in found["versions"]:
        assert (folder / version["file"]).exists()
        assert 0.5 <= version["parameters"]["zx"] <= 0.9
        assert 0.5 <= version["parameters"]["brightness"] <= 1.5
        assert "gauss" in version["parameters"]["noise"]


def test_images_without_classes(folder: Path, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    out = tmp_path / "sheet.jpg"
    run("preview", folder / "coffee", "-o", out, "--samples", 2)
    with Image.open(out) as sheet:
        assert sheet.format == "JPEG"
    files = sorted((folder / "coffee").iterdir())
    found = json.loads(run("preview", *files, "-o", out, "--versions", 1, "--json").stdout)
    assert len(found["versions"]) == len(files)
    assert sorted(tmp_path.rglob("*")) == sorted([*before, out]), "no index is left beside them"
