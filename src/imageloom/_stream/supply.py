"""The batches of an iterator by position: opens the channel, assembles batches, measures time."""

from __future__ import annotations

import dataclasses
import os
import threading
import time
import weakref
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from imageloom._adapters.finish.steps import BatchFinish, FinishSteps
from imageloom._adapters.moving import Moved, Mover
from imageloom._errors import IteratorClosedError, StorageError
from imageloom._executors.base import Channel, ComputedBatch, Replacement
from imageloom._imaging.mixing import Mixture
from imageloom._pipeline.batch_function import completed
from imageloom._pipeline.layout import BatchLayout, private_arrays
from imageloom._pipeline.recipe import BatchReport, BatchSpec, BatchTask
from imageloom._pipeline.writing import write_pictures
from imageloom._sources.assembly import assembled
from imageloom._sources.base import SampleSource
from imageloom._storage.access import renew
from imageloom._stream.ahead import MovedAhead
from imageloom._stream.observing import observers
from imageloom._stream.order import StreamOrder
from imageloom._stream.repeating import repeat, repeat_before
from imageloom._stream.reporting.meter import Meter
from imageloom._stream.reporting.report import Report
from imageloom._stream.reporting.timeline import HandedOut, Timeline
from imageloom._stream.reporting.trace import Trace
from imageloom._stream.substitutions import BadImage, ReplacingChannel, Substitutions
from imageloom._stream.window import BatchStream
from imageloom._warnings import Code, Once, coded, warn_user

__all__ = ["Batch", "BatchSupply", "BatchT_co", "PastBatch"]

Batch = Any  # images, or a tuple of images, targets and weights
# The type of a batch for the users' type checker, which takes it from the arguments of the flow
# method. The default is Any, so that users can annotate a `DirectoryIterator` without it.
if TYPE_CHECKING:
    from typing_extensions import TypeVar

    BatchT_co = TypeVar("BatchT_co", covariant=True, default=Any)
else:
    from typing import TypeVar

    BatchT_co = TypeVar("BatchT_co", covariant=True)  # defaults come with Python 3.13


class PastBatch(NamedTuple):
    """A batch of any position, with the samples that are in it after bad ones were replaced."""

    batch: Batch
    spec: BatchSpec


