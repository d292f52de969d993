"""How objects travel to workers that cloudpickle does not send, or sends as something else.

* A lock becomes a new one, which nobody holds. It keeps threads of one process apart, and a worker has
  only one that runs the user's code.
* A file that is open for reading is opened again where the program reads it now.
* A function in a `functools.lru_cache` gets an empty cache.
* The random generators of the process, of which `random.gauss` and `numpy.random.normal` are methods,
  are those of the worker.
* An iterator becomes an object that has its plain attributes (see `inert`).
* Threads, queues and futures are not sent. cloudpickle could copy some of them now that locks travel,
  but in another process they would wait for ever.
"""

from __future__ import annotations

import concurrent.futures
import functools
import io
import os
import queue
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pickle import PicklingError
from typing import Any, Final

from imageloom._executors.importing import is_importable
from imageloom._executors.inert import InertIterator, inert
from imageloom._pipeline.random_sources import global_generator, name_of_global

__all__ = ["reduced"]

_MOST_TEXT: Final = 64 * 2**20  # bytes of a text file that is sent whole
_TIED_TO_THE_PROGRAM: Final = (
    threading.Thread,
    queue.Queue,
    concurrent.futures.Future,
    concurrent.futures.Executor,
    subprocess.Popen,
)
_GENERATORS: Final = ("Random", "RandomState", "Generator")  # in `random`, NumPy and torch


def reduced(value: Any) -> Any:
    """What `__reduce__` should return for `value`; None if cloudpickle knows better.

    Raises:
        PicklingError: the object must not be sent.
    """
    kind = type(value)
    reducer = _REDUCERS.get(kind)
    if reducer is not None:
        return reducer(value)
    if kind.__name__ in _GENERATORS and (name := name_of_global(value)) is not None:
        return global_generator, (name,)
    if issubclass(kind, _TIED_TO_THE_PROGRAM):
        raise PicklingError(f"a {kind.__name__} belongs to its process")
    stub = inert(value)
    return None if stub is None else (_stub, (stub._kind, stub._length, _attributes(stub)))


def _stub(kind: str, length: int, attributes: dict[str, Any]) -> InertIterator:
    return InertIterator(kind, length, attributes)


def _attributes(stub: InertIterator) -> dict[str, Any]:
    return {name: value for name, value in vars(stub).items() if not name.startswith("_")}


def _new_lock() -> Any:
    return threading.Lock()


def _new_reentrant_lock() -> Any:
    return threading.RLock()


def _new_local(attributes: dict[str, Any]) -> threading.local:
    local = threading.local()
    local.__dict__.update(attributes)
    return local


def _cached(function: Callable[..., Any], parameters: dict[str, Any]) -> Any:
    return functools.lru_cache(**parameters)(function)


def _reduced_cache(value: Any) -> Any:
    """By name where a worker can import it, which it cannot from the user's main module."""
    found: Any = sys.modules.get(value.__module__)
    for name in value.__qualname__.split("."):
        found = getattr(found, name, None)
    if found is value and is_importable(value.__module__):
        return None
    return _cached, (value.__wrapped__, value.cache_parameters())


def _reopened(path: str, position: int, buffered: bool) -> Any:
    raw = io.FileIO(path)
    file = io.BufferedReader(raw) if buffered else raw
    file.seek(position)
    return file


def _closed_file(text: bool) -> io.IOBase:
    file: io.IOBase = io.StringIO() if text else io.BytesIO()
    file.close()
    return file


def _reduced_binary(file: Any) -> Any:
    if file.closed:
        return _closed_file, (False,)
    if file.writable():
        return _refused(file)
    if not isinstance(file.name, (str, bytes)):
        raise PicklingError(f"the file {file.name!r} has no path")
    path = os.path.abspath(os.fsdecode(file.name))
    there, here = os.stat(path), os.fstat(file.fileno())
    if not os.path.samestat(there, here) or not stat.S_ISREG(here.st_mode):
        raise PicklingError(f"{path!r} is no longer the file that is open, or is not a regular file")
    return _reopened, (path, file.tell(), isinstance(file, io.BufferedReader))


def _reduced_text(file: io.TextIOWrapper) -> Any:
    """Its text travels, as cloudpickle does it, because a file does not tell how it reads line ends."""
    if file in (sys.stdout, sys.stderr):
        return None
    if file.closed:
        return _closed_file, (True,)
    if file.writable():
        return _refused(file)
    if not file.seekable() or os.fstat(file.fileno()).st_size > _MOST_TEXT:
        raise PicklingError(f"{file.name!r} is not a regular file, or too large")
    return None


def _refused(file: Any) -> Any:
    if file.closed:
        return _closed_file, (False,)
    raise PicklingError(f"the file {getattr(file, 'name', '')!r} is open for writing")


_REDUCERS: Final[dict[type, Callable[[Any], Any]]] = {
    type(threading.Lock()): lambda lock: (_new_lock, ()),
    type(threading.RLock()): lambda lock: (_new_reentrant_lock, ()),
    threading.local: lambda local: (_new_local, (dict(local.__dict__),)),
    functools._lru_cache_wrapper: _reduced_cache,
    io.FileIO: _reduced_binary,
    io.BufferedReader: _reduced_binary,
    io.TextIOWrapper: _reduced_text,
    io.BufferedWriter: _refused,
    io.BufferedRandom: _refused,
}
