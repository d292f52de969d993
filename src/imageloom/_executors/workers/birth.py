"""How a worker is born: which program starts it, with what, and where it finds its libraries.

The working directory often holds data, and what lies beside data must not be run. So a worker starts
with a search path that has neither that folder nor what `PYTHONPATH` names, and imports all that it
needs from Python's own folders, and from those where libraries are (see `boot`). Only then it gets
the path of the program, by which the user's functions import.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from multiprocessing import spawn
from typing import Final, TypedDict

from imageloom._errors import WorkerStartError
from imageloom._executors.libraries import is_library, is_standard
from imageloom._storage.refusals import is_file

__all__ = [
    "Birth",
    "NoWorkers",
    "check_workers_can_be_born",
    "interpreter_command",
    "newborn",
    "without_search_path",
]

# What a worker imports, of which this process has imported some.
_NEEDS: Final = (
    *(
        "imageloom",
        "numpy",
        "PIL",
        "cv2",
        "simplejpeg",
        "isal",
        "kornia_rs",
        "cykooz_resizer",
        "cloudpickle",
        "psutil",
    ),
    *("ml_dtypes", "scipy", "fsspec"),
)
# `python`, `python3.13t`, `python_d.exe`, `pypy3`, `.python3-wrapped`, and Apple's `Python`
_NAME_OF_PYTHON: Final = re.compile(r"\.?(python|pypy|graalpy)[\w.-]*", re.IGNORECASE)
_PATH_VARIABLE: Final = "PYTHONPATH"


class NoWorkers(WorkerStartError):
    """No worker process can be started from this program at all."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"No worker process can be started, because {reason}.")


class Birth(TypedDict):
    """What a worker is told first, before it can import any class of ours.

    Attributes:
        home: The place that the package is imported from: a folder or a zip file.
        libraries: The places of the search path that the worker imports what it needs from.
        needs: What else it imports at any time, and never from the program's path.
        path: The search path of the program.
        own: The modules that the program has imported, and that are called like one of Python's own.
        variable: The value of `PYTHONPATH`; None if it is not set.
    """

    home: str
    libraries: list[str]
    needs: list[str]
    path: list[str]
    own: list[str]
    variable: str | None


def check_workers_can_be_born() -> None:
    """Does nothing if this program was started by a Python that can be started again.

    Raises:
        NoWorkers: It was not; the error says why.
        StorageError: The system could not say so.
    """
    executable = spawn.get_executable()
    # Programs make many small flows, and to look at the file takes as long as one of their images.
    if getattr(sys, "frozen", False) or not executable or executable != _Seen.executable:
        _interpreter()
        _home()
        _Seen.executable = executable


class _Seen:
    """The interpreter that was found to be one.

    Attributes:
        executable: As `multiprocessing` names it; None if there was none yet.
    """

    executable: str | bytes | None = None


def interpreter_command() -> list[str]:
    """The Python that runs this program, with the same flags, and without the working directory.

    Raises:
        NoWorkers: See `check_workers_can_be_born`.
    """
    flags = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]
    return [_interpreter(), *flags, "-P"]


def _home() -> str:
    place = dict(_places()).get("imageloom")
    if place is None:
        raise NoWorkers("imageloom was not imported from a file")
    return place


def _interpreter() -> str:
    if getattr(sys, "frozen", False):
        raise NoWorkers("this program was made into one file, which holds its own Python")
    executable = spawn.get_executable()  # which `multiprocessing.set_executable` may have set
    if not executable:
        raise NoWorkers("`sys.executable` does not say which Python runs this program")
    found = os.fsdecode(executable)
    if not is_file(found):
        raise NoWorkers(f"there is no Python at {found!r}, the place that `sys.executable` names")
    # A link to Python may have any name. An application that has Python in it would start again.
    if not any(_NAME_OF_PYTHON.fullmatch(os.path.basename(path)) for path in (found, _target(found))):
        raise NoWorkers(f"`sys.executable`, which is {found!r}, is no Python")
    return found


def _target(link: str) -> str:
    try:
        return os.path.realpath(link)
    except OSError:  # the system cannot say it at the moment
        return link


def newborn(environment: dict[str, str]) -> Birth:
    """What a worker of this program in its present state is told; `environment` is the worker's."""
    path = [str(place) for place in sys.path]
    return {
        "home": _home(),
        "libraries": list(_libraries(path, {place for _, place in _places()})),
        # OpenCV's loader, which runs at once, finds another part of itself by the search path.
        "needs": [name for name in _NEEDS if name != "cv2"],
        "path": path,
        "own": [name for name in sys.stdlib_module_names if _is_users_own(name)],
        "variable": environment.get(_PATH_VARIABLE),
    }


def without_search_path(environment: dict[str, str]) -> dict[str, str]:
    """The environment without `PYTHONPATH`, which a worker gets back once it has started."""
    return {name: value for name, value in environment.items() if name != _PATH_VARIABLE}


def _places() -> Iterator[tuple[str, str]]:
    """Where this process has got from what a worker needs: the name, and the place of the path."""
    for name in _NEEDS:
        file = getattr(sys.modules.get(name), "__file__", None)
        if isinstance(file, str):
            folder = os.path.dirname(os.path.abspath(file))
            is_package = os.path.splitext(os.path.basename(file))[0] == "__init__"
            yield name, os.path.dirname(folder) if is_package else folder


def _libraries(path: list[str], places: set[str]) -> Iterator[str]:
    """The places where libraries are, in the order of the program; then all others but this folder."""
    rest: list[str] = []
    try:
        here: str | None = os.path.realpath(os.getcwd())
    except OSError:  # it was deleted
        here = None
    for place in path:
        absolute = os.path.abspath(place) if os.path.isabs(place) or here is not None else place
        if absolute in places or is_library(absolute):
            yield absolute
        elif _target(absolute) != here:
            rest.append(absolute)
    yield from rest


def _is_users_own(name: str) -> bool:
    file = getattr(sys.modules.get(name), "__file__", None)
    return isinstance(file, str) and not is_standard(file)
