"""Settings of Python and of libraries, which a program makes once, and its functions count on.

After `keras.config.set_image_data_format("channels_first")`, `np.seterr(divide="raise")` or
`torch.set_grad_enabled(False)`, a function gives other numbers, or an error. `settings` reads those of
the libraries that the program has loaded; `assign_settings` makes them in a worker, of a library that
it has not loaded as soon as it does. Some belong to a thread: `SettingsOfThread` takes them to others.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from contextvars import Context, copy_context
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Final, TypeVar

__all__ = ["Settings", "SettingsOfThread", "assign_settings", "settings"]

Settings = Mapping[str, Mapping[str, Any]]  # by module and by name; plain values
T = TypeVar("T")
_OWN: Final = "imageloom."  # the names of our context variables begin with it


@dataclass(frozen=True, slots=True)
class _Setting:
    """How one setting is read of a module, as a plain value, and how it is assigned."""

    read: Callable[[Any], Any]
    assign: Callable[[Any, Any], Any]


def _pair(read: str, assign: str) -> _Setting:
    """A setting with two functions of the module, whose names may have dots."""
    return _Setting(lambda module: _at(module, read)(), lambda module, x: _at(module, assign)(x))


def _at(module: Any, name: str) -> Any:
    for part in name.split("."):
        module = getattr(module, part)
    return module


def _printing(numpy: Any) -> dict[str, Any]:
    """What `set_printoptions` takes; formatters are functions, which only the program has."""
    return {
        k: v for k, v in numpy.get_printoptions().items() if k not in ("formatter", "override_repr")
    }


_DECIMAL: Final = ("prec", "rounding", "Emin", "Emax", "capitals", "clamp")


def _decimal(decimal: Any) -> tuple[Any, ...]:
    context = decimal.getcontext()
    traps = sorted(signal.__name__ for signal, is_set in context.traps.items() if is_set)
    return (*(getattr(context, name) for name in _DECIMAL), traps)


def _set_decimal(decimal: Any, values: tuple[Any, ...]) -> None:
    *numbers, traps = values
    given = dict(zip(_DECIMAL, numbers, strict=True))
    decimal.setcontext(decimal.Context(**given, traps=[getattr(decimal, name) for name in traps]))


def _set_logging_of_keras(keras: Any, on: bool) -> None:
    (keras.utils.enable_interactive_logging if on else keras.utils.disable_interactive_logging)()


def _of_jax(name: str) -> _Setting:
    def read(jax: Any) -> Any:
        value = getattr(jax.config, name)
        return getattr(value, "value", value)  # of an enumeration, which only JAX has

    return _Setting(read, lambda jax, value: jax.config.update(name, value))


# Keras 3 and `tf_keras` have the same functions. To read the policy of dtypes would settle it.
_KERAS: Final = {
    "floatx": _pair("backend.floatx", "backend.set_floatx"),
    "epsilon": _pair("backend.epsilon", "backend.set_epsilon"),
    "image_data_format": _pair("backend.image_data_format", "backend.set_image_data_format"),
    "interactive_logging": _Setting(
        lambda keras: keras.utils.is_interactive_logging_enabled(), _set_logging_of_keras
    ),
}
_ALL: Final[Mapping[str, Mapping[str, _Setting]]] = {
    "sys": {
        "recursion": _pair("getrecursionlimit", "setrecursionlimit"),
        "digits": _pair("get_int_max_str_digits", "set_int_max_str_digits"),
    },
    "socket": {"timeout": _pair("getdefaulttimeout", "setdefaulttimeout")},
    "decimal": {"context": _Setting(_decimal, _set_decimal)},
    "numpy": {
        "errors": _Setting(lambda np: np.geterr(), lambda np, errors: np.seterr(**errors)),
        "printing": _Setting(_printing, lambda np, given: np.set_printoptions(**given)),
    },
    "keras": _KERAS,
    "tf_keras": _KERAS,
    "torch": {
        "gradients": _pair("is_grad_enabled", "set_grad_enabled"),
        "dtype": _Setting(
            lambda torch: str(torch.get_default_dtype()).rpartition(".")[2],
            lambda torch, name: torch.set_default_dtype(getattr(torch, name)),
        ),
        "precision": _pair("get_float32_matmul_precision", "set_float32_matmul_precision"),
        "deterministic": _pair("are_deterministic_algorithms_enabled", "use_deterministic_algorithms"),
    },
    "jax": {
        name: _of_jax(name)
        for name in (
            "jax_enable_x64",
            "jax_default_matmul_precision",
            "jax_numpy_dtype_promotion",
            "jax_numpy_rank_promotion",
            "jax_debug_nans",
        )
    },
}


_OF_THREADS: Final = {
    "torch": ("gradients",),
    "keras": ("interactive_logging",),
    "tf_keras": ("interactive_logging",),
}


def settings() -> Settings:
    """The present settings of this thread's program, as far as its libraries are loaded."""
    return {name: _read(name, module) for name in _ALL if (module := _loaded(name)) is not None}


