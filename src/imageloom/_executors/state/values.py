"""The values of a user's module, as the program has them.

Most programs have modules of settings: `config.GAIN = 5` in the program changes what a function
that reads `config.GAIN` does. A worker imports the module itself, and would find the value that
the file says. So the plain values (see `plain`) of a module and of its classes travel, each time
as they are.

That is asked at the first batch of each iterator. So what has not changed since the last time is
not looked at again: `Namespace` remembers the values that nobody can change in place.
"""

from __future__ import annotations

import enum
import pickle
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
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
        number: Of the module, which is another one for another module of the same name.
        steady: Pickled: by the name of a class, or "" for the module itself, its values that nobody can
            change in place.
        others: The same for small plain values that can be changed.
        names: The names of all that is in each of these.
        kinds: The type and the length of what is not plain, by which a worker tells whether it has it.
        large: The names of values that are too large to be looked at for each iterator.
    """

    number: int
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
        ids: The `id` of each value.
        steady: The plain values that nobody can change in place.
        doubtful: The names of values that may be changed.
        kept: What else is in it, so that no other object gets the same `id`.
    """

    owner: Any
    names: tuple[str, ...] = ()
    ids: list[int] = field(default_factory=list)
    steady: dict[str, Any] = field(default_factory=dict)
    doubtful: tuple[str, ...] = ()
    kept: list[Any] = field(default_factory=list)

    @property
    def changed(self) -> bool:
        """Whether it has other names, or other values."""
        now = vars(self.owner)
        return tuple(now) != self.names or list(map(id, now.values())) != self.ids

    def look(self) -> None:
        """Remembers what is in it now."""
        now = dict(vars(self.owner))
        self.names, self.ids = tuple(now), list(map(id, now.values()))
        self.kept.clear()
        self.steady.clear()
        doubtful: list[str] = []
        for name, value in now.items():
            if name.startswith("__") or issubclass(type(value), (*_NO_DATA, *_DESCRIPTORS)):
                self.kept.append(value)
            elif is_steady(value):
                self.steady[name] = value
            else:
                doubtful.append(name)
        self.doubtful = tuple(doubtful)


@dataclass(eq=False, slots=True)
class _Module:
    """What is remembered of a module, and the classes that it defines."""

    module: ModuleType
    number: int = field(default_factory=count().__next__)
    spaces: dict[str, _Namespace] = field(default_factory=dict)
    last: ModuleValues | None = None
    plain: list[tuple[Any, str]] = field(default_factory=list)
    plain_bytes: bytes = b""

    def values(self) -> ModuleValues:
        """Its values now; the same object if they are the same as the last time."""
        if not self.spaces or any(space.changed for space in self.spaces.values()):
            self.spaces = {"": _Namespace(self.module)}
            self.spaces |= {name: _Namespace(kind) for name, kind in _classes(self.module)}
            for space in self.spaces.values():
                space.look()
            self.last = None
        if self.last is not None and self._is_last(self.last):
            return self.last
        others, kinds, large = _looked_at(self.doubtful)
        self.plain = [(self.spaces[name].owner, value) for name in others for value in others[name]]
        self.plain_bytes = self._pickled()
        self.last = ModuleValues(
            number=self.number,
            steady=_pickled_each({name: s.steady for name, s in self.spaces.items() if s.steady}),
            others=_pickled_each(others),
            names={name: space.names for name, space in self.spaces.items()},
            kinds=kinds,
            large=large,
        )
        return self.last

    def _is_last(self, last: ModuleValues) -> bool:
        """Whether no value was changed in place."""
        if any(length >= 0 for kinds in last.kinds.values() for _, length in kinds.values()):
            return False  # what is in these containers may travel by now
        pickled = self._pickled() if self.plain else self.plain_bytes
        return pickled == self.plain_bytes and (bool(pickled) or not self.plain)

    @property
    def doubtful(self) -> dict[str, _Namespace]:
        return {name: space for name, space in self.spaces.items() if space.doubtful}

    def _pickled(self) -> bytes:
        """The values that were plain the last time, to compare them; nothing if that cannot be done."""
        try:
            return pickle.dumps([vars(owner).get(name) for owner, name in self.plain], 5)
        except Exception:
            return b""


def _looked_at(
    doubtful: Mapping[str, _Namespace],
) -> tuple[
    dict[str, dict[str, Any]], dict[str, dict[str, tuple[str, int]]], tuple[tuple[str, str], ...]
]:
    """The plain ones of the values that may have been changed; the kinds of the others; large ones."""
    plain: dict[str, dict[str, Any]] = {}
    kinds: dict[str, dict[str, tuple[str, int]]] = {}
    large: list[tuple[str, str]] = []
    for name, space in doubtful.items():
        for attribute in space.doubtful:
            value = vars(space.owner).get(attribute)
            size = Size(*_QUICK)
            if _is_plain(value, size):
                plain.setdefault(name, {})[attribute] = value
            elif size.spent:
                large.append((name, attribute))
            else:
                kinds.setdefault(name, {})[attribute] = kind_of(value)
    return plain, kinds, tuple(large)


def _is_plain(value: Any, size: Size) -> bool:
    try:
        return is_plain(value, size)
    except Exception:  # classes of the user may do anything
        return False


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
    if module is None or not issubclass(type(module), ModuleType):
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
        if _is_plain(value, Size(*_LARGE)):
            found.setdefault(owner, {})[attribute] = value
    return _pickled_each(found) if found else b""
