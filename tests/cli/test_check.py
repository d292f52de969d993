"""`imageloom check`: warnings of a program, up to its training, and of a folder."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from command_line import run
from PIL import Image

PROGRAM = """\
import sys, warnings
from imageloom import ImageDataGenerator
warnings.simplefilter("ignore")
print("printed")
train = ImageDataGenerator(rescale=255).flow_from_directory(
    sys.argv[1], (8, 8), batch_size=2
)
def validation():
    return ImageDataGenerator(brightness_range=(-1, 1)).flow_from_directory(sys.argv[1], (8, 8))
unread = validation()
"""


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for number in range(4):
        folder = tmp_path / "photos" / "ab"[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(number).integers(0, 255, (9, 9, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return tmp_path / "photos"


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.py").write_text(PROGRAM)
    return tmp_path / "train.py"


@pytest.mark.slow
def test_a_program_is_told_its_lines(photos: Path, program: Path) -> None:
    lines = run("check", program, photos, status=1).stdout.splitlines()
    assert lines[0].startswith("train.py:5: IL103 ")
    assert lines[1].startswith("train.py:9: IL106 ")
    assert lines[-1] == "2 findings in 2 flows: the program has ended."


@pytest.mark.slow
def test_the_training_is_not_run(photos: Path, program: Path, tmp_path: Path) -> None:
    training = "for step, batch in enumerate(train):\n    open(f'step{step}', 'w').close()\n"
    program.write_text(f"{PROGRAM}{training}")
    result = run("check", program, "--json", photos, status=1)
    found = json.loads(result.stdout)
    assert [one["code"] for one in found["findings"]] == ["IL103", "IL106"]
    assert "20 batches" in found["end"]
    assert len(list(tmp_path.glob("step*"))) == 19


@pytest.mark.slow
@pytest.mark.frameworks("keras")
def test_a_training_of_keras_is_not_run(photos: Path, program: Path, tmp_path: Path) -> None:
    training = (
        "import keras\n"
        "model = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(2)])\n"
        "model.compile('sgd', 'mse')\n"
        "model.fit(train)\n"
        "open('saved', 'w')\n"
    )
    program.write_text(f"{PROGRAM}{training}")
    text = run("check", program, photos, status=1).stdout
    assert "2 findings in 2 flows: a framework has asked for the first batch." in text
    assert not (tmp_path / "saved").exists()


@pytest.mark.slow
def test_a_program_that_fails(photos: Path, program: Path) -> None:
    program.write_text(f"{PROGRAM}1 / 0\n")
    text = run("check", program, photos, status=1).stdout
    assert "line 11: ZeroDivisionError: division by zero" in text
    assert "IL106" in text


@pytest.mark.slow
def test_a_program_without_faults(photos: Path, program: Path) -> None:
    good = PROGRAM.replace("255)", "1 / 255)").replace("-1, 1", "0.5, 1")
    program.write_text(good)
    assert run("check", program, photos).stdout == "0 findings in 2 flows: the program has ended.\n"
    program.write_text("print(1)")
    assert "no flow of imageloom" in run("check", program).stdout


@pytest.mark.slow
def test_a_program_that_does_not_end(program: Path) -> None:
    program.write_text("import threading\nthreading.Event().wait()\n")
    assert "ended after 2 seconds" in run("check", program, "--timeout", 2, status=1).stdout


def test_a_folder(photos: Path) -> None:
    assert run("check", photos).stdout == "0 findings in 4 of 4 images.\n"
    result = run("check", photos, "--rescale", 255, status=1)
    assert f"{photos.name}: IL103 " in result.stdout
    assert result.stderr == ""


def test_arguments_for_a_folder(photos: Path) -> None:
    assert "Only a program" in run("check", photos, "more", status=2).stderr
