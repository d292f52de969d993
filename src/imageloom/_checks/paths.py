"""Checks of arguments that name files and folders, or formats of files."""

from __future__ import annotations

import os
from typing import Any, Final

from imageloom._checks.suggestions import nearest
from imageloom._checks.values import check_text, in_words
from imageloom._errors import ArgumentTypeError, InvalidArgumentError

__all__ = ["check_path", "check_save_format", "checked_cache"]

# Words that are meant as a setting of `cache`, but would name a folder.
_NO_CACHE_FOLDERS: Final = frozenset(
    {"mem", "ram", "inmemory", "in-memory", "in_memory", "true", "yes", "on"}
    | {"none", "false", "no", "off", "null", "", "disk", "auto"}
)


def check_path(name: str, path: Any, also: str = "") -> str:
    """Returns a path, or a URL, as a string.

    Args:
        name: the argument's name, for the error.
        path: what was received.
        also: what else is allowed, or another remark, in words for the error.
    """
    if isinstance(path, (str, os.PathLike)):
        found: Any = os.fspath(path)
        if isinstance(found, str):
            return found
    raise ArgumentTypeError(f"`{name}` must be a path{also}; received {in_words(path)}.")


def check_save_format(value: Any) -> None:
    """Raises unless `save_format` is None or the name of a format, such as `"png"`."""
    check_text("save_format", value)
    if value is not None and value.startswith("."):
        raise InvalidArgumentError(
            f"`save_format` is the name of a format, without a dot; received {value!r}. "
            f"Pass {value.lstrip('.')!r}."
        )


def checked_cache(cache: Any) -> str | None:
    """`"memory"`, a folder, or None; a word that is neither would become a folder of that name."""
    if cache is None:
        return None
    allowed = '`cache` must be None, "memory" or the path of a directory'
    if isinstance(cache, bool):
        advice = 'Pass "memory" to keep images in memory' if cache else "Pass None for no cache"
        raise ArgumentTypeError(f"{allowed}; received {cache}. {advice}.")
    if not isinstance(cache, (str, os.PathLike)):
        raise ArgumentTypeError(f"{allowed}; received {in_words(cache)}.")
    folder = check_path("cache", cache)
    word = folder.strip().lower()
    is_word = word in _NO_CACHE_FOLDERS or nearest(word, ["memory"], cutoff=0.8) is not None
    if folder != "memory" and is_word and not os.path.isdir(folder):
        raise InvalidArgumentError(
            f"{allowed}; received {cache!r}, which is no existing directory. For a new one of this "
            f"name, pass {os.path.abspath(folder)!r}."
        )
    return folder
