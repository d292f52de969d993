"""Finds the random generators that the functions of the user refer to, and those of libraries they use.

A generator that travels to a worker as part of a function would give the same numbers in each
worker. So all of them are found here and seeded for each batch (see `hook_randomness`). A generator is
known by the way that leads to it, such as `preprocessing_function:augment.rng`, because that is the
same in each process.

Looking may not run code of the user: only variables, attributes, items, and byte code are read.
"""

from __future__ import annotations

import functools
import gc
import random
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from types import BuiltinMethodType, FunctionType, MethodType, ModuleType
from typing import Any, Final

import numpy as np

from imageloom._checks.asking import is_a, said_by
from imageloom._pipeline.code_names import NOT_LOADED, all_names, all_texts, named_objects
from imageloom._pipeline.random_sources import Source, is_global, source_of

__all__ = ["Found", "find_generators"]

_MOST_OBJECTS: Final = 5000  # a few milliseconds; what a function holds may be the whole program
_MOST_ITEMS: Final = 1000
_ATOMS: Final = (type(None), bool, int, float, complex, str, bytes, bytearray, range, np.generic)
_USUAL_ATOMS: Final = frozenset(_ATOMS)  # without a call for each class; most values are such
_CONTAINERS: Final = (list, tuple, set, frozenset, deque)
# Packages without generators of their own, but for those of the process; and Python's own.
_CLOSED: Final = frozenset(
    {
        *("PIL", "builtins", "cv2", "imageloom", "jax", "jaxlib", "keras", "numpy", "pandas", "ray"),
        *("scipy", "tensorflow", "tf_keras", "torch", *sys.stdlib_module_names),
    }
)
# What the classes of these draw from, whose code is not read.
_DRAWN_FROM: Final = {
    "albumentations": ("random", "numpy"),
    "imgaug": ("random", "numpy"),
    "keras": ("tensorflow",),
    "kornia": ("torch",),
    "skimage": ("numpy",),
    "tensorflow": ("tensorflow",),
    "tf_keras": ("tensorflow",),
    "torchvision": ("torch",),
}
_DRAWS_OF_OPENCV: Final = frozenset({"randu", "randn", "randShuffle", "setRNGSeed"})
_DRAWS_OF_TORCH: Final = frozenset(
    {
        *("rand", "randn", "randint", "randperm", "rand_like", "randn_like", "randint_like", "normal"),
        *("bernoulli", "multinomial", "poisson", "manual_seed", "seed", "dropout", "sample", "rsample"),
        *("normal_", "uniform_", "bernoulli_", "random_", "exponential_", "cauchy_", "log_normal_"),
        *("geometric_", "transforms", "distributions"),
    }
)


@dataclass(slots=True)
class Found:
    """What functions draw from.

    Attributes:
        carried: The generators that they refer to, by the way to each.
        used: Which of `random_sources.GLOBAL_NAMES` they name.
        unruly: The ways to objects whose numbers nobody can repeat in each process, with their types.
        not_loaded: The modules that they import when they run.
        objects: Whether they refer to objects, which may get generators later.
    """

    carried: dict[str, Source] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    unruly: dict[str, str] = field(default_factory=dict)
    not_loaded: set[str] = field(default_factory=set)
    objects: bool = False


def find_generators(roots: Iterable[tuple[str, Any]]) -> Found:
    """Looks through functions and objects, each with the name that the user knows it by."""
    search = _Search()
    for path, root in roots:
        search.add(path, root, is_root=True)
    search.run()
    return search.found


