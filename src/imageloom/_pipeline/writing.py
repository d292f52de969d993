"""Writes the pictures of `save_to_dir`, which workers have encoded (see `saving`)."""

from __future__ import annotations

from collections.abc import Iterable

from imageloom._storage.atomic import replace_file

__all__ = ["write_pictures"]


def write_pictures(pictures: Iterable[tuple[str, bytes]]) -> None:
    """Writes the pictures of a batch that is handed out, and of no other one, to `save_to_dir`."""
    for path, content in pictures:
        try:
            replace_file(path, content)
        except OSError as error:
            error.add_note("imageloom: while saving the image (save_to_dir)")
            raise
