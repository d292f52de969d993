"""How results look: colours where a terminal shows them, and tables that fit 60 columns."""

from __future__ import annotations

import os
import shutil
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
    "room_of_terminal",
    "tolerant_output",
    "warn",
]

COLUMNS: Final = 60  # the width that tables and bars fit


def colours_wanted() -> bool | None:
    """Whether to print colours: None leaves it to whether the output is a terminal.

    NO_COLOR and FORCE_COLOR are what most programs obey (no-color.org, force-color.org).
    """
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return True if os.environ.get("FORCE_COLOR") else None


def room_of_terminal() -> int | None:
    """The columns of the terminal that shows the output; None for a file or another program."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def tolerant_output() -> None:
    """Lets characters that the output's encoding does not have be written as escapes."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None and stream.errors in ("strict", "surrogateescape"):
            reconfigure(errors="backslashreplace")


class Failure(click.ClickException):
    """An error of one line; those of the library have a second one, about where it is explained."""

    def show(self, file: object = None) -> None:
        """Prints it to standard error."""
        del file
        label = click.style("Error:", fg="red", bold=True)
        # The context, which knows about colours, has ended.
        click.echo(f"{label} {self.format_message()}", err=True, color=colours_wanted())


def warn(text: str) -> None:
    """Prints a warning to standard error."""
    click.echo(f"{click.style('Warning:', fg='yellow')} {text}", err=True)


def heading(text: str) -> str:
    """A text in bold."""
    return click.style(text, bold=True)


def cut(text: str, room: int) -> str:
    """Shortens a text in its middle until it fits into some columns."""
    shorter, kept = text, len(text)
    while kept > 0 and columns(shorter) > room:
        kept -= 1
        shorter = _halves(text, kept)
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
