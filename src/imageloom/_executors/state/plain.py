"""Tells which values of the user's modules travel to workers: those that a copy can stand in for.

These are numbers, texts, dates, paths, members of enumerations and arrays of numbers; and
containers and objects that consist of these, if their class says nothing of its own about
pickling, and can be imported.
"""

from __future__ import annotations

import array
import collections
import datetime
import enum
import pathlib
import re
import sys
import types
from collections.abc import Iterable
from typing import Any, Final

import numpy as np

__all__ = ["MOST_BYTES", "Size", "is_plain", "is_steady"]

MOST_BYTES: Final = 64 * 2**20  # of an array or a text; a larger one is what the worker imports
_DEPTH: Final = 30
# None of these can be changed.
_STEADY: Final = frozenset(
    {
        *(type(None), type(...), type(NotImplemented), bool, int, float, complex, str, bytes, range),
        *(datetime.date, datetime.time, datetime.datetime, datetime.timedelta, datetime.timezone),
        re.Pattern,
        *(pathlib.PurePosixPath, pathlib.PureWindowsPath, pathlib.PosixPath, pathlib.WindowsPath),
    }
)
# Neither can these. Each worker would take ten milliseconds to import them, and has no value of a class
# whose module it has not imported.
_STEADY_LATER: Final = (("decimal", "Decimal"), ("fractions", "Fraction"), ("uuid", "UUID"))
_TEXTS: Final = (str, bytes, bytearray)
_CONTAINERS: Final = frozenset({list, tuple, dict, set, frozenset, collections.deque})
# Neither can workers import the main module, nor should they import a framework for a value.
_NOT_IMPORTED: Final = frozenset(
    {"__main__", "jax", "jaxlib", "keras", "tensorflow", "tf_keras", "torch"}
)
_OBJECTS: Final = frozenset(
    {collections.OrderedDict, collections.defaultdict, collections.Counter, types.SimpleNamespace}
)
_OBJECTS_LATER: Final = (("argparse", "Namespace"),)


class Size:
    """How much may still travel; a value that is too much for it is not plain."""

    def __init__(self, items: int, nbytes: int) -> None:
        """So many items of containers, and so many bytes of arrays and texts."""
        self.items = items
        self.nbytes = nbytes

    @property
    def spent(self) -> bool:
        """Whether something was too much."""
        return self.items < 0 or self.nbytes < 0


def is_steady(value: Any) -> bool:
    """Whether a value is plain, and nobody can change it."""
    kind = type(value)
    if _never_changes(kind) or issubclass(type(value), (np.generic, np.dtype)):
        return not _has_objects(value)
    return kind is tuple and len(value) <= 1000 and all(map(is_steady, value))


def _never_changes(kind: type) -> bool:
    return kind in _STEADY or _is_one_of(kind, _STEADY_LATER)


def _is_one_of(kind: type, places: Iterable[tuple[str, str]]) -> bool:
    """Whether a class is in one of these places; without importing the module."""
    found = (getattr(sys.modules.get(module), name, None) for module, name in places)
    return any(kind is one for one in found)


def is_plain(value: Any, size: Size, depth: int = 0) -> bool:
    """Whether a copy of a value can stand in for it in another process."""
    kind = type(value)
    size.items -= 1
    if size.items < 0 or depth > _DEPTH:
        return False
    numbers = kind is np.ndarray or issubclass(kind, (np.generic, np.dtype))
    if numbers or kind in (bytearray, array.array) or _never_changes(kind):
        size.nbytes -= _nbytes(value)
        return size.nbytes >= 0 and not _has_objects(value)
    if kind in _CONTAINERS:
        values = [*value, *value.values()] if kind is dict else value
        return _are_plain(values, size, depth)
    if kind is slice:
        return _are_plain((value.start, value.stop, value.step), size, depth)
    if issubclass(kind, enum.Enum):
        return _can_be_imported(kind)
    return _is_plain_object(value, size, depth)


def _nbytes(value: Any) -> int:
    """The size of an array or a text; 0 of a number."""
    if type(value) is np.ndarray:
        return int(value.nbytes)
    if type(value) is array.array:
        return len(value) * value.itemsize
    return len(value) if type(value) in _TEXTS else 0


def _are_plain(values: Iterable[Any], size: Size, depth: int) -> bool:
    return all(is_plain(value, size, depth + 1) for value in tuple(values))


def _has_objects(value: Any) -> bool:
    """Whether an array, a scalar or a dtype of NumPy is one of Python's objects."""
    kind = type(value)
    if not issubclass(kind, (np.generic, np.dtype, np.ndarray)):
        return False
    dtype: np.dtype[Any] = value if issubclass(kind, np.dtype) else value.dtype
    return dtype.hasobject


def _is_plain_object(value: Any, size: Size, depth: int) -> bool:
    """Whether Python's own way to copy the object copies plain values only."""
    kind: Any = type(value)
    own_way = (
        kind.__reduce_ex__ is object.__reduce_ex__
        and kind.__reduce__ is object.__reduce__
        and (
            kind.__getstate__ is object.__getstate__
            or getattr(kind.__getstate__, "__module__", "") == "dataclasses"  # if it has slots
        )
    ) or (kind in _OBJECTS or _is_one_of(kind, _OBJECTS_LATER))
    if not own_way or not _can_be_imported(kind):
        return False
    try:
        reduction: Any = value.__reduce_ex__(4)
    except Exception:  # a type of C, which says that there is no way
        return False
    parts: tuple[Any, ...] = (*reduction, None, None, None)
    _, arguments, state, items, pairs, *_ = parts
    given = [part for part in arguments if not issubclass(type(part), type)]
    given += [state, list(items or ()), [*map(list, pairs or ())]]
    return _are_plain(given, size, depth)


def _can_be_imported(kind: type) -> bool:
    if kind.__module__.partition(".")[0] in _NOT_IMPORTED:
        return False
    found: Any = sys.modules.get(kind.__module__)
    for name in kind.__qualname__.split("."):
        found = getattr(found, name, None)
    return found is kind
