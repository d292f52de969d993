"""A folder with one sub-folder per class.

Classes stand as given, or by name; the files of a class as `listing` has them, or in the order of an
index file, or as the user's own function returns them. A subset is a slice of each class.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imageloom._errors import ArgumentTypeError
from imageloom._pipeline.recipe import BatchSpec, BatchTask, SampleName
from imageloom._sources.base import SampleSource, encode_classes, files_digest
from imageloom._sources.index import list_classes
from imageloom._sources.listing import WHITE_LIST_FORMATS
from imageloom._sources.shuffled_index import list_classes_shuffled
from imageloom._storage.places import absolute, is_url, list_folders, members_of, protocols
from imageloom._warnings import warn_user

__all__ = ["DirectorySource"]

_INDEX_DIRECTORY: Final = ".index"  # written by the original beside the classes; never a class
Lister = Callable[..., Any]


class DirectorySource(SampleSource):
    """The images of a class folder.

    Attributes:
        directory: as the user gave it.
        filenames: relative paths, starting with the class, or tuples of them.
        class_ids: class number of each sample, int32.
        class_indices: class name to number.
        class_counts: class name to number of samples.
        num_classes: number of classes.
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
    ) -> None:
        """Lists the folder.

        Raises:
            FileNotFoundError: there is no such folder.
            ArgumentTypeError: `classes` is a single string, or `list_function` returns no file names.
            InvalidArgumentError: `shuffle_index_dir` cannot be used.
        """
        if isinstance(classes, str):
            raise ArgumentTypeError(
                f"`classes` must be a list of folder names, received the string {classes!r}."
            )
        self.directory = directory
        self.class_mode = class_mode
        self.dtype = dtype
        self.repeats_images: bool = class_mode == "input"
        self.root: str = absolute(directory)
        names = list(classes) if classes else _subdirectories(directory)
        self.class_indices: dict[str, int] = {name: i for i, name in enumerate(names)}
        self.num_classes: int = len(names)  # as in Keras, a class that is named twice counts twice
        if class_mode == "binary" and len(self.class_indices) != 2:
            warn_user(
                f'class_mode="binary" is for 2 classes; {directory!r} has {len(self.class_indices)}: '
                f"{', '.join(self.class_indices)}."
            )
        parts: Sequence[Sequence[SampleName]]
        if list_function is not None:
            parts = [
                _ask(list_function, directory, name, split, follow_links, shuffle_index_dir)
                for name in names
            ]
        else:
            parts = [
                _take(files, split)
                for files in self._listed(names, follow_links, shuffle_index_dir, seed)
            ]
        if max_samples_per_class > 0:
            parts = [part[:max_samples_per_class] for part in parts]
        for name, part in zip(names, parts, strict=True):
            if not part:
                warn_user(f"No images found for the class {name!r} in {directory!r}.")
        self.filenames: list[SampleName] = [file for part in parts for file in part]
        self.protocols = protocols([self.root])
        if list_function is not None:
            self.protocols |= protocols(_parts(self.filenames))
        self.images: int = 1 if list_function is None else _images_per_sample(self.filenames)
        self.class_counts: dict[str, int] = {
            name: len(part) for name, part in zip(names, parts, strict=True)
        }
        numbers = [self.class_indices[name] for name in names]
        self.class_ids: NDArray[np.int32] = np.repeat(
            np.array(numbers, dtype=np.int32), [len(part) for part in parts]
        )

    def _listed(
        self, names: Sequence[str], follow_links: bool, index_dir: str | None, seed: int | None
    ) -> list[list[str]]:
        if index_dir is None:
            listings = list_classes(self.root, names, follow_links=follow_links)
        else:
            listings = list_classes_shuffled(
                self.root, names, index_dir, follow_links=follow_links, seed=seed
            )
        if any(listing.has_tiff for listing in listings):
            warn_user(
                'Using ".tiff" files with multiple bands will cause distortion. '
                "Please verify your output."
            )
        if is_url(self.root):
            self.stamps = {path: s for listing in listings for path, s in listing.stamps.items()}
        return [listing.files for listing in listings]

    def __len__(self) -> int:
        """Number of samples."""
        return len(self.filenames)

    def task(self, spec: BatchSpec) -> BatchTask:
        """The batch with an absolute folder, so that a worker need not share the working directory."""
        filenames = tuple(self.filenames[i] for i in spec.indices)
        return BatchTask(
            spec=spec,
            filenames=filenames,
            root=self.root,
            class_ids=tuple(self.class_ids[spec.indices].tolist()),
            members=members_of(self.root, _parts(filenames)) if self.protocols else {},
        )

    def fingerprint(self) -> dict[str, Any]:
        """Files with their sizes, and classes."""
        return {
            "samples": len(self),
            "files": files_digest(self.root, self.filenames, self.stamps if self.protocols else None),
            "class_mode": self.class_mode,
            "class_indices": dict(self.class_indices),
        }

    def class_numbers(self, purpose: str) -> NDArray[np.int64]:
        """The folder of each sample, whatever the class mode."""
        del purpose
        return self.class_ids.astype(np.int64)

    def samples_by_class(self) -> dict[str, int]:
        """By folder."""
        return dict(self.class_counts)

    def class_name(self, index: int) -> str:
        """The folder's name."""
        number = int(self.class_ids[index])
        return next(name for name, i in self.class_indices.items() if i == number)

    def targets(self, indices: NDArray[np.int64]) -> NDArray[Any] | None:
        """One-hot rows or class numbers; None for class_mode None and `"input"`."""
        return encode_classes(
            self.class_ids[indices], self.class_mode, len(self.class_indices), self.dtype
        )


