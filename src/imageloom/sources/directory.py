"""A folder with one sub-folder per class.

The order is Keras': classes as given, or by name; within a class the files of each folder by name,
folders by their full path. A subset is a slice of each class.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imageloom.errors import ArgumentTypeError, InvalidArgumentError
from imageloom.recipe import BatchTask
from imageloom.sampler import BatchSpec
from imageloom.sources.base import encode_classes

__all__ = ["WHITE_LIST_FORMATS", "DirectorySource", "subset_split"]

WHITE_LIST_FORMATS: Final = ("png", "jpg", "jpeg", "bmp", "ppm", "tif", "tiff")
_INDEX_DIRECTORY: Final = ".index"  # written by the original beside the classes; never a class


def subset_split(subset: str | None, validation_split: float) -> tuple[float, float] | None:
    """The part of each class that a subset reads, as two fractions; None for everything.

    Raises:
        InvalidArgumentError: the validation subset of a generator without `validation_split`.
    """
    if subset is None:
        return None
    if subset == "training":
        return validation_split, 1.0
    if validation_split == 0:
        raise InvalidArgumentError(
            'subset="validation" needs a generator with `validation_split`; it is 0, so no image is '
            "set apart. Pass validation_split=0.2, say, to the constructor."
        )
    return 0.0, validation_split


class DirectorySource:
    """The images of a class folder.

    Attributes:
        directory: as the user gave it.
        filenames: relative paths, starting with the class.
        class_ids: class number of each file, int32.
        class_indices: class name to number.
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
    ) -> None:
        """Lists the folder.

        Raises:
            FileNotFoundError: there is no such folder.
            ArgumentTypeError: `classes` is a single string.
        """
        if isinstance(classes, str):
            raise ArgumentTypeError(
                f"`classes` must be a list of folder names, received the string {classes!r}."
            )
        self.directory = directory
        self.class_mode = class_mode
        self.dtype = dtype
        self._root = os.path.abspath(directory)
        names = list(classes) if classes else _subdirectories(directory)
        self.class_indices = {name: i for i, name in enumerate(names)}
        self.filenames: list[str] = []
        class_ids: list[int] = []
        for name in names:
            files = _take(_files_of_class(directory, name, follow_links), split)
            if max_samples_per_class > 0:
                files = files[:max_samples_per_class]
            if not files:
                warnings.warn(f"No images found for the class {name!r} in {directory!r}.", stacklevel=5)
            self.filenames += files
            class_ids += [self.class_indices[name]] * len(files)
        self.class_ids: NDArray[np.int32] = np.array(class_ids, dtype=np.int32)
        if any(name.lower().endswith("tiff") for name in self.filenames):
            warnings.warn(
                'Using ".tiff" files with multiple bands will cause distortion. '
                "Please verify your output.",
                stacklevel=5,
            )

    def __len__(self) -> int:
        """Number of images."""
        return len(self.filenames)

    def task(self, spec: BatchSpec) -> BatchTask:
        """The batch with absolute paths, so that a worker need not share the working directory."""
        filenames = tuple(self.filenames[i] for i in spec.indices)
        return BatchTask(
            spec=spec,
            filenames=filenames,
            paths=tuple(os.path.join(self._root, name) for name in filenames),
            class_ids=tuple(self.class_ids[spec.indices].tolist()),
        )

    def targets(self, indices: NDArray[np.int64]) -> NDArray[Any] | None:
        """One-hot rows or class numbers; None for class_mode None and `"input"`."""
        return encode_classes(
            self.class_ids[indices], self.class_mode, len(self.class_indices), self.dtype
        )


def _subdirectories(directory: str) -> list[str]:
    with os.scandir(directory) as entries:
        return sorted(e.name for e in entries if e.is_dir() and e.name != _INDEX_DIRECTORY)


def _files_of_class(directory: str, name: str, follow_links: bool) -> list[str]:
    """Relative paths of a class, in Keras' order."""
    top = os.path.join(directory, name)
    return [
        os.path.join(name, os.path.relpath(os.path.join(folder, file), top))
        if folder != top
        else os.path.join(name, file)
        for folder, file in _image_files(top, follow_links)
    ]


def _image_files(top: str, follow_links: bool) -> Iterator[tuple[str, str]]:
    folders = sorted(os.walk(top, followlinks=follow_links), key=lambda folder: folder[0])
    for folder, _, files in folders:
        for file in sorted(files):
            if file.lower().endswith(WHITE_LIST_FORMATS):
                yield folder, file


def _take(files: list[str], split: tuple[float, float] | None) -> list[str]:
    if split is None:
        return files
    return files[int(split[0] * len(files)) : int(split[1] * len(files))]
