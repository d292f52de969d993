"""The description of a batch's computation, before any machinery.

A `Recipe` says how an iterator's batches are made and is sent to a worker once; a `BatchTask` says
which batch. Both are plain records: whoever has them can compute the batch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imageloom._imaging.augment.draw import TransformParams
from imageloom._imaging.moments import FeatureMoments
from imageloom._imaging.normalise import StandardizeOptions
from imageloom._options import ReadOptions, TransformOptions
from imageloom._pipeline.cache import CachePlan
from imageloom._pipeline.hooks import Hook, ParallelProcessParams
from imageloom._pipeline.layout import BatchLayout
from imageloom._pipeline.rows import ImageRows
from imageloom._storage.archives import Member

__all__ = ["BatchReport", "BatchSpec", "BatchTask", "Recipe", "SampleName"]

SampleName = str | tuple[str, ...]  # a sample may be a tuple of files


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How the batches of one iterator are made.

    Attributes:
        read: from file to array; None where the images come out of an array.
        rows: that array.
        cache: which decoded pixels are kept for later epochs, and where; None for none.
        images: images of a sample, more than one where samples are tuples of files.
        masks: images of a sample that are its targets: they go through the same geometry, and nothing
            else, and lie behind the images in a batch.
        transform: what is drawn; None where nothing is (`validation_augmentation_enabled=False`).
        standardize: normalisation at the end.
        layout: the arrays of a batch: one for each image of a sample; with twice as many, the second
            half repeats the first (class_mode `"input"`).
        params: what hooks are told; carries the settings for saving, too.
        noaug_hook: runs on the stored pixels, before any random transform.
        hook: runs on float pixels, before normalisation.
        batch_function: the user's own, which makes the whole batch.
        overrides: methods of the generator that the user has replaced by their own.
        channels_first: hooks and batches see (channels, height, width).
        working_dtype: floating dtype of the pixels on their way.
        rescale_first: factor before any transform, for `fit`, which sees the images like that.
        saved_name_range: the number in a saved file's name is below this.
        replaces_bad_images: look for all unreadable samples of a batch and report them together.
        measures: report the batch's moments, for `fit`.
        tells_transforms: report what was drawn, for previews.
        storage: fsspec's options, where some of the files are URLs; else None.
    """

    read: ReadOptions | None
    rows: ImageRows | None = None
    cache: CachePlan | None = None
    images: int = 1
    masks: int = 0
    transform: TransformOptions | None
    standardize: StandardizeOptions
    layout: BatchLayout
    params: ParallelProcessParams
    noaug_hook: Hook | None = None
    hook: Hook | None = None
    batch_function: Callable[..., Any] | None = None
    overrides: frozenset[str] = frozenset()
    channels_first: bool
    working_dtype: str = "float32"
    rescale_first: float | None = None
    saved_name_range: int = 10_000_000
    replaces_bad_images: bool = False
    measures: bool = False
    tells_transforms: bool = False
    storage: Mapping[str, Any] | None = None

    @property
    def has_hooks(self) -> bool:
        """Whether the user's own code runs in this pipeline."""
        hooks = (self.hook, self.noaug_hook, self.batch_function)
        return bool(self.overrides) or any(hook is not None for hook in hooks)


@dataclass(frozen=True, slots=True)
class BatchSpec:
    """What stands at one position: enough for anyone to compute the batch, anywhere, twice.

    Attributes:
        position: place in the endless stream.
        index: place in its epoch.
        indices: the samples, numbers into the data set.
        seed: seeds the batch's `RandomState`.
        permuted: that state first permutes this many items (0: it does not), as it did when the
            order of the epoch was drawn from it.
    """

    position: int
    index: int
    indices: NDArray[np.int64]
    seed: int
    permuted: int

    def random_state(self) -> np.random.RandomState:
        """The generator that the random transforms of this batch are drawn from."""
        state = np.random.RandomState(self.seed)
        if self.permuted:
            state.permutation(self.permuted)
        return state


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchTask:
    """One batch to compute.

    Attributes:
        spec: place in the stream, sample numbers, seed.
        filenames: as the iterator's `filenames`; empty for images out of an array.
        root: the folder or URL they are relative to, absolute; "" if they are paths by themselves.
        class_ids: class of each sample, for hooks; empty without classes.
        masks: the files of each sample's masks; empty without any.
        transforms: parameters of each sample that were drawn already; else the worker draws.
        members: of files in archives, where in them they lie.
    """

    spec: BatchSpec
    filenames: tuple[SampleName, ...] = ()
    root: str = ""
    class_ids: tuple[Any, ...] = ()
    masks: tuple[tuple[str, ...], ...] = ()
    transforms: tuple[TransformParams, ...] | None = None
    members: Mapping[str, Member] = field(default_factory=dict)

    def __len__(self) -> int:
        """Samples in the batch."""
        return len(self.spec.indices)

    def name(self, sample: int) -> str:
        """A sample in words."""
        if self.filenames:
            return f"the file {self.filenames[sample]!r}"
        return f"image {self.spec.indices[sample]} of the array"

    def names(self) -> str:
        """All samples in words."""
        if self.filenames:
            return ", ".join(map(repr, self.filenames))
        return f"images {', '.join(map(str, self.spec.indices))} of the array"


@dataclass(frozen=True, slots=True)
class BatchReport:
    """What computing a batch brought to light, beside its pixels.

    Attributes:
        warnings: sentences the user should read, once for each key.
        batch: what the user's `get_batch_function` returned, in a tuple of one; images that lie in the
            batch's memory are left out (see `batch_function`).
        moments: of the pixels, where the recipe asks for them.
        seconds: spent in each stage of the pipeline (see `stages.STAGES`).
        cache_hits: images that did not have to be decoded.
        transforms: the parameters of each image, sample by sample, where the recipe asks for them; of
            images that the user's own `random_transform` has turned, none.
        node: of a cluster, where it was computed; "" on this machine.
        away_seconds: between its submission to a cluster and its arrival, beside the computing.
    """

    warnings: tuple[tuple[str, str], ...] = ()
    batch: tuple[Any] | None = None
    moments: FeatureMoments | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)
    cache_hits: int = 0
    transforms: tuple[Mapping[str, Any], ...] = ()
    node: str = ""
    away_seconds: float = 0.0
