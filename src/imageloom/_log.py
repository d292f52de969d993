"""What the library tells beside warnings and errors: the logger `imageloom`, and how much it says.

Nothing is printed but the line "Found 50 images belonging to 10 classes.", as in Keras, and progress
bars in a terminal. All else goes to the logger, whose records only appear if the program, or
`set_verbosity`, says where.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from numbers import Integral
from typing import Any, Final

from imageloom._errors import ArgumentTypeError, InvalidArgumentError, in_one_line
from imageloom._public import public

__all__ = ["check_verbose", "counted", "logger", "set_verbosity", "tells_news"]

logger: Final = logging.getLogger("imageloom")
logger.addHandler(logging.NullHandler())  # or else warnings would appear without anybody's doing

_SILENT: Final = logging.CRITICAL + 1
_LEVELS: Final[Mapping[int, int]] = {0: _SILENT, 1: logging.NOTSET, 2: logging.INFO}
_NAMES: Final[Mapping[str, int]] = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "critical": logging.CRITICAL,
}
_ALLOWED: Final = '0 (nothing), 1 (the default), 2 or "info", "debug", "warning", "error", "critical"'


class _ToStandardError(logging.Handler):
    """Writes to whatever `sys.stderr` is then, unless another handler of the program does."""

    def emit(self, record: logging.LogRecord) -> None:
        if sys.stderr is None or any(_is_terminal(handler) for handler in logging.root.handlers):
            return
        try:
            sys.stderr.write(f"imageloom: {self.format(record)}\n")
        except Exception:
            self.handleError(record)


_handler: Final = _ToStandardError()


def _is_terminal(handler: logging.Handler) -> bool:
    streams = (sys.stderr, sys.stdout, sys.__stderr__, sys.__stdout__)
    return getattr(handler, "stream", None) in streams


@public
def set_verbosity(level: int | str) -> None:
    """Sets how much this library tells, in the whole program.

    It is the level of the logger `imageloom`, which a program may also set and handle itself::

        imageloom.set_verbosity(0)        # nothing, not even "Found 50 images ..." or progress bars
        imageloom.set_verbosity("info")   # also how many workers start, and each epoch's speed
        imageloom.set_verbosity("debug")  # also each start of a worker process
        imageloom.set_verbosity(1)        # as at the start of a program: "Found 50 images ..." only

    Records are written to standard error, unless the program's root logger writes them to the
    terminal. Warnings are those of the module `warnings`, which has filters of its own.

    Args:
        level: 0, 1 or 2, as for `verbose` of Keras' `fit`; a name of a level of `logging`, in any
            case; or its number (10 to 50).

    Raises:
        InvalidArgumentError, ArgumentTypeError: another value.
    """
    number = _level_of(level)
    logger.setLevel(number)
    logger.removeHandler(_handler)
    if number not in (logging.NOTSET, _SILENT):
        logger.addHandler(_handler)


def _level_of(level: Any) -> int:
    if isinstance(level, str):
        if level.lower() in _NAMES:
            return _NAMES[level.lower()]
        raise InvalidArgumentError(f"`level` must be {_ALLOWED}; received {level!r}.")
    if not hasattr(level, "__index__"):
        raise ArgumentTypeError(f"`level` must be {_ALLOWED}; received {level!r}.")
    number = int(level)
    if number in _LEVELS:
        return _LEVELS[number]
    if logging.DEBUG <= number <= logging.CRITICAL:
        return number
    raise InvalidArgumentError(f"`level` must be {_ALLOWED}; received {level!r}.")


def tells_news() -> bool:
    """Whether lines and progress bars are printed: unless the logger's own level is above "info"."""
    return logger.level <= logging.INFO


def check_verbose(verbose: Any) -> bool:
    """Whether `verbose` of a method asks for output.

    Raises:
        InvalidArgumentError, ArgumentTypeError: it is not one of Keras' values.
    """
    allowed = '`verbose` must be True, False, 0, 1, 2 or "auto"'
    received = f"received {in_one_line(repr(verbose))}."
    if isinstance(verbose, str):
        if verbose == "auto":
            return True
        raise InvalidArgumentError(f"{allowed}; {received}")
    if not isinstance(verbose, Integral) and not _is_bool(verbose):
        raise ArgumentTypeError(f"{allowed}; {received}")
    if int(verbose) not in (0, 1, 2):
        raise InvalidArgumentError(f"{allowed}; {received}")
    return bool(verbose)


def counted(number: int, thing: str) -> str:
    """A number with its noun: "1 batch", "1,200 images"."""
    plural = thing + ("es" if thing.endswith("ch") else "s")
    return f"{number:,} {thing if number == 1 else plural}"


def _is_bool(value: Any) -> bool:
    return type(value).__name__ in ("bool", "bool_")  # NumPy's has no `__index__`