class _Search:
    """Goes to the nearest objects first, so the way to an object is the shortest one."""

    def __init__(self) -> None:
        self.found = Found()
        self._to_do: deque[tuple[str, Any]] = deque()
        self._seen: dict[int, Any] = {}  # with the objects, because numbers are used again
        self._spawning: list[str] = []  # the functions of the user that call something `spawn`
        self._seeds_are_held = False

    def add(self, path: str, value: Any, *, is_root: bool = False) -> None:
        """Notes an object to look at, unless it cannot hold any generator."""
        if type(value) in _USUAL_ATOMS or is_a(value, _ATOMS):
            return
        if id(value) in self._seen or len(self._seen) > _MOST_OBJECTS:
            return
        if not is_root and _package_of(type(value)) == "imageloom":
            return  # the engine of a generator, for example
        if value is NOT_LOADED:
            self._note_module(path.rpartition(":")[2])
            return
        if is_root or not self._note_generator(path, value):
            self._seen[id(value)] = value
            self._to_do.append((path, value))

    def run(self) -> None:
        """Looks at all that was noted, and at what is found on the way."""
        while self._to_do:
            path, value = self._to_do.popleft()
            # Whatever the user's objects do to who looks at them, the others are looked at.
            try:
                for part_path, part in self._parts(path, value):
                    self.add(part_path, part)
            except Exception:
                continue
        if self._seeds_are_held or self.found.carried:
            self.found.unruly.update(
                dict.fromkeys(self._spawning, "`spawn` of a generator or its seed")
            )

    def _note_generator(self, path: str, value: Any) -> bool:
        if is_a(value, (type, ModuleType)):
            return False
        if is_global(value):
            self.found.used.add(_package_of(type(value)).lstrip("_"))
            return True
        if is_a(value, np.random.SeedSequence):
            self._seeds_are_held = True
            return True
        source = source_of(value)
        if source is None:
            return False
        # Several generators may share it.
        bits = value.bit_generator if is_a(value, np.random.Generator) else value
        if id(bits) not in self._seen:
            self.found.carried[path] = source
        self._seen[id(bits)], self._seen[id(value)] = bits, value
        return True

    def _parts(self, path: str, value: Any) -> Iterator[tuple[str, Any]]:
        if is_a(value, FunctionType):
            yield from self._parts_of_function(path, value)
        elif is_a(value, MethodType):
            yield path, value.__self__
            if not _is_compiled_by_library(value.__func__):
                yield path, value.__func__
        elif is_a(value, BuiltinMethodType):
            yield path, value.__self__  # `draw = rng.normal`
        elif is_a(value, functools.partial):
            yield path, value.func
            yield path, value.args
            yield path, value.keywords
        elif is_a(value, dict):
            self.found.objects = True
            items = enumerate(tuple(value.items())[:_MOST_ITEMS])
            yield from ((f"{path}[{_short(key, number)}]", part) for number, (key, part) in items)
        elif is_a(value, type):
            yield from self._parts_of_class(path, value)
        elif is_a(value, (property, staticmethod, classmethod)):
            yield path, getattr(value, "__func__", None)
            yield path, getattr(value, "fget", None)
        elif not is_a(value, ModuleType):
            yield from self._parts_of_object(path, value)

    def _parts_of_function(self, path: str, function: FunctionType) -> Iterator[tuple[str, Any]]:
        package = str(function.__module__).partition(".")[0]
        if package in _CLOSED and function.__module__ != "__main__":
            self.found.used.update(_DRAWN_FROM.get(package, ()))
            return
        names = frozenset(all_names(function.__code__))
        texts = names | frozenset(all_texts(function.__code__))
        library = _is_library(sys.modules.get(str(function.__module__)))
        for name, part in named_objects(function):
            self._note_use(part, names)
            if library and not _is_drawing(part):
                continue  # half the program may hang on a library
            yield f"{path}:{name}", part
            if is_a(part, ModuleType) and not _is_library(part):
                # The function may have it in another variable, or ask for an attribute by `getattr`.
                yield from (
                    (f"{path}:{name}.{n}", vars(part)[n]) for n in sorted(texts & vars(part).keys())
                )
        for number, part in enumerate(function.__defaults__ or ()):
            yield f"{path}({number})", part
        for name, part in (function.__kwdefaults__ or {}).items():
            yield f"{path}({name})", part
        for name, part in vars(function).items():
            yield f"{path}.{name}", part
        if "spawn" in names and not library:
            self._spawning.append(path)

    def _note_use(self, part: Any, names: frozenset[str]) -> None:
        """Notes which generators of the process a named object stands for."""
        module = str(said_by(part, "__name__") or "") if is_a(part, ModuleType) else _module_of(part)
        if part is random:
            self.found.used.add("random")
        elif part is np.random:
            self.found.used.add("numpy")
        package = module.partition(".")[0]
        if package == "tensorflow" or (package == "torch" and names & _DRAWS_OF_TORCH):
            self.found.used.add(package)
        elif package == "cv2" and names & _DRAWS_OF_OPENCV:
            self.found.used.add("cv2")

    def _note_module(self, name: str) -> None:
        """Notes a module that a function will load."""
        package = name.partition(".")[0]
        self.found.not_loaded.add(name)
        self.found.used.update(_DRAWN_FROM.get(package, ()))
        if package in ("torch", "tensorflow"):
            self.found.used.add(package)

    def _parts_of_class(self, path: str, kind: type) -> Iterator[tuple[str, Any]]:
        """What a class of the user holds and does; the code of libraries' classes is not read."""
        for base in kind.__mro__:
            package = _package_of(base)
            self.found.used.update(_DRAWN_FROM.get(package, ()))
            if package not in _CLOSED and not _is_library(sys.modules.get(base.__module__)):
                for name, part in tuple(vars(base).items()):
                    if is_a(part, _OF_CLASSES) or not name.startswith("__"):
                        yield f"{path}.{name}", part

    def _parts_of_object(self, path: str, value: Any) -> Iterator[tuple[str, Any]]:
        kind = type(value)
        if _package_of(kind) == "numpy" and not is_a(value, np.ndarray):
            return  # one of its functions
        self.found.objects = True
        if is_a(value, np.ndarray):
            if value.dtype.hasobject and value.size <= _MOST_ITEMS:
                yield from ((f"{path}[{i}]", part) for i, part in enumerate(value.flat))
            return
        if is_a(value, _CONTAINERS):
            items = tuple(value)[:_MOST_ITEMS]
            yield from ((f"{path}[{i}]", part) for i, part in enumerate(items))
        yield path, kind
        attributes = _attributes(value)
        if _package_of(kind) == "tensorflow":  # graphs lead to the whole engine, and its generator
            attributes = [(name, part) for name, part in attributes if is_a(part, FunctionType)]
        yield from ((f"{path}.{name}", part) for name, part in attributes)
        of_c = not attributes or is_a(value, functools._lru_cache_wrapper)
        if of_c and not is_a(value, _CONTAINERS):
            # An iterator, for example: Python's garbage collector knows what it holds.
            parts = (part for part in gc.get_referents(value) if not is_a(part, (type, ModuleType)))
            yield from ((f"{path}<{i}>", part) for i, part in enumerate(parts))


