"""Lets workers do without modules that read batches when they are imported.

A worker that imported such a module would begin to do what the program is doing. What it defines is
sent as that of the main module is: the functions themselves, and not the names to import them by.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Final

import cloudpickle

from imageloom._executors.libraries import is_library, is_standard

__all__ = ["is_importable", "note_reader", "sent_by_value"]

_read_when_imported: Final[set[str]] = set()  # the names of modules that were seen to do so


def note_reader() -> None:
    """Called before an iterator is read; notes whether a module that is just imported does so."""
    _read_when_imported.update(_being_imported())


@contextmanager
def sent_by_value() -> Iterator[None]:
    """Tells cloudpickle about the modules that were noted."""
    told: list[ModuleType] = []
    for name in _read_when_imported - cloudpickle.list_registry_pickle_by_value():
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
        if frame.f_code.co_name == "<module>" and _is_users_own(frame.f_code.co_filename):
            name = str(frame.f_globals.get("__name__"))
            module = sys.modules.get(name)
            if name != "__main__" and module is not None and vars(module) is frame.f_globals:
                yield name
        frame = frame.f_back


def _is_users_own(file: str) -> bool:
    return not is_library(file) and not is_standard(file)
