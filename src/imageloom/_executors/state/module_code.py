"""The code of a user's module as the program runs it, whatever has become of its file.

A worker runs this code when it imports the module, so that it need not find the module by the
search path, and so that a file that was edited since the program has imported it changes nothing.
Python does not keep the code of a module. It is read again from where it came from, and compared
with the functions that the program has.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import marshal
import os
import tokenize
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import CodeType, FunctionType, ModuleType
from typing import Any, Final

from imageloom._checks.asking import function_of, said_by

__all__ = ["ModuleCode", "code_of", "names_in"]

_HEADER: Final = 16  # bytes before the code in a file of byte code
_OF_PYTEST: Final = "@pytest_ar"


@dataclass(frozen=True, slots=True)
class ModuleCode:
    """What a worker needs to import a module.

    Attributes:
        file: Where the program has it from; None if it is not from a file.
        places: Where its submodules are, if it is a package; else None.
        code: Its code, by `marshal`; None for an extension module, or for a package without any code.
        text: Its source text, for tracebacks and `inspect`.
    """

    file: str | None
    places: tuple[str, ...] | None
    code: bytes | None
    text: str | None


_known: Final[dict[str, tuple[ModuleType, Any, ModuleCode, frozenset[CodeType]]]] = {}


def code_of(name: str, module: ModuleType) -> ModuleCode | None:
    """What a worker needs to import a module; None if it cannot get the code that the program runs."""
    spec = said_by(module, "__spec__")
    known = _known.get(name)
    if known is not None and known[0] is module and known[1] is spec and _has(module, known[3]):
        return known[2]
    found, codes = _found(name, module, spec)
    if found is not None:
        _known[name] = (module, spec, found, codes)
    return found


def names_in(code: bytes | None) -> frozenset[str]:
    """The names in the code of a module, and its texts, which may be names of other modules."""
    if code is None:
        return frozenset()
    found = _names.get(code)
    if found is None:
        found = _names[code] = frozenset(_all_names(marshal.loads(code)))
    return found


_names: Final[dict[bytes, frozenset[str]]] = {}


def _all_names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _all_names(constant)
        elif isinstance(constant, str) and len(constant) < 200:
            yield constant


def _found(name: str, module: ModuleType, spec: Any) -> tuple[ModuleCode | None, frozenset[CodeType]]:
    file = said_by(module, "__file__")
    places = said_by(module, "__path__")
    where = None
    if isinstance(places, Iterable):  # objects that stand for modules may answer with anything
        where = tuple(os.path.abspath(place) for place in places)
    if not isinstance(file, str):
        package = ModuleCode(None, where, None, None)
        return (package if where is not None and not _has_functions(module) else None), frozenset()
    if file.endswith(tuple(importlib.machinery.EXTENSION_SUFFIXES)):
        return ModuleCode(os.path.abspath(file), where, None, None), frozenset()
    cached = _by_byte_code(spec)  # first, because the loader writes it anew
    for read in (_by_loader, _by_text):
        code = read(name, file, spec)
        if code is not None and _has(module, codes := frozenset(_all_codes(code))):
            return ModuleCode(file, where, marshal.dumps(code), _text(name, file, spec)), codes
    if cached is not None and _has(module, codes := frozenset(_all_codes(cached))):
        return ModuleCode(file, where, marshal.dumps(cached), None), codes
    return None, frozenset()


def _by_loader(name: str, file: str, spec: Any) -> CodeType | None:
    try:
        code: CodeType | None = spec.loader.get_code(spec.name)
    except Exception:  # the file is gone, or is no Python any more
        return None
    return code


def _by_text(name: str, file: str, spec: Any) -> CodeType | None:
    try:
        with open(file, "rb") as source:
            return compile(source.read(), file, "exec", dont_inherit=True)
    except (OSError, SyntaxError, ValueError):
        return None


def _by_byte_code(spec: Any) -> CodeType | None:
    """The code that Python has written down at its import, even if the file has changed since."""
    try:
        with open(spec.cached, "rb") as file:
            written = file.read()
        if not written.startswith(importlib.util.MAGIC_NUMBER):
            return None
        code: Any = marshal.loads(written[_HEADER:])
    except (AttributeError, TypeError, OSError, EOFError, ValueError):
        return None
    return code if isinstance(code, CodeType) else None


def _text(name: str, file: str, spec: Any) -> str | None:
    get_source = getattr(getattr(spec, "loader", None), "get_source", None)
    try:
        if get_source is not None:
            text: str | None = get_source(spec.name)
            return text
        with tokenize.open(file) as source:
            return source.read()
    except Exception:  # the file is gone, or its bytes are no text
        return None


def _all_codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _all_codes(constant)


def _has(module: ModuleType, codes: frozenset[CodeType]) -> bool:
    """Whether all functions that a module has defined are of this code.

    Those are left out in which pytest has replaced `assert` statements.
    """
    found = (function.__code__ for function in _functions(module)) if codes else ()
    return all(code in codes or _OF_PYTEST in code.co_names for code in found)


def _has_functions(module: ModuleType) -> bool:
    return next(_functions(module), None) is not None


def _functions(module: ModuleType) -> Iterator[FunctionType]:
    to_do: list[Any] = [module]
    for owner in to_do:
        for value in tuple(vars(owner).values()):
            found = function_of(value)
            if issubclass(type(found), FunctionType):
                own = found.__module__ == module.__name__ and found.__globals__ is vars(module)
                if own and found.__code__.co_filename == module.__file__:
                    yield found
            elif (
                owner is module
                and issubclass(type(found), type)
                and found.__module__ == module.__name__
            ):
                to_do.append(found)
