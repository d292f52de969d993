"""The description of a batch's computation.

A `Recipe` describes how all batches of one iterator are computed, and is sent to each worker once.
A `BatchTask` describes one batch. Both are plain records, and they are all that it takes to compute
the batch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imageloom._checks.coordinates import CoordinateOptions
from imageloom._imaging.augment.draw import TransformParams
from imageloom._imaging.mixing import MixOptions, Mixture
from imageloom._imaging.moments import FeatureMoments
from imageloom._imaging.normalise import StandardizeOptions
from imageloom._imaging.pillow_settings import PillowSettings
from imageloom._options import ReadOptions, TransformOptions
from imageloom._pipeline.annotation import Annotation
from imageloom._pipeline.cache import CachePlan
from imageloom._pipeline.hearing import Hearing
from imageloom._pipeline.hooks import Hook, ParallelProcessParams
from imageloom._pipeline.layout import BatchLayout
from imageloom._pipeline.records import quickly_pickled
from imageloom._pipeline.rows import ImageRows
from imageloom._pipeline.said import Said
from imageloom._pipeline.spare_states import permuted_state, seeded_state
from imageloom._pipeline.stored_rows import StoredRows
from imageloom._pipeline.timing import BatchTimes
from imageloom._storage.access import Access
from imageloom._storage.encoded_tables import EncodedImages
from imageloom._storage.fetching import RemoteFiles

__all__ = [
    "BatchReport",
    "BatchSpec",
    "BatchTask",
    "Recipe",
    "ReportOptions",
    "SampleName",
    "UserCode",
]

SampleName = str | tuple[str, ...]  # a sample may be a tuple of files


@dataclass(frozen=True, slots=True, kw_only=True)
class UserCode:
    """The functions and methods of the user that run in the pipeline.

    Attributes:
        noaug_hook: The hook that runs on the stored pixels, before the random transforms.
        hook: The hook that runs on float pixels, before the normalisation.
        batch_function: The function that computes the whole batch.
        batch_method: The method of a user's iterator class that computes the whole batch.
        overrides: The names of the generator's methods that the user has overridden.
        turns: What is held while any of this runs: a lock if threads must not run it at the same time.
    """

    noaug_hook: Hook | None = None
    hook: Hook | None = None
    batch_function: Callable[..., Any] | None = None
    batch_method: Callable[[NDArray[np.int64]], Any] | None = None
    overrides: frozenset[str] = frozenset()
    turns: AbstractContextManager[Any] = field(default_factory=nullcontext)

    @property
    def makes_batches(self) -> bool:
        """Whether one call of it computes a whole batch."""
        return self.batch_function is not None or self.batch_method is not None

    @property
    def composes(self) -> bool:
        """Whether there is a composition of another library, which takes masks and coordinates."""
        hooks = (self.hook, self.noaug_hook)
        return any(hook is not None and hook.composition is not None for hook in hooks)

    def __bool__(self) -> bool:
        """Whether there is any."""
        return not (
            self.hook is None
            and self.noaug_hook is None
            and self.batch_function is None
            and self.batch_method is None
            and not self.overrides
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportOptions:
    """What the pipeline reports about each batch beside warnings and times.

    Attributes:
        all_bad_samples: Whether all unreadable samples are reported together, so that they can be
            replaced; otherwise the first one is an error.
        moments: Whether the moments of the pixels are reported, for `fit`.
        transforms: Whether the parameters of the transforms are reported, for previews.
        advises_replacing: Whether errors of files say that files can be replaced.
        takes_batch_shape: Whether errors of shapes say that the flow method takes `batch_shape`.
    """

    all_bad_samples: bool = False
    moments: bool = False
    transforms: bool = False
    advises_replacing: bool = False
    takes_batch_shape: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How the batches of one iterator are computed.

    Attributes:
        read: How files are read; None if the images come out of an array.
        rows: That array.
        cache: Which decoded pixels are cached for later epochs, and where; None for none.
        images: The number of images of a sample, more than one if samples are tuples of files.
        masks: The number of masks of a sample. A mask is transformed with the geometry of its image
            and with nothing else. The masks follow the images in a batch.
        transform: The random transforms; None for none (`validation_augmentation_enabled=False`).
        standardize: The normalisation at the end.
        layout: The arrays of a batch, one for each image of a sample. If there are twice as many,
            the second half repeats the first (class_mode `"input"`).
        params: The first argument of hooks; it contains the options for saving, too.
        user_code: The hooks, and what else of the user runs.
        channels_first: Whether hooks and batches have images (channels, height, width).
        working_dtype: The floating dtype of the pixels while they are computed.
        rescale_first: A factor that is applied before the transforms, as `fit` does it.
        saved_name_range: The number in a saved file's name is below this.
        report: What is reported about each batch.
        storage: How files by URL are read, if there are some; else None.
        pillow: What the program has changed in Pillow, for other processes; None if it has not loaded
            it.
        program: What functions of the user may know of the program, for other processes (see
            `_executors.state`); None if there are none, or if this is not for others.
        hearing: What the program wants to hear of its functions in other processes.
        mixing: How the images of a batch are mixed; None if they are not.
        records: The encoded images of a table; None for files and arrays.
        mask_records: The encoded masks of a table, one for each mask of a sample.
        unfinished: Whether images stay as they are stored, because a device finishes them; what was
            drawn for them follows in further arrays (see `unfinished`).
        coordinates: How the boxes or points of each sample are computed; None without. Their arrays
            follow the masks in a batch.
    """

    read: ReadOptions | None
    rows: ImageRows | StoredRows | None = None
    cache: CachePlan | None = None
    images: int = 1
    masks: int = 0
    transform: TransformOptions | None
    standardize: StandardizeOptions
    layout: BatchLayout
    params: ParallelProcessParams
    user_code: UserCode = UserCode()
    channels_first: bool
    working_dtype: str = "float32"
    rescale_first: float | None = None
    saved_name_range: int = 10_000_000
    report: ReportOptions = ReportOptions()
    storage: Access | None = None
    pillow: PillowSettings | None = None
    program: object = None
    hearing: Hearing | None = None
    unfinished: bool = False
    mixing: MixOptions | None = None
    coordinates: CoordinateOptions | None = None
    records: EncodedImages | None = None
    mask_records: tuple[EncodedImages, ...] = ()

    @property
    def follows_transform(self) -> bool:
        """Whether there is a step between the transforms and the batch."""
        return bool(self.user_code) or self.standardize.active

    @property
    def image_size(self) -> tuple[int, int]:
        """The (height, width) of an image in the batch."""
        height, width = self.layout.row_shape[1:] if self.channels_first else self.layout.row_shape[:2]
        return height, width

    @property
    def crops(self) -> bool:
        """Whether a random window is cut out of each image, which is then read at its own size."""
        return self.transform is not None and self.transform.crops

    @property
    def carries_code(self) -> bool:
        """Whether there is anything in it that the user has written, and that may not be sendable."""
        return bool(self.user_code) or (self.pillow is not None and bool(self.pillow.added))


