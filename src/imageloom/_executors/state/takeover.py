"""Lets a worker process know what the program knows (see `Knowledge`).

A worker may compute for several iterators by turns, each of which has a state of the program as
of its first batch. `take_over` is called where a recipe arrives, and `use` before each batch.
Only what differs from the state before is touched. What functions have assigned to variables of
their modules meanwhile is kept for their next turn.

Modules of the user come from a finder, which runs the code that the program runs. It also sees when
modules of others are loaded in which the program has set or assigned something.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import locale
import marshal
import os
import sys
import warnings
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any, Final

from imageloom._executors.environment import take_over_variables
from imageloom._executors.libraries import is_library
from imageloom._executors.portable import learn_text
from imageloom._executors.state.assigned import Values
from imageloom._executors.state.knowledge import Knowledge, ModuleKnowledge
from imageloom._executors.state.module_code import ModuleCode
from imageloom._executors.state.patches import assign_patches
from imageloom._executors.state.settings import assign_settings

__all__ = ["take_over", "use"]

_STATES_KEPT: Final = 8


class _Worker:
    """What this worker has taken over.

    Attributes:
        knowledge: The state that is in use; None in the beginning.
        modules: What it has imported of the user's modules, by their names and numbers.
        current: Those of them that are in `sys.modules`.
        pending: Whether filters of warnings wait for the module of their class.
    """

    knowledge: Knowledge | None = None
    modules: Final[dict[tuple[str, int], _Imported]] = {}
    current: Final[dict[str, _Imported]] = {}
    pending = False


class _Imported:
    """A module that was imported with the code of the program."""

    def __init__(self, module: ModuleType, known: ModuleKnowledge) -> None:
        self.module = module
        self.code: ModuleCode | None = None
        self._used: ModuleKnowledge | None = None
        self._values: OrderedDict[tuple[bytes, bytes, bytes], Values] = OrderedDict()
        self.use(known)

    def use(self, known: ModuleKnowledge) -> None:
        """Runs the code, if it is another one than before, and assigns the values."""
        if known == self._used:
            return
        if known.code.code is not None and known.code != self.code:
            self._values.clear()
            self._used = None
            self._run(known.code)  # as `importlib.reload` did in the program
        self.code = known.code
        key = _key(known)
        if self._used is not None and key != _key(self._used):
            self._values[_key(self._used)].keep(self.module)
        if self._used is None or key != _key(self._used):
            if key not in self._values:
                self._values[key] = Values(known.values, known.large, self.module)
            self._values.move_to_end(key)
            self._values[key].assign(self.module)
            while len(self._values) > _STATES_KEPT:
                self._values.popitem(last=False)
        self._used = known

    def _run(self, code: ModuleCode) -> None:
        assert code.code is not None
        if code.text is not None and code.file is not None:
            learn_text(code.file, code.text)
        exec(marshal.loads(code.code), vars(self.module))


def _key(known: ModuleKnowledge) -> tuple[bytes, bytes, bytes]:
    return known.values.steady, known.values.others, known.large


class _Loader(Loader):
    """Loads a module with the code that the program has."""

    def __init__(self, name: str, known: ModuleKnowledge) -> None:
        self._name = name
        self._known = known

    def create_module(self, spec: ModuleSpec) -> None:
        """Leaves that to Python."""

    def exec_module(self, module: ModuleType) -> None:
        """Runs the code, and then assigns the values of the program."""
        imported = _Imported(module, self._known)
        _Worker.modules[self._name, self._known.values.number] = imported
        _Worker.current[self._name] = imported

    def get_source(self, name: str) -> str | None:
        """The text, for `inspect`."""
        del name
        return self._known.code.text

    def is_package(self, name: str) -> bool:
        """Whether it has submodules."""
        del name
        return self._known.code.places is not None


class _Finder(MetaPathFinder):
    """Finds the modules of the user that the program has loaded."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """How the module of this name is loaded; None if the program has not loaded it."""
        del target
        knowledge = _Worker.knowledge
        if knowledge is None:
            return None
        known = knowledge.modules.get(name)
        if known is None:
            changed = name in knowledge.settings or name in knowledge.patches
            return _as_in_program(PathFinder.find_spec(name, path)) if changed else None
        file, places = known.code.file, known.code.places
        if known.code.code is None and file is not None:
            return importlib.util.spec_from_file_location(name, file)
        spec = ModuleSpec(name, _Loader(name, known), origin=file, is_package=places is not None)
        if places is not None:
            spec.submodule_search_locations = list(places)
        spec.has_location = file is not None
        return spec


def _as_in_program(spec: ModuleSpec | None) -> ModuleSpec | None:
    """How a library is loaded, and then gets what the program has set and assigned there."""
    loader: Any = None if spec is None else spec.loader
    execute = getattr(loader, "exec_module", None)
    if spec is None or execute is None:
        return None

    def execute_and_assign(module: ModuleType) -> None:
        execute(module)
        if _Worker.knowledge is not None:
            assign_settings(_Worker.knowledge.settings, spec.name)
            assign_patches(_Worker.knowledge.patches, spec.name)

    loader.exec_module = execute_and_assign  # each specification has a loader of its own
    return spec


_finder: Final = _Finder()


def take_over(knowledge: Knowledge) -> None:
    """Prepares this worker for the functions of a recipe."""
    if _finder not in sys.meta_path:
        finders: list[Any] = list(sys.meta_path)
        place = finders.index(PathFinder) if PathFinder in finders else len(finders)
        sys.meta_path.insert(place, _finder)
    use(knowledge)


def use(knowledge: Knowledge) -> None:
    """Makes this worker have the state of a program, before a batch."""
    before = _Worker.knowledge
    if knowledge is before and not _Worker.pending:
        return
    _use_filters(knowledge)
    if knowledge is before:
        return
    _Worker.knowledge = knowledge
    sys.argv[:] = knowledge.argv
    # What another machine of a cluster has elsewhere.
    rest = [place for place in sys.path if is_library(place) and place not in knowledge.path]
    sys.path[:] = [*knowledge.path, *rest]
    with suppress(OSError):  # it was deleted, or is on another machine
        os.chdir(knowledge.folder)
    take_over_variables(knowledge.variables)
    assign_settings(knowledge.settings)
    with suppress(locale.Error):  # which another machine does not have
        if locale.setlocale(locale.LC_ALL) != knowledge.locale:
            locale.setlocale(locale.LC_ALL, knowledge.locale)
    for name in knowledge.patches.keys() & sys.modules.keys():
        assign_patches(knowledge.patches, name)
    for name, known in knowledge.modules.items():
        imported = _Worker.modules.get((name, known.values.number))
        if imported is not None:
            sys.modules[name] = imported.module
            _Worker.current[name] = imported
            imported.use(known)
        elif _Worker.current.pop(name, None) is not None:
            sys.modules.pop(name, None)  # the program has another one of this name


def _use_filters(knowledge: Knowledge) -> None:
    items = [given.item() for given in knowledge.filters]
    _Worker.pending = None in items
    found = [item for item in items if item is not None]
    if warnings.filters[-len(found) :] != found:  # before them are those of ours
        warnings.resetwarnings()  # tells Python, too, that there are others
        warnings.filters[:] = found  # type: ignore[index]
