"""Warnings that name the user's own line, and a memory of what was shown before.

A warning must name a line that the user can change. The number of calls between that line and the place
that warns differs from case to case, so it is not counted: the first frame outside this package belongs
to the user, or to the framework that calls the package for the user.
"""

from __future__ import annotations

import inspect
import warnings
from types import FrameType
from typing import Final

__all__ = ["Once", "warn_user"]

# Modules of the standard library whose functions call other functions, and so have frames of their own.
_GLUE: Final = frozenset({"contextlib", "functools"})


def warn_user(message: str, category: type[Warning] = UserWarning) -> None:
    """Warns, with the file and line of the first caller outside this package."""
    frame = inspect.currentframe()
    while frame is not None and frame.f_back is not None and _is_ours(frame):
        frame = frame.f_back
    if frame is None:  # an interpreter without frames
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


def _is_ours(frame: FrameType) -> bool:
    # By module and not by file: the `__init__` of a data class has no file.
    module = str(frame.f_globals.get("__name__", ""))
    return module in _GLUE or module.partition(".")[0] == __package__


class Once:
    """Remembers keys, so that a message is shown only once."""

    def __init__(self) -> None:
        """Makes an empty memory."""
        self._seen: set[str] = set()

    def first(self, key: str) -> bool:
        """Adds `key`; returns whether it is new."""
        new = key not in self._seen
        self._seen.add(key)
        return new