@quickly_pickled
@dataclass(frozen=True, slots=True)
class BatchSpec:
    """The samples and the randomness of the batch at one position of the stream.

    Attributes:
        position: The position in the endless stream.
        index: The number of the batch in its epoch.
        indices: The samples, as numbers in the data set.
        seed: The seed of the batch's `RandomState`.
        permuted: How many items that state permutes first, as it did when the order of the epoch
            was drawn from it; 0 for none.
        drawn: The state itself, if a user's class has drawn that order.
    """

    position: int
    index: int
    indices: NDArray[np.int64]
    seed: int
    permuted: int
    drawn: Mapping[str, Any] | None = None

    def random_state(self) -> np.random.RandomState:
        """Returns the generator that the random transforms of this batch are drawn from.

        It may be given back to `spare_states`.
        """
        if self.permuted and self.drawn is None:
            return permuted_state(self.seed, self.permuted)
        state = seeded_state(self.seed)
        if self.drawn is not None:
            state.set_state(dict(self.drawn))
        return state


@quickly_pickled
@dataclass(frozen=True, slots=True, kw_only=True)
class BatchTask:
    """One batch to compute.

    Attributes:
        spec: The position in the stream, the samples and the seed.
        filenames: The files of the samples, as in the iterator's `filenames`; empty for images out
            of an array.
        root: The absolute folder or URL that they are relative to; "" if they are complete paths.
        class_ids: The class of each sample, for hooks; empty without classes.
        masks: The files of each sample's masks; empty without masks.
        transforms: The parameters of each sample, if they have been drawn already; else None.
        remote: What is known about the remote ones among the files; None without any.
        is_looked_at: Whether the pixels are examined, as in the first batch that an iterator hands out
            (see `first_look`).
        annotations: The boxes or points of each sample; empty without.
        contents: The encoded images, if only the program can read the table that they are in; a text
            instead says why there is none. Else empty.
        mask_contents: The encoded masks of each sample, likewise.
    """

    spec: BatchSpec
    filenames: tuple[SampleName, ...] = ()
    root: str = ""
    class_ids: tuple[Any, ...] = ()
    masks: tuple[tuple[str, ...], ...] = ()
    transforms: tuple[TransformParams, ...] | None = None
    remote: RemoteFiles | None = None
    is_looked_at: bool = False
    annotations: tuple[Annotation, ...] = ()
    contents: tuple[bytes | str, ...] = ()
    mask_contents: tuple[tuple[bytes | str, ...], ...] = ()

    def __len__(self) -> int:
        """The number of samples in the batch."""
        return len(self.spec.indices)

    def is_same(self, other: BatchTask) -> bool:
        """Whether both give the same batch, for one recipe."""
        mine, theirs = self.spec, other.spec
        return (
            (mine.seed, mine.permuted, mine.index) == (theirs.seed, theirs.permuted, theirs.index)
            and np.array_equal(mine.indices, theirs.indices)
            and mine.drawn is theirs.drawn
            and (self.filenames, self.masks) == (other.filenames, other.masks)
            and self.class_ids == other.class_ids
            and self.annotations == other.annotations
            and _renewed(self) is _renewed(other)  # what a storage has refused is tried again
        )

    def name(self, sample: int) -> str:
        """Describes a sample in words."""
        if self.filenames:
            return f"the file {self.filenames[sample]!r}"
        return f"image {self.spec.indices[sample]} of the array"

    def names(self) -> str:
        """Describes all samples in words."""
        if self.filenames:
            return ", ".join(map(repr, self.filenames))
        return f"images {', '.join(map(str, self.spec.indices))} of the array"


