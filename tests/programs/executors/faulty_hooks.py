"""Hooks of every kind, each of which raises. Run as a program, it tells what a user sees of that."""

from __future__ import annotations

import functools
import importlib.util
import inspect
import json
import linecache
import os
import sys
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

CELL = """
def of_a_cell(x):
    return inner_of_a_cell(x)

def inner_of_a_cell(x):
    raise ValueError("in a cell")
"""


class Told(Exception):
    """What a hook has found out about itself."""


def function(x: Any) -> Any:
    raise ValueError("in a function")


def nested(x: Any) -> Any:
    def inner(y: Any) -> Any:
        raise ValueError("in a nested function")

    return inner(x)


def closure() -> Callable[[Any], Any]:
    divisors = [0]

    def inner(x: Any) -> Any:
        return [1 / divisor for divisor in divisors]

    return inner


class Owner:
    def method(self, x: Any) -> Any:
        return self.helper(x)

    @staticmethod
    def helper(x: Any) -> Any:
        raise KeyError("in a method")

    @classmethod
    def of_the_class(cls, x: Any) -> Any:
        raise KeyError("in a class method")

    def __call__(self, x: Any) -> Any:
        return sum(self.parts())

    def parts(self) -> Any:
        yield 1
        raise KeyError("in a generator")


def two(factor: int, x: Any) -> Any:
    return x[factor, factor, factor, factor]


def wrapped(hook: Callable[[Any], Any]) -> Callable[[Any], Any]:
    @functools.wraps(hook)
    def outer(x: Any) -> Any:
        return hook(x)

    return outer


def chained(x: Any) -> Any:
    try:
        function(x)
    except ValueError as error:
        raise LookupError("because of the other") from error


def meanwhile(x: Any) -> Any:
    try:
        function(x)
    finally:
        two(1000, x)


def grouped(x: Any) -> Any:
    errors: list[Exception] = []
    for hook in (function, nested):
        try:
            hook(x)
        except ValueError as error:
            error.add_note(f"a note of {hook.__name__}")
            errors.append(error)
    raise ExceptionGroup("several", errors)


def endless(x: Any) -> Any:
    return endless(x)


def misspelt(x: Any) -> Any:
    compile("a = = 1\n", "formula", "exec")


def asked(x: Any) -> Any:
    """What a hook's own messages name, and what it finds of itself."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warnings.warn("of a hook", stacklevel=1)
    warned = caught[0]
    shown = warnings.formatwarning(warned.message, warned.category, warned.filename, warned.lineno)
    try:
        function(x)
    except ValueError:
        # Its first frame is this one, wherever it runs.
        logged = traceback.format_exc()
    raise Told(shown, logged, inspect.getsource(asked), inspect.getsource(of_a_cell))


def defined(name: str, text: str, function: str) -> Callable[[Any], Any]:
    """A function as a notebook's cell defines it: no file has its text."""
    scope: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(text, name, "exec"), scope)
    linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
    return scope[function]


def loaded(path: Path) -> Any:
    """A module that cannot be imported by its name."""
    spec = importlib.util.spec_from_file_location("beside", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


of_a_cell = defined("/tmp/ipykernel_12345/678.py", CELL, "of_a_cell")
HOOKS: dict[str, Callable[[Any], Any]] = {
    "function": function,
    "nested": nested,
    "lambda": lambda x: x.no_such_attribute,
    "closure": closure(),
    "method": Owner().method,
    "class method": Owner.of_the_class,
    "object": Owner(),
    "partial": functools.partial(two, 10**6),
    "decorated": wrapped(function),
    "cell": of_a_cell,
    "older cell": defined("<ipython-input-3-0123456789ab>", CELL, "of_a_cell"),
    "executed": eval("lambda x: 1 // 0"),
    "chained": chained,
    "meanwhile": meanwhile,
    "group": grouped,
    "endless": endless,
    "misspelt": misspelt,
    "asked": asked,
}
if "__file__" in globals() and Path(__file__).with_name("hooks_beside.py").exists():
    beside = loaded(Path(__file__).with_name("hooks_beside.py"))
    HOOKS["module by path"] = beside.behind_a_form_feed


class InTurn:
    """A hook that calls one of several, as the file at hand says."""

    def __init__(self, files: list[str], hooks: list[Callable[[Any], Any]]) -> None:
        self.hooks = dict(zip(files, hooks, strict=False))

    def __call__(self, params: Any, x: Any, filename: str) -> Any:
        return self.hooks[filename](x)


def main(folder: str, executors: list[str]) -> None:
    from imageloom import ImageDataGenerator

    options: dict[str, Any] = {"batch_size": 1, "shuffle": False, "target_size": (24, 24)}
    files = ImageDataGenerator(executor="serial").flow_from_directory(folder, **options).filenames
    seen: dict[str, list[str]] = {}
    for executor in executors:
        hook = InTurn(files, list(HOOKS.values()))
        generator = ImageDataGenerator(executor=executor, cores=1, preprocessing_function=hook)
        seen[executor] = []
        with generator.flow_from_directory(folder, **options) as it:
            for position in range(len(HOOKS)):
                try:
                    it[position]
                except Exception as error:
                    seen[executor].append("".join(traceback.format_exception(error)))
    print("TOLD " + json.dumps({"hooks": list(HOOKS), "seen": seen}), flush=True)


if __name__ == "__main__":
    main(os.environ["CROPS"], sys.argv[1:])
