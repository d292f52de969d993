"""What a program has put into modules of others, for its functions or for old libraries.

`Image.ANTIALIAS = Image.Resampling.LANCZOS`, `np.bool = bool` and `cv2.imread = my_imread` are
common in programs that outlive a release. A worker imports these modules as they are. Nobody notes who
has assigned a variable of a module. So `patches` looks at all that the user's code names: values that
cannot be changed, classes and functions, which are sent by name, and functions of the user.
"""

from __future__ import annotations

import builtins
import pickle
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from enum import Enum
from functools import partial
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any, Final

from imageloom._executors.portable import portable
from imageloom._executors.state.plain import is_steady
from imageloom._executors.state.users_modules import Space, is_users_own

__all__ = ["Patches", "assign_patches", "patches"]

Patches = Mapping[str, Mapping[str, bytes]]  # pickled, by module and by name
_OWN_PACKAGE: Final = __name__.partition(".")[0]
_assigned: Final[dict[tuple[str, str], tuple[bytes, Any]]] = {}  # in a worker


def patches(spaces: Iterable[Space]) -> Patches:
    """What the program has assigned to modules that some code of the user mentions.

    Raises:
        Exception: A function that it has assigned cannot be sent.
    """
    found: dict[str, dict[str, bytes]] = {}
    mentioned = set(_places(spaces))
    for name, attribute in sorted({*mentioned, *_added_to_numpy()}):
        try:
            value = _pickled(vars(sys.modules[name])[attribute])
        except Exception:
            if (name, attribute) in mentioned:
                raise
            continue
        if value is not None:
            found.setdefault(name, {})[attribute] = value
    return found


def assign_patches(given: Patches, name: str) -> None:
    """Assigns what a program has assigned to a module, which is loaded.

    A worker that computes for several iterators by turns does so before each batch. So a value that is
    there stays: it need not be unpickled again, and functions keep what they have noted.
    """
    module = sys.modules[name]
    for attribute, pickled in given.get(name, {}).items():
        known, value = _assigned.get((name, attribute), (b"", None))
        if known == pickled and vars(module).get(attribute, module) is value:
            continue
        with suppress(ImportError, AttributeError):  # this machine has another release
            value = pickle.loads(pickled)
            setattr(module, attribute, value)
            _assigned[name, attribute] = pickled, value


def _places(spaces: Iterable[Space]) -> Iterator[tuple[str, str]]:
    for names, variables in spaces:
        mentioned = frozenset(names)
        for name, module in _modules(mentioned, variables).items():
            # As a set, because another thread may assign something meanwhile.
            public = (each for each in mentioned & set(vars(module)) if not each.startswith("_"))
            yield from ((name, attribute) for attribute in public)


def _added_to_numpy() -> Iterator[tuple[str, str]]:
    """What it does not list, such as what it has removed; old libraries ask for that."""
    numpy = sys.modules["numpy"]
    added = set(vars(numpy)) - set(numpy.__all__)
    yield from (("numpy", attribute) for attribute in added if not attribute.startswith("_"))


def _modules(mentioned: frozenset[str], variables: Mapping[str, Any]) -> dict[str, ModuleType]:
    """The modules with a mentioned name that are not the user's own, wherever they are imported.

    Among them may be the main module, of which a worker has another one.
    """
    to_do: list[Any] = [builtins]
    to_do += [variables.get(name, sys.modules.get(name)) for name in mentioned]
    found: dict[str, ModuleType] = {}
    while to_do:
        module = to_do.pop()
        if type(module) is not ModuleType or module.__name__ in found:
            continue
        name = module.__name__
        ours = name.partition(".")[0] in (_OWN_PACKAGE, "sys")
        if not ours and sys.modules.get(name) is module and not is_users_own(name, module):
            found[name] = module
            to_do += [vars(module).get(part) for part in mentioned]  # such as `ndimage` of `scipy`
    return found


def _pickled(value: Any) -> bytes | None:
    """A variable of a module; None if it is not one that programs assign."""
    function: Any = value
    while isinstance(function, (partial, MethodType)):
        function = function.func if isinstance(function, partial) else function.__func__
    if _is_of_user(function):
        return portable(_by_value(value))
    plain = is_steady(value) or _is_table_of_types(value) or isinstance(value, Enum)
    of_module = isinstance(value, BuiltinFunctionType) and isinstance(value.__self__, ModuleType)
    if not (plain or of_module or isinstance(value, (FunctionType, type))):
        return None
    try:
        return pickle.dumps(value)  # what is not plain by its name
    except Exception:
        return None


def _is_of_user(function: Any) -> bool:
    """Whether the program has made a function, or a class, itself."""
    home = function.__module__ if isinstance(function, type) else _home(function)
    return home in ("__main__", "__mp_main__") or is_users_own(str(home), sys.modules.get(str(home)))


def _home(function: Any) -> Any:
    """The module that a function was defined in; `functools.wraps` says that of what it wraps."""
    return function.__globals__.get("__name__") if isinstance(function, FunctionType) else None


def _by_value(value: Any) -> Any:
    """The same for pickling: a function that says it was another one's would be looked up there."""
    if not isinstance(value, FunctionType) or value.__module__ == _home(value):
        return value
    copied = FunctionType(
        value.__code__, value.__globals__, value.__name__, value.__defaults__, value.__closure__
    )
    copied.__kwdefaults__ = value.__kwdefaults__
    copied.__module__ = _home(value)
    return copied


def _is_table_of_types(value: Any) -> bool:
    """Whether it is one such as NumPy's `sctypes` was."""
    return type(value) is dict and all(
        isinstance(kinds, (list, tuple)) and all(isinstance(kind, type) for kind in kinds)
        for kinds in value.values()
    )
