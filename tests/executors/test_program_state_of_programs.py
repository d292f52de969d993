"""What a worker knows of scripts, commands, modules, standard input and test runners."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from programs import PROGRAMS, environment_of
from ray_support import needs_ray

pytestmark = pytest.mark.slow
EXECUTORS = ["serial", "threads", "processes", pytest.param("ray", marks=needs_ray)]
NAME = "executors/knows_the_program.py"
SOURCES = {
    "conftest": "executors/conftest_of_gains.py",
    "test_gains": "executors/tests_of_gains.py",
}
Way = Callable[[], tuple[list[str], str]]


def script() -> tuple[list[str], str]:
    return [str(PROGRAMS / NAME), "1"], ""


def command() -> tuple[list[str], str]:
    return ["-c", (PROGRAMS / NAME).read_text("utf-8"), "1"], ""


def module() -> tuple[list[str], str]:
    return ["-m", "executors.knows_the_program", "1"], ""


def standard_input() -> tuple[list[str], str]:
    return ["-", "1"], (PROGRAMS / NAME).read_text("utf-8")


@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.parametrize("way", [script, command, module, standard_input])
def test_all_that_a_program_has_changed(way: Way, executor: str, crops: Path, tmp_path: Path) -> None:
    arguments, text = way()
    given = {
        "CROPS": crops,
        "SIGNALS": tmp_path,
        "EXECUTOR": executor,
        "SET_EARLY": "1",
        "DELETED": "1",
    }
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=tmp_path,
        env=environment_of({name: str(value) for name, value in given.items()}),
        input=text,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    [told] = [line for line in done.stdout.splitlines() if line.startswith("TOLD ")]
    said = json.loads(told.removeprefix("TOLD "))
    assert said == {"differs": {}, "sevens": True, "fallback": None}


@pytest.mark.parametrize("executors", ["serial threads processes", "ray"])
@pytest.mark.parametrize("mode", ["prepend", "append", "importlib"])
@needs_ray
def test_modules_of_a_test_runner(mode: str, executors: str, crops: Path, tmp_path: Path) -> None:
    tests = tmp_path / "tests" / "unit"
    tests.mkdir(parents=True)
    for name, source in SOURCES.items():
        (tests / f"{name}.py").write_bytes((PROGRAMS / source).read_bytes())
    modules = tmp_path / "modules"
    modules.mkdir()
    (modules / "settings_of_tests.py").write_text("GAIN = 1\n")
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    path = filter(None, (str(modules), os.environ.get("PYTHONPATH")))
    arguments = ["-m", "pytest", "-q", "-p", "no:cacheprovider", f"--import-mode={mode}", str(tests)]
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=tmp_path,
        env=environment_of({"PYTHONPATH": os.pathsep.join(path), "EXECUTORS": executors}),
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
