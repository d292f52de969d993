"""`imageloom check`: warnings of a program, up to its training, and of a folder."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from command_line import run
from PIL import Image
from programs import PROGRAMS

PROGRAM = PROGRAMS / "cli/checked.py"


def line_of(mark: str) -> int:
    lines = PROGRAM.read_text(encoding="utf-8").splitlines()
    (number,) = (n for n, line in enumerate(lines, 1) if line.endswith(f"# {mark}"))
    return number


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Four images of two classes, in the current folder."""
    monkeypatch.chdir(tmp_path)
    for number in range(4):
        folder = tmp_path / "photos" / "ab"[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(number).integers(0, 255, (9, 9, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return tmp_path / "photos"


@pytest.mark.slow
def test_a_program_is_told_its_lines(photos: Path) -> None:
    lines = run("check", PROGRAM, photos, "ends", status=1).stdout.splitlines()
    place = os.path.relpath(PROGRAM)
    assert lines[0].startswith(f"{place}:{line_of('the first flow')}: IL103 ")
    assert lines[1].startswith(f"{place}:{line_of('the second flow')}: IL106 ")
    assert lines[-1] == "2 findings in 2 flows: the program has ended."
    assert len(lines) == 4


@pytest.mark.slow
def test_the_training_is_not_run(photos: Path) -> None:
    found = json.loads(run("check", PROGRAM, "--json", photos, "loop", status=1).stdout)
    assert [one["code"] for one in found["findings"]] == ["IL103", "IL106"]
    assert "20 batches" in found["end"]
    assert len(list(photos.parent.glob("step*"))) == 19


@pytest.mark.slow
@pytest.mark.frameworks("keras")
def test_a_training_of_keras_is_not_run(photos: Path) -> None:
    text = run("check", PROGRAM, photos, "keras", status=1).stdout
    assert "2 findings in 2 flows: a framework has asked for the first batch." in text
    assert not (photos.parent / "saved").exists()


@pytest.mark.slow
def test_a_program_that_fails(photos: Path) -> None:
    text = run("check", PROGRAM, photos, "fails", status=1).stdout
    assert f"line {line_of('fails')}: ZeroDivisionError: division by zero" in text
    assert "IL106" in text


@pytest.mark.slow
def test_a_program_without_faults(photos: Path) -> None:
    end = "0 findings in 2 flows: the program has ended.\n"
    assert run("check", PROGRAM, photos, "good").stdout == end
    assert "no flow of imageloom" in run("check", PROGRAM, photos, "nothing").stdout


@pytest.mark.slow
def test_a_program_that_does_not_end(photos: Path) -> None:
    result = run("check", PROGRAM, "--timeout", 2, photos, "endless", status=1)
    assert "ended after 2 seconds" in result.stdout


def test_a_folder(photos: Path) -> None:
    assert run("check", photos).stdout == "0 findings in 4 of 4 images.\n"
    result = run("check", photos, "--rescale", 255, status=1)
    assert result.stdout.startswith("photos: IL103 ")
    assert result.stderr == ""


def test_arguments_for_a_folder(photos: Path) -> None:
    assert "Only a program" in run("check", photos, "more", status=2).stderr
