"""What the user holds: Keras' iterator, over a stream of batches that others compute.

An iterator is a view of one endless stream (see `sampler`). `next(it)` walks along it; `it[i]` is
batch i of the epoch it is in, whenever, however often and from whatever thread it is asked for; the
epoch ends in `next()` by itself, and under Keras' protocol at `on_epoch_end()` once every batch of
it was handed out.

Nothing is started until the first batch is asked for; then the generator's options are frozen, and a
channel to the generator's executor is opened.
"""

from __future__ import annotations

import math
import threading
import warnings
import weakref
from abc import ABC, abstractmethod
from itertools import count
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from imageloom.adapters.keras import py_dataset_class, shuffled_order
from imageloom.adapters.reading_order import ReadingOrder
from imageloom.batch_function import completed
from imageloom.errors import (
    ArgumentTypeError,
    BatchIndexError,
    InvalidArgumentError,
    IteratorClosedError,
)
from imageloom.executors.base import Channel
from imageloom.recipe import Recipe
from imageloom.recipes import FrozenGenerator
from imageloom.sampler import BatchSpec, Sampler
from imageloom.sources.base import SampleSource
from imageloom.stream import BatchStream
from imageloom.validation import check_seed

__all__ = ["BatchIterator", "ChannelFactory"]

Batch = Any  # images, or a tuple of images and targets


class ChannelFactory(Protocol):
    """What an iterator asks of its generator when the first batch is due."""

    def __call__(self, iterator: Any) -> Channel:
        """Freezes the options and opens a channel for the iterator's batches."""
        ...