def _subdirectories(directory: str) -> list[str]:
    if is_url(directory):
        return [name for name in list_folders(directory) if name != _INDEX_DIRECTORY]
    with os.scandir(directory) as entries:
        return sorted(e.name for e in entries if e.is_dir() and e.name != _INDEX_DIRECTORY)


def _parts(names: Sequence[SampleName]) -> list[str]:
    """The files of some samples."""
    return [part for name in names for part in ((name,) if isinstance(name, str) else name)]


def _take(files: list[str], split: tuple[float, float] | None) -> list[str]:
    if split is None:
        return files
    return files[int(split[0] * len(files)) : int(split[1] * len(files))]


def _ask(
    function: Lister,
    directory: str,
    name: str,
    split: tuple[float, float] | None,
    follow_links: bool,
    shuffle_index_dir: str | None,
) -> list[SampleName]:
    """The files of a class as the user's own function lists them, which splits them itself."""
    returned = function(
        base_directory=directory,
        search_class=name,
        white_list_formats=[*WHITE_LIST_FORMATS, "npy"],
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
            "`list_valid_filenames_in_directory_function` must return (search_class, file names); for "
            f"the class {name!r} it returned {returned!r:.80}."
        )
    return [_sample_name(entry) for entry in returned[1]]


def _sample_name(entry: Any) -> SampleName:
    if isinstance(entry, (str, os.PathLike)):
        return os.fspath(entry)
    if isinstance(entry, (tuple, list)) and entry and all(isinstance(e, str) for e in entry):
        return tuple(entry)
    raise ArgumentTypeError(
        "A sample is a file name or a tuple of file names; "
        f"`list_valid_filenames_in_directory_function` returned {entry!r:.80}."
    )


def _images_per_sample(filenames: Sequence[SampleName]) -> int:
    if not filenames or isinstance(filenames[0], str):
        counts = {1} if all(isinstance(name, str) for name in filenames) else {1, 2}
    else:
        counts = {1 if isinstance(name, str) else len(name) for name in filenames}
    if len(counts) > 1:
        raise ArgumentTypeError(
            "All samples must be file names, or tuples of equally many; "
            "`list_valid_filenames_in_directory_function` returned both."
        )
    return counts.pop()
