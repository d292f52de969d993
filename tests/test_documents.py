"""The documents keep their word: examples run, links lead somewhere, every argument is described."""

from __future__ import annotations

import ast
import gc
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pictures import photograph
from PIL import Image

from imageloom import ParallelImageDataGenerator

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted((ROOT / "docs").glob("*.md"))
DOCUMENTS = [ROOT / name for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md")] + PAGES
WITH_EXAMPLES = [ROOT / "README.md", *PAGES]
# README's model has ten outputs.
CLASSES = [
    "astronaut", "camera", "chelsea", "clock", "coffee", "coins", "moon", "page", "retina", "rocket",
]  # fmt: skip
IMAGES_PER_CLASS = 5
BLOCK = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\(([^()\s]+)\)")
FENCE = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
ROW = re.compile(r"^\| `(\w+)` \|[^|]*(?:\\\|[^|]*)*\| (`[^`]*`|–) \|", re.MULTILINE)

pytestmark = pytest.mark.skipif(not PAGES, reason="an unpacked distribution has no documents")


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that a reader of the documents is supposed to have."""
    root = tmp_path_factory.mktemp("documents") / "photos"
    for name in CLASSES:
        (root / name).mkdir(parents=True)
        for variant in range(IMAGES_PER_CLASS):
            image = Image.fromarray(photograph(name, 60, 80, "RGB", variant))
            image.save(root / name / f"{variant}.jpg", quality=90)
    return root


@pytest.fixture
def namespace(photos: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """Global names of an example, which runs beside the folder of photographs."""
    monkeypatch.chdir(photos.parent)
    names: dict[str, Any] = {"__name__": "__main__"}
    yield names
    names.clear()
    gc.collect()  # iterators and their workers


def with_smaller_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """Building and compiling README's model takes minutes: a small one of its shape is trained."""
    for module in ("keras", "jax"):
        pytest.importorskip(module)
    import keras

    signature = inspect.signature(keras.applications.MobileNetV3Small)

    def build_another(*args: Any, **kwargs: Any) -> Any:
        given = signature.bind(*args, **kwargs).arguments  # the call must be right all the same
        head = keras.layers.Dense(given["classes"], activation="softmax")
        layers = [keras.Input(given["input_shape"]), keras.layers.GlobalAveragePooling2D(), head]
        return keras.Sequential(layers)

    monkeypatch.setattr(keras.applications, "MobileNetV3Small", build_another)


def examples(path: Path) -> list[tuple[int, str]]:
    """Every fenced Python block, with the number of its first line."""
    text = path.read_text(encoding="utf-8")
    return [(text[: m.start(1)].count("\n") + 1, m[1]) for m in BLOCK.finditer(text)]


@pytest.mark.timeout(300)
@pytest.mark.usefixtures("global_numpy_state")
@pytest.mark.parametrize("path", WITH_EXAMPLES, ids=name_of)
def test_examples_run(path: Path, namespace: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    found = examples(path)
    assert found
    if any("import keras" in code for _, code in found):
        with_smaller_model(monkeypatch)
    for line, code in found:
        # One epoch shows as much as many, and sooner.
        shortened = re.sub(r"epochs=\d+", "epochs=1", code)
        # Blank lines in front make a traceback show the line of the document.
        exec(compile("\n" * (line - 1) + shortened, path, "exec"), namespace)


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_links_and_pictures_lead_somewhere(path: Path) -> None:
    text = FENCE.sub("", path.read_text(encoding="utf-8"))
    for target in LINK.findall(text):
        if re.match(r"https?:|mailto:", target):
            continue
        file, _, heading = target.partition("#")
        linked = (path.parent / file).resolve() if file else path
        assert linked.exists(), target
        assert linked.is_relative_to(ROOT), target
        if heading:
            assert heading in anchors(linked), target


def anchors(path: Path) -> set[str]:
    """What the headings of a document are called in links to them, on GitHub."""
    text = FENCE.sub("", path.read_text(encoding="utf-8"))
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


# The reference of the arguments

IN_EVERY_FLOW = "All three flow methods"
OF_FILES = "Both file methods"
SECTIONS = {
    "__init__": ["Constructor"],
    "flow": [IN_EVERY_FLOW, "`flow`"],
    "flow_from_directory": [IN_EVERY_FLOW, OF_FILES, "`flow_from_directory`"],
    "flow_from_dataframe": [IN_EVERY_FLOW, OF_FILES, "`flow_from_dataframe`"],
    "fit": ["`fit`"],
}


def described(sections: list[str]) -> dict[str, str]:
    """Argument -> default, as the rows of the tables of some sections tell them."""
    text = (ROOT / "docs" / "arguments.md").read_text(encoding="utf-8")
    parts = dict(re.findall(r"^## ([^\n]*)\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE))
    rows: dict[str, str] = {}
    for section in sections:
        for name, default in ROW.findall(parts[section]):
            assert name not in rows, f"{name} is described twice"
            rows[name] = default
    return rows


@pytest.mark.parametrize("method", SECTIONS)
def test_every_argument_is_described_with_its_default(method: str) -> None:
    function = getattr(ParallelImageDataGenerator, method)
    rows = described(SECTIONS[method])
    parameters = {
        name: parameter
        for name, parameter in inspect.signature(function).parameters.items()
        if name != "self" and parameter.kind is not inspect.Parameter.VAR_KEYWORD
    }
    assert set(rows) == set(parameters)
    for name, parameter in parameters.items():
        if parameter.default is inspect.Parameter.empty:
            assert rows[name] == "–", name
        else:
            assert ast.literal_eval(rows[name].strip("`")) == parameter.default, name
