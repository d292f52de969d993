"""However a program ends, no worker survives it, and nothing but the user's own errors is printed."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest
from ending_programs import Program, running
from executor_support import wait_for

TRACEBACK = "Traceback (most recent call last)"
posix_only = pytest.mark.skipif(sys.platform == "win32", reason="signals and fork as in POSIX")


@pytest.mark.slow
def test_end_without_close(crops: Path, tmp_path: Path) -> None:
    with running("reliability/end_without_close.py", tmp_path, crops) as program:
        assert program.hear()["shape"] == [4, 24, 24, 3]
        assert len(program.workers) >= 1
        assert program.finish() == ""
        assert program.process.returncode == 0


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["processes", "threads"])
def test_end_while_a_batch_is_under_way(crops: Path, tmp_path: Path, executor: str) -> None:
    with running(
        "reliability/end_while_a_batch_is_under_way.py", tmp_path, crops, arguments=[executor]
    ) as program:
        program.hear()
        assert program.finish(10) == ""
        assert program.process.returncode == 0


@pytest.mark.slow
def test_error_in_the_loop(crops: Path, tmp_path: Path) -> None:
    with running("reliability/error_in_the_loop.py", tmp_path, crops) as program:
        program.hear()
        errors = program.finish()
        assert program.process.returncode == 1
    assert errors.count(TRACEBACK) == 1
    assert errors.strip().endswith("ValueError: of the user's own")
    assert "imageloom" not in errors


@pytest.mark.slow
def test_error_of_a_hook_ends_the_program(crops: Path, tmp_path: Path) -> None:
    with running("reliability/error_of_a_hook_ends_the_program.py", tmp_path, crops) as program:
        program.hear()
        errors = program.finish()
        assert program.process.returncode == 1
    assert "LookupError: in the hook" in errors
    assert "imageloom: while running preprocessing_function, file '" in errors
    assert "raise LookupError" in errors, "the worker's traceback"
    assert "Exception ignored" not in errors


@pytest.mark.slow
@pytest.mark.parametrize("how", ["del it", "it = None", "it.close()", "it.shutdown()"])
def test_iterator_that_is_let_go(crops: Path, tmp_path: Path, how: str) -> None:
    with running("reliability/iterator_that_is_let_go.py", tmp_path, crops, arguments=[how]) as program:
        assert len(program.hear()["workers"]) >= 1
        assert program.hear() == {"left": 0, "same": True}
        assert program.hear()["again"] is True
        assert program.finish() == ""


@pytest.mark.slow
def test_block_and_break_and_start_again(crops: Path, tmp_path: Path) -> None:
    with running("reliability/block_and_break_and_start_again.py", tmp_path, crops) as program:
        rounds = [program.hear() for _ in range(3)]
        assert all(rounds)
        assert program.hear() == {"left": 0, "counts": [5]}
        assert program.finish() == ""


@pytest.mark.slow
@posix_only
@pytest.mark.parametrize("to_group", [False, True], ids=["process", "group"])
@pytest.mark.parametrize("executor", ["processes", "threads", "serial"])
def test_ctrl_c_while_waiting_for_a_batch(
    crops: Path, tmp_path: Path, executor: str, to_group: bool
) -> None:
    with running(
        "reliability/ctrl_c_while_waiting_for_a_batch.py", tmp_path, crops, arguments=[executor]
    ) as program:
        program.hear()
        wait_for((tmp_path / "held").exists, "the second batch to be under way")
        if to_group:
            os.killpg(program.process.pid, signal.SIGINT)
        else:
            os.kill(program.process.pid, signal.SIGINT)
        errors = program.finish(10)
        assert program.process.returncode == -signal.SIGINT
    assert errors.count(TRACEBACK) == 1, errors
    assert errors.strip().endswith("KeyboardInterrupt")
    assert "Exception ignored" not in errors
    assert len(program.told) == 1


@pytest.mark.slow
@posix_only
def test_ctrl_c_while_workers_start(crops: Path, tmp_path: Path) -> None:
    with running("reliability/ctrl_c_while_workers_start.py", tmp_path, crops) as program:
        program.hear()
        wait_for((tmp_path / "held").exists, "a worker to start")
        os.killpg(program.process.pid, signal.SIGINT)
        errors = program.finish(10)
        assert program.process.returncode == -signal.SIGINT
    assert errors.count(TRACEBACK) == 1, errors
    assert errors.strip().endswith("KeyboardInterrupt")
    assert len(program.told) == 1


@pytest.mark.slow
@posix_only
def test_ctrl_c_may_be_caught_and_the_stream_goes_on(crops: Path, tmp_path: Path) -> None:
    with running(
        "reliability/ctrl_c_may_be_caught_and_the_stream_goes_on.py", tmp_path, crops
    ) as program:
        program.hear()
        wait_for((tmp_path / "held").exists, "the first batch to be under way")
        os.kill(program.process.pid, signal.SIGINT)
        program.hear()
        assert program.finish() == ""
        assert program.process.returncode == 0


@pytest.mark.slow
@posix_only
@pytest.mark.parametrize("busy", [True, False], ids=["busy", "idle"])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=lambda n: n.name)
def test_parent_is_killed(crops: Path, tmp_path: Path, number: signal.Signals, busy: bool) -> None:
    with running(
        "reliability/parent_is_killed.py",
        tmp_path,
        crops,
        arguments=[1 if busy else 2, 4 if busy else 10**6],
    ) as program:
        program.hear()
        if busy:
            wait_for((tmp_path / "held").exists, "a worker to be busy")
        assert len(program.workers) >= 1
        assert not [w for w in program.workers if not w.is_running()]
        program.process.send_signal(number)
        errors = program.finish(10)
        assert program.process.returncode == -number
    assert TRACEBACK not in errors


@pytest.mark.slow
@posix_only
def test_forked_child(crops: Path, tmp_path: Path) -> None:
    with running("reliability/forked_child.py", tmp_path, crops) as program:
        program.hear()
        assert program.hear() == {"status": 7, "same": True, "undisturbed": True}
        assert program.finish() == ""


@pytest.mark.slow
@posix_only
def test_forked_child_says_what_is_wrong(crops: Path, tmp_path: Path) -> None:
    with running("reliability/forked_child_says_what_is_wrong.py", tmp_path, crops) as program:
        said = program.hear()
        assert said["kind"] == "IteratorClosedError"
        assert "child" in said["text"]
        assert program.hear()["own"] == [4, 24, 24, 3]
        program.hear()
        assert program.finish() == ""


@pytest.mark.slow
@pytest.mark.parametrize("command_line", [False, True], ids=["script", "python -c"])
def test_hooks_of_the_main_module(crops: Path, tmp_path: Path, command_line: bool) -> None:
    with running(
        "reliability/hooks_of_the_main_module.py", tmp_path, crops, command_line=command_line
    ) as program:
        said = program.hear()
        assert said == {"means": [True] * 3, "caught": "not today", "module": "__main__"}
        assert program.finish() == ""


@pytest.mark.slow
@pytest.mark.parametrize("close", ["", "it.close()", "del it"])
def test_with_warnings_as_errors(crops: Path, tmp_path: Path, close: str) -> None:
    environment = {"PYTHONWARNINGS": "error", "PYTHONDEVMODE": "1"}
    with running(
        "reliability/with_warnings_as_errors.py",
        tmp_path,
        crops,
        arguments=[close],
        environment=environment,
    ) as program:
        program.hear()
        assert program.finish() == ""
        assert program.process.returncode == 0


@pytest.mark.slow
def test_default_number_of_workers_is_told_once(crops: Path, tmp_path: Path) -> None:
    with running("reliability/default_number_of_workers_is_told_once.py", tmp_path, crops) as program:
        program.hear()
        errors = program.finish()
    assert errors.count("(cores=None)") == errors.count("\n") == 1


@pytest.mark.slow
def test_many_ends_in_a_row_leave_nothing(crops: Path, tmp_path: Path) -> None:
    """The second run of a program finds nothing of the first in its way."""
    programs: list[Program] = []
    for _ in range(3):
        with running("reliability/many_ends_in_a_row_leave_nothing.py", tmp_path, crops) as program:
            program.hear()
            assert program.finish() == ""
            programs.append(program)
    assert len({worker.pid for program in programs for worker in program.workers}) == 3
