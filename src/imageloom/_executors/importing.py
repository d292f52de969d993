"""Lets workers do without some modules: what these define is sent as that of the main module is.

A worker that imported a module which reads batches when it is imported would begin to do what the
program is doing. And there are modules that it cannot import, because their code is known to the
program only. So the functions themselves are sent, and not the names to import them by.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Final

import cloudpickle

from imageloom._checks.asking import said_by
from imageloom._executors.libraries import is_users

__all__ = ["is_importable", "note_reader", "note_unimportable", "sent_by_value"]

_read_when_imported: Final[set[str]] = set()  # the names of modules that were seen to do so
_unimportable: Final[dict[str, tuple[object, object]]] = {}  # by name: the module, and its `__spec__`


def note_reader() -> None:
    """Called before an iterator is read; notes whether a module that is just imported does so."""
    _read_when_imported.update(_being_imported())


def note_unimportable(names: Iterable[str]) -> bool:
    """Notes modules that no worker can import; returns whether any of them is new."""
    known = _still_unimportable()
    new = [name for name in names if name not in known]
    _unimportable.update((name, _identity(name)) for name in new)
    return bool(new)


def _still_unimportable() -> set[str]:
    """Those that were noted, and have not been loaded anew since."""
    return {name for name, identity in _unimportable.items() if identity == _identity(name)}


def _identity(name: str) -> tuple[object, object]:
    module = sys.modules.get(name)
    return module, said_by(module, "__spec__")


@contextmanager
def sent_by_value() -> Iterator[None]:
    """Tells cloudpickle about the modules that were noted."""
    told: list[ModuleType] = []
    for name in (
        _read_when_imported | _still_unimportable()
    ) - cloudpickle.list_registry_pickle_by_value():
        if (module := sys.modules.get(name)) is not None:
            cloudpickle.register_pickle_by_value(module)
            told.append(module)
    try:
        yield
    finally:
        for module in told:
            if module.__name__ in cloudpickle.list_registry_pickle_by_value():
                cloudpickle.unregister_pickle_by_value(module)


def is_importable(module: str) -> bool:
    """Whether a worker should import a module, rather than get what it defines."""
    return module != "__main__" and module not in cloudpickle.list_registry_pickle_by_value()


def _being_imported() -> Iterator[str]:
    """The modules of the user whose import is what this thread is doing."""
    frame = inspect.currentframe()
    while frame is not None:
        if frame.f_code.co_name == "<module>" and is_users(frame.f_code.co_filename):
            name = str(frame.f_globals.get("__name__"))
            module = sys.modules.get(name)
            if name != "__main__" and module is not None and vars(module) is frame.f_globals:
                yield name
        frame = frame.f_back
