"""Applies the changes that CONTRIBUTING.md shows as examples to a copy of the project."""

from __future__ import annotations

import re
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path

from document_blocks import ROOT, blocks_of

CONTRIBUTING = ROOT / "CONTRIBUTING.md"
_COPIED = (
    "src", "tests", "docs", "benchmarks", "changes", "constraints", "examples", "tools", ".github"
)  # fmt: skip


@dataclass(frozen=True)
class Example:
    """A worked example.

    Attributes:
        title: its heading.
        patches: its blocks of `diff`.
        arguments: what its tests are, as `make quick` gets them in PYTEST_ARGS.
    """

    title: str
    patches: tuple[str, ...]
    arguments: tuple[str, ...]

    @property
    def files(self) -> list[str]:
        """The files that it changes or makes."""
        return [_name(patch) for patch in self.patches]

    @property
    def new_tests(self) -> list[str]:
        """The modules of tests that it makes."""
        return [_name(p) for p in self.patches if _is_new(p) and _name(p).startswith("tests/")]


def examples() -> dict[str, Example]:
    """All examples by their headings, which begin with "A new"."""
    headings = {
        number: line.removeprefix("### ")
        for number, line in enumerate(CONTRIBUTING.read_text(encoding="utf-8").splitlines(), 1)
        if re.match("##+ ", line)
    }
    found: dict[str, tuple[list[str], list[str]]] = {}
    for block in blocks_of(CONTRIBUTING):
        title = headings[max(number for number in headings if number <= block.line)]
        if not title.startswith("A new "):
            continue
        patches, arguments = found.setdefault(title, ([], []))
        if block.is_patch:
            patches.append(block.code)
        elif block.language == "sh":
            (made,) = (word for word in shlex.split(block.code) if word.startswith("PYTEST_ARGS="))
            arguments += shlex.split(made.partition("=")[2])
    return {title: Example(title, tuple(p), tuple(a)) for title, (p, a) in found.items()}


def copy_project(folder: Path) -> None:
    """Copies what the tests of an example may look at."""
    ignored = shutil.ignore_patterns("__pycache__", "*.pyc")
    for name in _COPIED:
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    for path in ROOT.iterdir():
        if path.is_file():
            shutil.copy(path, folder)


def apply(patch: str, folder: Path) -> None:
    """Applies a block to the files of a folder.

    Raises:
        AssertionError: a place is not there, or not the only one of its kind.
    """
    path = folder / _name(patch)
    hunks = [hunk.splitlines() for hunk in patch.split("\n@@\n")[1:]]
    if _is_new(patch):
        assert not path.exists(), f"{path} exists already"
        (lines,) = hunks
        assert all(line.startswith("+") for line in lines), "a new file has new lines only"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{line[1:]}\n" for line in lines), encoding="utf-8")
        return
    text = path.read_text(encoding="utf-8")
    for lines in hunks:
        # Editors take the blank out of an empty line of context.
        old = "".join(f"\n{line[1:]}" for line in lines if not line.startswith("+")) + "\n"
        new = "".join(f"\n{line[1:]}" for line in lines if not line.startswith("-")) + "\n"
        times = f"\n{text}".count(old)
        assert times == 1, f"{times} places in {_name(patch)} look like this:{old}"
        text = f"\n{text}".replace(old, new)[1:]
    path.write_text(text, encoding="utf-8")


def _name(patch: str) -> str:
    (name,) = re.findall(r"^\+\+\+ (\S+)$", patch, re.MULTILINE)
    return str(name)


def _is_new(patch: str) -> bool:
    return patch.startswith("--- /dev/null\n")
