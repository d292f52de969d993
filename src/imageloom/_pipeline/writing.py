"""Writes the pictures of `save_to_dir`, which workers have encoded (see `saving`)."""

from __future__ import annotations

from collections.abc import Iterable

from imageloom._storage.atomic import replace_file
from imageloom._storage.refusals import telling

__all__ = ["write_pictures"]


def write_pictures(pictures: Iterable[tuple[str, bytes]]) -> None:
    """Writes the pictures of a batch that is handed out, and of no other one, to `save_to_dir`.

    Raises:
        MissingDirectoryError: The folder does not exist any more.
        StorageError: The system has refused it.
    """
    for path, content in pictures:
        with telling(f"Could not save the picture {path!r} (save_to_dir)"):
            replace_file(path, content)
