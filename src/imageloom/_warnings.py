"""Warnings that name the user's own line, and things that are said once.

A warning has to point at the line that a user can change. How many calls lie between that line and
the place that warns differs from caller to caller, so nobody counts them: the first frame outside this
package is the user's, or the framework's that asks in their name.
"""

from __future__ import annotations

import inspect
import warnings
from types import FrameType
from typing import Final

__all__ = ["Once", "warn_user"]

# Modules whose frames stand between ours: they call what they were given.
_GLUE: Final = frozenset({"contextlib", "functools"})


def warn_user(message: str, category: type[Warning] = UserWarning) -> None:
    """Warns with the file and line of the first caller outside this package."""
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
    """Remembers what was said already, so that it is not said again."""

    def __init__(self) -> None:
        """Nothing was said yet."""
        self._said: set[str] = set()

    def first(self, key: str) -> bool:
        """Whether `key` comes up for the first time; from then on it does not."""
        new = key not in self._said
        self._said.add(key)
        return new