def _loaded(name: str) -> ModuleType | None:
    module = sys.modules.get(name)
    return module if type(module) is ModuleType else None  # to ask a lazy one would import it


def _read(name: str, module: ModuleType, keys: Iterable[str] | None = None) -> dict[str, Any]:
    values = {}
    for key in _ALL[name] if keys is None else keys:
        with suppress(Exception):  # an old release has no such setting, or it is still imported
            values[key] = _ALL[name][key].read(module)
    return values


def _assign(name: str, module: ModuleType, values: Mapping[str, Any]) -> None:
    for key, value in values.items():
        with suppress(Exception):  # this release does not know the value
            _ALL[name][key].assign(module, value)


class _Worker:
    """What this worker had of its own before it took settings over."""

    own: Final[dict[str, Mapping[str, Any]]] = {}


def assign_settings(given: Settings, only: str | None = None) -> None:
    """Makes this process have some settings, and its own of libraries that have none among them.

    Args:
        given: The settings. Of a library that is not loaded, nothing happens.
        only: The name of one library; None for all.
    """
    names = {**given, **_Worker.own}
    for name in names if only is None else names.keys() & {only}:
        module = _loaded(name)
        if module is None:
            continue
        present = _read(name, module)
        own = _Worker.own.setdefault(name, present)
        wanted = {**own, **given.get(name, {})}
        others = {key: value for key, value in wanted.items() if present.get(key, value) != value}
        _assign(name, module, others)


class SettingsOfThread:
    """What belongs to the thread that reads batches, for others that call its functions.

    These are the variables of `contextvars`, in which NumPy and `decimal` keep theirs, and the settings
    that torch and Keras keep for each thread.
    """

    def __init__(self) -> None:
        """Notes what this thread has."""
        self._context = Context()
        for variable, value in copy_context().items():
            if not variable.name.startswith(_OWN):
                self._context.run(variable.set, value)
        self._settings = _of_thread()

    def run(self, function: Callable[[], T]) -> T:
        """Calls a function with it; several threads may do so at once."""
        return self._context.copy().run(self._with_settings, function)

    def _with_settings(self, function: Callable[[], T]) -> T:
        own = _of_thread()
        try:
            _assign_to_thread(self._settings, own)
            return function()
        finally:
            _assign_to_thread(own, self._settings)


def _of_thread() -> Settings:
    """The settings that each thread has for itself."""
    modules = ((name, _loaded(name), keys) for name, keys in _OF_THREADS.items())
    return {name: _read(name, module, keys) for name, module, keys in modules if module is not None}


def _assign_to_thread(given: Settings, present: Settings) -> None:
    for name, values in given.items():
        module = _loaded(name)
        if module is not None and present.get(name, values) != values:
            _assign(name, module, values)