def _renewed(task: BatchTask) -> Access | None:
    return None if task.remote is None else task.remote.renewed


@quickly_pickled
@dataclass(frozen=True, slots=True)
class BatchReport:
    """The results of computing a batch, beside its pixels.

    Attributes:
        warnings: Keys, sentences and classes; the user sees one sentence for each key.
        batch: What the user's `get_batch_function` has returned, in a tuple of one. A placeholder
            is in the place of images that are in the batch's memory (see `batch_function`).
        moments: The moments of the pixels, if the recipe asks for them.
        seconds: The time that each stage took (see `stages.STAGES`).
        times: When each stage of each image was, and who computed it.
        cache_hits: How many images did not have to be decoded.
        transforms: The parameters of each image, sample by sample, if the recipe asks for them.
            Images that an overridden `random_transform` has transformed have none.
        pictures: The path and the content of each file that is written to `save_to_dir` when the
            batch is handed out.
        node: The node of a cluster that has computed the batch; "" on this machine.
        away_seconds: The time between its submission to a cluster and its arrival, without the
            computation.
        said: What the user's functions have said in another process.
        mixture: How its images were mixed, and its targets are to be; None if they are not.
        fallback: Why the user's process has computed it in the place of a worker; "" if it has not.
    """

    warnings: tuple[tuple[str, str, type[Warning]], ...] = ()
    batch: tuple[Any] | None = None
    moments: FeatureMoments | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)
    times: BatchTimes | None = None
    cache_hits: int = 0
    transforms: tuple[Mapping[str, Any], ...] = ()
    pictures: tuple[tuple[str, bytes], ...] = ()
    node: str = ""
    away_seconds: float = 0.0
    said: Said = ()
    fallback: str = ""
    mixture: Mixture | None = None

    def with_warnings(self, further: Sequence[tuple[str, str, type[Warning]]]) -> BatchReport:
        """The same report with further warnings."""
        return replace(self, warnings=(*self.warnings, *further)) if further else self

    def with_said(self, said: Said) -> BatchReport:
        """The same report with what functions have said."""
        return replace(self, said=said) if said else self
