"""The description of a batch's computation, before any machinery.

A `Recipe` says how an iterator's batches are made and is sent to a worker once; a `BatchTask` says
which batch. Both are plain records: whoever has them can compute the batch.
"""

from __future__ import annotations

from dataclasses import dataclass

from imageloom.hooks import Hook, ParallelProcessParams
from imageloom.options import ReadOptions, TransformOptions
from imageloom.sampler import BatchSpec
from imageloom.shared_arrays import BatchLayout
from imageloom.statistics import StandardizeOptions

__all__ = ["BatchReport", "BatchTask", "Recipe"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How the batches of one iterator are made.

    Attributes:
        read: from file to array.
        transform: what is drawn; None where nothing is (`validation_augmentation_enabled=False`).
        standardize: normalisation at the end.
        layout: the arrays of a batch; with two arrays the second repeats the images (class_mode
            `"input"`).
        params: what hooks are told; carries the settings for saving, too.
        noaug_hook: runs on the stored pixels, before any random transform.
        hook: runs on float32 pixels, before normalisation.
        channels_first: hooks and batches see (channels, height, width).
    """

    read: ReadOptions
    transform: TransformOptions | None
    standardize: StandardizeOptions
    layout: BatchLayout
    params: ParallelProcessParams
    noaug_hook: Hook | None
    hook: Hook | None
    channels_first: bool

    @property
    def has_hooks(self) -> bool:
        """Whether the user's own code runs in this pipeline."""
        return self.hook is not None or self.noaug_hook is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchTask:
    """One batch to compute.

    Attributes:
        spec: place in the stream, sample numbers, seed.
        filenames: as the iterator's `filenames`.
        paths: where to read them.
        class_ids: class of each sample, for hooks; empty without classes.
    """

    spec: BatchSpec
    filenames: tuple[str, ...]
    paths: tuple[str, ...]
    class_ids: tuple[int, ...]

    def __len__(self) -> int:
        """Samples in the batch."""
        return len(self.filenames)


@dataclass(frozen=True, slots=True)
class BatchReport:
    """What computing a batch brought to light, beside its pixels.

    Attributes:
        warnings: sentences the user should read, once for each key.
    """

    warnings: tuple[tuple[str, str], ...] = ()
