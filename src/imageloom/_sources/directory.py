"""A data set of a folder with one sub-folder for each class.

Classes are in the given order, or sorted by name. The files of a class are in the order of `listing`,
in that of an index file, or in that of a function of the user. A subset is a slice of each class.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Any, Final, NamedTuple

import numpy as np

from imageloom._errors import ArgumentTypeError, InvalidArgumentError, in_one_line
from imageloom._pipeline.recipe import BatchSpec, BatchTask, SampleName
from imageloom._sources.base import LABEL_MODES, files_digest
from imageloom._sources.divided import divided_classes
from imageloom._sources.files import FileSource
from imageloom._sources.folder_mistakes import FoundFolder, classes_without_samples, folder_mistakes
from imageloom._sources.index import list_classes
from imageloom._sources.listing import (
    WHITE_LIST_FORMATS,
    ClassListing,
    list_class,
)
from imageloom._sources.mistakes import Mistake
from imageloom._sources.remote_listing import list_remote_classes
from imageloom._sources.shuffled_index import list_classes_shuffled
from imageloom._sources.splitting import Division
from imageloom._sources.target_mistakes import changed_labels
from imageloom._storage.places import list_folder
from imageloom._storage.refusals import is_folder, telling
from imageloom._storage.urls import absolute, is_url, protocols
from imageloom._warnings import Code, warn_user

__all__ = ["DirectorySource"]

_INDEX_DIRECTORY: Final = ".index"  # a folder of index files beside the classes; never a class
Lister = Callable[..., Any]


class DirectorySource(FileSource):
    """The images in a folder with sub-folders for classes.

    Attributes:
        directory: the folder as the user named it.
        filenames: paths relative to the folder, which start with the class, or tuples of such paths.
        class_ids: the class number of each sample, int32.
        class_indices: the number of each class by its name.
        class_counts: the number of samples of each class by its name.
        num_classes: the number of classes.
    """

    def __init__(
        self,
        directory: str,
        *,
        classes: Sequence[str] | None,
        class_mode: str | None,
        split: tuple[float, float] | None,
        follow_links: bool,
        max_samples_per_class: int,
        dtype: str,
        shuffle_index_dir: str | None = None,
        list_function: Lister | None = None,
        seed: int | None = None,
        formats: Sequence[str] = WHITE_LIST_FORMATS,
        division: Division | None = None,
        only_formats: bool = False,
        keeps_bands: bool = False,
    ) -> None:
        """Lists the folder; `formats` are the suffixes of the files that are images.

        A subset is the slice `split` of each class, or else what `division` says. With `only_formats`,
        a class without any image does not consist of its `.npy` files. With `keeps_bands`, TIFF files
        are not distorted, and not warned of.

        Raises:
            FileNotFoundError: The folder does not exist.
            ArgumentTypeError: `classes` is a single string, or `list_function` returns no file names.
            InvalidArgumentError: `shuffle_index_dir` cannot be used.
        """
        if isinstance(classes, str):
            raise ArgumentTypeError(
                f"`classes` must be a list of folder names; received the string {classes!r}."
            )
        self.directory = directory
        self.class_mode = class_mode
        self.dtype = dtype
        self.root: str = absolute(directory)
        top = None if classes else _look_into(directory)
        names = list(classes or ()) if top is None else top.folders
        self.class_indices: dict[str, int] = {name: i for i, name in enumerate(names)}
        self.num_classes: int = len(names)  # as in Keras, a class that is named twice counts twice
        parts: Sequence[Sequence[SampleName]]
        listings: list[ClassListing] = []
        lost: list[Mistake] = []
        if list_function is None:
            if shuffle_index_dir is not None and only_formats:
                raise InvalidArgumentError(
                    "`shuffle_index_dir` keeps lists of files with Keras' suffixes, which `extensions` "
                    "replaces: leave out one of them."
                )
            look_for = None
            if only_formats or tuple(formats) != WHITE_LIST_FORMATS:
                look_for = (tuple(formats), not only_formats)
            listings = self._listed(names, follow_links, shuffle_index_dir, seed, look_for)
            if not keeps_bands and any(listing.has_tiff for listing in listings):
                warn_user(
                    'Using ".tiff" files with multiple bands will cause distortion. '
                    "Please verify your output.",
                    code=Code.MULTIBAND_TIFF,
                )
            parts = [_take(listing.files, split) for listing in listings]
        else:
            wanted = [*formats] if only_formats else [*WHITE_LIST_FORMATS, "npy"]
            ask = partial(_list_by_function, list_function, directory, wanted)
            parts = [ask(name, split, follow_links, shuffle_index_dir) for name in names]
        if division is not None:
            self.division = division.in_words()
            parts, lost = divided_classes(division, directory, self.root, names, parts)
        if max_samples_per_class > 0:
            parts = [part[:max_samples_per_class] for part in parts]
        self.filenames = [file for part in parts for file in part]
        self.protocols = protocols([self.root])
        self.images: int = 1
        if list_function is not None:
            self.protocols |= protocols(_parts(self.filenames))
            self.images = _images_per_sample(self.filenames)
        self.class_counts: dict[str, int] = {
            name: len(part) for name, part in zip(names, parts, strict=True)
        }
        numbers = [self.class_indices[name] for name in names]
        self.class_ids = np.repeat(np.array(numbers, dtype=np.int32), [len(part) for part in parts])
        self.mistakes = _mistakes_of_mode(directory, class_mode, self.class_indices)
        if list_function is None:
            self.mistakes += self._mistakes_of_folder(names, listings, top, split, formats)
        else:
            self.mistakes += classes_without_samples(directory, names, [len(part) for part in parts])
        self.mistakes += [*lost, *changed_labels(self.class_indices, class_mode, dtype)]

    def _mistakes_of_folder(
        self,
        names: Sequence[str],
        listings: Sequence[ClassListing],
        top: _Top | None,
        split: tuple[float, float] | None,
        formats: Sequence[str],
    ) -> list[Mistake]:
        files = [listing.files for listing in listings]
        chosen = top is None  # then the folder is worth a look only if images are missing
        if top is None:
            top = _Top([], []) if all(files) else _look_into(self.directory)
        return folder_mistakes(
            FoundFolder(
                directory=self.directory,
                root=self.root,
                names=names,
                chosen=chosen,
                files=files,
                counts=[len(_take(part, split)) for part in files],
                left_out=[listing.left_out for listing in listings],
                folders=top.folders,
                beside=top.files,
                has_labels=self.class_mode in LABEL_MODES,
                split=split,
                formats=tuple(formats),
            )
        )

    def _listed(
        self,
        names: Sequence[str],
        follow_links: bool,
        index_dir: str | None,
        seed: int | None,
        look_for: tuple[tuple[str, ...], bool] | None,
    ) -> list[ClassListing]:
        if look_for is not None:  # an index lists the usual ones
            formats, arrays_instead = look_for
            how: dict[str, Any] = {
                "follow_links": follow_links,
                "formats": formats,
                "arrays_instead": arrays_instead,
            }
            if is_url(self.root):
                listings = list_remote_classes(self.root, names, **how)
            else:
                listings = [list_class(self.root, name, **how) for name in names]
        elif index_dir is None:
            listings = list_classes(self.root, names, follow_links=follow_links)
        else:
            listings = list_classes_shuffled(
                self.root, names, index_dir, follow_links=follow_links, seed=seed
            )
        if is_url(self.root):
            self.stamps = {path: s for listing in listings for path, s in listing.stamps.items()}
        return listings

    def task(self, spec: BatchSpec) -> BatchTask:
        """Describes the batch, with an absolute folder, because workers may work in another one."""
        filenames = self.files_of(spec.indices)
        return BatchTask(
            spec=spec,
            filenames=filenames,
            root=self.root,
            class_ids=self.ids_of(spec.indices),
            remote=self.remote(_parts(filenames)) if self.protocols else None,
        )

    def fingerprint(self) -> dict[str, Any]:
        """The files with their sizes, and the classes."""
        return {
            "samples": len(self),
            "files": files_digest(self.root, self.names(), self.stamps if self.protocols else None),
            "class_mode": self.class_mode,
            "class_indices": dict(self.class_indices),
        }


class _Top(NamedTuple):
    """What lies directly in a folder: the sub-folders, sorted, and files, in any order."""

    folders: list[str]
    files: list[str]


def _look_into(directory: str) -> _Top:
    folders: list[str] = []
    files: list[str] = []
    if is_url(directory):
        folders, files = list_folder(absolute(directory))
    else:
        with telling(f"Could not list the folder {directory!r}"), os.scandir(directory) as entries:
            for entry in entries:
                (folders if is_folder(entry) else files).append(entry.name)
    return _Top(sorted(name for name in folders if name != _INDEX_DIRECTORY), files)


def _mistakes_of_mode(
    directory: str, class_mode: str | None, classes: Collection[str]
) -> list[Mistake]:
    if class_mode != "binary" or len(classes) == 2:
        return []
    text = (
        f'class_mode="binary" needs 2 classes, but {directory!r} has '
        f"{len(classes)}: {', '.join(map(in_one_line, classes))}."
    )
    return [Mistake("binary", text)]


def _parts(names: Sequence[SampleName]) -> list[str]:
    """The files of some samples, as a flat list."""
    return [part for name in names for part in ((name,) if isinstance(name, str) else name)]


def _take(files: list[str], split: tuple[float, float] | None) -> list[str]:
    if split is None:
        return files
    return files[int(split[0] * len(files)) : int(split[1] * len(files))]


def _list_by_function(
    function: Lister,
    directory: str,
    formats: Sequence[str],
    name: str,
    split: tuple[float, float] | None,
    follow_links: bool,
    shuffle_index_dir: str | None,
) -> list[SampleName]:
    """Calls the user's function to list a class; the function returns the files of the subset only."""
    returned = function(
        base_directory=directory,
        search_class=name,
        white_list_formats=[*formats],
        split=split,
        follow_links=follow_links,
        shuffle_index_directory=shuffle_index_dir,
    )
    if (
        not isinstance(returned, (tuple, list))
        or len(returned) != 2
        or isinstance(returned[1], str)
        or returned[0] != name
    ):
        raise ArgumentTypeError(
            "`list_valid_filenames_in_directory_function` must return (search_class, file names). For "
            f"the class {name!r} it returned {returned!r:.80}."
        )
    return [_sample_name(entry) for entry in returned[1]]


def _sample_name(entry: Any) -> SampleName:
    if isinstance(entry, (str, os.PathLike)):
        return os.fspath(entry)
    if isinstance(entry, (tuple, list)) and entry and all(isinstance(e, str) for e in entry):
        return tuple(entry)
    raise ArgumentTypeError(
        "`list_valid_filenames_in_directory_function` must return samples that are file names or "
        f"tuples of file names. It returned the sample {entry!r:.80}."
    )


def _images_per_sample(filenames: Sequence[SampleName]) -> int:
    if not filenames or isinstance(filenames[0], str):
        counts = {1} if all(isinstance(name, str) for name in filenames) else {1, 2}
    else:
        counts = {1 if isinstance(name, str) else len(name) for name in filenames}
    if len(counts) > 1:
        raise ArgumentTypeError(
            "`list_valid_filenames_in_directory_function` must return file names only, or tuples with "
            "the same number of file names. It returned samples with different numbers of them."
        )
    return counts.pop()
