"""Puts readable images in the place of bad ones (`on_bad_image="replace"`).

The place of a sample that cannot be read is taken by the next sample of the data set (of the subset,
beginning anew after the last) that can, with its own targets. Which that is depends on the files alone,
so the stream stays a pure function of its position, whoever finds out first and whenever. A file that
was found bad is not tried again by this iterator.
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from imageloom._errors import BadImageError, BadSamplesError, WorkerDiedError
from imageloom._executors.base import BatchFuture, Channel, ComputedBatch
from imageloom._pipeline.recipe import BatchTask, SampleName
from imageloom._sources.base import SampleSource

__all__ = ["BadImage", "ReplacingChannel", "Substitutions"]


@dataclass(frozen=True, slots=True)
class BadImage:
    """A sample that could not be read.

    Attributes:
        filename: as in the iterator's `filenames`.
        substitute: the one that took its place.
        reason: what is wrong with it.
    """

    filename: SampleName
    substitute: SampleName
    reason: str

    @property
    def in_words(self) -> str:
        """A sentence."""
        return f"{self.filename!r} cannot be read and is replaced by {self.substitute!r}: {self.reason}"


class Substitutions:
    """What is known about the bad samples of a data set."""

    def __init__(self, source: SampleSource) -> None:
        """Nothing is known yet."""
        self._source = source
        self._reasons: dict[int, str] = {}
        self._lock = threading.Lock()

    def learn(self, sample: int, reason: str) -> None:
        """Notes that a sample cannot be read.

        Raises:
            BadImageError: there is no other left.
        """
        with self._lock:
            self._reasons.setdefault(sample, reason)
            if len(self._reasons) >= len(self._source):
                raise BadImageError(
                    f"None of the {len(self._source)} images can be read; the last: {reason}"
                )

    def of(self, sample: int) -> int:
        """The sample itself, or the next one that is not known to be bad, if there is any."""
        count = len(self._source)
        with self._lock:
            candidates = ((sample + step) % count for step in range(count))
            return next((s for s in candidates if s not in self._reasons), sample)

    def applied(self, indices: NDArray[np.int64]) -> NDArray[np.int64]:
        """The samples to read for these."""
        if not self._reasons:
            return indices
        return np.array([self.of(int(i)) for i in indices], dtype=np.int64)

    def among(self, indices: NDArray[np.int64]) -> list[BadImage]:
        """The bad ones of some samples."""
        return [self._describe(int(i)) for i in indices if int(i) in self._reasons]

    def all(self) -> list[BadImage]:
        """All that were found, in the order of the data set."""
        with self._lock:
            samples = sorted(self._reasons)
        return [self._describe(sample) for sample in samples]

    def _describe(self, sample: int) -> BadImage:
        names = self._source.filenames
        return BadImage(names[sample], names[self.of(sample)], self._reasons[sample])


class ReplacingChannel:
    """A channel whose batches are computed again, with other samples, until all can be read."""

    def __init__(
        self,
        channel: Channel,
        source: SampleSource,
    ) -> None:
        """Nothing is known to be bad yet."""
        self.substitutions = Substitutions(source)
        self._source = source
        self._channel = channel
        self._inner: dict[BatchFuture, BatchFuture] = {}

    @property
    def cpus(self) -> int:
        """As of the channel behind."""
        return self._channel.cpus

    @property
    def lookahead(self) -> int:
        """As of the channel behind."""
        return self._channel.lookahead

    @property
    def workers(self) -> int:
        """As of the channel behind."""
        return self._channel.workers

    @property
    def restarts(self) -> int:
        """As of the channel behind."""
        return self._channel.restarts

    def submit(self, task: BatchTask, *, urgent: bool) -> BatchFuture:
        """Asks for a batch; what comes has samples that can be read."""
        outer: BatchFuture = Future()
        outer.add_done_callback(self._cancelled)
        self._try(outer, task, urgent=urgent)
        return outer

    def prioritise(self, future: BatchFuture) -> None:
        """Lets a batch go first."""
        inner = self._inner.get(future)
        if inner is not None:
            self._channel.prioritise(inner)

    def close(self) -> None:
        """Closes the channel behind."""
        self._channel.close()

    def _try(self, outer: BatchFuture, task: BatchTask, *, urgent: bool) -> None:
        while True:
            used = self.substitutions.applied(task.spec.indices)
            actual = task if used is task.spec.indices else self._with_samples(task, used)
            inner = self._channel.submit(actual, urgent=urgent)
            if not inner.done():
                self._inner[outer] = inner
                inner.add_done_callback(partial(self._heard, outer, task, actual))
                return
            if self._settled(outer, task, actual, inner):
                return

    def _heard(
        self, outer: BatchFuture, task: BatchTask, actual: BatchTask, inner: BatchFuture
    ) -> None:
        self._inner.pop(outer, None)
        if not self._settled(outer, task, actual, inner):
            self._try(outer, task, urgent=True)

    def _settled(
        self, outer: BatchFuture, task: BatchTask, actual: BatchTask, inner: BatchFuture
    ) -> bool:
        """Passes the outcome on, unless it is that some samples must be replaced."""
        if inner.cancelled() or outer.cancelled():
            outer.cancel()
            _discard(inner)
            return True
        error = inner.exception()
        if error is None:
            self._deliver(outer, task, actual, inner.result())
            return True
        try:
            bad = _bad_samples(error, actual)
            for row, reason in bad.items():
                self.substitutions.learn(int(actual.spec.indices[row]), reason)
        except BadImageError as hopeless:
            error, bad = hopeless, {}
        if bad:
            return False
        if outer.set_running_or_notify_cancel():
            outer.set_exception(error)
        return True

    def _with_samples(self, task: BatchTask, indices: NDArray[np.int64]) -> BatchTask:
        """The task of the same place in the stream with other samples."""
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
    """Rows of the batch that the error is about, and what is wrong; empty for other errors."""
    if isinstance(error, BadSamplesError):
        return {row: reason for row, _, reason in error.samples}
    if isinstance(error, WorkerDiedError) and error.sample is not None:
        return {error.sample: str(error)}
    return {}


def _discard(inner: BatchFuture) -> None:
    if not inner.cancelled() and inner.exception() is None:
        inner.result().discard()
