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


TESTED = """\
import numpy as np
import settings_of_tests
from imageloom import ImageDataGenerator
from imageloom._api import engine

engine._may_compute_here = lambda *_: False

def gained(x):
    assert x.shape == (4, 4, 1)
    return x * 0 + settings_of_tests.GAIN

def test_it(fixture_of_conftest):
    settings_of_tests.GAIN = 5
    for executor in {executors}:
        for function in (gained, fixture_of_conftest):
            generator = ImageDataGenerator(executor=executor, cores=1, preprocessing_function=function)
            with generator.flow(np.zeros((8, 4, 4, 1)), batch_size=2) as it:
                assert next(it).max() == 5
                assert it.report().fallback is None
"""
CONFTEST = """\
import pytest

GAIN = 1

def of_conftest(x):
    assert x.shape
    return x * 0 + GAIN

@pytest.fixture
def fixture_of_conftest(monkeypatch):
    monkeypatch.setattr(__import__("sys").modules[__name__], "GAIN", 5)
    return of_conftest
"""


@pytest.mark.parametrize("executors", ["['serial', 'threads', 'processes']", "['ray']"])
@pytest.mark.parametrize("mode", ["prepend", "append", "importlib"])
@needs_ray
def test_modules_of_a_test_runner(mode: str, executors: str, crops: Path, tmp_path: Path) -> None:
    tests = tmp_path / "tests" / "unit"
    tests.mkdir(parents=True)
    (tests / "conftest.py").write_text(CONFTEST)
    (tests / "test_gains.py").write_text(TESTED.format(executors=executors))
    modules = tmp_path / "modules"
    modules.mkdir()
    (modules / "settings_of_tests.py").write_text("GAIN = 1\n")
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    arguments = ["-m", "pytest", "-q", "-p", "no:cacheprovider", f"--import-mode={mode}", str(tests)]
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=tmp_path,
        env=environment_of({"PYTHONPATH": os.pathsep.join((str(modules), os.environ["PYTHONPATH"]))}),
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
