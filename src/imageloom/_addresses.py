"""Where each warning and each error is explained: by a command, and on a page of the documents.

Every message names both, in a line of its own. The command works without a network, because the pages
are also in the package (`_cli/explanations`); they have a section for each code and for each class. A
name never changes what it stands for, so that the line of an old release still leads to its section.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, TypeVar

__all__ = ["PAGES", "address_line", "notes_of", "with_address"]

PAGES: Final = "https://github.com/imageloom/imageloom/blob/main/docs"
_BEGINNING: Final = "What to do: imageloom explain "
_CODES: Final = "IL"  # what the codes of warnings begin with

ErrorT = TypeVar("ErrorT", bound=BaseException)


def address_line(name: str) -> str:
    """The line that a message ends with.

    Args:
        name: the code of a warning, or the class of an error.
    """
    page = "warnings" if name.startswith(_CODES) else "errors"
    return f"{_BEGINNING}{name}, or {PAGES}/{page}.md#{name.lower()}"


def with_address(error: ErrorT) -> ErrorT:
    """The same error of a built-in class, with a note that says where it is explained."""
    error.add_note(address_line(type(error).__name__))
    return error


def notes_of(error: BaseException) -> Iterable[str]:
    """The notes of an error for another one, which says itself where it is explained."""
    return [note for note in getattr(error, "__notes__", ()) if not note.startswith(_BEGINNING)]
