"""Access to the batches of a stream: one after the other, or by number as in Keras.

::

    StreamOrder   the samples of each position             Cursor       the current position
    Prefetch      the positions to compute in advance      BatchSupply  the batches from the workers

The first request opens a channel to the workers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imageloom._adapters.keras import Reader
from imageloom._adapters.moving import Mover
from imageloom._errors import StateMismatchError
from imageloom._executors.base import Channel
from imageloom._locks import Lock
from imageloom._pipeline.recipe import BatchSpec
from imageloom._sources.base import SampleSource
from imageloom._stream.cursor import Cursor
from imageloom._stream.lanes import Lane
from imageloom._stream.order import Rest, Sampler, SamplesChangedError, StreamOrder
from imageloom._stream.past import PastOrder
from imageloom._stream.prefetch import Prefetch
from imageloom._stream.state import checked_state, make_state
from imageloom._stream.supply import Batch, BatchSupply, PastBatch

__all__ = ["StreamAccess"]


class StreamAccess:
    """Hands out batches to any thread, and moves the cursor.

    Attributes:
        order: the samples of each position.
        past: the samples of any position; it is asked while the lock is held.
        cursor: the current position; it may be read at any time, and moved while the lock is held.
        lock: held while the cursor moves.
    """

    def __init__(
        self, source: SampleSource, order: StreamOrder, open_channel: Callable[[], Channel]
    ) -> None:
        """Begins with the first epoch; the first request calls `open_channel`."""
        self.order = order
        self.cursor = Cursor(len(order))
        self.lock = Lock()
        self._shown: tuple[Sampler, int] | None = None  # with the epoch of the last batch
        self._source, self.past = source, PastOrder(order)
        self._lane = self._main = self._new_lane(BatchSupply(source), open_channel)
        self._unfinished: Lane | None = None

    def _new_lane(self, supply: BatchSupply, open_channel: Callable[[], Channel]) -> Lane:
        return Lane(supply, open_channel, Prefetch(supply, len(self.order)))

    @property
    def supply(self) -> BatchSupply:
        """The batches of the lane in use, and how much time all took."""
        return self._lane.supply

    @property
    def _lanes(self) -> tuple[Lane, ...]:
        return (self._main,) if self._unfinished is None else (self._main, self._unfinished)

    def unfinished(self, open_channel: Callable[[BatchSupply], Channel]) -> Lane:
        """The lane of batches that devices finish.

        `open_channel` opens the channel of such batches, and tells the supply what is left to do.
        """
        with self.lock:
            if self._unfinished is None:
                supply = BatchSupply(self._source, self._main.supply)
                self._unfinished = self._new_lane(supply, partial(open_channel, supply))
                supply.closed = self._main.supply.closed
            return self._unfinished

    def _turn_to(self, lane: Lane | None) -> None:
        lane = self._main if lane is None else lane
        if lane is not self._lane:
            self._lane.rest()
            self._lane = lane

    def next(self) -> Batch:
        """Returns the next batch of the stream.

        Raises:
            IteratorClosedError: the stream was closed.
            Exception: the error of computing this batch; the next call continues after it.
        """
        return self.fetch(self.take(ahead=True))

    def take(self, *, ahead: bool = False) -> BatchSpec:
        """Moves to the next position, and returns what the batch consists of that was there.

        With `ahead`, the workers are told, because the batch will be fetched.
        """
        with self.lock:
            self._turn_to(None)
            if ahead:
                self._start()
            rest, begins = self.order.rest, self.cursor.batch_index == 0
            if begins and rest is not None and rest.epoch == self.cursor.epoch and not rest.goes_on:
                self.order.rest = None  # `next` draws an order at the start of each epoch
                self.order.forget()
            self._let_draw()
            sampler = self.order.sampler()
            self._shown = sampler, self.cursor.epoch
            position = self.cursor.step()
            if ahead:
                self._lane.prefetch.step(position)
            return sampler.spec(position)

    def fetch(self, spec: BatchSpec) -> Batch:
        """Returns a batch that `take` has described."""
        return self._main.supply.batch(spec, len(self.order))

    def again(self, position: int) -> PastBatch:
        """Returns the batch at any position, as `next` hands it out there; nothing else changes."""
        with self.lock:
            self._main.supply.start(self._main.open_channel, self.order)
            spec = self.past.spec(position)
        return self._main.supply.again(spec)

    def get(
        self,
        index: int,
        reader: Reader = Reader.USER,
        mover: Mover | None = None,
        lane: Lane | None = None,
    ) -> Batch:
        """Returns batch `index` (0 to `len(order) - 1`) of the current pass to `reader`.

        With a mover, it is on its device. It comes on a lane, the usual one for None.
        """
        with self.lock:
            self._turn_to(lane)
            supply = self.supply
            if reader is Reader.WRAPPER and self.cursor.finished and len(self.order) > 1:
                self._advance(1)  # not every wrapper passes on the end of an epoch
            if reader in (Reader.TF_KERAS_QUEUE, Reader.WRAPPER):  # maybe in a forked child
                self.supply.compute_here(self._lane.open_channel, self.order)
            if reader is Reader.TF_KERAS:
                self.cursor.epochs_ahead = 0
                if index == 0 and self.cursor.untouched:  # it reads one batch, then shuffles
                    self._lane.prefetch.begin_epoch()
            spec = self._request(self.cursor.pass_start, index)
        return supply.batch(spec, len(self.order), mover)

    def one_pass(self, mover: Mover | None = None, lane: Lane | None = None) -> Iterator[Batch]:
        """Yields the batches of an epoch; with the last one, the next epoch starts.

        With a mover, they are on its device, and the next ones are on their way there. They come on
        a lane, the usual one for None.

        Several passes may be read at the same time. Those that begin in the same epoch give the
        same batches. If a pass stops early, the next one begins with the first batch of the same
        epoch.
        """
        with self.lock:
            first, length = self.cursor.pass_start, len(self.order)
        for index in range(length):
            with self.lock:
                self._turn_to(lane)
                spec, supply = self._request(first, index), self.supply
            batch = supply.batch(spec, length, mover)
            with self.lock:
                if index == length - 1 and first == self.cursor.pass_start:
                    self._advance(1)
            yield batch

    def begin_epoch(self) -> None:
        """Called before Keras requests the batches of an epoch."""
        with self.lock:
            self._lane.prefetch.begin_epoch()

    def end_epoch(self, reader: Reader) -> None:
        """Starts the next epoch if all batches of this one were handed out, or if a user says so.

        Keras 2 (`tf_keras`) never continues an unfinished epoch, so there the next one always
        starts, and exactly one even if Keras' queue has read ahead.
        """
        with self.lock:
            ahead = self.cursor.epochs_ahead
            if reader is Reader.TF_KERAS:
                self._advance(1 - ahead)
            elif reader is Reader.USER:
                self._end_users_epoch()
            elif self.cursor.finished:
                self._advance(1)
                self.cursor.epochs_ahead = ahead + (reader is Reader.TF_KERAS_QUEUE)

    def _end_users_epoch(self) -> None:
        """As in Keras: `next` stays where it is, but with a new order; `it[i]` begins anew."""
        stepping = self.cursor.position != self.cursor.pass_start
        if stepping and not self.cursor.finished:
            if self.order.shuffle:
                fresh = self.order.sampler_from(self.seen).order(0)
                self.assign_order(fresh)
        elif not self.cursor.untouched:
            self._advance(1)

    def rewind(self) -> None:
        """Returns to the start of the current epoch."""
        with self.lock:
            self.cursor.rewind()
            self._lane.prefetch.interrupt()

    # What a program assigns in the middle of the stream, with the effect that it has in Keras

    @property
    def index_array(self) -> NDArray[np.int64] | None:
        """The order of the epoch of the last batch; None before the first batch."""
        with self.lock:
            rest = self.order.rest
            if rest is not None and rest.epoch == self.cursor.epoch and not self.cursor.batch_index:
                return rest.order  # it was assigned
            return None if self._shown is None else self._shown[0].order(self._shown[1])

    def assign_order(self, order: NDArray[np.int64] | None) -> None:
        """Gives the current epoch another order; None lets it be drawn again."""
        with self.lock:
            rest = None if order is None else Rest(self.cursor.epoch, order)
            self.order.rest = rest
            self.order.forget()
            self._shown = None if rest is None else (self.order.sampler(), rest.epoch)
            self._changed_order()

    @property
    def batch_index(self) -> int:
        """The number of the next batch within its epoch, as Keras counts it."""
        rest = self.order.rest
        ahead = rest.ahead if rest is not None and rest.epoch == self.cursor.epoch else 0
        return self.cursor.batch_index + ahead

    @property
    def seen(self) -> int:
        """The number that is added to the seed for the next batch."""
        return self.cursor.position + self.order.shift

    def assign_seen(self, seen: int) -> None:
        """Changes the number that is added to the seed; the place in the epoch stays."""
        with self.lock:
            self._keep_order()
            self.order.shift += seen - self.seen
            self.order.forget()
            self._changed_order()

    def assign_batch_index(self, index: int) -> None:
        """Goes on with another batch of the epoch; 0 begins an epoch."""
        with self.lock:
            if self._at_start() and self._shown is not None and index:
                sampler, epoch = self._shown  # as in Keras, it is the last one that was drawn
                self.order.rest = Rest(self.cursor.epoch, sampler.order(epoch))
            self._keep_order()
            self._place(index, self.seen)
            self.cursor.restart_pass()
            self._changed_order()

    def rearrange(self, change: Callable[[StreamOrder], None]) -> None:
        """Changes the batch size, the number of samples, the seed or whether epochs are shuffled.

        The order of an epoch that has begun stays the same, and so does the number of its next batch.
        """
        with self.lock:
            self._keep_order()
            index, seen = self.batch_index, self.seen
            batches, epoch = self.order.batches, self.cursor.epoch
            change(self.order)
            if self.order.options.shard[1] > 1:  # all shards have to agree on the seed of an epoch
                number = min(index, max(0, len(self.order) - 1))
                self.cursor.place(epoch, number, len(self.order))
                self.order.shift += epoch * (batches - self.order.batches)
            else:
                self._place(index, seen)
            self.order.forget()
            self._changed_order()

    def _keep_order(self) -> None:
        """Makes the order of the current epoch stay as it is, if any of its batches was handed out."""
        if self._at_start():
            return
        epoch, rest = self.cursor.epoch, self.order.rest
        if rest is None or rest.epoch != epoch:
            self.order.rest = Rest(epoch, self.order.sampler().order(epoch))
            self.order.forget()

    def _place(self, index: int, seen: int) -> None:
        """Moves to a batch of the current epoch, which Keras counts round if there are fewer."""
        order, epoch = self.order, self.cursor.epoch
        length, number, offset = len(order), index, 0
        if index and order.samples:
            start = index * order.batch_size % order.samples
            number = length - max(1, -(-(order.samples - start) // order.batch_size))
            offset = start - number * order.batch_size
        self.cursor.place(epoch, number, length)
        order.shift = seen - self.cursor.position
        if order.rest is not None and order.rest.epoch == epoch:
            order.rest = Rest(epoch, order.rest.order, offset, goes_on=index > 0, ahead=index - number)
        order.forget()

    def _changed_order(self) -> None:
        for lane in self._lanes:
            lane.supply.drop()
            self._plan_anew(lane)

    def _plan_anew(self, lane: Lane) -> None:
        lane.prefetch = Prefetch(
            lane.supply, len(self.order), draws_itself=self.order.draw_order is not None
        )

    def relabel(self) -> None:
        """Drops what was computed ahead, because the samples have changed."""
        with self.lock:
            for lane in self._lanes:
                lane.rest()

    def restart(self) -> None:
        """Opens a new channel for the next request, because the recipe has changed."""
        with self.lock:
            self._start_over()

    def state(self, fingerprint: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the position in the stream, as plain JSON.

        Raises:
            StateMismatchError: the order of this epoch was assigned.
        """
        with self.lock:
            order, epoch = self.order, self.cursor.epoch
            if order.rest is not None and order.rest.epoch == epoch and not self._at_start():
                raise StateMismatchError(
                    "An attribute that changes the order was assigned in the middle of this epoch, "
                    "whose order a state cannot describe: take the state at the start of an epoch."
                )
            shards = order.options.shard[1]
            return make_state(self.cursor.position, order.seed, shards, fingerprint, order.shift)

    def load(self, state: Mapping[str, Any], fingerprint: Mapping[str, Any]) -> None:
        """Continues at the position of a state, which must have the same fingerprint.

        Raises:
            StateMismatchError: the state is of another stream or from a newer version.
            InvalidArgumentError, ArgumentTypeError: `state` is not a state.
        """
        with self.lock:
            position, seed, shards, shift = checked_state(state, fingerprint)
            position = self.order.own_position(position, shards)
            self.order.take_seed(seed)
            self.order.shift, self.order.rest = shift, None
            self._shown = None
            self.cursor.jump(position)
            self._start_over()

    def _at_start(self) -> bool:
        return self.cursor.batch_index == 0 and self.cursor.untouched

    def close(self) -> None:
        """Closes the stream for good."""
        with self.lock:
            for lane in self._lanes:
                lane.supply.close()

    def _request(self, first: int, index: int) -> BatchSpec:
        """The samples of batch `index` of the pass that began at `first`; adapts prefetching."""
        self._start()
        if first == self.cursor.pass_start:
            self._let_draw()
            first = self.cursor.pass_start
            self.cursor.ask(index)
        self._lane.prefetch.ask(first, index)
        sampler = self.order.sampler()
        self._shown = sampler, first // max(1, len(sampler))
        return sampler.spec(first + index)

    def _let_draw(self) -> None:
        """Lets a user's class draw the order of the epoch, for which it may change their length."""
        if self.order.draw_order is None:
            return
        try:
            self.order.sampler().order(self.cursor.epoch)
        except SamplesChangedError as change:
            samples = change.samples
            self.rearrange(lambda order: order.set_samples(samples))

    def _advance(self, epochs: int) -> None:
        if len(self.order):
            self.cursor.advance(epochs)
            self._shown = self.order.sampler(), self.cursor.epoch
            self._lane.prefetch.next_pass(self.cursor.position)

    def _start(self) -> None:
        self.supply.start(self._lane.open_channel, self.order)

    def _start_over(self) -> None:
        """Closes the channel; the next request opens a new one with the changed values."""
        for lane in self._lanes:
            if lane.supply.is_open:
                lane.supply.stop()
                self._plan_anew(lane)
