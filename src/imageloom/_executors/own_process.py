"""Tells which functions of the user should run in processes of their own.

The first batches of an iterator may be computed by the thread that reads them, in the program itself.
That is no place for a function that ends or limits its process, crashes it on purpose, asks which
process it is in, sleeps or waits. Such functions are known by the names that they use.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from types import CodeType, FunctionType, MethodType
from typing import Any, Final

from imageloom._checks.asking import is_a
from imageloom._pipeline.recipe import Recipe

__all__ = ["needs_own_process"]

_NAMES: Final = frozenset(
    {
        *("_exit", "abort", "exit", "quit", "SystemExit", "KeyboardInterrupt", "interrupt_main"),
        *("kill", "killpg", "raise_signal", "pthread_kill", "setitimer", "alarm"),
        *("getpid", "getppid", "current_process", "parent_process", "getpgid", "setsid"),
        *("setrlimit", "ctypes", "faulthandler", "_sigsegv", "psutil", "sleep", "wait"),
    }
)
_MOST_FUNCTIONS: Final = 100


def needs_own_process(recipe: Recipe) -> bool:
    """Whether a function of the user, or one that it calls, uses one of the names."""
    code = recipe.user_code
    to_do: list[Any] = [hook.function for hook in (code.noaug_hook, code.hook) if hook is not None]
    to_do += [code.batch_function, code.batch_method]
    to_do += [getattr(recipe.params.image_data_generator, name) for name in code.overrides]
    to_do = [function for function in to_do if function is not None]
    seen: set[CodeType] = set()
    while to_do and len(seen) < _MOST_FUNCTIONS:
        function, owner = _function_of(to_do.pop())
        if function is None or function.__code__ in seen:
            continue
        seen.add(function.__code__)
        names = set(_names(function.__code__))
        if names & _NAMES:
            return True
        to_do += _called(function, owner, names)
    return False


def _function_of(value: Any) -> tuple[FunctionType | None, type]:
    """The function behind a method, a partial object or an object with `__call__`, and its class."""
    while is_a(value, partial):
        value = value.func
    if is_a(value, MethodType) and isinstance(value.__func__, FunctionType):
        return value.__func__, type(value.__self__)
    if is_a(value, FunctionType):
        return value, object
    calls = (vars(base).get("__call__") for base in type(value).__mro__)
    call = next((call for call in calls if isinstance(call, FunctionType)), None)
    return call, type(value)


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _called(function: FunctionType, owner: type, names: set[str]) -> Iterator[Any]:
    """The functions that a function may call: global ones, variables, methods, the wrapped one."""
    found = [function.__globals__.get(name) for name in names]
    found += [vars(owner).get(name) for name in names]
    found.append(getattr(function, "__wrapped__", None))
    for cell in function.__closure__ or ():
        with suppress(ValueError):  # it is empty
            found.append(cell.cell_contents)
    return (value for value in found if is_a(value, (FunctionType, MethodType, partial)))
