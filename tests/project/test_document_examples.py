"""Every code block of the documents runs, in order, as it does for a reader who pastes it."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
from document_blocks import (
    DOCUMENTS,
    PAGES,
    ROOT,
    SNIPPET,
    blocks_of,
    imports_of,
    name_of,
    run_page,
)  # fmt: skip
from programs import PROGRAMS, environment_of
from releases import release_of

# Blocks that are no code: page -> why, by the first line of each.
NOT_RUN = {
    "ARCHITECTURE.md": {
        "_api         the user's arguments, checked and frozen, become an iterator": "a drawing",
        "__main__": "the list of layers",
    },
    "docs/how-to/kaggle-and-colab.md": {
        'resume = imageloom.ResumeCallback(train, "/content/drive/MyDrive/run/position.json", '
        "save_freq=200)": "the page about resuming runs it",
    },
    "docs/how-to/mixed-precision.md": {
        'for images, labels in train.to_torch_dataset(device="cuda"):  # uint8': "needs a GPU",
    },
    "docs/how-to/splits.md": {
        'train = generator.flow_from_directory("scans", subset="training", seed=1)': "in short",
        'train = augmented.flow_from_directory("data/train", classes=["ill", "well"])': "your data",
    },
    "docs/how-to/tensorboard-and-wandb.md": {
        'callbacks = [imageloom.ReportCallback(train), keras.callbacks.TensorBoard("logs")]': (
            "the answer in short"
        ),
    },
    "docs/how-to/why-is-my-gpu-idle.md": {
        "print(train.report())  # after some batches, or at the end of `fit`": "the answer in short",
        "model.fit(train, callbacks=[imageloom.ReportCallback(train), "
        'keras.callbacks.TensorBoard("logs")])': "the page about TensorBoard runs it",
    },
    "docs/how-to/data-parallel.md": {
        "data = strategy.distribute_datasets_from_function(lambda context: train.to_tf_dataset())": (
            "several machines with TensorFlow"
        ),
    },
}
# Python blocks that run where a package is that the tests do not install: page -> their first line,
# and the package. Their authors have run them.
OPTIONAL = {
    "docs/how-to/tensorboard-and-wandb.md": {"import wandb": "wandb", "import mlflow": "mlflow"},
    # The wheels of PyPI are built for a torch with CUDA.
    "docs/coming-from-torch.md": {"# With torchvision:": "torchvision"},
}
# Pages that train for long, or in several processes.
TRAINING = ("docs/how-to/tinyml.md", "docs/how-to/data-parallel.md", "docs/how-to/splits.md")
# The Keras that a page needs, where the oldest supported one is not enough.
NEEDS_KERAS = {"docs/how-to/data-parallel.md": (3, 11)}

pytestmark = pytest.mark.skipif(not PAGES, reason="an unpacked distribution has no documents")


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "path", [path for path in DOCUMENTS if name_of(path) not in TRAINING], ids=name_of
)
def test_every_block_runs(path: Path, tmp_path: Path) -> None:
    assert_blocks_run(path, tmp_path)


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("path", [path for path in DOCUMENTS if name_of(path) in TRAINING], ids=name_of)
def test_every_block_of_a_page_that_trains_runs(path: Path, tmp_path: Path) -> None:
    assert_blocks_run(path, tmp_path)


def assert_blocks_run(path: Path, tmp_path: Path) -> None:
    left = run_elsewhere(path, tmp_path)
    assert sorted(left) == sorted([*NOT_RUN.get(name_of(path), {}), *left_out_of(path)])


@pytest.mark.long
def test_the_model_of_readme_is_trained(tmp_path: Path) -> None:
    assert run_elsewhere(ROOT / "README.md", tmp_path, small=False) == []


def left_out_of(path: Path) -> list[str]:
    """The first lines of blocks whose package is not installed."""
    optional = OPTIONAL.get(name_of(path), {})
    return [line for line, module in optional.items() if find_spec(module) is None]


def run_elsewhere(path: Path, empty: Path, small: bool = True) -> list[str]:
    """Runs a page in a process and in a folder of its own, where nothing is prepared for it."""
    page, left_out = name_of(path), left_out_of(path)
    missing = {module for module in imports_of(path, left_out) if find_spec(module) is None}
    if missing:
        pytest.skip(f"not installed: {missing}")
    if release_of("keras") < NEEDS_KERAS.get(page, ()):
        pytest.skip("needs Keras {}.{} or newer".format(*NEEDS_KERAS[page]))
    options = ["--small"] if small and "keras.applications" in path.read_text(encoding="utf-8") else []
    options += [word for line in left_out for word in ("--leave-out", line)]
    environment = environment_of({"PYTHONIOENCODING": "utf-8"})
    environment.pop("KERAS_BACKEND", None)
    done = subprocess.run(
        [sys.executable, str(PROGRAMS / "project/run_page.py"), str(path), *options],
        cwd=empty, env=environment, stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8",
        timeout=280 if small else 1500, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    # Pages do not show what they warn of.
    assert "Warning: IL" not in done.stderr, done.stderr
    assert "[IL" not in done.stderr, done.stderr
    return [line for line in done.stdout.splitlines() if line]


# With many functions that go to workers, and no commands.
PAGES_OF_PYTHON = ["docs/how-to/hooks.md", "docs/coming-from-mltk.md"]


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES_OF_PYTHON)
def test_blocks_run_in_a_real_interpreter(page: str, tmp_path: Path) -> None:
    blocks = [block.code for block in blocks_of(ROOT / page) if block.language == "python"]
    done = subprocess.run(
        [sys.executable, "-i", "-q"], input="\n".join([*blocks, "print('the end')\n"]), cwd=tmp_path,
        env=environment_of(), capture_output=True, encoding="utf-8", timeout=100, check=False,
    )  # fmt: skip
    assert done.stdout.endswith("the end\n")
    assert "Error" not in done.stderr, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES_OF_PYTHON)
def test_blocks_run_as_the_cells_of_a_notebook(page: str, tmp_path: Path) -> None:
    pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    cells = [block.code for block in blocks_of(ROOT / page) if block.language == "python"]
    (tmp_path / "cells.json").write_text(json.dumps(cells), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(PROGRAMS / "project/run_cells.py"), "cells.json"],
        cwd=tmp_path, env=environment_of(), capture_output=True, encoding="utf-8", timeout=100,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_blocks_that_do_not_run_are_there() -> None:
    for page, blocks in [*NOT_RUN.items(), *OPTIONAL.items()]:
        assert set(blocks) <= {block.first_line for block in blocks_of(ROOT / page)}


# What makes a document fail


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("```python\nprint(1)\n```\n\n```text\n2\n```\n", "it printed\n1"),
        ("1. A list\n\n   ```python\n   assert 1 == 2, 'so'\n   ```\n", "so"),
        ("```console\n$ imageloom inspect photos\n7 images\n```\n", "50 images of 10 classes"),
        ("```sh\nimageloom inspect nowhere\n```\n", "nowhere"),
        ("```sh\npip install imageloom[none]\n```\n", r"imageloom\[none\]"),
        ("```sh\nmake nonsense\n```\n", "nonsense"),
        ("```diff\n-import keras\n+from imageloom import Nothing\n```\n", "no Nothing in imageloom"),
    ],
)
def test_what_is_not_true_is_noticed(
    text: str, wrong: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    page = tmp_path / "page.md"
    photos = SNIPPET.read_text(encoding="utf-8") if "photos" in text else "pass"
    page.write_text(f"```python\n{photos}\n```\n\n{text}", encoding="utf-8")
    with pytest.raises(AssertionError, match=wrong):
        list(run_page(page, {}))


@pytest.mark.parametrize(
    "code",
    [
        "with open(__file__) as file:\n    pass\nprint(1)",
        "class A:\n    a = 1\n\n    b = 2",
        "if True:\n    a = 1\n\nelse:\n    b = 2",
        "print(1",
    ],
)
def test_code_that_cannot_be_pasted_is_noticed(code: str, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"```python\n{code}\n```\n", encoding="utf-8")
    with pytest.raises((SyntaxError, AssertionError)):
        list(run_page(page, {"__file__": str(page)}))


@pytest.mark.parametrize("language", ["", "yaml", "text", "pycon"])
def test_blocks_of_other_kinds_are_not_passed_over(language: str, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"Words.\n\n```{language}\nfirst\nsecond\n```\n\n    indented\n", encoding="utf-8")
    assert [block.first_line for block in run_page(page, {})] == ["first", "indented"]


# The site


def test_what_is_wrong_with_a_site_is_noticed(tmp_path: Path) -> None:
    spec = spec_from_file_location("check_site", ROOT / "tools" / "check_site.py")
    assert spec is not None
    assert spec.loader is not None
    check_site = module_from_spec(spec)
    spec.loader.exec_module(check_site)
    assert check_site.problems_of(tmp_path)
    (tmp_path / "right.html").write_text('<p id="here"><a href="#here">x</a>', encoding="utf-8")
    assert check_site.problems_of(tmp_path) == []
    (tmp_path / "wrong.html").write_text(
        '<a href="gone.html">x</a><a href="right.html#nowhere">x</a><a href="right.html#here">x</a>'
        '<a href="https://example.org">x</a><script src="https://example.org/x.js"></script>',
        encoding="utf-8",
    )
    (tmp_path / "wrong.css").write_text("@import 'https://example.org/x.css'", encoding="utf-8")
    found = "\n".join(check_site.problems_of(tmp_path))
    assert found.count("\n") == 3
    for part in ("gone.html", "#nowhere", "loads https://example.org/x.js", "wrong.css"):
        assert part in found
