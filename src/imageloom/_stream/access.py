"""Access to the batches of a stream: one after the other, or by number as in Keras.

::

    StreamOrder   the samples of each position             Cursor       the current position
    Prefetch      the positions to compute in advance      BatchSupply  the batches from the workers

The first request opens a channel to the workers.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from imageloom._adapters.keras import Reader
from imageloom._executors.base import Channel
from imageloom._pipeline.recipe import BatchSpec
from imageloom._sources.base import SampleSource
from imageloom._stream.cursor import Cursor
from imageloom._stream.order import StreamOrder
from imageloom._stream.prefetch import Prefetch
from imageloom._stream.state import checked_state, make_state
from imageloom._stream.supply import Batch, BatchSupply

__all__ = ["StreamAccess"]


class StreamAccess:
    """Hands out batches to any thread, and moves the cursor.

    Attributes:
        order: the samples of each position.
        cursor: the current position; it may be read at any time, and moved while the lock is held.
        supply: the batches, and how much time they took.
        lock: held while the cursor moves.
    """

    def __init__(
        self, source: SampleSource, order: StreamOrder, open_channel: Callable[[], Channel]
    ) -> None:
        """Begins with the first epoch; the first request calls `open_channel`."""
        self.order = order
        self.cursor = Cursor(len(order))
        self.supply = BatchSupply(source)
        self.lock = threading.RLock()
        self._open_channel = open_channel
        self._prefetch = Prefetch(self.supply, len(order))

    def next(self) -> Batch:
        """Returns the next batch of the stream.

        Raises:
            IteratorClosedError: the stream was closed.
            Exception: the error of computing this batch; the next call continues after it.
        """
        with self.lock:
            self._start()
            position = self.cursor.step()
            self._prefetch.step(position)
            spec = self.order.sampler().spec(position)
        return self.supply.batch(spec)

    def get(self, index: int, reader: Reader = Reader.USER) -> Batch:
        """Returns batch `index` (0 to `len(order) - 1`) of the current pass to `reader`."""
        with self.lock:
            if reader is Reader.TF_KERAS_QUEUE:  # with use_multiprocessing in a forked child
                self.supply.compute_here(self._open_channel, self.order.sampler())
            if reader is Reader.TF_KERAS:
                self.cursor.epochs_ahead = 0
                if index == 0 and self.cursor.untouched:  # it reads one batch, then shuffles
                    self._prefetch.begin_epoch()
            spec = self._request(self.cursor.pass_start, index)
        return self.supply.batch(spec)

    def one_pass(self) -> Iterator[Batch]:
        """Yields the batches of an epoch; with the last one, the next epoch starts.

        Several passes may be read at the same time. Those that begin in the same epoch give the
        same batches. If a pass stops early, the next one begins with the first batch of the same
        epoch.
        """
        with self.lock:
            first, length = self.cursor.pass_start, len(self.order)
        for index in range(length):
            with self.lock:
                spec = self._request(first, index)
            batch = self.supply.batch(spec)
            with self.lock:
                if index == length - 1 and first == self.cursor.pass_start:
                    self._advance(1)
            yield batch

    def begin_epoch(self) -> None:
        """Called before Keras requests the batches of an epoch."""
        with self.lock:
            self._prefetch.begin_epoch()

    def end_epoch(self, reader: Reader) -> None:
        """Starts the next epoch if all batches of this one were handed out.

        Keras 2 (`tf_keras`) never continues an unfinished epoch, so there the next one always
        starts, and exactly one even if Keras' queue has read ahead.
        """
        with self.lock:
            ahead = self.cursor.epochs_ahead
            if reader is Reader.TF_KERAS:
                self._advance(1 - ahead)
            elif self.cursor.finished:
                self._advance(1)
                self.cursor.epochs_ahead = ahead + (reader is Reader.TF_KERAS_QUEUE)

    def rewind(self) -> None:
        """Returns to the start of the current epoch."""
        with self.lock:
            self.cursor.rewind()
            self._prefetch.interrupt()

    def resize(self, batch_size: int) -> None:
        """Changes the batch size and returns to the start of the same epoch."""
        with self.lock:
            self.order.batch_size = batch_size
            self.cursor.resize(len(self.order))
            self._start_over()

    def reorder(self, shuffle: bool | str) -> None:
        """Changes the order of samples; the position stays the same."""
        with self.lock:
            self.order.shuffle = shuffle
            self.cursor.restart_pass()
            self._start_over()

    def state(self, fingerprint: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the position in the stream, as plain JSON."""
        with self.lock:
            shards = self.order.options.shard[1]
            return make_state(self.cursor.position, self.order.seed, shards, fingerprint)

    def load(self, state: Mapping[str, Any], fingerprint: Mapping[str, Any]) -> None:
        """Continues at the position of a state, which must have the same fingerprint.

        Raises:
            StateMismatchError: the state is of another stream or from a newer version.
            InvalidArgumentError, ArgumentTypeError: `state` is not a state.
        """
        with self.lock:
            position, seed, shards = checked_state(state, fingerprint)
            position = self.order.own_position(position, shards)
            self.order.take_seed(seed)
            self.cursor.jump(position)
            self._start_over()

    def close(self) -> None:
        """Closes the stream for good."""
        with self.lock:
            self.supply.close()

    def _request(self, first: int, index: int) -> BatchSpec:
        """The samples of batch `index` of the pass that began at `first`; adapts prefetching."""
        self._start()
        if first == self.cursor.pass_start:
            self.cursor.ask(index)
        self._prefetch.ask(first, index)
        return self.order.sampler().spec(first + index)

    def _advance(self, epochs: int) -> None:
        if len(self.order):
            self.cursor.advance(epochs)
            self._prefetch.next_pass(self.cursor.position)

    def _start(self) -> None:
        self.supply.start(self._open_channel, self.order.sampler())

    def _start_over(self) -> None:
        """Closes the channel; the next request opens a new one with the changed values."""
        self.supply.stop()
        self._prefetch = Prefetch(self.supply, len(self.order))
