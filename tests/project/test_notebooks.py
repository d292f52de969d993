"""The notebooks run in any folder, and are kept with what they show."""

from __future__ import annotations

import base64
import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from example_runs import EXAMPLES, SECONDS, run
from PIL import Image

WRITE_NOTEBOOKS = EXAMPLES.parent / "tools" / "write_notebooks.py"
NAMES = sorted(path.stem for path in EXAMPLES.glob("*.ipynb"))

pytestmark = [
    pytest.mark.skipif(not EXAMPLES.is_dir(), reason="an unpacked distribution has no examples"),
    pytest.mark.timeout(SECONDS + 20),
    pytest.mark.frameworks("keras", "sklearn"),
]


def outputs(cell: dict[str, Any]) -> dict[str, str]:
    """The outputs of a cell by their type; text comes joined."""
    found: dict[str, str] = {}
    for output in cell["outputs"]:
        data = output.get("data", {"printed": output.get("text", "")})
        found |= {kind: "".join(text) for kind, text in data.items()}
    return found


def shown_image(cell: dict[str, Any]) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(outputs(cell)["image/jpeg"])))


def execute(name: str, folder: Path) -> list[dict[str, Any]]:
    """The code cells of a notebook, run in an empty folder."""
    pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    done = run(folder, str(WRITE_NOTEBOOKS), name, "--into", str(folder))
    assert done.returncode == 0, done.stderr
    return code_cells(folder / f"{name}.ipynb")


@pytest.fixture(scope="module")
def tour(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    return execute("tour", tmp_path_factory.mktemp("notebook"))


def code_cells(notebook: Path) -> list[dict[str, Any]]:
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return [cell for cell in cells if cell["cell_type"] == "code"]


@pytest.mark.slow
def test_the_tour(tour: list[dict[str, Any]]) -> None:
    _, table, sheet, rain, negatives, training, report, resumed, masks = tour
    html = outputs(table)["text/html"]
    counts = dict(re.findall(r">(\w+)</td><td[^>]*>(\d+)</td>", html))
    assert counts["chelsea"] == "16"
    assert list(counts.values()) == 10 * ["16"]
    assert html.count("<img") == 8
    assert shown_image(sheet).width > 5 * 144
    # Hooks of the notebook's own ran in worker processes.
    assert np.mean(np.asarray(shown_image(rain)) > 200) > 0.01
    assert np.asarray(shown_image(negatives)).std() > 20
    first, last = map(float, re.findall(r"\d\.\d+", outputs(training)["printed"]))
    assert last > max(0.5, first)
    assert "ms an image" in outputs(report)["printed"]
    assert outputs(resumed)["printed"].endswith("the same batch: True\n")
    assert "numbers in the masks: [0 1]" in outputs(masks)["printed"]
    assert shown_image(masks).size == (6 * 128, 2 * 128)


@pytest.mark.slow
def test_the_outputs_of_the_tour_are_those_that_are_kept(tour: list[dict[str, Any]]) -> None:
    """`python tools/write_notebooks.py tour` makes them anew."""
    assert_kept("tour", tour)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in NAMES if name != "tour"])
def test_the_outputs_that_are_kept_are_those_that_a_notebook_gives(name: str, tmp_path: Path) -> None:
    assert_kept(name, execute(name, tmp_path))


def assert_kept(name: str, executed: list[dict[str, Any]]) -> None:
    kept = code_cells(EXAMPLES / f"{name}.ipynb")
    assert [cell["source"] for cell in kept] == [cell["source"] for cell in executed]
    assert [outline(cell) for cell in kept] == [outline(cell) for cell in executed]
    assert [cell["execution_count"] for cell in kept] == list(range(1, len(kept) + 1))


def outline(cell: dict[str, Any]) -> dict[str, str]:
    """What the outputs of a cell have to be; of pictures and of what varies, that they are there."""
    found = outputs(cell)
    for kind, text in found.items():
        if kind.startswith("image/"):
            found[kind] = "a picture"
        elif "varies" in cell["metadata"].get("tags", []):
            beginning = " ".join(text.split()[:3])
            if beginning in ("The model waits", "The program itself"):
                beginning = "a verdict"
            lines = [" ".join(line.split()) for line in text.splitlines()[1:]]  # columns are as wide as
            lines = [line for line in lines if not re.search(r"\d", line)]  # their numbers
            # On a quick machine, workers may not be worth their start, and then none is idle.
            lines = [line.removesuffix(" idle") for line in lines]
            found[kind] = "\n".join([re.sub(r"\d", "9", beginning), *lines])
        else:
            found[kind] = re.sub(r"base64,[^\"]*", "a picture", text)
    return found


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_is_small_and_tells_nothing_of_the_machine(name: str) -> None:
    path = EXAMPLES / f"{name}.ipynb"
    assert path.stat().st_size < (400_000 if name == "tour" else 300_000)
    cells = code_cells(path)
    shown = "\n".join(
        text for cell in cells for kind, text in outputs(cell).items() if "image" not in kind
    )
    assert (
        re.findall(r"absl|ipykernel|Traceback|Warning|(?<![\w<])/(?:home|root|tmp|usr)/", shown) == []
    )
    assert all(output["output_type"] != "error" for cell in cells for output in cell["outputs"])
