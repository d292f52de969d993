"""The common part of the data sets of image files.

The labels are read when a batch is handed out, so they may be assigned, or changed in place, at any
time. The files may be assigned, too: `paths` then takes the place of `filenames`.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imageloom._checks.coordinates import CoordinateOptions
from imageloom._errors import InvalidArgumentError
from imageloom._pipeline.annotation import Annotation
from imageloom._pipeline.recipe import SampleName
from imageloom._sources.annotations import Annotations, targets_of
from imageloom._sources.base import LABEL_MODES, SampleSource, encode_classes
from imageloom._storage.fetching import RemoteFiles, remote_files
from imageloom._storage.urls import absolute, join

__all__ = ["FileSource"]


class FileSource(SampleSource):
    """Image files and their labels.

    Attributes:
        directory: the folder as the user named it; "" for the working directory.
        paths: the files as Keras' iterators keep them, joined to `directory`; None until somebody
            asks for them or assigns them.
        class_mode: the kind of targets.
        class_ids: the class number of each sample, or a list of them; None without classes.
        columns: the targets of class_mode `"raw"` (an array) or `"multi_output"` (a list of arrays).
        sample_weight: the weights, or None.
        dtype: the dtype of class numbers and one-hot rows.
        annotations: the boxes or points of each sample; None without.
    """

    directory: str
    filenames: list[Any]
    paths: list[Any] | None = None
    class_mode: str | None
    class_ids: Any
    columns: Any = None
    sample_weight: Any = None
    dtype: str
    annotations: Annotations | None = None

    def __len__(self) -> int:
        """The number of samples."""
        return len(self.filenames if self.paths is None else self.paths)

    @property
    def repeats_images(self) -> bool:
        """Whether the targets are the images themselves."""
        return self.class_mode == "input"

    def all_paths(self) -> list[Any]:
        """The files, joined to `directory`. A change of this list is a change of the data set."""
        if self.paths is None:
            self.paths = [_joined(self.directory, name) for name in self.filenames]
        return self.paths

    def file(self, index: int) -> SampleName:
        """The name of a sample's file, relative to the folder if it is in there, else absolute."""
        if self.paths is None:
            name: SampleName = self.filenames[index]
            return name
        path = self.paths[index]
        if isinstance(path, (tuple, list)):
            return tuple(map(self._relative, path))
        return self._relative(path)

    def files_of(self, indices: NDArray[np.int64]) -> tuple[SampleName, ...]:
        """The names of the files of some samples."""
        if self.paths is None:
            names: list[SampleName] = self.filenames
            return tuple([names[i] for i in indices.tolist()])
        return tuple(self.file(i) for i in indices.tolist())

    def names(self) -> list[SampleName]:
        """The names of all files, as `file` gives them."""
        return list(self.filenames) if self.paths is None else [self.file(i) for i in range(len(self))]

    def remote(self, names: Sequence[str]) -> RemoteFiles | None:
        """What workers have to know about some remote files; None if all files are local."""
        return remote_files(self.root, names, self.stamps) if self.protocols else None

    def _relative(self, path: str | os.PathLike[str]) -> str:
        path = os.fspath(path)
        prefix = join(self.directory, "")
        if self.directory and path.startswith(prefix):
            return path[len(prefix) :]
        return absolute(path)

    def ids_of(self, indices: NDArray[np.int64]) -> tuple[Any, ...]:
        """The class numbers of some samples, for hooks; empty without classes."""
        ids = self.class_ids
        if ids is None or len(ids) <= (indices.max() if len(indices) else 0):
            return ()
        if isinstance(ids, np.ndarray):
            return tuple(ids[indices].tolist())
        found = (ids[i] for i in indices.tolist())
        return tuple(one.tolist() if isinstance(one, np.ndarray) else one for one in found)

    def class_numbers(self, purpose: str) -> NDArray[np.int64]:
        """The class of each sample, if every sample has exactly one."""
        ids = np.asarray(self.class_ids) if self._one_class_each() else None
        if ids is None or ids.ndim != 1 or ids.dtype.kind not in "biuf":
            return super().class_numbers(purpose)
        return ids.astype(np.int64)

    def _one_class_each(self) -> bool:
        ids = self.class_ids
        return isinstance(ids, np.ndarray) or (
            ids is not None and not any(isinstance(one, (list, tuple)) for one in ids)
        )

    def samples_by_class(self) -> dict[str, int]:
        """The number of samples of each class; one with several classes counts for each of them."""
        if self.class_ids is None:
            return {}
        if isinstance(self.class_ids, np.ndarray):
            ids: Any = self.class_ids.reshape(-1).tolist()
        else:
            ids = chain.from_iterable(map(_several, self.class_ids))
        counts = Counter(ids)
        return {name: counts[number] for name, number in self.class_indices.items()}

    @property
    def coordinates(self) -> CoordinateOptions | None:
        """How boxes or points are computed, with class_mode `"boxes"` or `"keypoints"`."""
        found = self.annotations
        return None if found is None or self.class_mode != found.options.kind else found.options

    def annotations_of(self, indices: NDArray[np.int64]) -> tuple[Annotation, ...]:
        """The boxes or points of some samples; empty without."""
        found = None if self.coordinates is None else self.annotations
        return () if found is None else found.of(indices)

    def computed_targets(self, arrays: Sequence[Any]) -> Any:
        """Boxes, points or masks."""
        options = self.coordinates
        return super().computed_targets(arrays) if options is None else targets_of(options, arrays)

    def class_name(self, index: int) -> str:
        """The name of the class of one sample, or all their names with commas between them."""
        if self.annotations is not None:
            return self.annotations.class_name(index)
        if self.class_ids is None:
            return ""
        ids = _several(self.class_ids[index])
        return ", ".join(name for name, number in self.class_indices.items() if number in ids)

    def targets(self, indices: NDArray[np.int64]) -> Any:
        """The targets of some samples, which depend on the class mode; None for None or `"input"`."""
        if self.class_mode == "multi_output":
            return [column[indices] for column in self._labels()]
        if self.class_mode == "raw":
            return self._labels()[indices]
        if self.class_mode not in LABEL_MODES:
            return None
        if self.class_ids is None:
            raise InvalidArgumentError(
                f'class_mode="{self.class_mode}" needs classes, which this iterator does not have: '
                "assign `classes` and `class_indices`."
            )
        return encode_classes(
            _picked(self.class_ids, indices), self.class_mode, len(self.class_indices), self.dtype
        )

    def _labels(self) -> Any:
        labels = self.class_ids if self.columns is None else self.columns
        if labels is None:
            raise InvalidArgumentError(
                f'class_mode="{self.class_mode}" needs targets, which this iterator does not have: '
                "assign `_targets`."
            )
        return labels

    def weights(self, indices: NDArray[np.int64]) -> NDArray[Any] | None:
        """The weights of some samples, or None."""
        if self.sample_weight is None:
            return None
        weights: NDArray[Any] = self.sample_weight[indices]
        return weights


def _joined(directory: str, name: SampleName) -> SampleName:
    if isinstance(name, str):
        return join(directory, name)
    return tuple(join(directory, part) for part in name)


def _several(ids: Any) -> list[Any]:
    return list(ids) if isinstance(ids, (list, tuple)) else [ids]


def _picked(ids: Any, indices: NDArray[np.int64]) -> Sequence[Any] | NDArray[Any]:
    if isinstance(ids, np.ndarray) and ids.ndim == 1:
        return ids[indices]
    return [ids[i] for i in indices.tolist()]
