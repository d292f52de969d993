"""The first steps of a worker process: it imports what it needs, or reports why it cannot.

Until then its search path has Python's own folders first, then those with libraries. Whatever lies
beside the user's data is not found. Then it gets the path of the program, by which the functions of the
user import.
"""

from __future__ import annotations

import gc
import os
import sys
import warnings
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from importlib.machinery import ModuleSpec, PathFinder
from multiprocessing.connection import Connection
from types import ModuleType
from typing import TYPE_CHECKING, Final

from imageloom._errors import MissingDependencyError
from imageloom._executors.inside import this_is_a_worker
from imageloom._executors.libraries import is_standard
from imageloom._executors.workers.lifeline import end_with_parent

if TYPE_CHECKING:
    from imageloom._executors.workers.birth import Birth

__all__ = ["main"]


def main(connection: Connection, lifeline: Connection, birth: Birth) -> None:
    """Computes batches for one parent process until the connection ends."""
    this_is_a_worker()
    end_with_parent(lifeline)
    standard = [place for place in sys.path if is_standard(place)]
    places = [*standard, *(p for p in birth["libraries"] if p not in standard)]
    sys.path[:] = places
    try:
        with warnings.catch_warnings():
            # What libraries warn of is not for the flags of a program (`-W error`) to decide on.
            warnings.simplefilter("ignore")
            from imageloom._executors.workers.line import Line
            from imageloom._executors.workers.worker import serve
    except MissingDependencyError as error:
        from imageloom._executors.workers.messages import CannotStart

        with suppress(OSError):  # the parent has heard it from another worker, and has gone
            connection.send(CannotStart(error))
    else:
        gc.freeze()  # what will last as long as this process is not looked through again and again
        gc.enable()
        _become_the_program(birth, standard, places)
        with closing(Line.over(connection)) as line:
            serve(line)


def _become_the_program(birth: Birth, standard: list[str], places: list[str]) -> None:
    """Finds modules as the program does, except for Python's own and those that a worker needs."""
    found = dict.fromkeys(birth["needs"], places)
    found |= dict.fromkeys(sys.stdlib_module_names - set(birth["own"]), standard)
    finders: list[object] = list(sys.meta_path)
    place = finders.index(PathFinder) if PathFinder in finders else len(finders)
    sys.meta_path.insert(place, _Steady(found))
    sys.path[:] = birth["path"]
    if birth["variable"] is not None:
        os.environ["PYTHONPATH"] = birth["variable"]


class _Steady:
    """Finds some modules, which are imported at any time, where they always are."""

    def __init__(self, places: Mapping[str, Sequence[str]]) -> None:
        self._places: Final = places

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The module of this name, if it is one of them and no submodule."""
        if path is not None or name not in self._places:
            return None
        return PathFinder.find_spec(name, self._places[name], target)
