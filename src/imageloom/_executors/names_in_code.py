"""The code that is defined in some code, and the names in all of it."""

from __future__ import annotations

from collections.abc import Iterator
from types import CodeType

__all__ = ["codes_within", "names_within"]


def codes_within(code: CodeType) -> Iterator[CodeType]:
    """Some code, and that of the functions and classes that are defined in it."""
    yield code
    for constant in code.co_consts:
        if issubclass(type(constant), CodeType):
            yield from codes_within(constant)


def names_within(code: CodeType) -> Iterator[str]:
    """The names of global variables and attributes in all of it."""
    for one in codes_within(code):
        yield from one.co_names
