"""Programs as users of Keras have written them do the same with imageloom, as they are.

Each file below this folder is such a program; its docstring says which pattern it is. It runs with
Keras and with imageloom, and all that it found out is compared. `benchmarks/clients.py` compares the
times.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from client_data import write_client_data
from client_programs import (
    CLIENTS,
    PROGRAMS,
    Outcome,
    assert_same_results,
    frameworks_of,
    name_of,
    run_with_both,
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_client_data(tmp_path_factory.mktemp("clients") / "data")


def parameters() -> list[Any]:
    return [pytest.param(path, id=name_of(path), marks=marks_of(path)) for path in PROGRAMS]


def marks_of(program: Path) -> list[Any]:
    marks: list[Any] = [
        pytest.mark.adaptive,
        pytest.mark.slow,
        pytest.mark.frameworks(*frameworks_of(program)),
    ]
    return marks


@pytest.mark.parametrize("program", parameters())
def test_program_does_the_same(
    program: Path, data: Path, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    reference, ours = run_with_both(program, data, tmp_path / "work")
    record_property("seconds", (reference.seconds, ours.seconds))
    record_property("warnings of ours alone", sorted({*ours.warnings} - {*reference.warnings}))
    assert_same_results(reference, ours)


# The comparison itself


def test_programs_are_many_and_say_what_they_are() -> None:
    assert len(PROGRAMS) >= 100
    docstrings = [ast.get_docstring(ast.parse(path.read_text("utf-8"))) for path in PROGRAMS]
    assert all(docstrings)
    assert len(set(docstrings)) == len(docstrings)


def test_the_page_for_keras_users_says_how_many_there_are() -> None:
    page = CLIENTS.parents[1] / "docs" / "coming-from-keras.md"
    if not page.exists():
        pytest.skip("an unpacked distribution has nothing but the tests")
    assert f"{len(PROGRAMS)} small programs in `tests/clients/`" in page.read_text(encoding="utf-8")


def outcome(results: dict[str, Any], **within: float) -> Outcome:
    return Outcome(results, within, [], 0.0)


@pytest.mark.parametrize(
    ("reference", "other"),
    [
        (np.zeros(4, "float32"), np.full(4, 1e-3, "float32")),
        (np.zeros(4, "float32"), np.zeros(4)),
        (np.zeros((1, 4)), np.zeros(4)),
        (np.arange(4), np.arange(4)[::-1]),
        (["a", "b"], ["b", "a"]),
        ([1, 2], (1, 2)),
        ([1, 2], [1, 2, 2]),
        ({"a": 1}, {"b": 1}),
        ({"a": [{"b": 0.5}]}, {"a": [{"b": 0.6}]}),
        (3, 4),
        (True, False),
        (None, 0),
        (0.25, 0.26),
    ],
)
def test_differences_are_noticed(reference: object, other: object) -> None:
    same = outcome({"found": reference})
    assert_same_results(same, same)
    with pytest.raises(AssertionError):
        assert_same_results(same, outcome({"found": other}))


def test_tolerances_allow_few_values_to_be_off() -> None:
    pixels = np.zeros(10_000, "float32")
    expected = outcome({"x": pixels}, x=1.5)
    few, many, all_of_them = pixels.copy(), pixels.copy(), pixels + 2
    few[:9], many[:11] = 100, 100
    assert_same_results(expected, outcome({"x": few + 1}))
    for wrong in (many, all_of_them):
        with pytest.raises(AssertionError, match="are off by up to"):
            assert_same_results(expected, outcome({"x": wrong}))


@pytest.mark.parametrize("results", [{}, {"y": 1}, {"x": 1, "y": 1}])
def test_all_results_have_to_be_there(results: dict[str, Any]) -> None:
    with pytest.raises(AssertionError):
        assert_same_results(outcome({"x": 1}), outcome(results))
    with pytest.raises(AssertionError):
        assert_same_results(outcome({}), outcome({}))
