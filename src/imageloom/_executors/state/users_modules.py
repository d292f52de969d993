"""Which modules of the program are the user's own, and which of them a function uses."""

from __future__ import annotations

import importlib.util
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from types import FunctionType, MethodType, ModuleType
from typing import Any, Final

from imageloom._checks.asking import said_by
from imageloom._executors.libraries import is_users
from imageloom._executors.names_in_code import names_within

__all__ = ["Space", "is_users_own", "reached", "spaces_of", "users_modules"]

Space = tuple[frozenset[str], Mapping[str, Any]]  # the names in some code, and its global variables

_OWN_PACKAGE: Final = __name__.partition(".")[0]
_LAZY: Final = getattr(importlib.util, "_LazyModule", ())
_MOST_OBJECTS: Final = 100  # of a function that are looked at


def is_users_own(name: str, module: Any) -> bool:
    """Whether a module is neither Python's, nor of an installed package, nor ours, nor the main one."""
    root = name.partition(".")[0]
    if root in (_OWN_PACKAGE, "__main__", "__mp_main__") or not issubclass(type(module), ModuleType):
        return False
    if issubclass(type(module), _LAZY):
        return False  # to look at it would import it
    if _is_installed(sys.modules.get(root)):
        return False  # libraries put objects among their modules that have any name of a file
    file = said_by(module, "__file__")
    if isinstance(file, str):
        return is_users(file)
    return _is_made_by_hand(name, module)


def _is_installed(module: Any) -> bool:
    file = said_by(module, "__file__")
    return isinstance(file, str) and not is_users(file)


def _is_made_by_hand(name: str, module: ModuleType) -> bool:
    """Whether a module without a file is one that the program has made, such as by `exec`."""
    spec = said_by(module, "__spec__")
    if type(module) is not ModuleType or name in sys.builtin_module_names:
        return False
    return spec is None or (spec.loader is None and spec.origin is None)


class UsersModules:
    """The names of the user's modules among those that are loaded."""

    def __init__(self) -> None:
        """Looks at all that are loaded now."""
        loaded = tuple(sys.modules.items())
        self.names = frozenset(name for name, module in loaded if is_users_own(name, module))
        self._by_last: dict[str, list[str]] = {}
        for name in self.names:
            self._by_last.setdefault(name.rpartition(".")[2], []).append(name)
        self._reached: dict[frozenset[str], frozenset[str]] = {}

    def named(self, names: Iterable[str]) -> Iterator[str]:
        """Those that some names may mean: `b` may be `a.b`."""
        for name in names:
            yield from self._by_last.get(name.rpartition(".")[2], ())

    def reached(self, roots: frozenset[str]) -> frozenset[str]:
        """Some of them, and those that they import, by what is in them and by what they mention."""
        if roots not in self._reached:
            found: set[str] = set()
            to_do = list(roots)
            while to_do:
                name = to_do.pop()
                if name not in found:
                    found.add(name)
                    for value in tuple(vars(sys.modules.get(name, ModuleType(name))).values()):
                        to_do.extend(self.of(value))
            self._reached[roots] = frozenset(found)
        return self._reached[roots]

    def of(self, value: Any) -> Iterator[str]:
        """Those that an object is, is from or mentions."""
        if issubclass(type(value), ModuleType):
            name = value.__name__
        else:
            name = getattr(
                value if issubclass(type(value), (type, FunctionType)) else type(value),
                "__module__",
                "",
            )
        if name in self.names:
            yield name
        if issubclass(type(value), FunctionType):
            yield from self.named(names_within(value.__code__))
            for mentioned in value.__code__.co_names:
                found = value.__globals__.get(mentioned)
                if issubclass(type(found), ModuleType) and found.__name__ in self.names:
                    yield found.__name__


class _Last:
    modules: UsersModules | None = None
    loaded: tuple[int, str] = (0, "")


def users_modules() -> UsersModules:
    """The user's modules; they are looked up again only if others were loaded."""
    loaded = (len(sys.modules), next(reversed(sys.modules), ""))
    if _Last.modules is None or _Last.loaded != loaded:
        _Last.modules, _Last.loaded = UsersModules(), loaded
    return _Last.modules


def reached(objects: Iterable[Any]) -> frozenset[str]:
    """The modules that functions and objects of the user use, as far as that can be seen quickly."""
    users = users_modules()
    if not users.names:
        return frozenset()
    roots = frozenset(name for value in _within(objects) for name in users.of(value))
    return users.reached(roots)


def spaces_of(objects: Iterable[Any]) -> Iterator[Space]:
    """The code of functions and objects of the user, as far as it can be seen quickly."""
    for value in _within(objects):
        if issubclass(type(value), FunctionType):
            yield frozenset(names_within(value.__code__)), value.__globals__


def _within(objects: Iterable[Any]) -> Iterator[Any]:
    """The objects, and those that they consist of, each once."""
    to_do = deque(objects)
    seen: set[int] = set()
    while to_do and len(seen) < _MOST_OBJECTS:
        value = to_do.popleft()
        if id(value) not in seen:
            seen.add(id(value))
            yield value
            to_do.extend(_parts(value))


def _parts(value: Any) -> Iterator[Any]:
    if issubclass(type(value), partial):
        yield from (value.func, *value.args, *value.keywords.values())
    elif issubclass(type(value), MethodType):
        yield from (value.__func__, value.__self__)
    elif issubclass(type(value), FunctionType):
        for cell in value.__closure__ or ():
            try:
                yield cell.cell_contents
            except ValueError:  # it is empty
                continue
        functions = map(value.__globals__.get, value.__code__.co_names)
        yield from (found for found in functions if issubclass(type(found), (FunctionType, partial)))
    elif issubclass(type(value), type):
        yield from (part for part in vars(value).values() if issubclass(type(part), FunctionType))
    elif issubclass(type(value), (list, tuple)):
        yield from value[:20]
    else:
        yield type(value)
        with suppress(Exception):  # classes of the user may do anything
            yield from list(vars(value).values())[:20]
