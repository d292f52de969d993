"""Functions that look variables of the program up by name, which other processes do not have.

cloudpickle sends the globals that the code of a function names. What `globals()["gain"]`,
`eval("gain")` or `sys.modules["__main__"].gain` find in the program, nobody can tell before they run.
"""

from __future__ import annotations

import dis
import pickle
from collections.abc import Iterator
from types import CodeType, FunctionType, ModuleType
from typing import Any, Final

from imageloom._checks.asking import is_a
from imageloom._executors.names_in_code import codes_within

__all__ = ["VariablesByNameError", "refuse_lookups"]

_BUILTINS: Final = frozenset({"globals", "eval", "exec"})
_MAIN: Final = "__main__"
_SYS_MODULES: Final = frozenset({"sys", "modules"})
_OF_MODULES: Final = ("LOAD_GLOBAL", "LOAD_NAME")


class VariablesByNameError(pickle.PicklingError):
    """A function looks variables up by name.

    Attributes:
        way: What it looks them up with, in words.
    """

    def __init__(self, way: str) -> None:
        """Says only what was found; `fallback_words` says what to do."""
        super().__init__(f"variables of the program are looked up with {way}")
        self.way = way


def refuse_lookups(value: Any) -> None:
    """Raises for a function that would find other variables elsewhere, and for the main module.

    Raises:
        VariablesByNameError: it is one.
    """
    way = None
    if is_a(value, FunctionType):
        way = _way_of(value)
    elif is_a(value, ModuleType) and value.__name__ == _MAIN:
        way = f"the module `{_MAIN}`"
    if way is not None:
        raise VariablesByNameError(way)


def _way_of(function: FunctionType) -> str | None:
    """What a function looks variables up with; None if nothing of that kind can be seen."""
    for code in codes_within(function.__code__):
        names = frozenset(code.co_names)
        asks_for_modules = names >= _SYS_MODULES
        for name in _variables(code):
            # A method such as `model.eval()` is none, nor is a function of the program's own.
            if name in _BUILTINS and name not in function.__globals__:
                return f"`{name}()`"
            if name == "__name__" and asks_for_modules:
                return "`sys.modules[__name__]`"
        named = _MAIN in code.co_consts and (asks_for_modules or "import_module" in names)
        if _MAIN in names or named:
            return f"the module `{_MAIN}`"
    return None


def _variables(code: CodeType) -> Iterator[str]:
    """The global variables among the names that matter; most code has none of these names."""
    if (_BUILTINS | {"__name__"}).isdisjoint(code.co_names):
        return
    for instruction in dis.get_instructions(code):
        if instruction.opname in _OF_MODULES:
            yield instruction.argval
