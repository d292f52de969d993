"""Decides whether it is worth going on after worker processes have died.

A batch whose worker died is computed again. If workers keep dying over it, it fails, and if they
always died over the same sample, the error names its file. If workers keep dying and no batch is
computed in between, the whole executor fails.

Workers that were killed from outside are counted apart: their deaths accuse the memory, and not the
file (see `kills`).
"""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from imageloom._errors import ImageLoomError, WorkerDiedError, WorkerError, WorkerStartError
from imageloom._executors.base import QueuedTask
from imageloom._executors.workers.kills import is_kill, likely_cause

__all__ = ["DeathCounts", "fatal_batch_error", "watching_failed"]

_DEATHS_OVER_SAMPLE: Final = 3  # of workers over the same sample of a batch
_DEATHS_OVER_BATCH: Final = 6  # of workers over any of its samples
_FAILED_STARTS: Final = 3  # in a row
_DEATHS_IN_A_ROW: Final = 10  # for each worker, without a single batch computed
_FATAL_BATCHES_IN_A_ROW: Final = 20  # likewise
_ALONE: Final = " It was also tried alone, while no other batch was computed."


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
                f"(the last one with {how}). {_reason_of_start(how)} "
                'Pass executor="threads" to work without processes.'
            )
        return False

    def note_death(self, how: str, workers: int, for_memory: bool | None = None) -> None:
        """Notes that one of so many workers has died.

        Args:
            how: How it ended.
            workers: How many there are.
            for_memory: Whether the kernel has killed it for memory; None if that is unknown.

        Raises:
            WorkerDiedError: Too many have died without a batch computed in between.
        """
        self._deaths += 1
        if self._deaths >= _DEATHS_IN_A_ROW * workers:
            raise WorkerDiedError(
                f"{self._deaths} worker processes have died, the last one with {how}, and no batch was "
                f"computed in between. {likely_cause(how, for_memory)}"
            )


def fatal_batch_error(
    item: QueuedTask[Any], how: str, for_memory: bool | None = None
) -> WorkerDiedError | None:
    """Returns the error for a batch that is not worth trying again; None if it is.

    Args:
        item: The batch, and what workers that died over it were working on.
        how: How the last one ended.
        for_memory: Whether the kernel has killed the last one for memory; None if that is unknown.
    """
    task, deaths_at, kills_at = item.task, item.deaths_at, item.kills_at
    for deaths, killed in ((deaths_at, False), (kills_at, True)):
        sample, times = Counter(deaths).most_common(1)[0] if deaths else (-1, 0)
        if times >= _DEATHS_OVER_SAMPLE and sample >= 0:
            error = WorkerDiedError(
                f"{times} worker processes died, one after the other, over {task.name(sample)} "
                f"(sample {sample} of the batch at position {task.spec.position}), the last one with "
                f"{how}. {likely_cause(how, for_memory)}{_ALONE if killed else ''}"
            )
            error.sample, error.killed = sample, killed
            return error
    times = len(deaths_at) + len(kills_at)
    if times < _DEATHS_OVER_BATCH:
        return None
    error = WorkerDiedError(
        f"{times} worker processes died over the batch at position {task.spec.position}, the last one "
        f"with {how}. {likely_cause(how, for_memory)} Its files: {task.names()}"
    )
    error.killed = bool(kills_at)
    return error


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


def _reason_of_start(how: str) -> str:
    return likely_cause(how) if is_kill(how) else "The output that they printed says why."
