"""Files that commands write. They are checked before the work begins, and appear when complete."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import click

__all__ = ["OutputFile", "replacing"]


class OutputFile(click.Path):
    """An option for a file to write: its folder exists, and its suffix is one of those given."""

    def __init__(self, *suffixes: str) -> None:
        super().__init__(dir_okay=False, writable=True, path_type=Path)
        self._suffixes = suffixes

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """Returns the path if it can be written."""
        path = Path(os.fsdecode(super().convert(value, param, ctx)))
        if path.suffix.lower() not in self._suffixes:
            wanted = ", ".join(self._suffixes)
            self.fail(f"{str(path)!r} must end in one of: {wanted}.", param, ctx)
        if not os.access(path.parent, os.W_OK):
            self.fail(f"The folder of {str(path)!r} does not exist or is not writable.", param, ctx)
        return path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yields a temporary name beside `path`; after success the file of that name replaces `path`."""
    draft = path.with_name(f".{path.stem}-{os.getpid()}{path.suffix}")
    try:
        yield draft
        os.replace(draft, path)
    except BaseException:
        with suppress(OSError):
            draft.unlink()
        raise
