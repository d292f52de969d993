"""Finds what it is that cannot be sent to workers, and the name under which the user knows it.

pickle says only of which type it is. So the parts of the function are tried one by one, down to an
object none of whose parts fails.
"""

from __future__ import annotations

import sys
import time
import weakref
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from types import FunctionType, MethodType
from typing import Any, Final

from imageloom._checks.asking import function_of, is_a, said_by
from imageloom._executors.kinds import reduced
from imageloom._executors.names_in_code import names_within
from imageloom._executors.portable import failure_to_travel

__all__ = ["Culprit", "find_culprit"]

_SECONDS: Final = 2.0  # large arrays may be among what is tried
_DEPTH: Final = 50
_MOST_ITEMS: Final = 1000
_WEAK: Final = (weakref.WeakValueDictionary, weakref.WeakKeyDictionary, weakref.WeakSet)
_ATOMS: Final = (type(None), bool, int, float, complex, str, bytes)
Parts = Iterator[tuple[str, Any]]


@dataclass(frozen=True, slots=True)
class Culprit:
    """An object that cannot travel.

    Attributes:
        root: the name of the function, or of the generator, that it is a part of.
        path: its name, as in the user's program: `model.lock`, `files[2]`.
        value: the object.
        error: what pickling it raised.
    """

    root: str
    path: str
    value: Any
    error: Exception

    @property
    def type_name(self) -> str:
        """The full name of its type."""
        kind = type(self.value)
        plain = kind.__module__ in ("builtins", "__main__")
        return kind.__qualname__ if plain else f"{kind.__module__}.{kind.__qualname__}"


def find_culprit(roots: Iterator[tuple[str, Any]]) -> Culprit | None:
    """The first object within these that cannot travel; None if each of them can by itself."""
    for root, value in roots:
        error = failure_to_travel(value)
        if error is not None:
            search = _Search(root, value, error)
            with suppress(_TimeIsUp):
                return search.within(search.deepest, 0) or search.deepest
            return search.deepest
    return None


class _TimeIsUp(Exception):
    """The deepest object so far has to do."""


class _Search:
    def __init__(self, root: str, value: Any, error: Exception) -> None:
        self._until = time.monotonic() + _SECONDS
        self._fails: dict[int, bool] = {id(value): True}
        self._tried: list[Any] = [value]  # keeps what has an entry, because numbers are used again
        self.deepest = Culprit(root, root, value, error)

    def within(self, found: Culprit, depth: int) -> Culprit | None:
        """The object that makes `found` fail; None if that has been searched before."""
        self.deepest = found
        leaf = True
        for path, part in _parts(found.value, found.path):
            if is_a(part, _ATOMS) or depth > _DEPTH:
                continue
            if (known := self._fails.get(id(part))) is not None:
                leaf = leaf and not known  # of two that refer to each other, neither is the reason
                continue
            if time.monotonic() > self._until:
                raise _TimeIsUp
            error = failure_to_travel(part)
            self._fails[id(part)] = error is not None
            self._tried.append(part)
            if error is not None:
                leaf = False
                deeper = self.within(Culprit(found.root, path, part, error), depth + 1)
                if deeper is not None:
                    return deeper
        return found if leaf else None


def _parts(value: Any, path: str) -> Parts:
    """What an object consists of, with names that continue its own or, for variables, replace it."""
    if is_a(value, _WEAK):
        return  # users know it as a whole
    if is_a(value, FunctionType):
        yield from _parts_of_function(value)
    elif is_a(value, MethodType):
        yield type(value.__self__).__name__, value.__self__
        yield from _parts(value.__func__, path)
    elif is_a(value, partial):
        yield path, value.func
        yield from ((f"{path}({name})", part) for name, part in enumerate(value.args))
        yield from ((f"{path}({name}=...)", part) for name, part in value.keywords.items())
    elif is_a(value, type):
        for name, part in tuple(vars(value).items()):
            yield f"{value.__name__}.{name}", function_of(part)
        yield from ((base.__name__, base) for base in value.__bases__)
    elif is_a(value, property):
        yield from ((path, part) for part in (value.fget, value.fset, value.fdel))
    elif is_a(value, dict):
        for key, part in tuple(value.items())[:_MOST_ITEMS]:
            yield f"{path}[{_short(key)}]", part
    elif is_a(value, (list, tuple, set, frozenset)):
        yield from ((f"{path}[{i}]", part) for i, part in enumerate(tuple(value)[:_MOST_ITEMS]))
    else:
        yield from _parts_of_object(value, path)


def _parts_of_function(function: FunctionType) -> Parts:
    code = function.__code__
    for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=False):
        with suppress(ValueError):  # nothing has been assigned to it yet
            yield name, cell.cell_contents
    for name in names_within(code):
        if name in function.__globals__:
            yield name, function.__globals__[name]
    for part in function.__defaults__ or ():
        yield f"a default argument of {function.__qualname__}", part
    for name, part in (function.__kwdefaults__ or {}).items():
        yield f"the default of `{name}` of {function.__qualname__}", part
    for name, part in vars(function).items():
        yield f"{function.__qualname__}.{name}", part


def _parts_of_object(value: Any, path: str) -> Parts:
    """What its class says must travel. If the class raises, the object itself is the reason."""
    with suppress(Exception):  # classes of the user may do anything
        wrapped = getattr(value, "__wrapped__", None)
        if wrapped is not None and callable(wrapped):
            yield path, wrapped
    if _is_installed(type(value)):
        return  # nobody knows the attributes of somebody else's class
    try:
        reduction: Any = reduced(value) or value.__reduce_ex__(4)
    except Exception:
        return
    if not isinstance(reduction, tuple):
        return
    parts: tuple[Any, ...] = (*reduction, None, None, None, None)
    _, arguments, state, items, pairs, *_ = parts
    if path in _ROOTS:  # the name of an argument, of which the class says more
        path = type(value).__name__
    states = state if isinstance(state, tuple) and len(state) == 2 else (state,)
    for attributes in states:
        if isinstance(attributes, dict):
            yield from ((f"{path}.{name}", part) for name, part in attributes.items())
        elif attributes is not None:
            yield f"the state of {path}", attributes
    for part in arguments or ():
        yield (part.__name__ if is_a(part, type) else f"a part of {path}"), part
    # The items of subclasses of list and dict.
    if items is not None:
        yield from ((f"{path}[{i}]", part) for i, part in enumerate(items) if i < _MOST_ITEMS)
    if pairs is not None:
        yield from ((f"{path}[{_short(key)}]", part) for key, part in pairs)


_ROOTS: Final = frozenset(
    {"preprocessing_function", "noaug_preprocessing_function", "get_batch_function", "the generator"}
)


def _is_installed(kind: type) -> bool:
    """Whether a class is of an installed package; Python's own often hold the user's objects."""
    package = kind.__module__.partition(".")[0]
    file = str(said_by(sys.modules.get(kind.__module__), "__file__") or "")
    return package != "imageloom" and ("site-packages" in file or "dist-packages" in file)


def _short(key: Any) -> str:
    text = repr(key) if isinstance(key, _ATOMS) else type(key).__name__
    return text if len(text) <= 40 else text[:37] + "..."