def _is_drawing(value: Any) -> bool:
    """Whether an object that a library names is a function or a generator."""
    generator = getattr(value, "__self__", value) if is_a(value, _METHODS) else value
    if is_a(value, (FunctionType, type, ModuleType)):
        return is_a(value, FunctionType)
    return is_global(generator) or source_of(generator) is not None


_METHODS: Final = (MethodType, BuiltinMethodType)
_OF_CLASSES: Final = (FunctionType, property, staticmethod, classmethod)


def _attributes(value: Any) -> list[tuple[str, Any]]:
    """Attributes that are there, without asking the object for any: it might compute them."""
    found: list[tuple[str, Any]] = []
    with suppress(AttributeError):
        found += object.__getattribute__(value, "__dict__").items()
    for base in type(value).__mro__:
        slots = vars(base).get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else tuple(slots):
            slot: Any = vars(base).get(name)
            if type(slot).__name__ == "member_descriptor":
                with suppress(AttributeError):  # nothing has been assigned to it
                    found.append((name, slot.__get__(value)))
    return found


def _is_compiled_by_library(function: Any) -> bool:
    """Whether a function is one of Cython's in a package without generators of its own.

    Such as `np.random.normal`, whose globals are a library of some 500 objects.
    """
    kind = type(function)
    if kind.__name__ != "cython_function_or_method":
        return False
    module = object.__getattribute__(function, "__module__")
    return isinstance(module, str) and module.partition(".")[0] in _CLOSED


def _short(key: Any, number: int) -> str:
    return f"{key!r:.40}" if isinstance(key, (str, int, float)) else f"#{number}"


def _module_of(value: Any) -> str:
    if is_a(value, (FunctionType, type, BuiltinMethodType)):
        return str(value.__module__ or "")
    return ""


def _package_of(kind: type) -> str:
    module: Any = kind.__module__  # a few types of C have something else there
    return module.partition(".")[0] if isinstance(module, str) else ""


def _is_library(module: ModuleType | None) -> bool:
    """Whether a module belongs to an installed package, or to Python."""
    name = str(said_by(module, "__name__") or "")
    if name.partition(".")[0] in _CLOSED and name != "__main__":
        return True
    file = str(said_by(module, "__file__") or "")
    return "site-packages" in file or "dist-packages" in file
