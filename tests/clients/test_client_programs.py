"""Programs as users of Keras have written them do the same with imageloom, as they are.

Each file below this folder is such a program; its docstring says which pattern it is. It runs with Keras
and with imageloom, and everything that it found out is compared. `benchmarks/clients.py` compares the times.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from client_data import write_client_data
from client_programs import (
    PROGRAMS,
    Outcome,
    assert_same_results,
    libraries_of,
    name_of,
    run_client,
)

# What does not do the same yet, with the point of the plan that will change it.
NOT_YET: dict[str, str] = {}
FRAMEWORKS = ("sklearn", "tensorflow", "tf_keras", "torch")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_client_data(tmp_path_factory.mktemp("clients") / "data")


def parameters() -> list[Any]:
    return [pytest.param(path, id=name_of(path), marks=marks_of(path)) for path in PROGRAMS]


def marks_of(program: Path) -> list[pytest.MarkDecorator]:
    text = program.read_text(encoding="utf-8")
    needed = [name for name in FRAMEWORKS if re.search(rf"^\s*(import|from) {name}\b", text, re.M)]
    if "tf_keras" in needed:
        needed.append("tensorflow")
    marks = [pytest.mark.slow, pytest.mark.frameworks("keras", *needed)]
    if reason := NOT_YET.get(name_of(program)):
        marks.append(pytest.mark.xfail(strict=True, reason=reason))
    return marks


@pytest.mark.parametrize("program", parameters())
def test_program_does_the_same(
    program: Path, data: Path, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    folder = tmp_path / "work"
    reference, ours = (run_client(program, name, data, folder) for name in libraries_of(program))
    record_property("seconds", (reference.seconds, ours.seconds))
    assert_same_results(reference, ours)
