"""What the user holds: Keras' iterator, over a stream of batches that others compute.

An iterator is a view of one endless stream (see `sampler`). `next(it)` walks along it; `it[i]` is
batch i of the epoch it is in, whenever, however often and from whatever thread it is asked for; the
epoch ends in `next()` by itself, and under Keras' protocol at `on_epoch_end()` once every batch of
it was handed out.

Nothing is started until the first batch is asked for; then the generator's options are frozen, and a
channel to the generator's executor is opened.
"""

from __future__ import annotations

import dataclasses
import math
import sys
import threading
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from itertools import count
from typing import Any, Generic, Self

import numpy as np
from numpy.typing import NDArray

from imageloom.adapters.keras import KerasSurface, Reader, for_keras, reader_of, shuffled_order
from imageloom.adapters.reading_order import ReadingOrder
from imageloom.errors import (
    ArgumentTypeError,
    BatchIndexError,
    InvalidArgumentError,
    StateMismatchError,
)
from imageloom.iterator_views import IteratorViews
from imageloom.report import Report
from imageloom.sampler import BatchSpec, OrderOptions, Sampler
from imageloom.sources.base import SampleSource
from imageloom.state import checked_state, make_state, plain
from imageloom.substitutions import BadImage
from imageloom.supply import BatchSupply, BatchT_co, ChannelFactory
from imageloom.validation import check_batch_size

__all__ = ["BatchIterator"]


