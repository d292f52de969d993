"""Assigns the program's values to the variables of a module in a worker.

A copy of some variables may contradict the others. If a function of a module has made an object
that cannot travel, and a mark that it has done so, a worker that had the mark without the object
would never make its own. So what the functions of a module assign stays as it was imported, if
the same functions use an object that the worker lacks.
"""

from __future__ import annotations

import dis
import pickle
from collections.abc import Iterator, Mapping
from contextlib import suppress
from types import CodeType, FunctionType, ModuleType
from typing import Any, Final

from imageloom._checks.asking import function_of
from imageloom._executors.state.values import ModuleValues, kind_of

__all__ = ["Values"]

_ASSIGNS: Final = frozenset({"STORE_GLOBAL", "STORE_ATTR", "DELETE_GLOBAL", "DELETE_ATTR"})
_MISSING: Final = object()


class Values:
    """The values of one state of the program for the variables of a module and its classes."""

    def __init__(self, values: ModuleValues, large: bytes, module: ModuleType) -> None:
        """`module` is as it was imported."""
        self._values: dict[str, dict[str, Any]] = {}
        for pickled in filter(None, (values.steady, values.others, large)):
            for owner, found in pickle.loads(pickled).items():
                self._values.setdefault(owner, {}).update(found)
        contradicted = _assigned_with(module, _lacking(module, values.kinds))
        for found in self._values.values():
            for name in contradicted & found.keys():
                del found[name]
        self._absent = {
            owner: {name for name in _plain_names(space) if name not in names} - contradicted
            for owner, names in values.names.items()
            if (space := _space(module, owner)) is not None
        }

    def assign(self, module: ModuleType) -> None:
        """Gives the variables these values."""
        for owner, values in self._values.items():
            space = _space(module, owner)
            for name, value in values.items() if space is not None else ():
                if vars(space).get(name, _MISSING) is not value:
                    with suppress(AttributeError, TypeError):  # a class may forbid it
                        setattr(space, name, value)
        for owner, names in self._absent.items():
            space = _space(module, owner)
            for name in names:
                if space is not None and name in vars(space):
                    delattr(space, name)

    def keep(self, module: ModuleType) -> None:
        """Takes what has been assigned to the variables meanwhile, for the next time."""
        for owner, values in self._values.items():
            space = _space(module, owner)
            for name in values if space is not None else ():
                values[name] = vars(space).get(name, values[name])


def _space(module: ModuleType, owner: str) -> Any:
    found: Any = module
    for name in filter(None, owner.split(".")):
        found = getattr(found, name, None)
    return found


def _plain_names(space: Any) -> list[str]:
    """The names of numbers and texts, which a program may delete."""
    plain = (bool, int, float, complex, str, bytes, type(None), list, tuple, dict, set)
    found = vars(space).items()
    return [name for name, value in found if type(value) in plain and not name.startswith("__")]


def _lacking(module: ModuleType, kinds: Mapping[str, Mapping[str, tuple[str, int]]]) -> set[str]:
    """The names of what is not plain in the program, and something else here."""
    lacking = set()
    for owner, found in kinds.items():
        space = _space(module, owner)
        here = {} if space is None else vars(space)
        for name, kind in found.items():
            if name not in here or kind_of(here[name]) != kind:
                lacking.add(name)
    return lacking


def _assigned_with(module: ModuleType, lacking: set[str]) -> set[str]:
    """The names that functions assign which also use one of the lacking objects."""
    assigned: set[str] = set()
    for code in _codes(module) if lacking else ():
        if lacking.intersection(code.co_names):
            assigned.update(_assigned_by(code))
    return assigned


def _codes(module: ModuleType) -> Iterator[CodeType]:
    to_do: list[Any] = [module]
    for owner in to_do:
        for value in tuple(vars(owner).values()):
            found = function_of(value)
            if issubclass(type(found), FunctionType) and found.__globals__ is vars(module):
                yield found.__code__
            elif (
                issubclass(type(found), type)
                and found.__module__ == module.__name__
                and owner is module
            ):
                to_do.append(found)


def _assigned_by(code: CodeType) -> Iterator[str]:
    for step in dis.get_instructions(code):
        if step.opname in _ASSIGNS:
            yield str(step.argval)
