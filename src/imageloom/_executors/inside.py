"""Marks the processes that compute batches for a program; none of them starts such processes itself.

A worker imports the module that a function of the user comes from. If that module reads batches when it
is imported, each worker would start workers in turn.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager

from imageloom._errors import IteratorClosedError

__all__ = ["as_worker", "receiving", "refuse_in_worker", "this_is_a_worker"]


class _Here:
    """What this process is doing.

    Attributes:
        computing: How many batches of another process it computes; at least 1 in a worker.
        receiving: How many recipes it unpickles.
    """

    computing = 0
    receiving = 0


def this_is_a_worker() -> None:
    """Marks this process for good."""
    _Here.computing += 1


@contextmanager
def as_worker() -> Iterator[None]:
    """Marks this process while it computes a batch for another one. It may do other things later."""
    _Here.computing += 1
    try:
        yield
    finally:
        _Here.computing -= 1


@contextmanager
def receiving() -> Iterator[None]:
    """Notes that a recipe is unpickled meanwhile, which may import modules of the user."""
    _Here.receiving += 1
    try:
        yield
    finally:
        _Here.receiving -= 1


def refuse_in_worker(*, starts_processes: bool) -> None:
    """Called before an iterator is read.

    Args:
        starts_processes: Whether that may start processes. If it does not, a function that a worker
            calls may do so, but not a module that is imported for it.

    Raises:
        IteratorClosedError: This is a worker.
    """
    if not _Here.receiving and not (_Here.computing and starts_processes):
        return
    module, imported = _reader()
    if imported:
        raise IteratorClosedError(
            f"The module {module!r} reads batches when it is imported, and a worker process has to "
            "import it, because a function that it runs comes from there. Move what reads batches into "
            'a function, or behind `if __name__ == "__main__":`; or move the function into a module '
            "of its own."
        )
    raise IteratorClosedError(
        f"A function of the module {module!r}, which runs in a worker process, asked an iterator for a "
        'batch. Pass executor="threads" to the generator whose function this is.'
    )


def _reader() -> tuple[str, bool]:
    """The module of the user that reads, and whether it is being imported."""
    frame = inspect.currentframe()
    caller = ""
    while frame is not None:
        name = str(frame.f_globals.get("__name__", ""))
        if frame.f_code.co_name == "<module>" and name != "__main__":
            return name, True
        if not caller and name.partition(".")[0] != __package__.partition(".")[0]:
            caller = name
        frame = frame.f_back
    return caller, False
