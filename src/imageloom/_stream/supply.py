"""The batches of an iterator by position: opens the channel, assembles batches, measures time."""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from imageloom._errors import IteratorClosedError, StorageError
from imageloom._executors.base import Channel, Replacement
from imageloom._pipeline.batch_function import completed
from imageloom._pipeline.layout import BatchLayout, private_arrays
from imageloom._pipeline.recipe import BatchSpec
from imageloom._pipeline.writing import write_pictures
from imageloom._sources.assembly import assembled
from imageloom._sources.base import SampleSource
from imageloom._storage.access import renew
from imageloom._stream.order import StreamOrder
from imageloom._stream.repeating import repeat, repeat_before
from imageloom._stream.report import Meter, Report
from imageloom._stream.substitutions import BadImage, ReplacingChannel, Substitutions
from imageloom._stream.window import BatchStream
from imageloom._warnings import Once, warn_user

__all__ = ["Batch", "BatchSupply", "BatchT_co"]

Batch = Any  # images, or a tuple of images, targets and weights
# The type of a batch for the users' type checker, which takes it from the arguments of the flow
# method. The default is Any, so that users can annotate a `DirectoryIterator` without it.
if TYPE_CHECKING:
    from typing_extensions import TypeVar

    BatchT_co = TypeVar("BatchT_co", covariant=True, default=Any)
else:
    from typing import TypeVar

    BatchT_co = TypeVar("BatchT_co", covariant=True)  # defaults come with Python 3.13


class BatchSupply:
    """Gets the batches of one iterator from its workers, which the first request starts."""

    def __init__(self, source: SampleSource) -> None:
        """Starts nothing."""
        self._source = source
        self._stream: BatchStream | None = None
        self._channel: Channel | None = None
        self._closer: weakref.finalize[Any, Any] | None = None
        self._substitutions: Substitutions | None = None
        self._workers = self._restarts = self._lookahead = self._cpus = 0  # of the last channel
        self._workers_started = True
        self._meter = Meter()
        self._shown = Once()
        self.closed = False

    @property
    def running(self) -> bool:
        """Whether batches are computed."""
        return self._stream is not None and not self.closed

    def start(self, open_channel: Callable[[], Channel], order: StreamOrder) -> None:
        """Opens the channel unless it is open.

        Args:
            open_channel: freezes the generator's options and opens a channel to its workers.
            order: the samples of each position.

        Raises:
            IteratorClosedError: the iterator was closed.
        """
        if self.closed:
            raise IteratorClosedError(
                "This iterator is closed. Make a new one with the generator's flow methods."
            )
        if self._stream is not None:
            return
        source = self._source
        channel = open_channel()
        if isinstance(channel, ReplacingChannel):
            # Replacements stay valid after a restart, for example with another batch size.
            self._substitutions = self._substitutions or channel.substitutions
            channel.substitutions = self._substitutions
        self._channel = channel
        self._stream = BatchStream(channel, lambda p: source.task(order.sampler().spec(p)))
        self._closer = weakref.finalize(self, self._stream.closer())

    def compute_here(self, open_channel: Callable[[], Channel], order: StreamOrder) -> None:
        """Opens a new channel in a forked child, which cannot use its parent's workers."""
        if self._stream is not None and self._stream.inherited:
            self._stream = self._closer = self._channel = None
            self.start(open_channel, order)

    def stop(self) -> None:
        """Closes the channel; `start` opens a new one."""
        try:
            if self._stream is not None:
                self._stream.close()
        finally:
            if self._closer is not None:
                self._closer.detach()
        if self._channel is not None:
            self._note(self._channel)
        self._stream = self._closer = self._channel = None

    def close(self) -> None:
        """Closes the channel for good, and ends workers that only linger."""
        self.closed = True
        channel = self._channel
        self.stop()
        if channel is not None:
            channel.give_back()

    def drop(self) -> None:
        """Discards what was computed ahead, because the order or the labels have changed."""
        if self._stream is not None:
            self._stream.follow(())

    def follow(self, plan: Iterable[int]) -> None:
        """Prefetches these positions from now on; has no effect before `start`."""
        if self._stream is not None:
            self._stream.follow(plan)

    def batch(self, spec: BatchSpec) -> Batch:
        """Returns the batch with this description."""
        stream = self._stream
        if stream is None:
            raise IteratorClosedError(
                "Another thread has changed this iterator; request the batch again."
            )
        requested = time.perf_counter()
        try:
            computed = stream.get(spec.position, self._source.task(spec))
        except Exception as error:
            if isinstance(error, StorageError):
                renew()  # the next batch is asked for with the credentials that there are then
            repeat_before(error)
            raise
        report = computed.report
        arrays = computed.hand_out()
        write_pictures(report.pictures)  # before the clock is read: the consumer waits for this, too
        self._meter.note(requested, len(spec.indices), report)
        repeat(report.said)
        replaced = map(_replacement_in_words, computed.replaced)
        for key, text, category in (*report.warnings, *replaced):
            if self._shown.first(key):
                warn_user(text, category)
        if report.batch is not None:
            return completed(report.batch[0], arrays[0])
        indices = spec.indices if computed.indices is None else computed.indices
        return assembled(self._source, arrays, indices)

    def empty_batch(self, layout: BatchLayout) -> Batch:
        """A batch without samples."""
        return assembled(self._source, private_arrays(layout, 0), np.empty(0, np.int64))

    @property
    def bad_images(self) -> list[BadImage]:
        """The files that were replaced so far."""
        return [] if self._substitutions is None else self._substitutions.all()

    def report(self, decoded_nbytes: int | None) -> Report:
        """Where time was spent so far; `decoded_nbytes` is the size of a cache that would help."""
        if self._channel is not None:
            self._note(self._channel)
        return self._meter.report(
            workers=self._workers,
            cpus=self._cpus,
            restarts=self._restarts,
            bad_images=self.bad_images,
            serial=self._lookahead == 0,
            workers_started=self._workers_started,
            decoded_nbytes=decoded_nbytes,
        )

    def _note(self, channel: Channel) -> None:
        self._workers, self._restarts = channel.workers, channel.restarts
        self._lookahead, self._cpus = channel.lookahead, channel.cpus
        self._workers_started = channel.lookahead > 0 or channel.ready


def _replacement_in_words(bad: Replacement) -> tuple[str, str, type[Warning]]:
    return f"replaced {bad.filename}", bad.in_words, UserWarning
