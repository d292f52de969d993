"""Decides whether it is worth going on after worker processes have died.

A batch whose worker died is computed again. If workers keep dying over it, it fails, and if they
always died over the same sample, the error names its file. If workers keep dying and no batch is
computed in between, the whole executor fails.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from imageloom._errors import ImageLoomError, WorkerDiedError, WorkerError, WorkerStartError
from imageloom._pipeline.recipe import BatchTask

__all__ = ["DeathCounts", "fatal_batch_error", "watching_failed"]

_DEATHS_OVER_SAMPLE: Final = 3  # of workers over the same sample of a batch
_DEATHS_OVER_BATCH: Final = 6  # of workers over any of its samples
_FAILED_STARTS: Final = 3  # in a row
_DEATHS_IN_A_ROW: Final = 10  # for each worker, without a single batch computed
_FATAL_BATCHES_IN_A_ROW: Final = 20  # likewise


class DeathCounts:
    """Counts what has gone wrong with workers since anything went well."""

    def __init__(self) -> None:
        """Starts with no deaths."""
        self._failed_starts = 0  # since a worker was ready
        self._deaths = 0  # since a batch was computed, or failed for good
        self._fatal_batches = 0  # since a batch was computed

    def note_ready(self) -> None:
        """Notes that a worker has started."""
        self._failed_starts = 0

    def note_batch(self) -> None:
        """Notes that a worker has computed a batch."""
        self._deaths = self._fatal_batches = 0

    def note_fatal_batch(self, error: WorkerDiedError) -> None:
        """Notes that a batch has failed because workers died over it.

        Raises:
            WorkerDiedError: Too many batches have failed in a row.
        """
        self._deaths = 0  # the error of the batch explains them
        self._fatal_batches += 1
        if self._fatal_batches >= _FATAL_BATCHES_IN_A_ROW:
            raise WorkerDiedError(
                f"Worker processes died over {self._fatal_batches} batches or files in a row, and no "
                f"batch was computed in between. The last error: {error}"
            )

    def note_failed_start(self, how: str, others: int) -> bool:
        """Notes that a worker has ended before it was ready, and that there are so many others.

        Returns:
            Whether another one is worth trying in its place.

        Raises:
            WorkerStartError: Too many workers in a row did so, and there is no other.
        """
        self._failed_starts += 1
        if self._failed_starts < _FAILED_STARTS:
            return True
        if not others:
            raise WorkerStartError(
                f"{self._failed_starts} worker processes in a row ended before they were ready "
                f"(the last one with {how}). The output that they printed says why. "
                'Pass executor="threads" to work without processes.'
            )
        return False

    def note_death(self, how: str, workers: int) -> None:
        """Notes that one of so many workers has died.

        Raises:
            WorkerDiedError: Too many have died without a batch computed in between.
        """
        self._deaths += 1
        if self._deaths >= _DEATHS_IN_A_ROW * workers:
            raise WorkerDiedError(
                f"{self._deaths} worker processes have died, the last one with {how}, and no batch was "
                f"computed in between. {_likely_cause(how)}"
            )


def fatal_batch_error(task: BatchTask, deaths_at: Sequence[int], how: str) -> WorkerDiedError | None:
    """Returns the error for a batch that is not worth trying again; None if it is.

    Args:
        task: The batch.
        deaths_at: For each worker that died over it, the sample that it was working on, or -1.
        how: How the last one ended.
    """
    position = task.spec.position
    sample, times = Counter(deaths_at).most_common(1)[0]
    if times >= _DEATHS_OVER_SAMPLE and sample >= 0:
        error = WorkerDiedError(
            f"{times} worker processes died, one after the other, over {task.name(sample)} "
            f"(sample {sample} of the batch at position {position}), the last one with {how}. "
            f"{_likely_cause(how)}"
        )
        error.sample = sample
        return error
    if len(deaths_at) < _DEATHS_OVER_BATCH:
        return None
    return WorkerDiedError(
        f"{len(deaths_at)} worker processes died over the batch at position {position}, the last one "
        f"with {how}. {_likely_cause(how)} Its files: {task.names()}"
    )


def watching_failed(error: Exception) -> Exception:
    """The error of all batches if the thread that watches the workers cannot go on."""
    if isinstance(error, ImageLoomError) or not isinstance(error, (OSError, MemoryError)):
        return error
    told = WorkerError(
        f"The worker processes cannot be watched any more ({error}), so they were ended. The next "
        "iterator starts others."
    )
    told.__cause__ = error
    return told


def _likely_cause(how: str) -> str:
    if how == "signal SIGKILL":
        return (
            "The likely cause is too little memory: the system or the container then kills processes. "
            "Pass fewer `cores`, or smaller `batch_size` or `max_batches_pending`."
        )
    if how.startswith("signal"):
        return "The likely cause is a decoder or a hook that crashes in native code."
    return "The likely cause is a hook that ends the process."
