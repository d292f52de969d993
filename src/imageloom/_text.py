"""Texts that can be printed, whatever the names of files contain.

A terminal obeys the control characters that are printed to it. A file's name may contain any of them,
and whoever packs an archive chooses the names in it.
"""

from __future__ import annotations

__all__ = ["in_one_line", "printable"]


def printable(text: str, kept: str = "\n\t") -> str:
    """Escapes, as `repr` does, characters that move the cursor, change the text's direction and so on.

    Characters in `kept` stay as they are.
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char in kept else _escaped(char) for char in text)


def in_one_line(text: str) -> str:
    """The same for a name, or for a text of another library that may contain one."""
    return printable(text, kept="")


def _escaped(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")
