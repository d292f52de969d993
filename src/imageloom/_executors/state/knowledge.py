"""What travels of the state of a program: plain records."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from imageloom._executors.state.module_code import ModuleCode
from imageloom._executors.state.patches import Patches
from imageloom._executors.state.settings import Settings
from imageloom._executors.state.values import ModuleValues

__all__ = ["Filter", "Knowledge", "ModuleKnowledge"]


@dataclass(frozen=True, slots=True)
class Filter:
    """One filter of the module `warnings`.

    Its class is only named, because a worker must not import a library for it. As long as that was not
    imported, nothing warns with the class.

    Attributes:
        action: What is done.
        message: The pattern of the message, and its flags; None for any.
        category: The module and the name of the class.
        module: The pattern of the module, and its flags; None for any.
        line: The line; 0 for any.
    """

    action: str
    message: tuple[str, int] | None
    category: tuple[str, str]
    module: tuple[str, int] | None
    line: int

    @classmethod
    def of(cls, given: Any) -> Filter:
        """The record of an item of `warnings.filters`."""
        action, message, category, module, line = given
        kind = (category.__module__, category.__qualname__)
        return cls(action, _pattern(message), kind, _pattern(module), line)

    def item(self) -> tuple[Any, ...] | None:
        """The item for `warnings.filters`; None if its class is not there."""
        found: Any = sys.modules.get(self.category[0])
        for name in self.category[1].split("."):
            found = getattr(found, name, None)
        if not isinstance(found, type):
            return None
        return (self.action, _compiled(self.message), found, _compiled(self.module), self.line)


def _pattern(given: Any) -> tuple[str, int] | None:
    if given is None:
        return None
    return (given, -1) if isinstance(given, str) else (given.pattern, given.flags)


def _compiled(pattern: tuple[str, int] | None) -> Any:
    """Python's own filters have texts in the place of patterns, which are then compared as they are."""
    if pattern is None or pattern[1] < 0:
        return None if pattern is None else pattern[0]
    return re.compile(*pattern)


@dataclass(frozen=True, slots=True)
class ModuleKnowledge:
    """A module of the user: its code, and its values, of which the large ones are pickled apart."""

    code: ModuleCode
    values: ModuleValues
    large: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Knowledge:
    """What a worker knows of the program; see `Snapshot`.

    Attributes:
        argv: `sys.argv`.
        path: `sys.path`, with absolute folders.
        folder: The working directory; "" if it was deleted.
        variables: The environment variables that the program has set, or deleted (None).
        filters: The filters of the module `warnings`.
        locale: What `locale.setlocale` gives for all categories.
        settings: Those of Python and of libraries.
        patches: What it has assigned to modules that are not the user's own.
        modules: The user's modules that the recipe may need.
    """

    argv: tuple[str, ...]
    path: tuple[str, ...]
    folder: str
    variables: Mapping[str, str | None]
    filters: tuple[Filter, ...]
    locale: str
    settings: Settings
    patches: Patches
    modules: Mapping[str, ModuleKnowledge]