class BatchSupply:
    """Gets the batches of one iterator from its workers, which the first request starts."""

    def __init__(self, source: SampleSource, notes: BatchSupply | None = None) -> None:
        """Starts nothing. With `notes`, times and warnings are noted together with those of it."""
        self._source = source
        self.steps: FinishSteps | None = None  # what devices do with the batches of the channel
        self._stream: BatchStream | None = None
        self._channel: Channel | None = None
        self._closer: weakref.finalize[Any, Any] | None = None
        self._substitutions: Substitutions | None = None
        self._workers = self._restarts = self._lookahead = self._cpus = 0  # of the last channel
        self._workers_started = True
        self._meter = Meter()
        self._timeline = Timeline()
        self._traces: list[Trace] = []
        self._examined = _First()
        self._shown = Once()
        self._ahead = MovedAhead()
        self.closed = False
        if notes is not None:
            self._meter, self._timeline, self._shown = notes._meter, notes._timeline, notes._shown
            self._examined = notes._examined

    @property
    def running(self) -> bool:
        """Whether batches are computed."""
        return self._stream is not None and not self.closed

    @property
    def is_open(self) -> bool:
        """Whether a channel is open, which computes batches as the recipe was when it was opened."""
        return self._stream is not None

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
        source, examined = self._source, self._examined
        channel = open_channel()
        if isinstance(channel, ReplacingChannel):
            # Replacements stay valid after a restart, for example with another batch size.
            self._substitutions = self._substitutions or channel.substitutions
            channel.substitutions = self._substitutions
        self._channel = channel
        self._stream = BatchStream(channel, lambda p: examined.task(source, order.sampler().spec(p)))
        self._closer = weakref.finalize(self, self._stream.closer())

    def compute_here(self, open_channel: Callable[[], Channel], order: StreamOrder) -> None:
        """Opens a new channel in a forked child, which cannot use its parent's workers."""
        if self._stream is not None and self._stream.inherited:
            self._stream = self._closer = self._channel = None
            self.start(open_channel, order)

    def stop(self) -> None:
        """Closes the channel; `start` opens a new one."""
        try:
            self._ahead.release()  # first: what is still copied lies in the memory of the channel
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
        while self._traces:
            self._traces.pop().end()

    def drop(self) -> None:
        """Discards what was computed ahead, because the order or the labels have changed."""
        self._ahead.clear()
        if self._stream is not None:
            self._stream.follow(())

    def follow(self, plan: Iterable[int]) -> None:
        """Prefetches these positions from now on; has no effect before `start`."""
        rest = self._ahead.keep(plan)
        if self._stream is not None:
            self._stream.follow(rest)

    def batch(self, spec: BatchSpec, length: int, mover: Mover | None = None) -> Batch:
        """Returns the batch with this description; an epoch has `length` batches.

        With a mover, the batch is on its device, and the next ones are on their way there.
        """
        stream = self._stream
        if stream is None:
            raise IteratorClosedError(
                "Another thread has changed this iterator; request the batch again."
            )
        for observer in observers:
            observer.reads(self)
        requested = time.perf_counter()
        task = self._examined.task(self._source, spec)
        way = None if mover is None else self._ahead.take(spec.position, task, mover)
        computed = self._computed(stream, spec.position, task) if way is None else way.computed
        report = computed.report
        self._examined.is_done = True
        batch: Batch = None
        if mover is None:
            batch = self._assembled(task, computed)
        else:
            moved = self._moved(task, computed, mover) if way is None else way.moved
            self._ahead.fill(stream, mover, self._moved)
            batch = mover.hand_over(moved)
        write_pictures(report.pictures)  # before the clock is read: the consumer waits for this, too
        repeat(report.said)
        self._note_batch(spec, requested, report, length)
        self._tell(computed)
        for observer in observers:
            observer.has_read(self)
        return batch

    def _tell(self, computed: ComputedBatch) -> None:
        """Warns of what the batch's computation has found, once for each kind."""
        replaced = map(_replacement_in_words, computed.replaced)
        for key, text, category in (*computed.report.warnings, *replaced):
            if self._shown.first(key):
                warn_user(text, category)

    def again(self, spec: BatchSpec) -> PastBatch:
        """Computes a batch beside those that are read; it is in no report, and no picture is saved."""
        stream = self._stream
        if stream is None:
            raise IteratorClosedError(
                "Another thread has changed this iterator; request the batch again."
            )
        task = self._source.task(spec)
        computed = self._computed(stream, None, task)
        used = task.spec.indices if computed.indices is None else computed.indices
        batch = self._assembled(task, computed)
        repeat(computed.report.said)
        self._tell(computed)
        return PastBatch(batch, dataclasses.replace(spec, indices=used))

    def _computed(self, stream: BatchStream, position: int | None, task: BatchTask) -> ComputedBatch:
        try:
            return stream.compute(task) if position is None else stream.get(position, task)
        except Exception as error:
            if isinstance(error, StorageError):
                renew()  # the next batch is asked for with the credentials that there are then
            repeat_before(error)
            raise

    def _assembled(self, task: BatchTask, computed: ComputedBatch) -> Batch:
        arrays, report = computed.hand_out(), computed.report
        if report.batch is not None:
            return completed(report.batch[0], arrays[0])
        indices = task.spec.indices if computed.indices is None else computed.indices
        return assembled(self._source, arrays, indices, report.mixture)

    def _moved(self, task: BatchTask, computed: ComputedBatch, mover: Mover) -> Moved:
        if self.steps is None:
            return mover.move(self._assembled(task, computed))
        indices = task.spec.indices if computed.indices is None else computed.indices
        finish = BatchFinish(self.steps, lambda arrays: assembled(self._source, arrays, indices))
        return mover.move(list(computed.hand_out()), finish)

    def _note_batch(self, spec: BatchSpec, requested: float, report: BatchReport, length: int) -> None:
        epoch, images = spec.position // max(1, length), len(spec.indices)
        given = self._meter.note(requested, images, report, epoch=epoch, length=length)
        reader = threading.get_ident()
        self._timeline.note(
            HandedOut(
                spec.position, epoch + 1, images, requested, given, reader, report.node, report.times
            )
        )

    def empty_batch(self, layout: BatchLayout, mixture: Mixture | None) -> Batch:
        """A batch without samples."""
        nothing = np.empty(0, np.int64)
        return assembled(self._source, private_arrays(layout, 0), nothing, mixture)

    @property
    def bad_images(self) -> list[BadImage]:
        """The files that were replaced so far."""
        return [] if self._substitutions is None else self._substitutions.all()

    def trace(self, path: str | os.PathLike[str]) -> Trace:
        """A file with the timeline of the batches, which is written again when this is closed."""
        trace = Trace(self._timeline, path)
        if not self.closed:
            self._traces.append(trace)
        return trace

    def report(self, decoded_nbytes: int | None, cores: float | None) -> Report:
        """Where time was spent so far.

        Args:
            decoded_nbytes: the size of a cache that would help.
            cores: the generator's argument.
        """
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
            cores=cores,
            pending=max(0, self._lookahead - self._workers),
        )

    def _note(self, channel: Channel) -> None:
        self._workers, self._restarts = channel.workers, channel.restarts
        self._lookahead, self._cpus = channel.lookahead, channel.cpus
        self._workers_started = channel.lookahead > 0 or channel.ready


class _First:
    """Which batch of an iterator is examined: the first one that is asked for, or computed ahead.

    Attributes:
        is_done: Whether a batch has been handed out, after which no other one is examined.
    """

    def __init__(self) -> None:
        self.is_done = False
        self._position: int | None = None

    def task(self, source: SampleSource, spec: BatchSpec) -> BatchTask:
        """The task of a batch."""
        task = source.task(spec)
        if self.is_done:
            return task
        if self._position is None:
            self._position = spec.position
        if self._position != spec.position:
            return task
        return dataclasses.replace(task, is_looked_at=True)


def _replacement_in_words(bad: Replacement) -> tuple[str, str, type[Warning]]:
    return f"replaced {bad.filename}", coded(Code.REPLACED_IMAGE, bad.in_words), UserWarning
