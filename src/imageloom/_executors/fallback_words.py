"""Says why batches are computed in the user's process, and what to change."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from imageloom._executors.by_name import VariablesByNameError
from imageloom._executors.culprit import Culprit

__all__ = ["why_here", "without_workers"]


def why_here(
    functions: Sequence[str],
    plugins: Sequence[str],
    kind: str,
    culprit: Culprit | None,
    error: BaseException,
) -> str:
    """The warning of an iterator whose batches cannot be computed in other processes.

    Args:
        functions: The names of the user's functions that it calls.
        plugins: What the program has registered with Pillow, in words.
        kind: "threads" or "serial", which computes them instead.
        culprit: What cannot be sent; None if it was sent, and could not be received.
        error: What went wrong.
    """
    who = " or ".join([*(f"`{name}`" for name in functions), *plugins]) or "the generator"
    if culprit is not None:
        who = f"`{culprit.root}`" if culprit.root in functions else culprit.root
        thing = "it" if culprit.path == culprit.root else f"`{culprit.path}`"
        what = f"{thing}, an object of type {culprit.type_name}, cannot be sent there "
        what += f"({_first_line(culprit.error)})"
        remedy = (
            "make the object inside the function, or give the class that holds it a `__getstate__` "
            "that leaves it out."
        )
        if isinstance(culprit.error, VariablesByNameError):
            what = f"{thing} looks variables of the program up with {culprit.error.way}, and other "
            what += "processes have only those that its code names"
            remedy = "name these variables in the function, or pass them as arguments."
        elif culprit.root in plugins:
            remedy = "define the plug-in in a module that they can import."
    else:
        what = f"what it refers to cannot be received there ({_first_line(error)})"
        remedy = "make all that it refers to picklable and importable in other processes."
    if kind == "threads":
        where = "in threads of this process instead, with the same values"
        where += "; your functions take turns" if functions or not plugins else ""
        silently = (
            'Pass executor="threads" to run them in several threads at once, without this warning.'
        )
    else:
        where = "in the thread that reads them instead, with the same values"
        silently = 'Pass executor="serial" for the same without this warning.'
    return (
        f"{who[0].upper()}{who[1:]} cannot run in worker processes, because {what}. The batches of "
        f"this iterator are computed {where}. To use the workers, {remedy} {silently}"
    )


def without_workers(kind: str, error: BaseException) -> str:
    """The warning of a program that cannot start any worker process.

    Args:
        kind: "threads" or "serial", which computes its batches instead.
        error: Says why.
    """
    where = "in threads" if kind == "threads" else "in the thread that reads them"
    return (
        f"{error} Batches are computed {where} of this program instead, with the same values; your "
        f'functions take turns. Pass executor="{kind}" for that without this warning. If another file '
        "is the Python of this program, name it: `multiprocessing.set_executable(path)`."
    )


def _first_line(error: BaseException) -> str:
    with suppress(Exception):  # an exception of the user's may not be printable
        return f"{type(error).__name__}: {error}".splitlines()[0][:300]
    return type(error).__name__
