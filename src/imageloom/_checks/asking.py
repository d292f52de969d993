"""Asks objects of the user what they are, whatever they do when they are asked.

`isinstance` and `getattr` run code of a class that has a `__class__` or a `__getattr__` of its own:
a dictionary whose keys are attributes raises `KeyError`, a proxy of a web framework `RuntimeError`
outside of a request, and a module that is loaded late `ImportError`. None of that is our business.
"""

from __future__ import annotations

from types import MethodType, ModuleType
from typing import Any, Final, TypeGuard, TypeVar

__all__ = ["function_of", "is_a", "said_by"]

T = TypeVar("T")
_METHODS: Final = (staticmethod, classmethod, MethodType)


def is_a(value: object, kinds: type[T] | tuple[type[T], ...]) -> TypeGuard[T]:
    """As `isinstance`; by the type alone if the object does not say what it is."""
    try:
        return isinstance(value, kinds)
    except Exception:
        return issubclass(type(value), kinds)


def said_by(module: object, name: str) -> Any:
    """An attribute that a module has, such as `__file__`; None if it has none, or is no module.

    Nothing is computed for it, nor loaded.
    """
    if not issubclass(type(module), ModuleType):
        return None
    return ModuleType.__getattribute__(module, "__dict__").get(name)


def function_of(value: Any) -> Any:
    """The function within a method of a class, or of an object; anything else as it is."""
    return value.__func__ if issubclass(type(value), _METHODS) else value
