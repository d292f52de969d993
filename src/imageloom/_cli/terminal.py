"""How results look: colours where a terminal shows them, and tables that fit 60 columns."""

from __future__ import annotations

import os
import shutil
import sys
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import click

from imageloom._addresses import address_line

__all__ = [
    "COLUMNS",
    "Failure",
    "Misuse",
    "colours_wanted",
    "columns",
    "cut",
    "explaining_usage",
    "heading",
    "padded",
    "room_of_terminal",
    "tolerant_output",
    "warn",
]

COLUMNS: Final = 60  # the width that tables and bars fit
_AN_ARGUMENT: Final = address_line("InvalidArgumentError")  # is what is wrong most often


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
    """An error of one line, and another one about where it is explained."""

    def __init__(self, message: str, *, where: str | None = _AN_ARGUMENT) -> None:
        """Takes its words.

        Args:
            message: what is wrong, in one line.
            where: the second line; None for an error that nobody has foreseen.
        """
        super().__init__(message if where is None else f"{message}\n{where}")

    def show(self, file: object = None) -> None:
        """Prints it to standard error."""
        del file
        label = click.style("Error:", fg="red", bold=True)
        # The context, which knows about colours, has ended.
        click.echo(f"{label} {self.format_message()}", err=True, color=colours_wanted())


class Misuse(click.UsageError):
    """An error of the command line, with a last line about where it is explained."""

    def __init__(self, error: click.UsageError) -> None:
        """Takes over the words of click, or of a command."""
        super().__init__(f"{error.format_message()}\n{address_line('UsageError')}", error.ctx)


@contextmanager
def explaining_usage() -> Iterator[None]:
    """Errors of the command line say where they are explained.

    Raises:
        Misuse: the command line is wrong.
    """
    try:
        yield
    except (Misuse, click.exceptions.NoArgsIsHelpError):  # the latter prints the help
        raise
    except click.UsageError as error:
        raise Misuse(error) from error


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
