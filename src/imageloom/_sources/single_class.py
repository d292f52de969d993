"""A folder of images without sub-folders for classes: it is read as one class."""

from __future__ import annotations

import os
from typing import NamedTuple

from imageloom._errors import MissingDirectoryError
from imageloom._sources.listing import WHITE_LIST_FORMATS, list_class, subfolders
from imageloom._sources.remote_listing import list_remote_folder
from imageloom._storage.places import folder_exists, list_folder
from imageloom._storage.urls import is_url, last_part

__all__ = ["SingleClass", "class_folders", "list_single_class"]


class SingleClass(NamedTuple):
    """A folder of images without sub-folders, which is read as a single class.

    Attributes:
        root: the folder's parent, absolute; for a URL the folder itself, which may have no parent.
        name: the folder's name, which is the name of the class.
        files: paths relative to `root`.
    """

    root: str
    name: str
    files: list[str]


def class_folders(folder: str | os.PathLike[str]) -> list[str]:
    """The names of the sub-folders that are not hidden; without any, the images are one class.

    Hidden folders decide nothing here, because many programs leave one beside the images (".git",
    ".ipynb_checkpoints").

    Raises:
        MissingDirectoryError: There is no such folder.
        StorageError: The system cannot list it, or the storage cannot be reached.
    """
    if not is_url(folder):
        return [name for name in subfolders(folder) if not name.startswith(".")]
    url = os.fspath(folder)
    if not folder_exists(url):
        raise MissingDirectoryError(f"There is no folder {url!r}.")
    folders, _ = list_folder(url)
    return [name for name in folders if not name.startswith(".")]


def list_single_class(
    folder: str | os.PathLike[str], extensions: tuple[str, ...] | None = None
) -> SingleClass:
    """Lists a folder that has no sub-folders for classes.

    `extensions` are the suffixes of the files that are images; None for Keras'.
    It uses no index, because that would be the index of the folder above, which holds other things.
    """
    if is_url(folder):
        url = os.fspath(folder)
        files = list_remote_folder(url, extensions)
        return SingleClass(url, last_part(url.rstrip("/")) or "images", files)
    root, name = os.path.split(os.path.abspath(folder))
    listing = list_class(
        root,
        name,
        follow_links=False,
        formats=extensions or WHITE_LIST_FORMATS,
        arrays_instead=extensions is None,
    )
    return SingleClass(root, name, listing.files)
