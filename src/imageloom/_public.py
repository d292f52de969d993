"""Marks what users import from `imageloom` itself."""

from __future__ import annotations

from typing import TypeVar

__all__ = ["public"]

ThingT = TypeVar("ThingT")


def public(thing: ThingT) -> ThingT:
    """Lets a class or a function say `imageloom` where it says which module it comes from.

    Tracebacks, `help` and pickles then name what a user can import, and not where the code lies.
    """
    thing.__module__ = __package__ or ""
    return thing
