"""Functions that look the program's variables up by name: `globals()`, `eval`, the main module."""

from __future__ import annotations

import builtins
import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from types import FunctionType
from typing import Any

import pytest
from executor_support import assert_same_batches, take
from holding_hooks import STAYS, flow_with
from ray_support import needs_ray

from imageloom._executors.by_name import VariablesByNameError
from imageloom._executors.portable import failure_to_travel

GAINS = {"gain": 3.0, "table": {"gain": 3.0}, "sys": sys, "importlib": importlib}


class Switched:
    """A model that can be switched to evaluation, as those of torch."""

    gain = 3.0

    def eval(self) -> Switched:
        return self

    def modules(self) -> list[Switched]:
        return [self]

    def exec(self) -> float:
        return self.gain


def nested(x: Any) -> Any:
    def gain() -> Any:
        return globals()["gain"]

    return x + gain()


def in_comprehension(x: Any) -> Any:
    return x + sum(globals()[name] for name in ["gain"])


def executed(x: Any) -> Any:
    found: dict[str, Any] = {}
    exec("found['gain'] = table['gain']", globals(), {"found": found})
    return x + found["gain"]


def imported(x: Any) -> Any:
    import __main__

    return x + __main__.gain


LOOKUPS: dict[str, Callable[[Any], Any]] = {
    "globals": lambda x: x + globals()["gain"],
    "eval": lambda x: x + eval("table['gain']"),
    "exec": executed,
    "nested": nested,
    "comprehension": in_comprehension,
}
OF_MODULES: dict[str, Callable[[Any], Any]] = {
    "import": imported,
    "sys.modules": lambda x: x + sys.modules["__main__"].gain,
    "sys.modules by name": lambda x: x + sys.modules[__name__].gain,
    "importlib": lambda x: x + importlib.import_module("__main__").gain,
}
NAMED: dict[str, Callable[[Any], Any]] = {
    "global": lambda x: x + gain,  # type: ignore[name-defined]  # noqa: F821
    "method": lambda x: x + model.eval().exec(),  # type: ignore[name-defined]  # noqa: F821
    "own function": lambda x: x + eval("gain"),
    "text": lambda x: x + (gain if "__main__" else 0),  # type: ignore[name-defined]  # noqa: F821
    "modules of a model": lambda x: x + len([*model.modules(), __name__]) - 2,  # type: ignore[name-defined]  # noqa: F821
    "other module": lambda x: x + len(sys.modules["math"].__name__) - 1,
}


def of_program(function: Any, **variables: Any) -> Any:
    """The same function, as one of the main program, with these global variables."""
    scope = {"__name__": "__main__", "__builtins__": builtins, **GAINS, **variables}
    return FunctionType(function.__code__, scope, function.__name__)


@pytest.mark.parametrize("way", LOOKUPS)
@pytest.mark.parametrize("far", ["processes", pytest.param("ray", marks=needs_ray)])
def test_they_are_called_in_the_program(far: str, way: str, crops: Path, request: Any) -> None:
    if far == "ray":
        request.getfixturevalue("ray_on_two_cpus")
    hook = of_program(LOOKUPS[way])
    expected = take(flow_with(crops, kind="serial", preprocessing_function=hook), 3)
    it = flow_with(crops, kind=far, preprocessing_function=hook)
    with it, pytest.warns(UserWarning, match=STAYS) as caught:
        assert_same_batches(take(it, 3), expected)
    [warning] = caught
    assert "looks variables of the program up with `" in str(warning.message)
    assert "name these variables in the function" in str(warning.message)


@pytest.mark.parametrize("way", {**LOOKUPS, **OF_MODULES})
def test_what_is_seen(way: str) -> None:
    error = failure_to_travel(of_program({**LOOKUPS, **OF_MODULES}[way]))
    assert isinstance(error, VariablesByNameError)
    named = {"eval": "`eval()`", "exec": "`exec()`", "sys.modules by name": "`sys.modules[__name__]`"}
    usual = "`globals()`" if way in LOOKUPS else "the module `__main__`"
    assert error.way == named.get(way, usual)


@pytest.mark.parametrize("way", NAMED)
def test_what_is_named_travels(way: str) -> None:
    own = {"eval": lambda name: len(name) - 1} if way == "own function" else {}
    assert failure_to_travel(of_program(NAMED[way], model=Switched(), **own)) is None


def test_the_main_module_under_another_name() -> None:
    function = of_program(lambda x: x + program.gain, program=sys.modules["__main__"])  # type: ignore[name-defined]  # noqa: F821
    assert isinstance(failure_to_travel(function), VariablesByNameError)


def test_functions_of_modules_that_workers_import_look_up_what_they_want() -> None:
    assert failure_to_travel(nested) is None
