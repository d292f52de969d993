"""How results look: colours where a terminal shows them, and tables that fit 60 columns."""

from __future__ import annotations

import os
import sys
import unicodedata
from typing import Final

import click

__all__ = [
    "COLUMNS",
    "Failure",
    "colours_wanted",
    "columns",
    "cut",
    "heading",
    "padded",
    "tolerant_output",
    "warn",
]

COLUMNS: Final = 60  # the width that all tables and bars fit


def colours_wanted() -> bool | None:
    """Whether to print colours: None leaves it to whether the output is a terminal.

    NO_COLOR and FORCE_COLOR are what most programs obey (no-color.org, force-color.org).
    """
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return True if os.environ.get("FORCE_COLOR") else None


def tolerant_output() -> None:
    """Lets characters that the output's encoding does not have be written as escapes."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None and stream.errors in ("strict", "surrogateescape"):
            reconfigure(errors="backslashreplace")


class Failure(click.ClickException):
    """An error of one line."""

    def show(self, file: object = None) -> None:
        """Prints it to standard error."""
        del file
        click.echo(f"{click.style('Error:', fg='red', bold=True)} {self.format_message()}", err=True)


def warn(text: str) -> None:
    """Prints a warning to standard error."""
    click.echo(f"{click.style('Warning:', fg='yellow')} {text}", err=True)


def heading(text: str) -> str:
    """A text in bold."""
    return click.style(text, bold=True)


def cut(text: str, room: int) -> str:
    """Shortens a text in its middle until it fits into some columns."""
    if columns(text) <= room:
        return text
    kept = len(text)
    while kept > 1 and columns(shorter := _halves(text, kept)) > room:
        kept -= 1
    return shorter


def _halves(text: str, kept: int) -> str:
    return f"{text[: kept - kept // 2]}...{text[len(text) - kept // 2 :]}"


def padded(text: str, room: int) -> str:
    """A text in some columns: shortened, or with spaces after it."""
    text = cut(text, room)
    return text + " " * (room - columns(text))


def columns(text: str) -> int:
    """The columns that a terminal needs: two for a Chinese character, none for an accent."""
    return sum(map(_columns, text))


def _columns(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1
