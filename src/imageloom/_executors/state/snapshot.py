"""What a program knows at the first batch of an iterator, for the workers that compute its batches.

`Snapshot` is taken in the program, which takes about a twentieth of a millisecond. `Knowledge` is
made of it once workers are opened, and travels before the recipe, because modules of the user
that the recipe needs may read all of this while they are imported.
"""

from __future__ import annotations

import locale
import os
import sys
import warnings
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Final

from imageloom._checks.asking import said_by
from imageloom._executors.environment import changed_variables
from imageloom._executors.packing import Packed
from imageloom._executors.state.knowledge import Filter, Knowledge, ModuleKnowledge
from imageloom._executors.state.module_code import code_of, names_in
from imageloom._executors.state.patches import patches
from imageloom._executors.state.settings import Settings, settings
from imageloom._executors.state.users_modules import (
    Space,
    is_users_own,
    reached,
    spaces_of,
    users_modules,
)
from imageloom._executors.state.values import ModuleValues, large_values, values_of
from imageloom._locks import Lock
from imageloom._pipeline.recipe import Recipe

__all__ = ["Snapshot", "snapshot"]

_turn: Final = Lock()  # what is remembered of modules is looked at by one thread at a time


@dataclass(eq=False, slots=True, kw_only=True)
class Snapshot:
    """The state of the program at the first batch of an iterator.

    Attributes:
        argv: `sys.argv`.
        path: `sys.path`, with absolute folders.
        folder: The working directory; "" if it was deleted.
        variables: The environment variables that the program has set, or deleted (None).
        filters: The filters of the module `warnings`.
        locale: What `locale.setlocale` gives for all categories.
        settings: Those of Python and of libraries.
        functions: Those of the user, or objects that have them.
        values: The values of the user's modules that the functions seem to use.
        sent: The packed recipe, if it was packed then.
    """

    argv: tuple[str, ...]
    path: tuple[str, ...]
    folder: str
    variables: Mapping[str, str | None]
    filters: tuple[Any, ...]
    locale: str
    settings: Settings
    functions: Sequence[Any]
    values: Mapping[str, ModuleValues]
    sent: Packed | None = None

    def knowledge(self, recipe: bytes) -> tuple[Knowledge, frozenset[str]]:
        """What travels before a pickled recipe, and the names of modules that workers cannot import.

        What these define has to travel with the recipe.
        """
        with _turn:
            modules, lacking = self._modules(recipe)
        known = Knowledge(
            argv=self.argv,
            path=self.path,
            folder=self.folder,
            variables=self.variables,
            filters=tuple(Filter.of(given) for given in self.filters),
            locale=self.locale,
            settings=self.settings,
            patches=patches([*spaces_of(self.functions), *_spaces(modules)]),
            modules=modules,
        )
        return known, frozenset(lacking)

    def _modules(self, recipe: bytes) -> tuple[dict[str, ModuleKnowledge], set[str]]:
        """The user's modules that the recipe may need, and the names of those that cannot travel."""
        modules: dict[str, ModuleKnowledge] = {}
        uses: dict[str, frozenset[str]] = {}
        lacking: set[str] = set()
        to_do = deque(name for name in sorted(users_modules().names) if name.encode() in recipe)
        while to_do:
            name = to_do.popleft()
            module = sys.modules.get(name)
            if name in modules or name in lacking or module is None:
                continue
            code = code_of(name, module)
            if code is None:
                lacking.add(name)
                continue
            values = self.values.get(name) or values_of(name)
            if values is not None:
                modules[name] = ModuleKnowledge(code, values, large_values(name, values))
                uses[name] = frozenset(users_modules().named(names_in(code.code)))
                to_do.extend(uses[name])
                to_do.extend(_parents(name))
        while more := {name for name in uses if name not in lacking and uses[name] & lacking}:
            lacking |= more  # it would import what cannot be imported
        for name in lacking & modules.keys():
            del modules[name]
        return modules, lacking


def snapshot(recipe: Recipe) -> Snapshot:
    """The present state, as far as the functions of the user may see it."""
    folder, functions = _folder(), _functions(recipe)
    with _turn:
        names = reached(functions)
        values = {name: values for name in names if (values := values_of(name)) is not None}
    return Snapshot(
        argv=tuple(map(str, getattr(sys, "argv", None) or ())),
        path=_absolute(tuple(map(str, sys.path)), folder),
        folder=folder,
        variables=changed_variables(),
        filters=tuple(warnings.filters),
        locale=locale.setlocale(locale.LC_ALL),
        settings=settings(),
        functions=functions,
        values=values,
    )


def _spaces(modules: Mapping[str, ModuleKnowledge]) -> Iterator[Space]:
    for name, known in modules.items():
        yield names_in(known.code.code), vars(sys.modules[name])


def _folder() -> str:
    try:
        return os.getcwd()
    except OSError:  # it was deleted
        return ""


def _absolute(path: tuple[str, ...], folder: str) -> tuple[str, ...]:
    if all(map(os.path.isabs, path)):
        return path
    return tuple(os.path.normpath(os.path.join(folder, place)) for place in path)


def _parents(name: str) -> Iterator[str]:
    while name := name.rpartition(".")[0]:
        module = sys.modules.get(name)
        if issubclass(type(module), ModuleType) and (
            is_users_own(name, module) or said_by(module, "__file__") is None
        ):
            yield name


def _functions(recipe: Recipe) -> list[Any]:
    code = recipe.user_code
    found = [hook.function for hook in (code.noaug_hook, code.hook) if hook is not None]
    found += [f for f in (code.batch_function, code.batch_method) if f is not None]
    if code.overrides:
        found.append(recipe.params.image_data_generator)
    return found
