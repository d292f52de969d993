"""When deaths of workers end in an error: over a sample, over a batch, or over everything."""

from __future__ import annotations

import numpy as np
import pytest

from imageloom import WorkerDiedError, WorkerStartError
from imageloom._executors.workers import deaths
from imageloom._executors.workers.deaths import DeathCounts, fatal_batch_error
from imageloom._pipeline.recipe import BatchSpec, BatchTask

TASK = BatchTask(
    spec=BatchSpec(position=7, index=7, indices=np.arange(3), seed=1, permuted=0),
    filenames=("a.png", "b.png", "c.png"),
)
HOW = "signal SIGSEGV"


def test_three_deaths_over_one_sample_name_its_file() -> None:
    assert fatal_batch_error(TASK, [2, 0, 2], HOW) is None
    error = fatal_batch_error(TASK, [2, 0, 2, 2], HOW)
    assert error is not None
    assert error.sample == 2
    assert str(error).startswith("3 worker processes died")
    assert "'c.png'" in str(error)
    assert "crashes in native code" in str(error)


def test_six_deaths_over_several_samples_name_all_files() -> None:
    assert fatal_batch_error(TASK, [0, 1, 2, 0, 1], HOW) is None
    error = fatal_batch_error(TASK, [0, 1, 2, 0, 1, 2], HOW)
    assert error is not None
    assert error.sample is None
    assert "'a.png', 'b.png', 'c.png'" in str(error)


def test_deaths_before_any_sample_accuse_none() -> None:
    assert fatal_batch_error(TASK, [-1] * 5, HOW) is None
    error = fatal_batch_error(TASK, [-1] * 6, HOW)
    assert error is not None
    assert error.sample is None


@pytest.mark.parametrize(
    ("how", "cause"),
    [
        ("signal SIGKILL", "too little memory"),
        (HOW, "native code"),
        ("exit code 3", "ends the process"),
    ],
)
def test_the_likely_cause_is_named(how: str, cause: str) -> None:
    assert cause in str(fatal_batch_error(TASK, [1, 1, 1], how))


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
