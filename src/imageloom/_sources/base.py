"""The interface of a data set: what an iterator needs to know about it."""

from __future__ import annotations

import hashlib
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imageloom._checks.coordinates import CoordinateOptions
from imageloom._errors import InvalidArgumentError
from imageloom._pipeline.recipe import BatchSpec, BatchTask, SampleName
from imageloom._pipeline.rows import ImageRows
from imageloom._pipeline.stored_rows import StoredRows
from imageloom._sources.mistakes import Mistake
from imageloom._storage.encoded_tables import EncodedImages
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
        filenames: the files of the samples, as hooks see them; empty for images from arrays.
        class_indices: the number of each class by its name; empty without classes.
        images: the number of images of a sample; above 1 if samples are tuples of files.
        root: the absolute folder or URL that file names are relative to.
        protocols: the protocols of the files that are URLs; empty if all files are local.
        stamps: the stamps of remote files, as far as they are known (see `_storage.stamps`).
        rows: the array of images, or None if images are read from files.
        records: the encoded images of a table, or None.
        mask_records: the encoded masks of a table, one for each mask of a sample.
        mistakes: what cannot be meant in the data.
        division: how a subset was found, in words, if not as a slice; else "".
    """

    filenames: Sequence[SampleName] = ()
    class_indices: Mapping[str, int]
    images: int = 1
    root: str = ""
    rows: ImageRows | StoredRows | None = None
    records: EncodedImages | None = None
    mask_records: tuple[EncodedImages, ...] = ()
    protocols: frozenset[str] = frozenset()
    stamps: Mapping[str, str] = MappingProxyType({})
    mistakes: Sequence[Mistake] = ()
    division: str = ""

    @property
    def masks(self) -> int:
        """The number of masks of a sample."""
        return 0

    @property
    def coordinates(self) -> CoordinateOptions | None:
        """How the boxes or points of the samples are computed; None if they have none."""
        return None

    def computed_targets(self, arrays: Sequence[Any]) -> Any:
        """The targets of a batch, of the arrays that were computed beside its images."""
        return arrays[0] if len(arrays) == 1 else list(arrays)

    @property
    def repeats_images(self) -> bool:
        """Whether the targets are the images themselves."""
        return False

    @abstractmethod
    def __len__(self) -> int:
        """The number of samples."""

    @abstractmethod
    def task(self, spec: BatchSpec) -> BatchTask:
        """Describes a batch for the worker that computes it."""

    @abstractmethod
    def targets(self, indices: NDArray[np.int64]) -> Any:
        """The targets of some samples, or None if samples have no targets."""

    @abstractmethod
    def fingerprint(self) -> dict[str, Any]:
        """Data that differ between data sets, as plain JSON; saved states are checked with it."""

    def class_numbers(self, purpose: str) -> NDArray[np.int64]:
        """The class of each sample.

        Args:
            purpose: the argument that needs the classes, for the error.

        Raises:
            InvalidArgumentError: Not every sample has exactly one class.
        """
        raise InvalidArgumentError(
            f"`{purpose}` needs samples with exactly one class each; the samples of this data set have "
            "no class, or several."
        )

    def samples_by_class(self) -> dict[str, int]:
        """The number of samples of each class, in the order of class numbers; empty without classes.

        A sample with several classes counts for each of them.
        """
        return {}

    def class_name(self, index: int) -> str:
        """The name of the class of one sample, or of its classes; "" without classes."""
        del index
        return ""

    def inputs(self, indices: NDArray[np.int64]) -> Sequence[NDArray[Any]]:
        """The further inputs of some samples, with an array for each input beside the images."""
        del indices
        return ()

    def weights(self, indices: NDArray[np.int64]) -> NDArray[Any] | None:
        """The weights of some samples, or None."""
        del indices
        return None


def files_digest(
    root: str,
    names: Sequence[SampleName],
    stamps: Mapping[str, str] | None = None,
    shown: Callable[[str], str] = str,
) -> str:
    """A digest of file names and sizes; the size of a file that does not exist counts as -1.

    Args:
        root: the folder or URL that the names are relative to.
        names: the files.
        stamps: for data sets with remote files, the known stamps. The digest has the stamps of remote
            files instead of their sizes.
        shown: what the digest has instead of a name.
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
        digest.update(os.fsencode(f"{shown(part)}\0{size}\0"))
    return digest.hexdigest()[:32]


def values_digest(*values: Any) -> str:
    """A digest of the dtypes, shapes and all values of arrays and lists; a value may be None."""
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
    """The part of the samples that a subset contains, as two fractions; None stands for all samples.

    Raises:
        InvalidArgumentError: The generator has no `validation_split`, and so no validation subset.
    """
    if subset is None:
        return None
    if subset == "training":
        return validation_split, 1.0
    if validation_split == 0:
        raise InvalidArgumentError(
            'subset="validation" needs a generator with a `validation_split`, which is 0 here. Pass '
            "for example validation_split=0.2 to the constructor."
        )
    return 0.0, validation_split


def encode_classes(
    class_ids: ClassIds, class_mode: str | None, classes: int, dtype: str
) -> NDArray[Any] | None:
    """The targets of a batch: one-hot or multi-hot rows (n, classes), or class numbers (n,).

    Args:
        class_ids: the class number of each sample, or a list of them.
        class_mode: `"categorical"`, `"binary"` or `"sparse"`; all others have no such targets.
        classes: the number of classes.
        dtype: the dtype of the targets, which is the iterator's.
    """
    if class_mode not in LABEL_MODES:
        return None
    if class_mode != "categorical":
        return np.asarray(class_ids).astype(dtype)
    hot = np.zeros((len(class_ids), classes), dtype=dtype)
    if isinstance(class_ids, np.ndarray):
        hot[np.arange(len(class_ids)), class_ids] = 1
    else:  # one, or several, for each sample
        for row, ids in zip(hot, class_ids, strict=True):
            row[ids] = 1
    return hot
