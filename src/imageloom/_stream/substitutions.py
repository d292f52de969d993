"""Replaces images that cannot be read by others (`on_bad_image="replace"`).

The next readable sample of the data set or subset, after the last one the first, replaces a sample
that cannot be read, with its own targets. Which one that is depends only on the files, so the
stream remains a pure function of its position. An iterator does not try to read a bad file again.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from imageloom._errors import BadImageError, BadSamplesError, WorkerDiedError
from imageloom._executors.base import BatchFuture, Channel, ComputedBatch, discard_finished
from imageloom._executors.closing import Closer
from imageloom._executors.forwarding import ForwardingChannel
from imageloom._locks import Lock
from imageloom._pipeline.recipe import BatchTask, SampleName
from imageloom._public import public
from imageloom._sources.base import SampleSource

__all__ = ["BadImage", "ReplacingChannel", "Substitutions"]


@public
@dataclass(frozen=True, slots=True)
class BadImage:
    """A sample that could not be read.

    Attributes:
        filename: The file of the sample, as in the iterator's `filenames`.
        substitute: The file of the sample that has replaced it.
        reason: What is wrong with it.
    """

    filename: SampleName
    substitute: SampleName
    reason: str

    @property
    def in_words(self) -> str:
        """A sentence for the user."""
        return f"{self.filename!r} cannot be read and is replaced by {self.substitute!r}: {self.reason}"


class Substitutions:
    """The bad samples of a data set that are known so far."""

    def __init__(self, source: SampleSource) -> None:
        """Starts without any bad samples."""
        self._source = source
        self._reasons: dict[int, str] = {}
        self._lock = Lock()

    def learn(self, sample: int, reason: str) -> None:
        """Notes that a sample cannot be read.

        Raises:
            BadImageError: All samples are bad.
        """
        with self._lock:
            self._reasons.setdefault(sample, reason)
            if len(self._reasons) >= len(self._source):
                raise BadImageError(
                    f"None of the {len(self._source)} images can be read. The last reason: {reason}"
                )

    def of(self, sample: int) -> int:
        """Returns the sample itself, or the next one that is not known to be bad."""
        count = len(self._source)
        with self._lock:
            candidates = ((sample + step) % count for step in range(count))
            return next((s for s in candidates if s not in self._reasons), sample)

    def applied(self, indices: NDArray[np.int64]) -> NDArray[np.int64]:
        """Returns the samples to read in the place of these."""
        if not self._reasons:
            return indices
        return np.array([self.of(int(i)) for i in indices], dtype=np.int64)

    def among(self, indices: NDArray[np.int64]) -> list[BadImage]:
        """Returns the bad ones of some samples."""
        return [self._describe(int(i)) for i in indices if int(i) in self._reasons]

    def all(self) -> list[BadImage]:
        """Returns all bad samples, in the order of the data set."""
        with self._lock:
            samples = sorted(self._reasons)
        return [self._describe(sample) for sample in samples]

    def _describe(self, sample: int) -> BadImage:
        names = self._source.filenames
        return BadImage(names[sample], names[self.of(sample)], self._reasons[sample])


class ReplacingChannel(ForwardingChannel):
    """A channel that computes batches again, with other samples, until all samples can be read.

    It passes everything else on to the channel of an executor.
    """

    def __init__(
        self,
        channel: Channel,
        source: SampleSource,
    ) -> None:
        """Starts without any bad samples."""
        self.substitutions = Substitutions(source)
        self._source = source
        self._channel = channel
        self._inner: dict[BatchFuture, BatchFuture] = {}

    @property
    def _used(self) -> Channel:
        return self._channel

    def submit(self, task: BatchTask, *, urgent: bool) -> BatchFuture:
        """Submits a task; its batch has samples that can be read."""
        outer: BatchFuture = Future()
        outer.add_done_callback(self._cancelled)
        self._try(outer, task, urgent=urgent)
        return outer

    def prioritise(self, future: BatchFuture) -> None:
        """Moves the task of this future before all waiting tasks."""
        inner = self._inner.get(future)
        if inner is not None:
            self._channel.prioritise(inner)

    def work_on(self, future: BatchFuture) -> None:
        """Lets the calling thread compute, until the samples that it found to be bad are replaced."""
        while (inner := self._inner.get(future)) is not None:
            self._channel.work_on(inner)
            if self._inner.get(future) is inner:
                return  # workers compute it

    def closer(self) -> Closer:
        """Returns what closes the executor's channel."""
        return self._channel.closer()

    def _try(self, outer: BatchFuture, task: BatchTask, *, urgent: bool) -> None:
        while True:
            used = self.substitutions.applied(task.spec.indices)
            actual = task if used is task.spec.indices else self._with_samples(task, used)
            inner = self._channel.submit(actual, urgent=urgent)
            if not inner.done():
                self._inner[outer] = inner
                inner.add_done_callback(partial(self._finished, outer, task, actual))
                return
            if self._settled(outer, task, actual, inner):
                return

    def _finished(
        self, outer: BatchFuture, task: BatchTask, actual: BatchTask, inner: BatchFuture
    ) -> None:
        self._inner.pop(outer, None)
        if not self._settled(outer, task, actual, inner):
            self._try(outer, task, urgent=True)

    def _settled(
        self, outer: BatchFuture, task: BatchTask, actual: BatchTask, inner: BatchFuture
    ) -> bool:
        """Passes the result on; returns False if some samples must be replaced first."""
        if inner.cancelled() or outer.cancelled():
            outer.cancel()
            discard_finished(inner)
            return True
        error = inner.exception()
        if error is None:
            self._deliver(outer, task, actual, inner.result())
            return True
        try:
            bad = _bad_samples(error, actual)
            for row, reason in bad.items():
                self.substitutions.learn(int(actual.spec.indices[row]), reason)
        except BadImageError as all_bad:
            error, bad = all_bad, {}
        if bad:
            return False
        if outer.set_running_or_notify_cancel():
            outer.set_exception(error)
        return True

    def _with_samples(self, task: BatchTask, indices: NDArray[np.int64]) -> BatchTask:
        """Returns the task of the same position with other samples."""
        spec = dataclasses.replace(task.spec, indices=indices)
        return dataclasses.replace(self._source.task(spec), transforms=task.transforms)

    def _deliver(
        self, outer: BatchFuture, task: BatchTask, actual: BatchTask, batch: ComputedBatch
    ) -> None:
        if not outer.set_running_or_notify_cancel():
            batch.discard()
            return
        batch.indices = actual.spec.indices
        batch.replaced = self.substitutions.among(task.spec.indices)
        outer.set_result(batch)

    def _cancelled(self, outer: BatchFuture) -> None:
        inner = self._inner.get(outer)
        if outer.cancelled() and inner is not None:
            inner.cancel()


def _bad_samples(error: BaseException, task: BatchTask) -> Mapping[int, str]:
    """Returns the samples of the batch that cannot be read, and why; empty for other errors."""
    if isinstance(error, BadSamplesError):
        return {row: reason for row, _, reason in error.samples}
    if isinstance(error, WorkerDiedError) and error.sample is not None and not error.killed:
        return {error.sample: str(error)}
    return {}
