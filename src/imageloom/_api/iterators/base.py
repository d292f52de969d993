"""What the user reads batches from: Keras' iterator, over a stream of batches that others compute.

An iterator is a view of one endless stream (see `_stream`). `next(it)` walks along it; `it[i]` is batch
i of the epoch it is in, whenever, however often and from whatever thread it is asked for. The epoch
ends in `next()` by itself, and under Keras' protocol at `on_epoch_end()` once every batch of it was
handed out.

The first batch that is asked for freezes the generator's options and opens a channel to its workers.
Nothing is started before.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Generic, Self

import numpy as np
from numpy.typing import NDArray

from imageloom._adapters.keras import KerasSurface, Reader, for_keras, reader_asking
from imageloom._api.iterators.plans import ChannelOpener, IteratorPlan
from imageloom._api.iterators.views import IteratorViews, class_weights, order_in_words
from imageloom._api.planning import FrozenGenerator
from imageloom._errors import ArgumentTypeError, BatchIndexError
from imageloom._preview.words import counted
from imageloom._public import public
from imageloom._stream.access import StreamAccess
from imageloom._stream.order import OrderOptions, StreamOrder
from imageloom._stream.report import Report
from imageloom._stream.state import described, plain
from imageloom._stream.substitutions import BadImage
from imageloom._stream.supply import BatchT_co

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["BatchIterator"]


@public
class BatchIterator(KerasSurface, Generic[BatchT_co]):
    """Common part of all iterators: the protocol of Keras' iterators and of its `PyDataset`.

    Attributes:
        image_data_generator: the generator that made it.
        seed: as given; None means that one was drawn from NumPy's global state at the first batch.
        data_format: `"channels_last"` or `"channels_first"`.
        dtype: of the images in a batch.
        subset: `"training"`, `"validation"` or None, as given.
        save_to_dir: where finished images are written, or None.
        save_prefix: start of the saved files' names.
        save_format: their format.
        workers: Keras' own threads; 1 is right, because the work is already done in the background.
        max_queue_size: Keras' own queue, used only if `workers` is raised.
        lock: held while the position moves.
    """

    def __init__(self, plan: IteratorPlan, *, image_data_generator: Any, order: OrderOptions) -> None:
        """Checks the batch size; starts nothing.

        Raises:
            InvalidArgumentError, ArgumentTypeError: a batch size below 1 (-1: all samples), or one that
                leaves shards without a batch; a balanced order of samples without one class each.
        """
        settings = plan.settings
        self.image_data_generator = image_data_generator
        self.seed: int | None = order.seed
        self.data_format: str = settings.data_format
        self.dtype: str = settings.dtype
        self.subset: str | None = settings.subset
        self.save_to_dir: str | None = settings.save_to_dir
        self.save_prefix: str = settings.save_prefix
        self.save_format: str = settings.save_format
        self._plan = plan
        stream_order = StreamOrder(plan.source, settings.batch_size, order)
        opener = ChannelOpener(image_data_generator, plan, stream_order)
        self._stream = StreamAccess(plan.source, stream_order, opener)
        self.lock: threading.RLock = self._stream.lock
        self._data_fingerprint: dict[str, Any] | None = None

    # The data set and its order

    @property
    def n(self) -> int:
        """Number of samples."""
        return len(self._plan.source)

    @property
    def samples(self) -> int:
        """Number of samples."""
        return len(self._plan.source)

    @property
    def sample_count(self) -> int:
        """Number of samples."""
        return len(self._plan.source)

    @property
    def batch_size(self) -> int:
        """Samples in a batch; the last one of an epoch may be short.

        Assigning it goes to the start of the epoch and drops what was prefetched.
        """
        return self._stream.order.batch_size

    @batch_size.setter
    def batch_size(self, value: int) -> None:
        self._stream.resize(value)

    @property
    def batch_shape(self) -> tuple[int, ...]:
        """Shape of a full batch of images."""
        return (self.batch_size, *self._plan.row_shape)

    @property
    def shuffle(self) -> bool | str:
        """Whether every epoch has an order of its own. Assigning it drops what was prefetched."""
        return self._stream.order.shuffle

    @shuffle.setter
    def shuffle(self, value: bool | str) -> None:
        self._stream.reorder(value)

    @property
    def shard(self) -> tuple[int, int]:
        """Which part of the stream this is, as (index, count); (0, 1) is the whole."""
        return self._stream.order.options.shard

    @property
    def balance(self) -> bool:
        """Whether epochs draw all classes equally often."""
        return self._stream.order.balance

    @property
    def total_batches_seen(self) -> int:
        """How many batches of the stream come before the one that `next` will give."""
        return self._stream.cursor.position

    @property
    def batch_index(self) -> int:
        """Number, within its epoch, of the batch that `next` will give."""
        return self._stream.cursor.batch_index

    @property
    def index_array(self) -> NDArray[np.int64]:
        """Sample numbers in the order of the current epoch, of all shards."""
        with self.lock:
            return self._stream.order.sampler().order(self._stream.cursor.epoch)

    @property
    def num_batches(self) -> int:
        """Batches in an epoch."""
        return len(self)

    def __len__(self) -> int:
        """Batches in an epoch, of this shard."""
        return len(self._stream.order)

    # Reading

    def __iter__(self) -> Self:
        """The iterator itself, which never ends."""
        return self

    def __next__(self) -> BatchT_co:
        """The next batch of the stream.

        Raises:
            IteratorClosedError: after `close`.
            Exception: what a hook or a file of this batch raised; the batch after it comes next.
        """
        batch: BatchT_co = self._stream.next()
        return batch

    def next(self) -> BatchT_co:
        """The next batch of the stream, as `next(it)`."""
        return self.__next__()

    def __getitem__(self, index: int) -> BatchT_co:
        """Batch `index` of the current epoch; negative numbers count from its end.

        Raises:
            BatchIndexError: no such batch.
            ArgumentTypeError: something that is not an integer.
        """
        if not hasattr(index, "__index__"):
            raise ArgumentTypeError(f"Batches are numbered by integers, received {index!r}.")
        length = len(self)
        if not -length <= index < length:
            raise BatchIndexError(
                f"Asked to retrieve element {index}, but the Sequence has length {length}"
            )
        reader = reader_asking()
        batch: BatchT_co = self._stream.get(int(index) % length, reader)
        if reader is not Reader.USER and not self._is_users_own(batch):
            batch = for_keras(batch)
        return batch

    def _is_users_own(self, batch: Any) -> bool:
        """Whether the user's function has made it, in the form that they chose."""
        return isinstance(batch, list) and self.image_data_generator.get_batch_function is not None

    @property
    def read_in_order(self) -> bool:
        """Whether the batches of this pass were asked for one after the other, from the first."""
        return self._stream.cursor.in_order

    def on_epoch_begin(self) -> None:
        """Keras is about to ask for the batches of an epoch."""
        self._stream.begin_epoch()

    def on_epoch_end(self) -> None:
        """Goes on to the next epoch if all batches of this one were handed out; else it stays.

        Keras 2 (`tf_keras`) never goes on with an epoch left unfinished, so there the next one comes in
        any case, and no further one though its queue may have read ahead.
        """
        self._stream.end_epoch(reader_asking())

    def reset(self) -> None:
        """Back to the start of the current epoch."""
        self._stream.rewind()

    # Resuming

    def state_dict(self) -> dict[str, Any]:
        """Where the stream stands, as plain JSON: `load_state_dict` goes on from there.

        Under `next` that is the batch to come; under Keras' `fit`, which asks for batches ahead of
        their use, the start of the pass (see `ResumeCallback` for places within it). The files' sizes
        are looked at once, to tell other data.
        """
        return self._stream.state(self._fingerprint())

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes to where another iterator over the same data, with the same arguments, stood.

        Neither executor nor number of workers need be the same. If the iterator has no seed it takes
        over the state's. A pass under Keras' protocol then begins with the batch that was to come,
        though that may be in the middle of an epoch. Any shard's state is every shard's; the number of
        shards may be another one if the state is that of an epoch's start.

        Raises:
            StateMismatchError: other data, other arguments, another seed, or a newer version; it says
                what differs.
            InvalidArgumentError, ArgumentTypeError: something else than a state.
        """
        self._stream.load(state, self._fingerprint())

    def _fingerprint(self) -> dict[str, Any]:
        if self._data_fingerprint is None:
            self._data_fingerprint = plain(self._plan.source.fingerprint())
        frozen: FrozenGenerator = self.image_data_generator._freeze()
        return {
            **self._data_fingerprint,
            "batch_size": self.batch_size,
            "shuffle": self.shuffle,
            "balance": self.balance,
            **plain(self._plan.arguments()),
            **described(frozen.options, frozen.statistics),
        }

    # Looking at the data

    def report(self) -> Report:
        """Where the time went so far, and what would help most; `print` says it in words."""
        cached = self.image_data_generator.cache is not None
        return self._stream.supply.report(None if cached else self._plan.decoded_nbytes)

    @property
    def bad_images(self) -> list[BadImage]:
        """Files that could not be read so far and what took their place (`on_bad_image="replace"`)."""
        return self._stream.supply.bad_images

    def class_weights(self) -> dict[int, float]:
        """For Keras' `fit(class_weight=...)`: samples / (classes * samples of the class), by number.

        Raises:
            InvalidArgumentError: samples that do not have one class each.
        """
        return class_weights(self._plan.source)

    def preview(self, samples: int = 4, versions: int = 5, seed: int = 0) -> Image.Image:
        """A sheet of originals beside their transformed versions, with what was drawn below each.

        Notebooks show it; `.save("sheet.png")` writes it. Each version is what a batch would hold
        before normalisation; hooks run, in this process. Nothing about the stream changes. Of a file
        that cannot be read the sheet says so.

        Args:
            samples: rows of the sheet, of as many classes as can be.
            versions: transformed versions of each.
            seed: of what is drawn; each version has its own, made of this one.

        Returns:
            A `PIL.Image.Image`, whose `info["versions"]` lists what was drawn, in full.

        Raises:
            InvalidArgumentError: there is no image; a number below 1; a `get_batch_function`.
            BadImageError: none of the samples can be read.
        """
        return self._views().sheet(samples, versions, seed)

    def _views(self) -> IteratorViews:
        return IteratorViews(self._plan, self.image_data_generator, self.batch_size)

    def __repr__(self) -> str:
        """What there is, how it comes, and where it stands."""
        how, place = order_in_words(self._stream.order, self._stream.cursor)
        batches = counted(len(self), "batch", "batches")
        parts = [
            self._views().contents(),
            f"{batches} of {self.batch_shape} {self.dtype}, {how}",
            f"{place}, closed" if self.is_shutdown else place,
        ]
        return f"<{type(self).__name__}: {'; '.join(parts)}>"

    def _repr_html_(self) -> str:
        """What a notebook shows: counts by class, and a few images as they are stored."""
        return self._views().html(repr(self))

    def to_tf_dataset(self) -> Any:
        """A `tf.data.Dataset` of this iterator's batches, an epoch for each iteration of it.

        Its signature is exact but for the number of samples, as an epoch's last batch may be short.
        What are lists in a batch, such as several inputs, are tuples in the data set, and several
        inputs without targets are a tuple in a tuple of one, as Keras wants them. Iterations that run
        side by side see the same epoch; one that is broken off leaves it to the next.

        An error of a file or a hook arrives as one of `tf.errors`, with the whole text of the original.
        `state_dict` names the start of the epoch being read, until its last batch was read.
        `get_batch_function` decides about shapes itself, so there the first batch is computed now.

        Raises:
            MissingDependencyError: TensorFlow is not installed.
        """
        from imageloom._adapters.tf_data import tf_dataset

        own = self.image_data_generator.get_batch_function is not None
        example = next(self._stream.one_pass()) if own else self._empty_batch()
        return tf_dataset(self._stream.one_pass, self.__len__, example)

    def to_torch_dataset(self) -> Any:
        """A torch `IterableDataset` of whole batches, an epoch for each iteration of it.

        For `DataLoader(dataset, batch_size=None, num_workers=0)`, which makes tensors of the arrays
        without a copy; they are writable. Torch wants `data_format="channels_first"`, and targets that
        are numbers of classes (`class_mode="sparse"`) as `y.long()`. Iterations that run side by side
        see the same epoch; one that is broken off leaves it to the next. `state_dict` names the start
        of the epoch being read, until its last batch was read.

        Raises:
            MissingDependencyError: torch is not installed.
        """
        from imageloom._adapters.torch_data import torch_dataset

        return torch_dataset(self._stream.one_pass, self.__len__)

    def _empty_batch(self) -> BatchT_co:
        """A batch without samples: the structure, shapes and dtypes of all others."""
        frozen: FrozenGenerator = self.image_data_generator._freeze()
        layout = self._plan.recipe(frozen, self.batch_size).layout
        batch: BatchT_co = self._stream.supply.empty_batch(layout)
        return batch

    # The end

    def close(self) -> None:
        """Gives back the memory, and the workers if no other iterator of the generator needs them.

        Batches that were handed out stay valid. Any further use is an IteratorClosedError.
        """
        self._stream.close()

    def shutdown(self, wait: bool = True) -> None:
        """Closes the iterator; `wait` is accepted for the original's sake, closing is always quick."""
        del wait
        self.close()

    @property
    def is_shutdown(self) -> bool:
        """Whether the iterator was closed."""
        return self._stream.supply.closed

    @property
    def is_running(self) -> bool:
        """Whether batches are being computed in the background."""
        return self._stream.supply.running

    def __enter__(self) -> Self:
        """Closes the iterator at the end of the block."""
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Closes."""
        self.close()

    def __reduce__(self) -> Any:
        """An iterator cannot be copied or sent to another process."""
        raise ArgumentTypeError(
            "An iterator cannot be pickled or copied: it owns workers. Make another one from the "
            "generator, which can."
        )
