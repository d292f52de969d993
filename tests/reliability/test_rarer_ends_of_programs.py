"""Rarer ends: Ctrl-C at bad moments, exits without clean-up, many iterators, threads, notebooks."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from ending_programs import Program, running
from executor_support import wait_for

TRACEBACK = "Traceback (most recent call last)"
posix_only = pytest.mark.skipif(sys.platform == "win32", reason="signals and fork as in POSIX")


@contextmanager
def leaving_no_file(name: str, folder: Path, crops: Path, **how: Any) -> Iterator[Program]:
    """Runs a program whose temporary files would be found afterwards."""
    temporary = folder / "temporary"
    temporary.mkdir()
    with running(name, folder, crops, environment={"TMPDIR": str(temporary)}, **how) as program:
        yield program
    assert list(temporary.iterdir()) == []


def end_within_5_seconds(program: Program) -> str:
    """The errors of a program that is about to end; `finish` looks for its workers, too."""
    return program.finish(5)


def assert_one_keyboard_interrupt(program: Program, errors: str) -> None:
    assert errors.count(TRACEBACK) == 1, errors
    assert errors.count("KeyboardInterrupt") == 1, errors
    assert errors.strip().endswith("KeyboardInterrupt")
    assert "Exception ignored" not in errors
    assert program.process.returncode == -signal.SIGINT


# Ctrl-C


@pytest.mark.slow
@posix_only
@pytest.mark.parametrize("iterators", [1, 2], ids=["one", "two"])
def test_ctrl_c_to_the_group_while_workers_start(crops: Path, tmp_path: Path, iterators: int) -> None:
    with leaving_no_file(
        "reliability/ctrl_c_to_the_group_while_workers_start.py", tmp_path, crops, arguments=[iterators]
    ) as program:
        program.hear()
        assert_one_keyboard_interrupt(program, end_within_5_seconds(program))


@pytest.mark.slow
@posix_only
@pytest.mark.parametrize("how", ["it.close()", "it.shutdown()", "with it: pass"])
def test_ctrl_c_to_the_group_while_an_iterator_closes(crops: Path, tmp_path: Path, how: str) -> None:
    with leaving_no_file(
        "reliability/ctrl_c_to_the_group_while_an_iterator_closes.py", tmp_path, crops, arguments=[how]
    ) as program:
        program.hear()
        assert_one_keyboard_interrupt(program, end_within_5_seconds(program))
        assert len(program.told) == 1


@pytest.mark.slow
@posix_only
def test_ctrl_c_in_close_may_be_caught_and_a_new_iterator_made(crops: Path, tmp_path: Path) -> None:
    with leaving_no_file(
        "reliability/ctrl_c_in_close_may_be_caught_and_a_new_iterator_made.py", tmp_path, crops
    ) as program:
        program.hear()
        assert program.hear() == {"shape": [4, 24, 24, 3], "left": 0}
        assert end_within_5_seconds(program) == ""


@pytest.mark.slow
@posix_only
def test_ctrl_c_again_and_again_while_the_program_ends(crops: Path, tmp_path: Path) -> None:
    with leaving_no_file(
        "reliability/ctrl_c_again_and_again_while_the_program_ends.py", tmp_path, crops
    ) as program:
        program.hear()
        wait_for((tmp_path / "ending").exists, "the program to end")
        for _ in range(3):
            os.killpg(program.process.pid, signal.SIGINT)
        errors = end_within_5_seconds(program)
    assert errors.count(TRACEBACK) <= 1, errors


# Ends without clean-up


@pytest.mark.slow
@posix_only
@pytest.mark.parametrize(
    ("how", "code_or_signal"),
    [
        ("_exit", 3),
        ("abort", -signal.SIGABRT),
        ("SIGKILL", -signal.SIGKILL),
        ("SIGTERM", -signal.SIGTERM),
        ("exec", 0),
    ],
)
def test_end_without_clean_up_in_the_middle_of_a_batch(
    crops: Path, tmp_path: Path, how: str, code_or_signal: int
) -> None:
    with leaving_no_file(
        "reliability/end_without_clean_up_in_the_middle_of_a_batch.py", tmp_path, crops, arguments=[how]
    ) as program:
        program.hear()
        assert len(program.workers) == 1
        assert TRACEBACK not in end_within_5_seconds(program)
        assert program.process.returncode == code_or_signal


@pytest.mark.slow
@posix_only
def test_sigterm_that_becomes_an_exit(crops: Path, tmp_path: Path) -> None:
    """As servers and batch systems do it."""
    with leaving_no_file("reliability/sigterm_that_becomes_an_exit.py", tmp_path, crops) as program:
        program.hear()
        wait_for((tmp_path / "held").exists, "the second batch to be under way")
        program.process.terminate()
        assert end_within_5_seconds(program) == ""
        assert program.process.returncode == 9
        assert len(program.told) == 1


@pytest.mark.slow
@posix_only
def test_killed_notebook_kernel(crops: Path, tmp_path: Path) -> None:
    """Cells are run by `exec`, here in a thread; then the kernel is killed."""
    with leaving_no_file("reliability/killed_notebook_kernel.py", tmp_path, crops) as program:
        program.hear()
        wait_for((tmp_path / "held").exists, "the kernel to be busy")
        assert len(program.workers) == 1
        program.process.kill()
        assert end_within_5_seconds(program) == ""


# Many iterators, many threads


@pytest.mark.slow
@pytest.mark.parametrize("generators", [1, 10], ids=["one generator", "ten generators"])
@pytest.mark.parametrize("threaded", [False, True], ids=["one thread", "ten threads"])
def test_ten_iterators_at_once(crops: Path, tmp_path: Path, generators: int, threaded: bool) -> None:
    with leaving_no_file(
        "reliability/ten_iterators_at_once.py", tmp_path, crops, arguments=[generators, threaded]
    ) as program:
        assert program.hear()["count"] == 1, "all generators share it, whoever reads"
        assert program.hear() == {"same": True, "more": True, "left": 0}
        assert end_within_5_seconds(program) == ""


@pytest.mark.slow
def test_one_iterator_read_in_several_threads(crops: Path, tmp_path: Path) -> None:
    with leaving_no_file(
        "reliability/one_iterator_read_in_several_threads.py", tmp_path, crops
    ) as program:
        assert program.hear() == {"same": True, "left": 0}
        assert end_within_5_seconds(program) == ""


@pytest.mark.slow
@posix_only
def test_forked_children_are_refused_at_once_while_the_parent_goes_on(
    crops: Path, tmp_path: Path
) -> None:
    with leaving_no_file(
        "reliability/forked_children_are_refused_at_once_while_the_parent_goes_on.py", tmp_path, crops
    ) as program:
        told = program.hear()
        assert told["same"] is True
        refusal = "IteratorClosedError: This iterator belongs to the process that read its first batch"
        assert [text.startswith(refusal) for text in told["said"]] == [True, True, False, True]
        assert told["said"][2] == "nothing", "a child may close what it has, without consequences"
        assert end_within_5_seconds(program) == ""


# Over and over


@pytest.mark.slow
@pytest.mark.parametrize("end", ["it.close()", "del it", "pass"], ids=["close", "del", "overwritten"])
def test_ten_loops_that_are_left_by_break(crops: Path, tmp_path: Path, end: str) -> None:
    with leaving_no_file(
        "reliability/ten_loops_that_are_left_by_break.py", tmp_path, crops, arguments=[end]
    ) as program:
        told = program.hear()
        assert (told["left"], told["threads"]) == (0, 1)
        first, last = told["counts"][2], told["counts"][-1]
        assert all(late <= early + 2 for early, late in zip(first, last, strict=True)), told
        assert max(count[0] for count in told["counts"]) <= 2
        assert end_within_5_seconds(program) == ""


@pytest.mark.slow
@pytest.mark.parametrize("tied", ["", "it.itself = it"], ids=["count", "cycle"])
@pytest.mark.parametrize("where", ["main", "thread"])
def test_garbage_gives_the_workers_back(crops: Path, tmp_path: Path, tied: str, where: str) -> None:
    with leaving_no_file(
        "reliability/garbage_gives_the_workers_back.py",
        tmp_path,
        crops,
        arguments=[tied, where],
    ) as program:
        assert program.hear()["count"] >= 1
        assert program.hear() == {"left": 0, "same": True, "threads": 1}
        assert end_within_5_seconds(program) == ""
