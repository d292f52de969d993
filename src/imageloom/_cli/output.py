"""The files that commands write, which are checked before the work begins."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

__all__ = ["OutputFile"]


class OutputFile(click.Path):
    """An option for a file to write: its folder exists, and its suffix is one of those given."""

    def __init__(self, *suffixes: str) -> None:
        super().__init__(dir_okay=False, writable=True, path_type=Path)
        self._suffixes = suffixes

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """Returns the path if it can be written."""
        try:
            path = Path(os.fsdecode(super().convert(value, param, ctx)))
        except ValueError as error:  # a null character
            self.fail(f"{value!r} cannot be a path: {error}.", param, ctx)
        if path.suffix.lower() not in self._suffixes:
            wanted = ", ".join(self._suffixes)
            self.fail(f"{str(path)!r} must end in one of: {wanted}.", param, ctx)
        if not os.access(path.parent, os.W_OK):
            self.fail(f"The folder of {str(path)!r} does not exist or is not writable.", param, ctx)
        return path