class BatchIterator(ABC):
    """Common part of all iterators: the protocol of Keras' iterators and of its `PyDataset`.

    Attributes:
        n: number of samples (also `samples`).
        seed: as given; None means that one was drawn from NumPy's global state at the first batch.
        workers: Keras' own threads; 1 is right, because the work is already done in the background.
        max_queue_size: Keras' own queue, used only if `workers` is raised.
    """

    workers = 1
    max_queue_size = 10

    def __init__(
        self,
        source: SampleSource,
        open_channel: ChannelFactory,
        *,
        batch_size: int,
        shuffle: bool,
        seed: int | None,
    ) -> None:
        """Checks batch size and seed; starts nothing.

        Raises:
            InvalidArgumentError, ArgumentTypeError: a batch size below 1 (-1: all samples), a bad seed.
        """
        self._source = source
        self._open_channel = open_channel
        self.seed = check_seed(seed)
        self._base_seed = self.seed
        self._shuffle = bool(shuffle)
        self._batch_size = _check_batch_size(batch_size, len(source))
        self.lock = threading.RLock()
        self._position = 0
        self._handed_out: set[int] = set()
        self._following: int | None = None  # the position `next` will ask for, if it is prefetched
        self._order = ReadingOrder(len(self))
        self._sampler: Sampler | None = None
        self._stream: BatchStream | None = None
        self._closer: weakref.finalize[Any, Any] | None = None
        self._closed = False
        self._told: set[str] = set()

    @abstractmethod
    def recipe(self, frozen: FrozenGenerator) -> Recipe:
        """The description of this iterator's batches."""

    # The stream

    @property
    def source(self) -> SampleSource:
        """The table of samples."""
        return self._source

    @property
    def n(self) -> int:
        """Number of samples."""
        return len(self._source)

    @property
    def samples(self) -> int:
        """Number of samples."""
        return len(self._source)

    @property
    def sample_count(self) -> int:
        """Number of samples."""
        return len(self._source)

    @property
    def batch_size(self) -> int:
        """Samples in a batch; the last one of an epoch may be short.

        Assigning it goes to the start of the epoch and drops what was prefetched.
        """
        return self._batch_size

    @batch_size.setter
    def batch_size(self, value: int) -> None:
        with self.lock:
            epoch = self._epoch
            self._batch_size = _check_batch_size(value, self.n)
            self._position = epoch * len(self)
            self._start_over()

    @property
    def shuffle(self) -> bool:
        """Whether every epoch has an order of its own. Assigning it drops what was prefetched."""
        return self._shuffle

    @shuffle.setter
    def shuffle(self, value: bool) -> None:
        with self.lock:
            self._shuffle = bool(value)
            self._start_over()

    @property
    def total_batches_seen(self) -> int:
        """Position in the stream: batches before the one that `next` will give."""
        return self._position

    @property
    def batch_index(self) -> int:
        """Number, within its epoch, of the batch that `next` will give."""
        return self._position % max(1, len(self))

    @property
    def index_array(self) -> NDArray[np.int64]:
        """Sample numbers in the order of the current epoch."""
        with self.lock:
            return self._sampler_now().order(self._epoch)

    @property
    def num_batches(self) -> int:
        """Batches in an epoch."""
        return len(self)

    def __len__(self) -> int:
        """Batches in an epoch."""
        return math.ceil(self.n / self._batch_size)

    def __iter__(self) -> Self:
        """The iterator itself, which never ends."""
        return self

    def __next__(self) -> Batch:
        """The next batch of the stream.

        Raises:
            IteratorClosedError: after `close`.
            Exception: what a hook or a file of this batch raised; the batch after it comes next.
        """
        with self.lock:
            stream = self._stream_now()
            position = self._position
            self._note_handed_out(position)
            self._position += 1
            if self._position % max(1, len(self)) == 0:
                self._handed_out.clear()
            if self._following != position:
                stream.follow(count(position))
            self._following = position + 1
            spec = self._sampler_now().spec(position)
        return self._batch(stream, spec)

    def next(self) -> Batch:
        """The next batch of the stream, as `next(it)`."""
        return self.__next__()

    def __getitem__(self, index: int) -> Batch:
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
        index = int(index) % length
        with self.lock:
            stream = self._stream_now()
            first = self._epoch * length
            self._note_handed_out(first + index)
            self._following = None
            upcoming = self._order.observe(index)
            if upcoming is not None:
                stream.follow([first + i for i in (index, *upcoming)])
            spec = self._sampler_now().spec(first + index)
        return self._batch(stream, spec)

    def on_epoch_begin(self) -> None:
        """Keras is about to ask for the batches of an epoch."""
        with self.lock:
            self._order.begin(shuffled_order(len(self)))

    def on_epoch_end(self) -> None:
        """Goes on to the next epoch if all batches of this one were handed out; else it stays."""
        with self.lock:
            if len(self) == 0 or len(self._handed_out) < len(self):
                return
            self._position = (self._epoch + 1) * len(self)
            self._handed_out.clear()
            self._following = None
            expected = shuffled_order(len(self)) if self._order.shuffled else range(len(self))
            self._order.expect(expected)
            if self._stream is not None:
                self._stream.follow([self._position + i for i in expected])

    def reset(self) -> None:
        """Back to the start of the current epoch."""
        with self.lock:
            self._position = self._epoch * len(self)
            self._handed_out.clear()
            self._following = None

    @property
    def _epoch(self) -> int:
        return self._position // max(1, len(self))

    def _note_handed_out(self, position: int) -> None:
        self._handed_out.add(position % max(1, len(self)))

    def _batch(self, stream: BatchStream, spec: BatchSpec) -> Batch:
        computed = stream.get(spec.position)
        for key, text in computed.report.warnings:
            if key not in self._told:
                self._told.add(key)
                warnings.warn(text, stacklevel=3)
        arrays = computed.hand_out()
        if computed.report.batch is not None:
            return completed(computed.report.batch[0], arrays[0])
        return self._assemble(arrays, spec.indices)

    def _assemble(self, arrays: tuple[NDArray[Any], ...], indices: NDArray[np.int64]) -> Batch:
        """Images and whatever belongs to them, as Keras' iterators put it together."""
        source = self._source
        parts = [*arrays[: source.images], *source.inputs(indices)]
        x = parts[0] if len(parts) == 1 else parts
        copies = arrays[source.images :]
        if copies:
            y: Any = copies[0] if len(copies) == 1 else list(copies)
        else:
            y = source.targets(indices)
        if y is None:
            return x
        weights = source.weights(indices)
        return (x, y) if weights is None else (x, y, weights)

    # The machinery

    def _sampler_now(self) -> Sampler:
        if self._sampler is None:
            if self._base_seed is None:
                self._base_seed = int(np.random.randint(0, 2**32, dtype=np.uint32))
            self._sampler = Sampler(
                self.n, self._batch_size, shuffle=self._shuffle, seed=self._base_seed
            )
        return self._sampler

    def _stream_now(self) -> BatchStream:
        if self._closed:
            raise IteratorClosedError(
                "This iterator is closed. Make a new one with the generator's flow methods."
            )
        if self._stream is None:
            sampler, source = self._sampler_now(), self._source
            channel = self._open_channel(self)
            self._stream = BatchStream(channel, lambda p: source.task(sampler.spec(p)))
            self._closer = weakref.finalize(self, self._stream.close)
        return self._stream

    def _start_over(self) -> None:
        """Drops the machinery; the next request builds it anew for what has changed."""
        if self._closer is not None:
            self._closer()
        self._stream = self._closer = self._sampler = None
        self._handed_out.clear()
        self._following = None
        self._order = ReadingOrder(len(self))

    def close(self) -> None:
        """Gives back the memory, and the workers if no other iterator of the generator needs them.

        Batches that were handed out stay valid. Any further use is an IteratorClosedError.
        """
        with self.lock:
            self._closed = True
            if self._closer is not None:
                self._closer()

    def shutdown(self, wait: bool = True) -> None:
        """Closes the iterator; `wait` is accepted for the original's sake, closing is always quick."""
        del wait
        self.close()

    @property
    def is_shutdown(self) -> bool:
        """Whether the iterator was closed."""
        return self._closed

    @property
    def is_running(self) -> bool:
        """Whether batches are being computed in the background."""
        return self._stream is not None and not self._closed

    def __enter__(self) -> Self:
        """Closes the iterator at the end of the block."""
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Closes."""
        self.close()

    # What Keras wants to see

    @property  # type: ignore[misc]  # object's can be assigned, too
    def __class__(self) -> type[Any]:
        """The iterator's class, which is a `keras.utils.PyDataset` once Keras is loaded."""
        return py_dataset_class(type(self))

    @property
    def use_multiprocessing(self) -> bool:
        """Always False: Keras' process pool around ours would only be in the way."""
        return False

    @use_multiprocessing.setter
    def use_multiprocessing(self, value: bool) -> None:
        if value:
            warnings.warn(
                "use_multiprocessing is ignored: this iterator computes its batches in processes of "
                "its own; see the generator's `cores` and `executor`.",
                stacklevel=2,
            )

    def __reduce__(self) -> Any:
        """An iterator cannot be copied or sent to another process."""
        raise ArgumentTypeError(
            "An iterator cannot be pickled or copied: it owns workers. Make another one from the "
            "generator, which can."
        )


def _check_batch_size(batch_size: Any, samples: int) -> int:
    if isinstance(batch_size, bool) or not hasattr(batch_size, "__index__"):
        raise ArgumentTypeError(
            f"`batch_size` must be an integer >= 1, or -1 for all samples; received {batch_size!r}."
        )
    size = int(batch_size)
    if size == -1:
        return max(1, samples)
    if size < 1:
        raise InvalidArgumentError(
            f"`batch_size` must be an integer >= 1, or -1 for all samples; received {batch_size!r}."
        )
    return size
