"""The values of a user's module, as the program has them.

Most programs have modules of settings: `config.GAIN = 5` in the program changes what a function that reads
`config.GAIN` does. A worker imports the module itself, and would find the value that the file says. So the
plain values (see `plain`) of a module and of its classes travel, each time as they are.

That is asked at the first batch of each iterator. So what has not changed since the last time is not looked
at again: `Namespace` remembers the values that nobody can change in place.
"""

from __future__ import annotations

import enum
import pickle
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from operator import is_
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any, Final

from imageloom._executors.state.plain import MOST_BYTES, Size, is_plain, is_steady

__all__ = ["ModuleValues", "values_of"]

_QUICK: Final = (1_000, 2**16)  # items and bytes of a value that is looked at for each iterator
_LARGE: Final = (1_000_000, MOST_BYTES)
_MOST_CLASSES: Final = 200
_NO_DATA: Final = (FunctionType, BuiltinFunctionType, MethodType, ModuleType, type)
_DESCRIPTORS: Final = (property, classmethod, staticmethod)


@dataclass(frozen=True, slots=True)
class ModuleValues:
    """What a worker assigns after it has imported a module.

    Attributes:
        steady: Pickled: by the name of a class, or "" for the module itself, its values that nobody can
            change in place.
        others: The same for small plain values that can be changed.
        names: The names of all that is in each of these.
        kinds: The type and the length of what is not plain, by which a worker tells whether it has it.
        large: The names of values that are too large to be looked at for each iterator.
    """

    steady: bytes
    others: bytes
    names: Mapping[str, tuple[str, ...]]
    kinds: Mapping[str, Mapping[str, tuple[str, int]]]
    large: tuple[tuple[str, str], ...] = ()


@dataclass(eq=False, slots=True)
class _Namespace:
    """What is remembered of a module or a class.

    Attributes:
        owner: It.
        names: The names of all that is in it.
        types: The types of these.
        steady: The plain values that nobody can change in place.
        doubtful: The names of values that may be changed.
    """

    owner: Any
    names: tuple[str, ...] = ()
    types: list[type] = field(default_factory=list)
    steady: dict[str, Any] = field(default_factory=dict)
    doubtful: tuple[str, ...] = ()

    @property
    def changed(self) -> bool:
        """Whether it has other names, or other values that nobody can change in place."""
        now = vars(self.owner)
        return not (
            tuple(now) == self.names
            and list(map(type, now.values())) == self.types
            and all(map(is_, map(now.get, self.steady), self.steady.values()))
        )

    def look(self) -> None:
        now = dict(vars(self.owner))
        self.names, self.types = tuple(now), list(map(type, now.values()))
        data = {
            name: value
            for name, value in now.items()
            if not name.startswith("__") and not issubclass(type(value), (*_NO_DATA, *_DESCRIPTORS))
        }
        self.steady = {name: value for name, value in data.items() if is_steady(value)}
        self.doubtful = tuple(name for name in data if name not in self.steady)


@dataclass(eq=False, slots=True)
class _Module:
    """What is remembered of a module, and the classes that it defines."""

    module: ModuleType
    spaces: dict[str, _Namespace] = field(default_factory=dict)
    last: ModuleValues | None = None

    def values(self) -> ModuleValues:
        changed = not self.spaces or any(space.changed for space in self.spaces.values())
        if changed or self._classes_changed():
            self.spaces = {"": _Namespace(self.module)}
            self.spaces |= {name: _Namespace(kind) for name, kind in _classes(self.module)}
            for space in self.spaces.values():
                space.look()
            self.last = None
        doubtful = {name: space for name, space in self.spaces.items() if space.doubtful}
        if self.last is not None and not doubtful:
            return self.last
        others, kinds, large = _looked_at(doubtful)
        self.last = ModuleValues(
            steady=self.last.steady if self.last is not None else self._steady(),
            others=_pickled_each(others),
            names={name: space.names for name, space in self.spaces.items()},
            kinds=kinds,
            large=large,
        )
        return self.last

    def _classes_changed(self) -> bool:
        return any(
            vars(self.module).get(name) is not space.owner
            for name, space in self.spaces.items()
            if name and "." not in name
        )

    def _steady(self) -> bytes:
        return _pickled_each({name: space.steady for name, space in self.spaces.items() if space.steady})


def _looked_at(
    doubtful: Mapping[str, _Namespace],
) -> tuple[
    dict[str, dict[str, Any]], dict[str, dict[str, tuple[str, int]]], tuple[tuple[str, str], ...]
]:
    """The plain ones among values that may have been changed, and what there is to say of the others."""
    plain: dict[str, dict[str, Any]] = {}
    kinds: dict[str, dict[str, tuple[str, int]]] = {}
    large: list[tuple[str, str]] = []
    for name, space in doubtful.items():
        for attribute in space.doubtful:
            value = vars(space.owner).get(attribute)
            size = Size(*_QUICK)
            if is_plain(value, size):
                plain.setdefault(name, {})[attribute] = value
            elif size.spent:
                large.append((name, attribute))
            else:
                kinds.setdefault(name, {})[attribute] = kind_of(value)
    return plain, kinds, tuple(large)


def kind_of(value: Any) -> tuple[str, int]:
    """The name of the type of a value that is not plain, and how many items it has; -1 for none."""
    kind = type(value)
    length = len(value) if issubclass(type(value), (list, tuple, dict, set, frozenset)) else -1
    return f"{kind.__module__}.{kind.__qualname__}", length


def _classes(module: ModuleType) -> Iterator[tuple[str, type]]:
    """The classes that a module defines, and those within them, by their full names."""
    to_do: list[tuple[str, Any]] = [("", module)]
    found = 0
    while to_do and found < _MOST_CLASSES:
        prefix, owner = to_do.pop()
        for name, value in tuple(vars(owner).items()):
            if not issubclass(type(value), type) or issubclass(value, enum.Enum):
                continue  # nobody assigns to members
            if (value.__module__, value.__qualname__) == (module.__name__, prefix + name):
                found += 1
                yield prefix + name, value
                to_do.append((f"{prefix}{name}.", value))


def _pickled_each(values: Mapping[str, Mapping[str, Any]]) -> bytes:
    """All values, or without those that pickle refuses."""
    try:
        return pickle.dumps(values, 5)
    except Exception:
        kept = {
            owner: {name: value for name, value in space.items() if _can_be_pickled(value)}
            for owner, space in values.items()
        }
        return pickle.dumps(kept, 5)


def _can_be_pickled(value: Any) -> bool:
    try:
        pickle.dumps(value, 5)
    except Exception:
        return False
    return True


_known: Final[dict[str, _Module]] = {}


def values_of(name: str) -> ModuleValues | None:
    """The values of a loaded module at this moment; None if there is no such module."""
    module = sys.modules.get(name)
    if type(module) is not ModuleType and not issubclass(type(module), ModuleType):
        _known.pop(name, None)
        return None
    known = _known.get(name)
    if known is None or known.module is not module:
        known = _known[name] = _Module(module)
    return known.values()


def large_values(name: str, values: ModuleValues) -> bytes:
    """The large plain values of a module, pickled as `ModuleValues.others`."""
    found: dict[str, dict[str, Any]] = {}
    for owner, attribute in values.large:
        space: Any = sys.modules.get(name)
        for part in filter(None, owner.split(".")):
            space = getattr(space, part, None)
        value = vars(space).get(attribute) if space is not None else None
        if is_plain(value, Size(*_LARGE)):
            found.setdefault(owner, {})[attribute] = value
    return _pickled_each(found) if found else b""
