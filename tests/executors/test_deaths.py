"""When deaths of workers end in an error: over a sample, over a batch, or over everything."""

from __future__ import annotations

import numpy as np
import pytest

from imageloom import WorkerDiedError, WorkerStartError
from imageloom._executors.base import QueuedTask
from imageloom._executors.workers import deaths
from imageloom._executors.workers.deaths import DeathCounts, fatal_batch_error
from imageloom._pipeline.recipe import BatchSpec, BatchTask

TASK = BatchTask(
    spec=BatchSpec(position=7, index=7, indices=np.arange(3), seed=1, permuted=0),
    filenames=("a.png", "b.png", "c.png"),
)
HOW = "signal SIGSEGV"
KILLED = "signal SIGKILL"


def verdict(
    *deaths_at: int, how: str = HOW, kills_at: tuple[int, ...] = (), for_memory: bool | None = None
) -> WorkerDiedError | None:
    """What is said of the batch after deaths at these samples."""
    item = QueuedTask(None, TASK, deaths_at=list(deaths_at), kills_at=list(kills_at))
    return fatal_batch_error(item, how, for_memory)


def test_three_deaths_over_one_sample_name_its_file() -> None:
    assert verdict(2, 0, 2) is None
    error = verdict(2, 0, 2, 2)
    assert error is not None
    assert (error.sample, error.killed) == (2, False)
    assert str(error).startswith("3 worker processes died")
    assert "'c.png'" in str(error)
    assert "crashes in native code" in str(error)


def test_six_deaths_over_several_samples_name_all_files() -> None:
    assert verdict(0, 1, 2, 0, 1) is None
    error = verdict(0, 1, 2, 0, 1, 2)
    assert error is not None
    assert error.sample is None
    assert "'a.png', 'b.png', 'c.png'" in str(error)


def test_deaths_before_any_sample_accuse_none() -> None:
    assert verdict(*[-1] * 5) is None
    error = verdict(*[-1] * 6)
    assert error is not None
    assert error.sample is None


def test_kills_and_crashes_are_counted_apart() -> None:
    assert verdict(1, 1, kills_at=(1, 1), how=KILLED) is None
    crashed, killed = verdict(1, 1, 1, kills_at=(1, 1)), verdict(1, 1, kills_at=(1, 1, 1), how=KILLED)
    assert crashed is not None
    assert killed is not None
    assert (crashed.sample, crashed.killed) == (1, False)
    assert (killed.sample, killed.killed) == (1, True)


def test_a_batch_over_which_some_workers_were_killed_is_not_the_fault_of_its_files() -> None:
    error = verdict(0, 1, 2, kills_at=(0, 1, 2))
    assert error is not None
    assert (error.sample, error.killed) == (None, True)


@pytest.mark.parametrize("how", [KILLED, "signal SIGTERM"])
@pytest.mark.parametrize("for_memory", [None, False, True])
def test_the_error_about_kills_names_memory_and_what_to_change(
    how: str, for_memory: bool | None
) -> None:
    error = verdict(kills_at=(2, 2, 2), how=how, for_memory=for_memory)
    assert error is not None
    for part in ("emory", "`cores`", "`cache_limit`", "`batch_size`", "'c.png'", "tried alone"):
        assert part in str(error)
    assert ("the kernel counts this" in str(error)) is (for_memory is True)
    assert ("the kernel does not count" in str(error)) is (for_memory is False)


def test_workers_that_are_killed_while_they_start_accuse_the_memory() -> None:
    counts = DeathCounts()
    for _ in range(deaths._FAILED_STARTS - 1):
        counts.note_failed_start(KILLED, 0)
    with pytest.raises(WorkerStartError, match="too little memory"):
        counts.note_failed_start(KILLED, 0)


@pytest.mark.parametrize(
    ("how", "cause"),
    [
        ("signal SIGKILL", "too little memory"),
        (HOW, "native code"),
        ("exit code 3", "ends the process"),
    ],
)
def test_the_likely_cause_is_named(how: str, cause: str) -> None:
    assert cause in str(verdict(1, 1, 1, how=how))


def test_a_worker_that_starts_ends_a_row_of_failed_starts() -> None:
    counts = DeathCounts()
    for _ in range(2):
        for _ in range(deaths._FAILED_STARTS - 1):
            counts.note_failed_start("exit code 1", 0)
        counts.note_ready()
    for _ in range(deaths._FAILED_STARTS - 1):
        counts.note_failed_start("exit code 1", 0)
    with pytest.raises(WorkerStartError, match='executor="threads"'):
        counts.note_failed_start("exit code 1", 0)


def test_failed_starts_beside_others_only_lower_their_number() -> None:
    counts = DeathCounts()
    worth = [counts.note_failed_start("exit code 1", 1) for _ in range(deaths._FAILED_STARTS + 1)]
    assert worth == [True] * (deaths._FAILED_STARTS - 1) + [False] * 2


def test_a_batch_ends_a_row_of_deaths() -> None:
    counts = DeathCounts()
    limit = 2 * deaths._DEATHS_IN_A_ROW
    for _ in range(limit - 1):
        counts.note_death(HOW, workers=2)
    counts.note_batch()
    for _ in range(limit - 1):
        counts.note_death(HOW, workers=2)
    with pytest.raises(WorkerDiedError, match="no batch was computed in between"):
        counts.note_death(HOW, workers=2)


def test_deaths_that_a_failed_batch_explains_do_not_count_but_many_such_batches_do() -> None:
    counts = DeathCounts()
    for _ in range(deaths._FATAL_BATCHES_IN_A_ROW - 1):
        for _ in range(deaths._DEATHS_IN_A_ROW - 1):
            counts.note_death(HOW, workers=1)
        counts.note_fatal_batch(WorkerDiedError("over a file"))
    with pytest.raises(WorkerDiedError, match="over a file"):
        counts.note_fatal_batch(WorkerDiedError("over a file"))
