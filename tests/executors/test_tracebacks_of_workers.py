"""Errors of users' hooks show the users' files, lines and text, wherever the hooks ran."""

from __future__ import annotations

import json
import os
import re
import runpy
import subprocess
import sys
import traceback
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import CodeType
from typing import Any

import cloudpickle
import pytest
from executor_support import SIZE, Lent, flow_with
from ray_support import needs_ray

from imageloom import ImageDataGenerator
from imageloom._executors.base import Executor
from imageloom._executors.shared import make_executor

PROGRAMS = Path(__file__).parents[1] / "programs"
PROGRAM = PROGRAMS / "executors" / "faulty_hooks.py"
THEIRS = re.compile(r"faulty_hooks|hooks_beside|ipykernel|<ipython|<string>|program\.pyz")
FRAME = re.compile(r'[ |+]*File "(.+)", line (\d+), in (.+)')


@pytest.fixture(params=["as it is", "renames"])
def renaming(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cloudpickle that is installed, and one that tells nothing about where code came from."""
    if request.param == "renames":
        rename(monkeypatch)


def rename(monkeypatch: pytest.MonkeyPatch) -> None:
    table = cloudpickle.Pickler.dispatch_table.maps[0]
    reduce = table[CodeType]
    monkeypatch.setitem(
        table, CodeType, lambda code: reduce(code.replace(co_filename="<dynamic>", co_firstlineno=1))
    )


@pytest.fixture(params=["threads", "processes", pytest.param("ray", marks=needs_ray)])
def executor(request: pytest.FixtureRequest) -> Iterator[Executor]:
    if request.param == "ray":
        request.getfixturevalue("ray_on_two_cpus")
    made = make_executor(request.param, 1, disable_gpu=True)
    yield made
    made.close()


def errors_of(crops: Path, executor: Executor | None, program: dict[str, Any]) -> list[Exception]:
    """What each hook of a program raises."""
    generator = ImageDataGenerator(executor="serial", max_batches_pending=1)
    files = generator.flow_from_directory(crops, shuffle=False).filenames
    hooks = list(program["HOOKS"].values())
    assert len(hooks) <= len(files)
    generator.preprocessing_function = program["InTurn"](files, hooks)
    if executor is not None:
        generator._engine.lent = Lent(executor)  # type: ignore[assignment]
    errors = []
    with generator.flow_from_directory(crops, SIZE, batch_size=1, shuffle=False) as it:
        for position in range(len(hooks)):
            with pytest.raises(Exception) as info:  # noqa: PT011
                it[position]
            errors.append(info.value)
    return errors


def shown(error: Exception) -> str:
    return "".join(traceback.format_exception(error))


def own_frames(text: str) -> list[list[str]]:
    """Of a printed error: file, line and function of the frames of hooks, and what is shown of each."""
    frames: list[list[str]] = []
    # How often a function that calls itself has done so depends on who called it.
    for line in re.sub(r"repeated \d+", "repeated", text).split("\n"):
        found = FRAME.match(line)
        if found is not None:
            frames.append(list(found.groups()))
        elif frames and line.startswith("  ") and "Traceback" not in line:
            frames[-1].append(line)
    return [frame for frame in frames if THEIRS.search(frame[0]) and frame[2] != "main"]


def assert_same_frames(name: str, received: str, right: str, *, with_text: bool = True) -> None:
    frames = own_frames(right)
    assert own_frames(received) == frames, name
    assert len(frames) >= 2, (name, "the hook, and what called it")
    for frame in frames:
        assert len(frame) > 3 or not with_text or frame[0] == "<string>", (name, frame)


@pytest.mark.slow
@pytest.mark.usefixtures("renaming")
def test_frames_are_those_of_the_serial_executor(executor: Executor, crops: Path) -> None:
    program = runpy.run_path(str(PROGRAM), run_name="of_the_user")
    expected = errors_of(crops, None, program)
    received = errors_of(crops, executor, program)
    for name, error, right in zip(program["HOOKS"], received, expected, strict=True):
        assert_same_frames(name, shown(error), shown(right))
        assert type(error) is type(right)
        assert str(error) == str(right)
        assert error.__notes__ == right.__notes__
        if name == "asked":
            assert error.args == right.args


@pytest.mark.slow
@pytest.mark.usefixtures("renaming")
def test_text_is_that_of_the_start_even_where_there_is_no_file(crops: Path, tmp_path: Path) -> None:
    """As on another node of a cluster."""
    path = tmp_path / "moved.py"
    path.write_text(
        "import os\n\ndef hook(x):\n    os.remove(__file__)\n    raise ValueError('afterwards')\n"
    )
    hook = runpy.run_path(str(path), run_name="of_the_user")["hook"]
    hook.__globals__["__file__"] = str(path)
    with (
        flow_with(crops, "processes", preprocessing_function=hook) as it,
        pytest.raises(ValueError, match="afterwards") as info,
    ):
        next(it)
    assert not path.exists()
    assert f'File "{path}", line 5, in hook\n    raise ValueError' in shown(info.value)


def unprintable(x: Any) -> Any:
    raise SyntaxError("of a parser", ("a.cfg", 1, 2.5, ["no text"]))


@pytest.mark.slow
def test_error_that_python_cannot_print(crops: Path) -> None:
    with (
        flow_with(crops, "processes", preprocessing_function=unprintable) as it,
        pytest.raises(SyntaxError) as info,
    ):
        next(it)
    cause = str(info.value.__cause__)
    assert 'in unprintable\n    raise SyntaxError("of a parser"' in cause
    assert "SyntaxError (which cannot be printed" in cause


@pytest.mark.slow
@pytest.mark.parametrize("how", ["script", "-c", "archive"])
def test_frames_of_the_main_module(crops: Path, tmp_path: Path, how: str) -> None:
    if how == "archive":
        with zipfile.ZipFile(tmp_path / "program.pyz", "w") as archive:
            archive.write(PROGRAM, "__main__.py")
            archive.write(PROGRAM.with_name("hooks_beside.py"), "hooks_beside.py")
        what = [str(tmp_path / "program.pyz")]
    else:
        what = [str(PROGRAM)] if how == "script" else ["-c", PROGRAM.read_text(encoding="utf-8")]
    done = subprocess.run(
        [sys.executable, *what, "serial", "processes"],
        cwd=tmp_path,
        env={**os.environ, "CROPS": str(crops)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.stderr == ""
    told = json.loads(done.stdout.partition("TOLD ")[2])
    for name, received, right in zip(
        told["hooks"], told["seen"]["processes"], told["seen"]["serial"], strict=True
    ):
        # Older Pythons have nowhere the text of what was typed after `-c`.
        assert_same_frames(name, received, right, with_text=how != "-c")
