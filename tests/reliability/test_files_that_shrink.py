"""Files that become shorter, or cannot grow, while a program uses them: no signal ends it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ending_programs import running

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="mapped files cannot be changed there")
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="mounts as Linux does")
EXECUTORS = ["serial", "threads", "processes"]


def last_told(name: str, folder: Path, crops: Path, **how: Any) -> dict[str, Any]:
    with running(name, folder, crops, **how) as program:
        errors = program.finish()
        assert program.process.returncode == 0, errors
        return program.told[-1]


@pytest.mark.slow
@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.parametrize(
    ("mode", "what", "form"),
    [("r", "images", "plain"), ("c", "images", "plain"), ("r+", "images", "turned"),
     ("r", "images", "scattered"), ("r", "labels", "plain"), ("r", "fit", "plain")],
)  # fmt: skip
def test_a_mapped_array_whose_file_is_cut_is_an_error_that_names_it(
    executor: str, mode: str, what: str, form: str, crops: Path, tmp_path: Path
) -> None:
    told = last_told(
        "reliability/a_mapped_file_becomes_shorter.py",
        tmp_path,
        crops,
        arguments=[executor, mode, what, form],
    )
    assert len(told["said"]) == 1
    assert told["name"] in told["said"][0]
    assert "shorter" in told["said"][0]


@pytest.mark.slow
@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.parametrize("size", [0, 70, 5000])
def test_files_of_a_cache_that_are_cut_are_decoded_again(
    executor: str, size: int, crops: Path, tmp_path: Path
) -> None:
    told = last_told(
        "pipeline/files_of_a_cache_become_shorter.py",
        tmp_path,
        crops,
        arguments=[executor, size],
        environment={"KEPT": str(tmp_path / "kept")},
    )
    assert told["same"]


@pytest.fixture
def small_file_system(tmp_path: Path) -> Iterator[Path]:
    """64 KiB, of memory."""
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", place], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("only root may mount")
    yield place
    subprocess.run(["umount", "--lazy", place], check=True)


@pytest.mark.slow
@linux_only
@pytest.mark.parametrize("executor", EXECUTORS)
def test_a_file_system_that_is_full_from_the_start(
    executor: str, crops: Path, small_file_system: Path, tmp_path: Path
) -> None:
    """A hole of a file there needs memory as soon as somebody looks at it through a mapping."""
    told = last_told(
        "pipeline/a_file_system_is_full_from_the_start.py",
        tmp_path,
        crops,
        arguments=[executor],
        environment={"KEPT": str(small_file_system / "kept")},
    )
    assert told["same"]
    assert told["hits"] == 0
