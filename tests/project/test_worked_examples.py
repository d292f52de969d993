"""The worked examples of CONTRIBUTING.md can be made: they apply, and their tests pass."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from document_blocks import DOCUMENTS, ROOT, blocks_of, name_of
from worked_examples import CONTRIBUTING, Example, apply, copy_project, examples

pytestmark = pytest.mark.skipif(
    not CONTRIBUTING.exists(), reason="an unpacked distribution has no documents"
)
EXAMPLES = examples() if CONTRIBUTING.exists() else {}


def run(folder: Path, *arguments: str) -> str:
    """What a module of Python prints in a project, where it has to succeed."""
    environment = {**os.environ, "PYTHONPATH": str(folder / "src")}
    for name in [name for name in environment if name.startswith("PYTEST_")]:
        del environment[name]
    done = subprocess.run(
        [sys.executable, "-m", *arguments], cwd=folder, env=environment, capture_output=True,
        encoding="utf-8", stdin=subprocess.DEVNULL, timeout=280, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def changed(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Example, Path]:
    """An example, and the project with its change."""
    example = EXAMPLES[request.param]
    copy_project(tmp_path)
    for patch in example.patches:
        apply(patch, tmp_path)
    return example, tmp_path


every_example = pytest.mark.parametrize("changed", EXAMPLES, indirect=True)


def test_there_is_an_option_an_executor_and_a_source() -> None:
    assert list(EXAMPLES) == ["A new option", "A new executor", "A new source"]
    places = {name_of(path) for path in DOCUMENTS for b in blocks_of(path) if b.is_patch}
    assert places == {"CONTRIBUTING.md"}, "changes elsewhere are applied by nobody"


@pytest.mark.parametrize("title", EXAMPLES)
def test_an_example_is_complete(title: str) -> None:
    example = EXAMPLES[title]
    assert any(name.startswith("src/") for name in example.files)
    assert any(name.startswith("tests/") for name in example.files)
    assert any(re.fullmatch(r"changes/\+[a-z-]+\.added\.md", name) for name in example.files)
    section = CONTRIBUTING.read_text(encoding="utf-8").partition(f"### {title}\n")[2]
    explained = section.partition("<details>")[0]
    for name in example.files:
        path = Path(name)
        assert path.name in explained or path.parts[0] in explained, f"{name} is not explained"


@pytest.mark.slow
@pytest.mark.timeout(300)
@every_example
def test_an_example_passes_its_tests(changed: tuple[Example, Path]) -> None:
    example, project = changed
    quick = ("-q", "--without-frameworks", "-m", "not (long or slow)", "-p", "no:cacheprovider")
    out = run(project, "pytest", *quick, *example.arguments)
    assert re.search(r"^\d+ passed", out, re.MULTILINE), out
    assert set(example.new_tests) <= {word for word in example.arguments if ".py" in word}


@pytest.mark.long
@pytest.mark.timeout(900)
@every_example
def test_an_example_passes_all_checks(changed: tuple[Example, Path]) -> None:
    """Its slow tests too, those of documents and names, the linters and the import contracts."""
    example, project = changed
    consistent = [f"tests/project/test_{name}.py" for name in ("documents", "layout", "public_names")]
    assert " passed" in run(
        project, "pytest", "-q", "-p", "no:cacheprovider", *example.arguments, *consistent
    )
    changed_files = [name for name in example.files if name.endswith(".py")]
    for module, *options in (["ruff", "format", "--check"], ["ruff", "check"]):
        if find_spec(module):
            run(project, module, *options, *changed_files)
    if find_spec("mypy"):
        run(project, "mypy", "--cache-dir", str(project / "mypy"), "src/imageloom")
    if find_spec("importlinter"):
        run(project, "importlinter.cli", "lint", "--no-cache")


# What makes an example fail


def test_a_place_that_is_not_the_only_one_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("one = 1\n\ntwo = 2\none = 1\n", encoding="utf-8")
    with pytest.raises(AssertionError, match="2 places"):
        apply("--- a.py\n+++ a.py\n@@\n one = 1\n+more = 1\n", tmp_path)
    with pytest.raises(AssertionError, match="0 places"):
        apply("--- a.py\n+++ a.py\n@@\n-two = 3\n+two = 4\n", tmp_path)
    apply("--- a.py\n+++ a.py\n@@\n one = 1\n\n-two = 2\n+two = 3\n@@\n+# end\n two = 3\n", tmp_path)
    assert (tmp_path / "a.py").read_text(encoding="utf-8") == "one = 1\n\n# end\ntwo = 3\none = 1\n"
    with pytest.raises(AssertionError, match="exists already"):
        apply("--- /dev/null\n+++ a.py\n@@\n+one = 1\n", tmp_path)
    assert ROOT not in tmp_path.parents
