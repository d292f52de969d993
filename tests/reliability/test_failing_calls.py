"""Each call of the system fails once, as SQLite is tested: what the program in between says and leaves.

Here a sample of the failures, with every kind of call; all of them in the tests marked `long`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from programs import run_program

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="looks for what is left as on Linux"),
    pytest.mark.timeout(300),
]

SEED = 20261126
SCENARIOS = (
    "a_cache_in_memory",
    "a_cache_on_disk",
    "a_frame",
    "a_mapped_array",
    "a_saved_state",
    "an_epoch_of_a_folder",
    "an_index_in_a_folder",
    "arrays",
    "pictures_saved",
    "random_access",
    "statistics",
)


def failing(
    folder: Path,
    scenario: str,
    executor: str,
    where: str,
    most: int | None,
    *,
    lasting: bool = False,
    timeout: float = 280,
) -> dict[str, Any]:
    """What becomes of a scenario whose calls fail: either an error of ours, or the right batches."""
    arguments = map(json.dumps, (scenario, executor, where, SEED, most, lasting))
    program = "reliability/every_call_fails_once.py"
    done = run_program(program, *arguments, cwd=folder, timeout=timeout)
    lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    assert done.returncode == 0, done.stderr[-3000:]
    result: dict[str, Any] = json.loads(lines[-1].removeprefix("RESULT "))
    print(
        f"{scenario}, {executor}, in the {where}: {sum(result['calls'].values())} calls, "
        f"{result['failures']} failures, {result['outcomes']}"
    )
    assert not result["defects"], "\n".join(result["defects"][:20])
    outcomes = result["outcomes"]
    assert outcomes.get("not reached", 0) < result["failures"], "no call has failed"
    return result


@pytest.mark.slow
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_some_calls_fail_in_the_thread_that_reads(scenario: str, tmp_path: Path) -> None:
    result = failing(tmp_path, scenario, "serial", "program", 40)
    assert {"allocate", "open", "read", "stat"} <= set(result["calls"])


@pytest.mark.slow
def test_some_calls_fail_beside_threads(tmp_path: Path) -> None:
    result = failing(tmp_path, "a_cache_on_disk", "threads", "program", 40)
    assert "thread" in result["calls"]


@pytest.mark.slow
def test_some_calls_fail_beside_worker_processes(tmp_path: Path) -> None:
    result = failing(tmp_path, "random_access", "processes", "program", 14)
    assert {"poll", "thread", "pipe", "mmap"} <= set(result["calls"])


@pytest.mark.slow
def test_some_calls_fail_in_worker_processes(tmp_path: Path) -> None:
    result = failing(tmp_path, "random_access", "processes", "workers", 6)
    assert {"mmap", "read", "send"} <= set(result["calls"])


HOUR = 3600.0


@pytest.mark.long
@pytest.mark.timeout(HOUR)
@pytest.mark.parametrize("lasting", [False, True])
@pytest.mark.parametrize("executor", ["serial", "threads"])
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_call_fails_here(scenario: str, executor: str, lasting: bool, tmp_path: Path) -> None:
    failing(tmp_path, scenario, executor, "program", None, lasting=lasting, timeout=HOUR)


@pytest.mark.long
@pytest.mark.timeout(HOUR)
@pytest.mark.parametrize("where", ["program", "workers"])
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_call_fails_with_worker_processes(scenario: str, where: str, tmp_path: Path) -> None:
    """One after the other in the shortest scenario, and two hundred in each of the others."""
    most = None if scenario == "random_access" else 200
    failing(tmp_path, scenario, "processes", where, most, timeout=HOUR)
