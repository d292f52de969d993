"""Which objects a function of the user names: its variables, and what it takes from modules.

Python's own byte code tells: `np.random.rand` is the variable `np`, and then two attributes. Attributes
of modules are followed, because no code runs then; those of other objects are not.
"""

from __future__ import annotations

import dis
import sys
from collections.abc import Iterator
from contextlib import suppress
from types import CodeType, FunctionType, ModuleType
from typing import Any, Final

from imageloom._checks.asking import is_a

__all__ = ["NOT_LOADED", "all_names", "all_texts", "named_objects"]

_VARIABLES: Final = frozenset({"LOAD_GLOBAL", "LOAD_NAME", "LOAD_DEREF", "LOAD_CLASSDEREF"})
_ATTRIBUTES: Final = frozenset({"LOAD_ATTR", "LOAD_METHOD"})
_MISSING: Final = object()
NOT_LOADED: Final = object()
Variables = dict[str, Any]


def all_names(code: CodeType) -> Iterator[str]:
    """All names of variables and attributes in a function, and in those within it."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from all_names(constant)


def all_texts(code: CodeType) -> Iterator[str]:
    """All texts in a function, and in those within it; that of `getattr(m, "rng")` is a name."""
    for constant in code.co_consts:
        if isinstance(constant, str):
            yield constant
        elif isinstance(constant, CodeType):
            yield from all_texts(constant)


def named_objects(function: FunctionType) -> Iterator[tuple[str, Any]]:
    """Yields what a function names, with its name, such as `rng` or `np.random.rand`.

    A module that the function imports and that nobody has loaded yet is `NOT_LOADED`.
    """
    closed: Variables = {}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=False):
        with suppress(ValueError):  # nothing has been assigned to it yet
            closed[name] = cell.cell_contents
    yield from closed.items()
    yield from _Reader(function.__globals__, closed).objects(function.__code__)


class _Reader:
    """Reads byte code as far as it is about names."""

    def __init__(self, variables: Variables, closed: Variables) -> None:
        self._variables = variables
        self._imported = dict(closed)  # and what the function imports, by its local name

    def objects(self, code: CodeType) -> Iterator[tuple[str, Any]]:
        name, value = "", _MISSING
        module, pending = "", _MISSING  # an import, and what the next variable gets from it
        for instruction in dis.get_instructions(code):
            kind, argument = instruction.opname, instruction.argval
            if kind in _ATTRIBUTES and is_a(value, ModuleType):
                name, value = f"{name}.{argument}", vars(value).get(argument, _MISSING)
                continue
            if value is not _MISSING:
                yield name, value
            name, value = "", _MISSING
            if kind == "IMPORT_NAME":
                module = str(argument)
                pending = sys.modules.get(module.partition(".")[0], NOT_LOADED)
                name, value = module, sys.modules.get(module, NOT_LOADED)
            elif kind == "IMPORT_FROM":
                pending = _from(module, str(argument))
                name, value = f"{module}.{argument}", pending
            elif kind.startswith("STORE_") and kind not in ("STORE_ATTR", "STORE_SUBSCR"):
                stored, *loaded = argument if isinstance(argument, tuple) else (argument,)
                if pending is not _MISSING:
                    self._imported[stored], pending = pending, _MISSING
                name, value = self._local(loaded)
            elif kind in _VARIABLES:
                name, value = str(argument), self._value_of(argument)
            elif kind.startswith("LOAD_FAST"):
                name, value = self._local(argument if isinstance(argument, tuple) else (argument,))
        for constant in code.co_consts:
            if isinstance(constant, CodeType):
                yield from self.objects(constant)

    def _value_of(self, name: str) -> Any:
        return self._imported.get(name, self._variables.get(name, _MISSING))

    def _local(self, names: Any) -> tuple[str, Any]:
        """The last one of some local variables, if it was imported."""
        name = str(names[-1]) if names else ""
        return name, self._imported.get(name, _MISSING)


def _from(module: str, name: str) -> Any:
    loaded = sys.modules.get(module)
    found = vars(loaded).get(name, _MISSING) if is_a(loaded, ModuleType) else NOT_LOADED
    return sys.modules.get(f"{module}.{name}", found) if found is _MISSING else found
