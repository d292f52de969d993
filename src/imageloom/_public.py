"""Marks the classes and functions that users import from `imageloom` itself."""

from __future__ import annotations

from typing import TypeVar

__all__ = ["public"]

ObjectT = TypeVar("ObjectT")


def public(decorated: ObjectT) -> ObjectT:
    """Sets the `__module__` of a class or a function to `imageloom`.

    Tracebacks, `help` and pickles then give the name that users import, not a private module.
    """
    decorated.__module__ = __package__ or ""
    return decorated
