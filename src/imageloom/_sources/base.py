"""What an iterator needs to know about its data set."""

from __future__ import annotations

import hashlib
import os
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imageloom._errors import InvalidArgumentError
from imageloom._pipeline.recipe import BatchSpec, BatchTask, SampleName
from imageloom._pipeline.rows import ImageRows
from imageloom._storage.stamps import stamps_of

__all__ = [
    "LABEL_MODES",
    "SampleSource",
    "encode_classes",
    "files_digest",
    "subset_split",
    "values_digest",
]

LABEL_MODES: Final = ("categorical", "binary", "sparse")
ClassIds = Sequence[int | Sequence[int]] | NDArray[np.int32]


class SampleSource(ABC):
    """A table of samples.

    Attributes:
        filenames: the files, as hooks see them; empty for images out of an array.
        class_indices: class name to number; empty without classes.
        images: images of a sample, more than one where samples are tuples of files.
        masks: images of a sample that are its targets.
        root: the folder or URL that file names are relative to, absolute.
        protocols: of the files that are URLs; empty where all are local.
        stamps: of remote files, what is known of their versions.
        rows: the array that the images come out of, if they do.
        repeats_images: the targets are the images again (class_mode `"input"`).
    """

    filenames: Sequence[SampleName] = ()
    class_indices: Mapping[str, int]
    images: int = 1
    masks: int = 0
    root: str = ""
    rows: ImageRows | None = None
    repeats_images: bool = False
    protocols: frozenset[str] = frozenset()
    stamps: Mapping[str, str] = MappingProxyType({})

    @abstractmethod
    def __len__(self) -> int:
        """Number of samples."""

    @abstractmethod
    def task(self, spec: BatchSpec) -> BatchTask:
        """What a worker must know to compute the batch."""

    @abstractmethod
    def targets(self, indices: NDArray[np.int64]) -> Any:
        """The targets of some samples, or None where the images are all there is."""

    @abstractmethod
    def fingerprint(self) -> dict[str, Any]:
        """What tells this data set from others, as plain JSON."""

    def class_numbers(self, purpose: str) -> NDArray[np.int64]:
        """The class of each sample.

        Args:
            purpose: what they are wanted for, for the error.

        Raises:
            InvalidArgumentError: samples without classes, or with several.
        """
        raise InvalidArgumentError(
            f"`{purpose}` needs samples of one class each, and these have none, or several."
        )

    def samples_by_class(self) -> dict[str, int]:
        """How many samples each class has, in the order of their numbers; empty without classes.

        A sample of several classes counts for each of them.
        """
        return {}

    def class_name(self, index: int) -> str:
        """The class of one sample, or its classes, in words; "" without any."""
        del index
        return ""

    def inputs(self, indices: NDArray[np.int64]) -> Sequence[NDArray[Any]]:
        """What the model gets beside the images, one array for each further input."""
        del indices
        return ()

    def weights(self, indices: NDArray[np.int64]) -> NDArray[Any] | None:
        """Weights of some samples, or None."""
        del indices
        return None


def files_digest(
    root: str, names: Sequence[SampleName], stamps: Mapping[str, str] | None = None
) -> str:
    """A digest of file names and sizes; a file that is not there counts as size -1.

    Args:
        root: the folder or URL that they are relative to.
        names: of the files.
        stamps: for data sets with remote files, what is known of their versions, which stand for sizes.
    """
    digest = hashlib.sha256()
    parts = [part for name in names for part in ((name,) if isinstance(name, str) else name)]
    if stamps is not None:
        stamps = stamps_of(root, parts, stamps)
    for part in parts:
        if stamps is not None and part in stamps:
            size: int | str = stamps[part]
        else:
            try:
                size = os.stat(os.path.join(root, part)).st_size
            except (OSError, ValueError):
                size = -1
        digest.update(os.fsencode(f"{part}\0{size}\0"))
    return digest.hexdigest()[:32]


def values_digest(*values: Any) -> str:
    """A digest of arrays and lists, or None: dtypes, shapes and every value."""
    digest = hashlib.sha256()
    for value in values:
        if isinstance(value, np.ndarray) and value.dtype.kind not in "OU":
            digest.update(f"{value.dtype.str} {value.shape} ".encode())
            digest.update(np.ascontiguousarray(value).tobytes())
        else:
            plain = value.tolist() if isinstance(value, np.ndarray) else value
            digest.update(repr((type(value).__name__, np.shape(value)[:1], plain)).encode())
        digest.update(b"\0")
    return digest.hexdigest()[:32]


def subset_split(subset: str | None, validation_split: float) -> tuple[float, float] | None:
    """The part of the samples that a subset reads, as two fractions; None for everything.

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


def encode_classes(
    class_ids: ClassIds, class_mode: str | None, classes: int, dtype: str
) -> NDArray[Any] | None:
    """Targets of a batch: rows with a one for each class (n, classes), or numbers (n,).

    Their dtype is the iterator's.
    """
    if class_mode not in LABEL_MODES:
        return None
    if class_mode != "categorical":
        return np.asarray(class_ids).astype(dtype)
    hot = np.zeros((len(class_ids), classes), dtype=dtype)
    if isinstance(class_ids, np.ndarray):
        hot[np.arange(len(class_ids)), class_ids] = 1
    else:
        for row, ids in zip(hot, class_ids, strict=True):
            row[ids] = 1
    return hot
