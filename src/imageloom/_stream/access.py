"""Access to the batches of a stream: one after the other, or by number as Keras asks for them.

::

    StreamOrder   which samples stand at a position        Cursor       which position is next
    Prefetch      which positions are computed ahead       BatchSupply  the batches, from the workers

The first request opens a channel to the workers. Nothing is started before.
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
        order: which samples stand where.
        cursor: where the stream stands; read it freely, move it with the lock held.
        supply: the batches, and the account of how they came.
        lock: held while the cursor moves.
    """

    def __init__(
        self, source: SampleSource, order: StreamOrder, open_channel: Callable[[], Channel]
    ) -> None:
        """At the start of the first epoch; `open_channel` is called by the first request."""
        self.order = order
        self.cursor = Cursor(len(order))
        self.supply = BatchSupply(source)
        self.lock = threading.RLock()
        self._open_channel = open_channel
        self._prefetch = Prefetch(self.supply, len(order))

    def next(self) -> Batch:
        """The next batch of the stream.

        Raises:
            IteratorClosedError: after the supply was closed.
            Exception: what the batch's computation raised; the batch after it comes next.
        """
        with self.lock:
            self._start()
            position = self.cursor.step()
            self._prefetch.step(position)
            spec = self.order.sampler().spec(position)
        return self.supply.batch(spec)

    def get(self, index: int, reader: Reader = Reader.USER) -> Batch:
        """Batch `index` (0 to `len(order) - 1`) of the current pass, which `reader` asks for."""
        with self.lock:
            if reader is Reader.TF_KERAS_QUEUE:  # with use_multiprocessing in a forked child
                self.supply.compute_here(self._open_channel, self.order.sampler())
            if reader is Reader.TF_KERAS:
                self.cursor.epochs_ahead = 0
                if index == 0 and self.cursor.untouched:  # it looks at one batch, then shuffles
                    self._prefetch.begin_epoch()
            spec = self._asked_for(self.cursor.pass_start, index)
        return self.supply.batch(spec)

    def one_pass(self) -> Iterator[Batch]:
        """The batches of an epoch in order; with the last one the stream goes on to the next epoch.

        Several passes may be read at once: those that begin in the same epoch give the same batches.
        If one is broken off, the next begins with the first batch of the same epoch again.
        """
        with self.lock:
            first, length = self.cursor.pass_start, len(self.order)
        for index in range(length):
            with self.lock:
                spec = self._asked_for(first, index)
            batch = self.supply.batch(spec)
            with self.lock:
                if index == length - 1 and first == self.cursor.pass_start:
                    self._advance(1)
            yield batch

    def begin_epoch(self) -> None:
        """Keras is about to ask for the batches of an epoch."""
        with self.lock:
            self._prefetch.begin_epoch()

    def end_epoch(self, reader: Reader) -> None:
        """Goes on to the next epoch if all batches of this one were handed out; else it stays.

        Keras 2 (`tf_keras`) never goes on with an epoch left unfinished, so there the next one comes in
        any case, and no further one though its queue may have read ahead.
        """
        with self.lock:
            ahead = self.cursor.epochs_ahead
            if reader is Reader.TF_KERAS:
                self._advance(1 - ahead)
            elif self.cursor.finished:
                self._advance(1)
                self.cursor.epochs_ahead = ahead + (reader is Reader.TF_KERAS_QUEUE)

    def rewind(self) -> None:
        """Goes back to the start of the current epoch."""
        with self.lock:
            self.cursor.rewind()
            self._prefetch.interrupt()

    def resize(self, batch_size: int) -> None:
        """Goes to the start of the same epoch, in batches of another size."""
        with self.lock:
            self.order.batch_size = batch_size
            self.cursor.resize(len(self.order))
            self._start_over()

    def reorder(self, shuffle: bool | str) -> None:
        """Goes on in another order; the position stays."""
        with self.lock:
            self.order.shuffle = shuffle
            self.cursor.restart_pass()
            self._start_over()

    def state(self, fingerprint: Mapping[str, Any]) -> dict[str, Any]:
        """Where the stream stands, as plain JSON."""
        with self.lock:
            shards = self.order.options.shard[1]
            return make_state(self.cursor.position, self.order.seed, shards, fingerprint)

    def load(self, state: Mapping[str, Any], fingerprint: Mapping[str, Any]) -> None:
        """Goes to where a state was made; the stream must have the same fingerprint.

        Raises:
            StateMismatchError: a state of another stream, or of a newer version.
            InvalidArgumentError, ArgumentTypeError: something else than a state.
        """
        with self.lock:
            position, seed, shards = checked_state(state, fingerprint)
            position = self.order.own_position(position, shards)
            self.order.take_seed(seed)
            self.cursor.jump(position)
            self._start_over()

    def close(self) -> None:
        """Gives everything back, for good."""
        with self.lock:
            self.supply.close()

    def _asked_for(self, first: int, index: int) -> BatchSpec:
        """What stands at `index` of the pass that began at `first`; adapts what is prefetched."""
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
        """Drops what was prepared; the next request builds it anew for what has changed."""
        self.supply.stop()
        self._prefetch = Prefetch(self.supply, len(self.order))
