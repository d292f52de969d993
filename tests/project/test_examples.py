"""The examples run, tell what they promise, and leave nothing behind."""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from example_runs import EXAMPLES, SECONDS, run
from PIL import Image

pytestmark = [
    pytest.mark.skipif(not EXAMPLES.is_dir(), reason="an unpacked distribution has no examples"),
    pytest.mark.timeout(SECONDS + 20),
    pytest.mark.frameworks("keras", "sklearn"),
]


@pytest.fixture
def examples(tmp_path: Path) -> Path:
    """A copy of the folder, beside which the examples find nothing that an earlier run has written."""
    return shutil.copytree(
        EXAMPLES, tmp_path / "examples", ignore=shutil.ignore_patterns("__pycache__", ".ipynb*")
    )


def told(pattern: str, done: subprocess.CompletedProcess[str]) -> re.Match[str]:
    """Where something stands in what was printed."""
    found = re.search(pattern, done.stdout)
    assert found is not None, f"no {pattern!r} in:\n{done.stdout}\n{done.stderr}"
    return found


@pytest.mark.long
def test_segmentation(examples: Path) -> None:
    done = run(examples, "segmentation.py", "--epochs", "3")
    iou, by_threshold = map(float, told(r"never seen: (\S+) \(by a threshold (\S+)\)", done).groups())
    assert 0.6 < iou < 1
    assert by_threshold == pytest.approx(0.81, abs=0.05)
    assert done.returncode == (0 if iou >= 0.85 else 1), done.stderr
    with Image.open(examples.parent / "build/examples/segmentation/training.png") as sheet:
        images, masks = np.split(np.asarray(sheet), 2)
    assert set(np.unique(masks)) == {0, 255}
    assert len(np.unique(images)) > 100
    # Coins are brighter than what they lie on, where they have been turned as their masks.
    assert images[masks == 255].mean() > images[masks == 0].mean() + 20


@pytest.mark.long
def test_tinyml(examples: Path) -> None:
    done = run(examples, "tinyml.py", "--epochs", "3", "--samples", "96")
    assert ast.literal_eval(told(r"learn from: (.*)", done)[1]) == dict.fromkeys(
        ("brick", "grass", "gravel"), 96
    )
    rows = [
        [int(n) for n in re.findall(r": (\d+)", row)] for row in re.findall("taken for.*", done.stdout)
    ]
    confusion = np.array(rows)
    assert confusion.sum(axis=1).tolist() == [28, 28, 28]
    accuracy = float(told(r"never seen: (\S+)%", done)[1]) / 100
    assert accuracy == pytest.approx(confusion.trace() / 84, abs=1e-3)
    assert done.returncode == (0 if accuracy >= 0.9 else 1), done.stderr
    parameters = int(told(r"([\d,]+) parameters", done)[1].replace(",", ""))
    assert 1000 < parameters < 10_000
    assert (examples.parent / "build/examples/tinyml/augmentation.png").is_file()


@pytest.mark.long
def test_unclean_folder(examples: Path) -> None:
    done = run(examples, "unclean_folder.py", "--epochs", "2", "--die-after", "25")
    told(r"unreadable", done)
    killed = told(r"Killed \(status (\S+)\)\. Saved: batch (\d+)", done)
    assert killed[1] != "0"
    assert killed[2] == "20"
    told(r"Goes on at batch 20, in epoch 1", done)
    steps = {int(n) for n in re.findall(r"^(\d+)/\1", done.stdout, re.MULTILINE)}
    saved = json.loads((examples.parent / "build/examples/unclean_folder/position.json").read_text())
    assert (saved["epoch"], saved["iterator"]["position"]) == (2, 20 + 2 * steps.pop())
    bad = re.findall(r"^  '(\d/\d+\.png)' by", done.stdout, re.MULTILINE)
    spoilt = [
        re.search(re.escape(name) + ".*(empty|truncated|known format)", done.stdout) for name in bad
    ]
    assert len(bad) > 3
    assert all(spoilt)
    recall = [int(n) for n in re.findall(r"\d: (\d+)%", told("Recall by digit.*", done)[0])]
    assert len(recall) == 10
    assert done.returncode == (0 if min(recall[8:]) >= 70 else 1), done.stderr


@pytest.mark.long
@pytest.mark.parametrize("name", ["demo", "segmentation", "tinyml", "unclean_folder"])
def test_models_become_good_enough(examples: Path, name: str) -> None:
    done = run(examples, f"{name}.py")
    assert done.returncode == 0, done.stdout + done.stderr
