"""The code blocks of the documents, and what it takes to run them as a reader would."""

from __future__ import annotations

import ast
import codeop
import contextlib
import doctest
import importlib
import io
import os
import re
import shlex
import socket
import subprocess
import sys
import textwrap
import tomllib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted((ROOT / "docs").rglob("*.md"))
DOCUMENTS = [ROOT / name for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md")] + PAGES
# The block that makes the folder "photos", on the pages that need one.
SNIPPET = ROOT / "docs" / "snippets" / "photos.py"
_LAUNCHERS = {"python": [], "torchrun": ["-m", "torch.distributed.run"]}
_SCRIPT_SECONDS = 110
_OUTPUT_OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced or indented block of code.

    Attributes:
        line: of the document, where the code begins, from 1.
        language: what stands behind the fence; "indented" for blocks without one.
        code: without the fence and the indentation.
    """

    line: int
    language: str
    code: str

    @property
    def first_line(self) -> str:
        """By which it is known."""
        return self.code.partition("\n")[0].strip()

    @property
    def is_directive(self) -> bool:
        """Whether it is no code but tells Sphinx what to put here."""
        return self.language.startswith("{")


def name_of(path: Path) -> str:
    """The path that readers know."""
    return path.relative_to(ROOT).as_posix()


def blocks_of(path: Path) -> list[Block]:
    """All blocks of a document, those in lists and quotations too."""
    parser = pytest.importorskip("markdown_it").MarkdownIt("commonmark")
    found = []
    for token in parser.parse(path.read_text(encoding="utf-8")):
        if token.type in ("fence", "code_block"):
            first = token.map[0] + (2 if token.type == "fence" else 1)
            language = token.info.strip() if token.type == "fence" else "indented"
            found.append(Block(first, language, token.content))
    return found


def saved_as(block: Block) -> str | None:
    """The file that a reader saves the block as: its first line says so, `# train.py`."""
    name = re.match(r"# (\w+\.py)\n", block.code)
    return name[1] if name else None


def imports_of(path: Path, left_out: Collection[str] = ()) -> set[str]:
    """The modules that the code of a page imports, Keras' backend included, without standard ones.

    Args:
        path: the page.
        left_out: the first lines of blocks that do not count.
    """
    blocks = [block for block in blocks_of(path) if block.first_line not in left_out]
    code = [block.code for block in blocks if block.language == "python"]
    found = set(re.findall(r'environ\["KERAS_BACKEND"\] = "(\w+)"', "".join(code)))
    for node in (node for text in code for node in ast.walk(ast.parse(text))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
    return found - sys.stdlib_module_names


def run_page(path: Path, names: dict[str, Any], left_out: Collection[str] = ()) -> Iterator[Block]:
    """Runs the blocks of a page in turn, in one namespace; yields those that it does not know to run.

    It yields those whose first line is among `left_out`, too.

    Blocks of `text` right behind a Python block say what that one prints. A Python block that begins
    with the name of a file, `# train.py`, is saved there, for commands to run. Of a `diff`, the imports
    are looked at.
    """
    printed: str | None = None
    for block in blocks_of(path):
        if block.is_directive:
            continue
        if block.first_line in left_out:
            printed = None
            yield block
        elif name := saved_as(block):
            Path(name).write_text(block.code, encoding="utf-8")
            printed = None
        elif block.language == "python":
            printed = _paste(path, block, names)
        elif block.language in ("console", "sh") or block.code.startswith("make "):
            run_commands(block)
            printed = None
        elif block.language == "text" and printed is not None:
            check_output(block.code, printed, f"{path.name}:{block.line}")
            printed = None
        elif block.language == "diff":
            check_change(block)
        else:
            yield block


def _paste(path: Path, block: Block, names: dict[str, Any]) -> str:
    """Runs a block as a plain interactive interpreter does, and returns what it shows.

    It takes line after line: each statement runs when it is complete, and a blank line completes an
    indented one.
    """
    compile_piece = codeop.CommandCompiler()
    shown = io.StringIO()
    lines: list[str] = []
    for number, line in enumerate([*block.code.splitlines(), ""], block.line):
        lines.append(line)
        try:
            code = compile_piece("\n".join(lines), f"{path.name}:{number}", "single")
            if code is not None:
                with contextlib.redirect_stdout(shown):
                    exec(code, names)
                lines.clear()
        except BaseException as error:
            error.add_note(f"in {path.name}, line {number}: {line}")
            raise
    assert not lines, f"{path.name}:{block.line}: the last statement is not complete"
    return shown.getvalue()


def check_output(promised: str, printed: str, place: str) -> None:
    """Compares what is printed with what a document says; `...` there stands for anything."""
    if os.sep == "\\":
        printed = printed.replace("\\\\", "/").replace("\\", "/")
    right = doctest.OutputChecker().check_output(promised, printed, _OUTPUT_OPTIONS)
    assert right, f"{place} promises\n{textwrap.indent(promised, '  ')}but it printed\n{printed}"


def after_the_change(block: Block) -> str:
    """The code that a `diff` block leads to."""
    kept = [line[1:] for line in block.code.splitlines() if not line.startswith("-")]
    return "\n".join(kept) + "\n"


def check_change(block: Block) -> None:
    """The code after a change is Python, and what it imports is there."""
    for node in ast.walk(ast.parse(after_the_change(block))):
        if isinstance(node, ast.ImportFrom) and node.module:
            module = importlib.import_module(node.module)
            for alias in node.names:
                assert hasattr(module, alias.name), (
                    f"line {block.line}: no {alias.name} in {node.module}"
                )


# Shell commands


def run_commands(block: Block) -> None:
    """Runs the commands of imageloom and scripts, and checks that other commands are there to be run.

    In `console` blocks commands stand behind `$`, and the lines under one are its output. Those that
    end in `&` run beside the next ones.
    """
    beside: list[subprocess.Popen[str]] = []
    address = _free_address()
    for command, promised in _commands(block):
        words = shlex.split(re.sub(r"\blocalhost:\d+", address, command), comments=True)
        if not words:
            continue
        program, *arguments = words
        if program in _LAUNCHERS:
            process = _start(program, [word for word in arguments if word != "&"])
            beside.append(process)
            if arguments[-1] != "&":
                printed = _wait_for(beside)
                check_output(promised, printed, f"line {block.line}: {command}")
            continue
        if program == "imageloom":
            printed = _run_imageloom(arguments)
            if promised:
                check_output(promised, printed, f"line {block.line}: {command}")
        elif program == "pip":
            _check_pip(arguments)
        elif program == "make":
            _check_make(arguments)
        else:
            pytest.fail(f"line {block.line}: no idea how to run {command!r}")


def _free_address() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"localhost:{free.getsockname()[1]}"


def _start(program: str, arguments: Sequence[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, *_LAUNCHERS[program], *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def _wait_for(processes: list[subprocess.Popen[str]]) -> str:
    """What the last one prints, when all have ended well."""
    out = ""
    try:
        for process in processes:
            out, err = process.communicate(timeout=_SCRIPT_SECONDS)
            assert process.returncode == 0, err
    finally:
        for process in processes:
            process.kill()
            process.communicate()
        processes.clear()
    return out


def _commands(block: Block) -> list[tuple[str, str]]:
    joined = block.code.replace("\\\n", " ")
    if block.language != "console":
        return [(line, "") for line in joined.splitlines()]
    pieces = re.split(r"^\$ (.*)\n", joined, flags=re.MULTILINE)
    assert not pieces[0].strip(), f"line {block.line}: output without a command"
    return list(zip(pieces[1::2], pieces[2::2], strict=True))


def _run_imageloom(arguments: Sequence[str]) -> str:
    from click.testing import CliRunner

    from imageloom._cli import main

    result = CliRunner().invoke(main, list(arguments))
    # `inspect` says by its status that there are broken files; all other ends are ends of a command.
    assert result.exit_code in ((0, 1) if arguments[0] == "inspect" else (0,)), result.output
    return result.stdout


def _check_pip(arguments: Sequence[str]) -> None:
    """Nothing is installed here; but extras must exist."""
    assert arguments[0] in ("download", "install", "uninstall"), f"pip {arguments}"
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for requirement in arguments[1:]:
        for extra in re.findall(r"imageloom\[(.*?)\]", requirement):
            assert set(extra.split(",")) <= set(project["optional-dependencies"]), (
                f"no such extra: {requirement}"
            )


def _check_make(arguments: Sequence[str]) -> None:
    """Takes minutes, or runs this very test; but targets must exist."""
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    unknown = [a for a in arguments if "=" not in a and a not in targets]
    assert not unknown, f"no such targets: {unknown}"