class BatchIterator(KerasSurface, IteratorViews, Generic[BatchT_co]):
    """Common part of all iterators: the protocol of Keras' iterators and of its `PyDataset`.

    Attributes:
        image_data_generator: the generator that made it.
        seed: as given; None means that one was drawn from NumPy's global state at the first batch.
        workers: Keras' own threads; 1 is right, because the work is already done in the background.
        max_queue_size: Keras' own queue, used only if `workers` is raised.
        lock: held while the position moves.
    """

    def __init__(
        self,
        source: SampleSource,
        open_channel: ChannelFactory,
        *,
        batch_size: int,
        order: OrderOptions,
    ) -> None:
        """Checks the batch size; starts nothing.

        Raises:
            InvalidArgumentError, ArgumentTypeError: a batch size below 1 (-1: all samples); a balanced
                order of samples that do not have one class each.
        """
        self._source = source
        self._supply = BatchSupply(source, open_channel)
        self.seed: int | None = order.seed
        self._base_seed = self.seed
        self._options = order
        self._balanced_classes = source.class_numbers("balance=True") if order.balance else None
        self._batch_size = self._checked_batch_size(batch_size)
        self.lock: threading.RLock = threading.RLock()
        self._position = 0
        self._pass_start = 0  # where it[0] is: an epoch's first batch, but for resumed passes
        self._handed_out: set[int] = set()
        self._epochs_ahead = 0  # that a queue of tf_keras has gone on by itself
        self._read_in_order, self._furthest = True, -1  # of the batches of this pass by number
        self._following: int | None = None  # the position `next` will ask for, if it is prefetched
        self._order = ReadingOrder(len(self))
        self._sampler: Sampler | None = None
        self._data_fingerprint: dict[str, Any] | None = None

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
            self._batch_size = self._checked_batch_size(value)
            self._position = self._pass_start = epoch * len(self)
            self._start_over()

    def _checked_batch_size(self, value: int) -> int:
        size = check_batch_size(value, self.n)
        batches, shards = math.ceil(self.n / size), self._options.shard[1]
        if shards > 1 and batches < shards:  # alone, an empty data set has epochs of no batches
            raise InvalidArgumentError(
                f"An epoch of {self.n} samples in batches of {size} has {batches} batches, too few for "
                f"{shards} shards: pass a smaller `batch_size`."
            )
        return size

    @property
    def shuffle(self) -> bool | str:
        """Whether every epoch has an order of its own. Assigning it drops what was prefetched."""
        return self._options.shuffle

    @shuffle.setter
    def shuffle(self, value: bool | str) -> None:
        with self.lock:
            self._options = dataclasses.replace(self._options, shuffle=value)
            self._start_over()

    @property
    def shard(self) -> tuple[int, int]:
        """Which part of the stream this is, as index and count; (0, 1) is the whole."""
        return self._options.shard

    @property
    def balance(self) -> bool:
        """Whether epochs draw all classes equally often."""
        return self._balanced_classes is not None

    @property
    def total_batches_seen(self) -> int:
        """How many batches of the stream come before the one that `next` will give."""
        return self._position

    @property
    def batch_index(self) -> int:
        """Number, within its epoch, of the batch that `next` will give."""
        return self._position % max(1, len(self))

    @property
    def index_array(self) -> NDArray[np.int64]:
        """Sample numbers in the order of the current epoch, of all shards."""
        with self.lock:
            return self._sampler_now().order(self._epoch)

    @property
    def num_batches(self) -> int:
        """Batches in an epoch."""
        return len(self)

    def __len__(self) -> int:
        """Batches in an epoch, of this shard."""
        return math.ceil(self.n / self._batch_size) // self._options.shard[1]

    def __iter__(self) -> Self:
        """The iterator itself, which never ends."""
        return self

    def __next__(self) -> BatchT_co:
        """The next batch of the stream.

        Raises:
            IteratorClosedError: after `close`.
            Exception: what a hook or a file of this batch raised; the batch after it comes next.
        """
        with self.lock:
            self._start()
            position = self._position
            self._note_handed_out(position)
            self._position += 1
            if self._position % max(1, len(self)) == 0:
                self._handed_out.clear()
            self._pass_start = self._epoch * len(self)
            if self._following != position:
                self._supply.follow(count(position))
            self._following = position + 1
            spec = self._sampler_now().spec(position)
        batch: BatchT_co = self._supply.batch(spec, stacklevel=2)
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
        index = int(index) % length
        reader = reader_of(sys._getframe(1))
        with self.lock:
            if reader is Reader.TF_KERAS_QUEUE:  # with use_multiprocessing in a forked child
                self._supply.compute_here(self, self._sampler_now())
            if reader is Reader.TF_KERAS:
                self._epochs_ahead = 0
                if index == 0 and not self._handed_out:  # it looks at one batch, shuffles and begins
                    self._order.begin(shuffled_order(length))
            spec = self._asked_for(self._pass_start, index)
        batch: BatchT_co = self._supply.batch(spec, stacklevel=2)
        if reader is not Reader.USER and not self._is_users_own(batch):
            batch = for_keras(batch)
        return batch

    def _is_users_own(self, batch: Any) -> bool:
        """Whether the user's function has made it, in the form that they chose."""
        return isinstance(batch, list) and self.image_data_generator.get_batch_function is not None

    def _asked_for(self, first: int, index: int) -> BatchSpec:
        """What stands there, `first` being where the pass began; adapts what is prefetched."""
        self._start()
        if first == self._pass_start:
            self._read_in_order &= index <= self._furthest + 1
            self._furthest = max(index, self._furthest)
            self._note_handed_out(first + index)
        self._following = None
        upcoming = self._order.observe(index)
        if upcoming is not None:
            self._supply.follow([first + i for i in (index, *upcoming)])
        return self._sampler_now().spec(first + index)

    def one_pass(self) -> Iterator[BatchT_co]:
        """The batches of an epoch in order; with the last one the iterator goes on to the next.

        Several may be read at once: those that begin in the same epoch give the same batches. If one
        is broken off, the next begins with the first batch of the same epoch again.
        """
        with self.lock:
            first, length = self._pass_start, len(self)
        for index in range(length):
            yield self._batch_of_pass(first, index, last=index == length - 1)

    def _batch_of_pass(self, first: int, index: int, *, last: bool) -> BatchT_co:
        with self.lock:
            spec = self._asked_for(first, index)
        batch: BatchT_co = self._supply.batch(spec, stacklevel=3)
        with self.lock:
            if last and first == self._pass_start:
                self._advance(1)
        return batch

    @property
    def read_in_order(self) -> bool:
        """Whether the batches of this pass were asked for one after the other, from the first."""
        return self._read_in_order

    def on_epoch_begin(self) -> None:
        """Keras is about to ask for the batches of an epoch."""
        with self.lock:
            self._order.begin(shuffled_order(len(self)))

    def on_epoch_end(self) -> None:
        """Goes on to the next epoch if all batches of this one were handed out; else it stays.

        Keras 2 (`tf_keras`) never goes on with an epoch left unfinished, so there the next one comes in
        any case, and no further one though its queue may have read ahead.
        """
        reader = reader_of(sys._getframe(1))
        with self.lock:
            if reader is Reader.TF_KERAS:
                self._advance(1 - self._epochs_ahead)
            elif len(self._handed_out) >= len(self):
                ahead = self._epochs_ahead
                self._advance(1)
                self._epochs_ahead = ahead + (reader is Reader.TF_KERAS_QUEUE)

    def _advance(self, epochs: int) -> None:
        if len(self) == 0:
            return
        self._pass_start += epochs * len(self)
        self._position = self._pass_start
        self._begin_pass()
        shuffled = shuffled_order(len(self))
        self._order.expect(())  # what was left out is not made up for
        self._order.begin(shuffled)
        expected = shuffled if self._order.shuffled else range(len(self))
        self._order.expect(expected)
        self._supply.follow([self._position + i for i in expected])

    def reset(self) -> None:
        """Back to the start of the current epoch."""
        with self.lock:
            self._position = self._pass_start = self._epoch * len(self)
            self._begin_pass()

    def _begin_pass(self) -> None:
        self._handed_out.clear()
        self._following = None
        self._epochs_ahead = 0
        self._read_in_order, self._furthest = True, -1

    # Resuming, and looking back

    def state_dict(self) -> dict[str, Any]:
        """Where the stream stands, as plain JSON: `load_state_dict` goes on from there.

        Under `next` that is the batch to come; under Keras' `fit`, which asks for batches ahead of
        their use, the start of the pass (see `ResumeCallback` for places within it). The files' sizes
        are looked at once, to tell other data.
        """
        with self.lock:
            self._sampler_now()
            assert self._base_seed is not None
            return make_state(self._position, self._base_seed, self.shard[1], self._fingerprint())

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
        with self.lock:
            position, seed, shards = checked_state(state, self._fingerprint())
            position = self._as_own_position(position, shards)
            if self.seed is not None and seed != self.seed:
                raise StateMismatchError(
                    f"The state was made with seed {seed}, and this iterator has seed {self.seed}. Use "
                    "that seed, or none: then the state's is taken over."
                )
            self._base_seed = seed
            self._start_over()
            self._position = self._pass_start = position

    def _as_own_position(self, position: int, shards: int) -> int:
        if shards == self.shard[1]:
            return position
        epoch, batch = divmod(position, max(1, math.ceil(self.n / self._batch_size) // shards))
        if batch:
            raise StateMismatchError(
                f"The state is that of batch {batch} of an epoch in {shards} shards; with "
                f"{self.shard[1]} the stream can only go on from an epoch's start."
            )
        return epoch * len(self)

    def _fingerprint(self) -> dict[str, Any]:
        if self._data_fingerprint is None:
            self._data_fingerprint = plain(self._source.fingerprint())
        return {
            **self._data_fingerprint,
            "batch_size": self._batch_size,
            "shuffle": self.shuffle,
            "balance": self.balance,
            **plain(self._arguments()),
        }

    @abstractmethod
    def _arguments(self) -> dict[str, Any]:
        """Further arguments that decide about values."""

    def empty_batch(self) -> BatchT_co:
        """A batch without samples: the structure, shapes and dtypes of all others."""
        layout = self.recipe(self.image_data_generator.frozen()).layout
        batch: BatchT_co = self._supply.empty_batch(layout)
        return batch

    def report(self) -> Report:
        """Where the time went so far, and what would help most; `print` says it in words."""
        return self._supply.report(self._decoded_nbytes())

    def _decoded_nbytes(self) -> int | None:
        """What all decoded images would take, where a cache could keep them and there is none."""
        return None

    @property
    def bad_images(self) -> list[BadImage]:
        """Files that could not be read so far and what took their place (`on_bad_image="replace"`)."""
        return self._supply.bad_images

    @property
    def _epoch(self) -> int:
        return self._position // max(1, len(self))

    def _note_handed_out(self, position: int) -> None:
        self._handed_out.add(position % max(1, len(self)))

    # The machinery

    def _sampler_now(self) -> Sampler:
        if self._sampler is None:
            if self._base_seed is None:
                self._base_seed = int(np.random.randint(0, 2**32, dtype=np.uint32))
            self._sampler = Sampler(
                self.n,
                self._batch_size,
                shuffle=self.shuffle,
                seed=self._base_seed,
                class_numbers=self._balanced_classes,
                shard=self.shard,
            )
        return self._sampler

    def _start(self) -> None:
        self._supply.start(self, self._sampler_now())

    def _start_over(self) -> None:
        """Drops what was prepared; the next request builds it anew for what has changed."""
        self._supply.stop()
        self._sampler = None
        self._begin_pass()
        self._order = ReadingOrder(len(self))

    def close(self) -> None:
        """Gives back the memory, and the workers if no other iterator of the generator needs them.

        Batches that were handed out stay valid. Any further use is an IteratorClosedError.
        """
        with self.lock:
            self._supply.close()

    def shutdown(self, wait: bool = True) -> None:
        """Closes the iterator; `wait` is accepted for the original's sake, closing is always quick."""
        del wait
        self.close()

    @property
    def is_shutdown(self) -> bool:
        """Whether the iterator was closed."""
        return self._supply.closed

    @property
    def is_running(self) -> bool:
        """Whether batches are being computed in the background."""
        return self._supply.running

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
