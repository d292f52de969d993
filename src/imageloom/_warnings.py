"""Warnings that name a line of the user's code, hints, and messages that are shown once.

A warning should name a line that the user can change. The number of frames between that line and
the warning varies, so a fixed `stacklevel` would be wrong. The first frame outside this package
belongs to the user, or to the framework that calls the package for the user.
"""

from __future__ import annotations

import inspect
import logging
import warnings
from collections.abc import Callable
from types import FrameType
from typing import Final

from imageloom._codes import Code, coded
from imageloom._errors import printable

__all__ = ["Hint", "Once", "listeners", "warn_user"]

# Called with each message and the user's file and line, even if the program's filters hide the message.
listeners: Final[list[Callable[[str, str, int], None]]] = []

# Modules of the standard library whose frames lie between frames of this package.
_PASSED_OVER: Final = frozenset({"contextlib", "functools"})


class Hint(UserWarning):
    """The category of a message about something that is often meant; it is logged, and no warning."""


def warn_user(message: str, category: type[Warning] = UserWarning, *, code: Code | None = None) -> None:
    """Warns, with the file and line of the first caller outside this package.

    Args:
        message: What is wrong, an example, and what to change.
        category: The class of the warning; `Hint` for a message that is only logged.
        code: The code of the warning; None if the message contains it, or comes from another library.
    """
    message = printable(message if code is None else coded(code, message))
    frame = _users_frame()
    if frame is not None:
        for listener in listeners:
            listener(message, frame.f_code.co_filename, frame.f_lineno)
    if issubclass(category, Hint):
        logging.getLogger(__package__).info(message)
        return
    if frame is None:  # the interpreter does not support frames
        warnings.warn(message, category, stacklevel=2)
        return
    warnings.warn_explicit(
        message,
        category,
        filename=frame.f_code.co_filename,
        lineno=frame.f_lineno,
        module=frame.f_globals.get("__name__"),
        registry=frame.f_globals.setdefault("__warningregistry__", {}),
    )


def _users_frame() -> FrameType | None:
    """The innermost frame outside this package."""
    frame = inspect.currentframe()
    while frame is not None and frame.f_back is not None and _is_ours(frame):
        frame = frame.f_back
    return frame


def _is_ours(frame: FrameType) -> bool:
    # By module, not by file, because the `__init__` of a data class has no file.
    module = str(frame.f_globals.get("__name__", ""))
    return module in _PASSED_OVER or module.partition(".")[0] == __package__


class Once:
    """Remembers keys, so that a message is shown only once."""

    def __init__(self) -> None:
        """Starts without any keys."""
        self._seen: set[str] = set()

    def first(self, key: str) -> bool:
        """Adds `key`; returns whether it is new."""
        new = key not in self._seen
        self._seen.add(key)
        return new
