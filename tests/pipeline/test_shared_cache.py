"""A directory as `cache` of programs that are killed, whose disk is full, or that are several."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cache_support import fill, open_flow, the
from ending_programs import running
from executor_support import (
    BATCHES,
    SAMPLES,
    assert_same_batches,
    take,
)

from imageloom._pipeline import cache as cache_module

# See test_cache.test_files_are_closed_before_they_are_forgotten.

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="restricts and kills as POSIX does")


@pytest.mark.slow
@posix_only
@pytest.mark.parametrize("moment", [1, 2, 21, 46])
def test_a_program_that_is_killed_in_a_write_leaves_what_was_complete(
    moment: int, crops: Path, kept: Path, tmp_path: Path, decodings: list[str]
) -> None:
    environment = {"KEPT": str(kept), "MOMENT": str(moment)}
    with running("pipeline/killed_in_a_write.py", tmp_path, crops, environment=environment) as program:
        program.process.wait(60)
        assert program.process.returncode == -signal.SIGKILL
    expected = take(open_flow(crops, None), BATCHES)
    decodings.clear()
    assert_same_batches(fill(crops, kept), expected)
    # Odd writes are of rows, even ones of marks.
    assert len(decodings) == SAMPLES - (moment - 1) // 2
    decodings.clear()
    assert_same_batches(fill(crops, kept), expected)
    assert decodings == []


@pytest.mark.slow
@posix_only
@pytest.mark.parametrize("batches", [1, 5])
def test_a_program_that_is_killed_with_its_workers(
    batches: int, crops: Path, kept: Path, tmp_path: Path
) -> None:
    with running(
        "pipeline/a_program_that_is_killed_with_its_workers.py",
        tmp_path,
        crops,
        arguments=[batches],
        environment={"KEPT": str(kept)},
    ) as program:
        program.hear()
        program.finish()
        assert program.process.returncode == -signal.SIGKILL
    expected = take(open_flow(crops, None), BATCHES)
    for _ in range(2):
        assert_same_batches(fill(crops, kept), expected)


@pytest.mark.slow
@posix_only
@pytest.mark.parametrize("executor", ["serial", "processes"])
def test_a_full_disk_only_ends_the_keeping(
    executor: str, crops: Path, kept: Path, tmp_path: Path
) -> None:
    fill(crops, kept)
    marks = the(kept, "marks")
    marks.write_bytes(bytes(marks.stat().st_size))
    with running(
        "pipeline/a_full_disk_only_ends_the_keeping.py",
        tmp_path,
        crops,
        arguments=[executor],
        environment={"KEPT": str(kept)},
    ) as program:
        told = program.hear()
        assert program.finish() == ""
    assert told["same"]
    kept_rows = np.count_nonzero(np.fromfile(marks, np.uint32))
    assert 0 < kept_rows <= 6, "four fit, and each worker has one before it is full"
    assert told["hits"] <= 2 * kept_rows


@pytest.mark.slow
def test_two_programs_at_once_share_a_directory(crops: Path, kept: Path, tmp_path: Path) -> None:
    places = [tmp_path / "one", tmp_path / "two"]
    for where in places:
        where.mkdir()
    how: dict[str, Any] = {"environment": {"KEPT": str(kept)}}
    with (
        running("pipeline/two_programs_at_once_share_a_directory.py", places[0], crops, **how) as one,
        running("pipeline/two_programs_at_once_share_a_directory.py", places[1], crops, **how) as two,
    ):
        for program in (one, two):
            assert program.hear()["same"]
            assert program.finish() == ""
    assert_same_batches(fill(crops, kept), take(open_flow(crops, None), BATCHES))
    assert len(list(kept.iterdir())) == 3


def test_files_that_are_replaced_meanwhile_belong_to_the_other(
    crops: Path, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = take(open_flow(crops, None), 2 * BATCHES)
    fill(crops, kept)
    opened = cache_module._in_directory

    def too_late(plan: Any) -> Any:
        draft = kept / "draft"
        with draft.open("wb") as file:
            np.save(file, np.full((SAMPLES, 24, 24, 3), 7, np.uint8))
        draft.replace(the(kept, "npy"))
        return opened(plan)

    monkeypatch.setattr(cache_module, "_in_directory", too_late)
    it = open_flow(crops, kept)
    assert_same_batches(take(it, 2 * BATCHES), expected)
    assert it.report().cache_hits == 0
    assert (np.load(the(kept, "npy")) == 7).all(), "nothing was written into it"


@pytest.mark.parametrize(
    "content",
    [0, 8],
)
def test_marks_that_are_replaced_meanwhile_are_not_believed(
    content: int, crops: Path, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = fill(crops, kept)
    opened = cache_module._in_directory

    def too_late(plan: Any) -> Any:  # by a program with a smaller `cache_limit`
        the(kept, "marks").write_bytes(bytes(content))
        return opened(plan)

    monkeypatch.setattr(cache_module, "_in_directory", too_late)
    assert_same_batches(fill(crops, kept), expected)
