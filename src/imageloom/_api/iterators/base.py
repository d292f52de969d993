"""What the user holds: Keras' iterator, over a stream of batches that others compute.

An iterator is a view of one endless stream (see `sampler`). `next(it)` walks along it; `it[i]` is
batch i of the epoch it is in, whenever, however often and from whatever thread it is asked for; the
epoch ends in `next()` by itself, and under Keras' protocol at `on_epoch_end()` once every batch of
it was handed out.

Nothing is started until the first batch is asked for; then the generator's options are frozen, and a
channel to the generator's executor is opened.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import count
from typing import Any, Generic, Self

from imageloom._adapters.keras import KerasSurface, Reader, for_keras, reader_of, shuffled_order
from imageloom._api.iterators.views import IteratorViews
from imageloom._errors import (
    ArgumentTypeError,
    BatchIndexError,
)
from imageloom._pipeline.recipe import BatchSpec
from imageloom._sources.base import SampleSource
from imageloom._stream.cursor import IteratorOrder
from imageloom._stream.guess import ReadingOrder
from imageloom._stream.order import OrderOptions
from imageloom._stream.report import Report
from imageloom._stream.substitutions import BadImage
from imageloom._stream.supply import BatchSupply, BatchT_co, ChannelFactory

__all__ = ["BatchIterator"]


class BatchIterator(KerasSurface, IteratorViews, IteratorOrder, Generic[BatchT_co]):
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
        super().__init__(source, batch_size, order)
        self._supply = BatchSupply(source, open_channel)
        self._handed_out: set[int] = set()
        self._epochs_ahead = 0  # that a queue of tf_keras has gone on by itself
        self._read_in_order, self._furthest = True, -1  # of the batches of this pass by number
        self._following: int | None = None  # the position `next` will ask for, if it is prefetched
        self._order = ReadingOrder(len(self))

    # The stream

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
        batch: BatchT_co = self._supply.batch(spec)
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
        batch: BatchT_co = self._supply.batch(spec)
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
        batch: BatchT_co = self._supply.batch(spec)
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

    # Looking back

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

    def _note_handed_out(self, position: int) -> None:
        self._handed_out.add(position % max(1, len(self)))

    # The machinery

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
