"""Children that the program forks while it reads can end, and disturb neither it nor its workers."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from ending_programs import running

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="forks"),
    pytest.mark.timeout(240),
]


@pytest.mark.parametrize("executor", ["serial", "threads", "processes"])
@pytest.mark.parametrize("way", ["fork", "multiprocessing", "preexec_fn"])
def test_children_of_a_program_that_reads(crops: Path, tmp_path: Path, executor: str, way: str) -> None:
    with running(
        "reliability/forked_children_of_a_program_that_reads.py",
        tmp_path,
        crops,
        arguments=[executor, way, 2],
    ) as program:
        program.hear()
        told = program.hear()
        assert told == {"wrong": {}, "errors": [], "undisturbed": True, "same": True}
        assert program.finish() == ""
