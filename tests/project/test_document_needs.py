"""Each page says what its code needs, and makes the pictures that it reads."""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from functools import cache
from importlib.metadata import packages_distributions
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest
from document_blocks import DOCUMENTS, PAGES, ROOT, SNIPPET, blocks_of, imports_of, name_of
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

pytestmark = pytest.mark.skipif(not PAGES, reason="an unpacked distribution has no documents")


def told_to_install(path: Path) -> set[str]:
    """The distributions that a page names in its commands and sentences, with what imageloom brings."""
    text = path.read_text(encoding="utf-8")
    lines = re.findall(r"pip install (.*?)(?:#.*)?$", "\n".join(b.code for b in blocks_of(path)), re.M)
    lines += re.findall(r"`pip install ([^`]*)`", text)
    words = [word for line in lines for word in shlex.split(line) if not word.startswith("-")]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    found = set()
    for requirement in map(Requirement, words):
        found.add(canonicalize_name(requirement.name))
        if requirement.name == "imageloom":
            brought = list(project["dependencies"])
            for extra in requirement.extras:
                brought += project["optional-dependencies"][extra]
            found |= {canonicalize_name(Requirement(one).name) for one in brought}
    return found


distributions_of_modules = cache(packages_distributions)  # reads the files of all packages


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_a_page_says_what_to_install(path: Path) -> None:
    installed = distributions_of_modules()
    told = told_to_install(path)
    for module in imports_of(path):
        distributions = {canonicalize_name(name) for name in installed.get(module, [module])} | {module}
        assert distributions & told, f"{module} is imported, and nothing is said of how to install it"


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_code_that_uses_keras_chooses_its_backend(path: Path) -> None:
    """Keras would use TensorFlow, which most pages do not ask for."""
    for block in blocks_of(path):
        if "import keras" in block.code:
            before = path.read_text(encoding="utf-8").split(block.code)[0] + block.code
            assert 'os.environ["KERAS_BACKEND"]' in before.split("import keras")[0]


def test_the_block_that_makes_pictures_is_the_same_everywhere() -> None:
    tool = tool_for_the_block()
    source = SNIPPET.read_text(encoding="utf-8")
    pages = 0
    for path in DOCUMENTS:
        text = path.read_text(encoding="utf-8")
        assert tool.with_block(text, source) == text, f"run tools/{Path(str(tool.__file__)).name}"
        pages += source in text
    assert pages > 10


def test_the_tool_replaces_the_block_and_nothing_else() -> None:
    tool = tool_for_the_block()
    page = "A\n\n```python\n# first\nold = r'\\1'\n```\n\n```python\nother = 1\n```\n"
    assert tool.with_block(page, "# first\nnew = r'\\1'\n") == page.replace("old", "new")
    assert tool.with_block(page, "# another\nnew = 1\n") == page


def tool_for_the_block() -> ModuleType:
    spec = spec_from_file_location("write_photos_block", ROOT / "tools" / "write_photos_block.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


NOTEBOOKS = sorted((ROOT / "examples").glob("*.ipynb"))


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_says_what_to_install_and_can_be_found(notebook: Path, tmp_path: Path) -> None:
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    fences = {"markdown": "{}", "code": "```python\n{}\n```"}
    page = tmp_path / "notebook.md"
    page.write_text(
        "\n\n".join(fences[cell["cell_type"]].format("".join(cell["source"])) for cell in cells),
        encoding="utf-8",
    )
    test_a_page_says_what_to_install(page)
    is_tour = notebook.stem == "tour"
    shown = "tour.md" if is_tour else f"notebooks/{notebook.stem.replace('_', '-')}.md"
    assert f"({shown})" in (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    text = (ROOT / "docs" / shown).read_text(encoding="utf-8")
    back = "../" * (shown.count("/") + 1)
    assert f"({back}examples/{notebook.name})" in text
    assert f"<!-- the cells of {back}examples/{notebook.name} -->" in text
    assert told_to_install(page) == told_to_install(ROOT / "docs" / shown)


def test_the_tour_is_named_on_the_first_page() -> None:
    assert "(examples/tour.ipynb)" in (ROOT / "README.md").read_text(encoding="utf-8")
