"""Programs that run where little is allowed: few descriptors, no home, one core, closed streams."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from ending_programs import running

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="restricts as Linux does")
posix_only = pytest.mark.skipif(sys.platform == "win32", reason="restricts as POSIX does")
# No folder can be made below a file, not even by root.
NOWHERE = "/dev/null/nowhere"

GOOD = {"same": True, "batches": 12}


def told_by(program_file: str, folder: Path, crops: Path, **how: Any) -> list[dict[str, Any]]:
    """What a program tells that ends well and prints no error."""
    with running(program_file, folder, crops, **how) as program:
        program.hear()
        assert program.finish() == ""
        assert program.process.returncode == 0
        return [{k: v for k, v in told.items() if k != "workers"} for told in program.told]


# Descriptors


@pytest.mark.slow
@posix_only
def test_two_iterators_with_forty_descriptors(crops: Path, tmp_path: Path) -> None:
    assert told_by("reliability/two_iterators_with_forty_descriptors.py", tmp_path, crops) == [
        {"same": True, "batches": 18}
    ]


@pytest.mark.slow
@posix_only
def test_a_generator_that_is_used_again_and_again_with_forty_descriptors(
    crops: Path, tmp_path: Path
) -> None:
    assert told_by(
        "reliability/a_generator_that_is_used_again_and_again_with_forty_descriptors.py",
        tmp_path,
        crops,
    ) == [{"shapes": [[4, 24, 24, 3]]}]


@posix_only
def test_no_descriptor_left_is_an_error_at_once(crops: Path, tmp_path: Path) -> None:
    (told,) = told_by("reliability/no_descriptor_left_is_an_error_at_once.py", tmp_path, crops)
    assert told["again"] == [4, 24, 24, 3]
    assert told["kind"] in {"WorkerStartError", "OSError"}
    assert "Too many open files" in told["text"]


# Folders


@pytest.mark.slow
def test_without_a_home_and_a_cache_folder(crops: Path, tmp_path: Path) -> None:
    environment = {"HOME": NOWHERE, "XDG_CACHE_HOME": NOWHERE, "MPLCONFIGDIR": NOWHERE}
    environment["IMAGELOOM_CACHE_DIR"] = ""  # as if it were not set
    assert told_by("reliability/same_as_serial.py", tmp_path, crops, environment=environment) == [GOOD]


@pytest.mark.slow
@linux_only
@pytest.mark.parametrize("cache", [True, False], ids=["cache", "no cache"])
def test_a_data_set_that_cannot_be_written(crops: Path, tmp_path: Path, cache: bool) -> None:
    folder = tmp_path / "data"
    shutil.copytree(crops, folder)
    place = tmp_path / "cache" if cache else Path(NOWHERE)
    environment = {"IMAGELOOM_CACHE_DIR": "", "XDG_CACHE_HOME": str(place), "HOME": NOWHERE}
    folder.chmod(0o555)
    try:
        for _ in range(2):
            assert told_by("reliability/as_anybody.py", tmp_path, folder, environment=environment) == [
                GOOD
            ]
        assert sorted(path.name for path in folder.iterdir()) == ["astronaut", "cat", "cup"]
    finally:
        folder.chmod(0o755)
    assert len([path for path in place.rglob("*") if path.is_file()]) == cache


# Memory


@pytest.mark.slow
@posix_only
def test_without_memfd_a_temporary_file_without_a_name_does(crops: Path, tmp_path: Path) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    told = told_by(
        "reliability/without_memfd_a_temporary_file_without_a_name_does.py",
        tmp_path,
        crops,
        environment={"TMPDIR": str(temporary)},
    )
    assert told == [{"there": True, "names": []}, GOOD]
    assert list(temporary.iterdir()) == []


@pytest.mark.slow
@linux_only
def test_without_memfd_and_temporary_folder_another_is_found(crops: Path, tmp_path: Path) -> None:
    environment = {"TMPDIR": NOWHERE}
    assert told_by("reliability/without_memfd.py", tmp_path, crops, environment=environment) == [GOOD]


@pytest.mark.slow
@linux_only
@pytest.mark.parametrize("memfd", [True, False], ids=["memfd", "file"])
def test_memory_that_is_not_granted_is_an_error_and_no_bus_error(
    crops: Path, tmp_path: Path, memfd: bool
) -> None:
    first, second = told_by(
        "reliability/memory_that_is_not_granted_is_an_error_and_no_bus_error.py",
        tmp_path,
        crops,
        arguments=[memfd],
    )
    assert first["kind"] is not None
    assert first["text"], "an error that says something"
    assert second == GOOD, "a smaller batch goes"


@pytest.mark.slow
@linux_only
def test_an_address_space_that_is_too_small_is_an_error(crops: Path, tmp_path: Path) -> None:
    first, second = told_by(
        "reliability/an_address_space_that_is_too_small_is_an_error.py", tmp_path, crops
    )
    assert first["kind"] is not None
    assert "memory" in first["text"].lower()
    assert second == GOOD


@linux_only
def test_memory_that_is_not_granted_is_explained(crops: Path, tmp_path: Path) -> None:
    (told,) = told_by("reliability/memory_that_is_not_granted_is_explained.py", tmp_path, crops)
    assert "max_batches_pending" in told["text"]


@linux_only
@pytest.mark.parametrize("memfd", [True, False], ids=["memfd", "file"])
def test_memory_that_is_not_granted_costs_no_descriptor(
    crops: Path, tmp_path: Path, memfd: bool
) -> None:
    assert told_by(
        "reliability/memory_that_is_not_granted_costs_no_descriptor.py",
        tmp_path,
        crops,
        arguments=[memfd],
    ) == [{"kinds": ["BatchMemoryError"], "more": 0}]


@pytest.mark.slow
@linux_only
def test_shared_memory_file_system_is_not_touched(crops: Path, tmp_path: Path) -> None:
    assert told_by("reliability/shared_memory_file_system_is_not_touched.py", tmp_path, crops) == [
        {"found": [], "seen": True}
    ]


# CPUs


@pytest.mark.slow
@linux_only
@pytest.mark.parametrize("cores", [1, 2, -1, 0.25])
def test_on_one_core(crops: Path, tmp_path: Path, cores: float) -> None:
    with running("reliability/on_one_core.py", tmp_path, crops, arguments=[cores]) as program:
        told = program.hear()
        errors = program.finish()
    assert (told["same"], told["count"]) == (True, 1)
    assert errors == "" or cores == 0.25


# Streams


@pytest.mark.slow
@posix_only
@pytest.mark.parametrize("descriptor", [0, 1, 2], ids=["stdin", "stdout", "stderr"])
def test_with_a_standard_stream_closed(crops: Path, tmp_path: Path, descriptor: int) -> None:
    with running(
        "reliability/with_a_standard_stream_closed.py", tmp_path, crops, arguments=[descriptor]
    ) as program:
        errors = program.finish(30)
        assert program.process.returncode == 0, errors
    assert '"same": true' in (tmp_path / "told").read_text(encoding="utf-8")


@pytest.mark.slow
@posix_only
def test_with_all_standard_streams_closed_later(crops: Path, tmp_path: Path) -> None:
    """As programs do that turn themselves into services."""
    with running("reliability/with_all_standard_streams_closed_later.py", tmp_path, crops) as program:
        program.finish(30)
        assert program.process.returncode == 0
    assert '"same": true' in (tmp_path / "told").read_text(encoding="utf-8")


# Ways to run a program


@pytest.mark.slow
@pytest.mark.parametrize("command_line", [False, True], ids=["script", "python -c"])
def test_without_a_guard(crops: Path, tmp_path: Path, command_line: bool) -> None:
    assert told_by("reliability/same_as_serial.py", tmp_path, crops, command_line=command_line) == [
        GOOD
    ]


@pytest.mark.slow
def test_in_a_thread_of_the_program(crops: Path, tmp_path: Path) -> None:
    assert told_by("reliability/in_a_thread_of_the_program.py", tmp_path, crops) == [GOOD]


@pytest.mark.slow
def test_workers_outlive_the_thread_that_asked_for_the_first_batch(crops: Path, tmp_path: Path) -> None:
    assert told_by(
        "reliability/workers_outlive_the_thread_that_asked_for_the_first_batch.py", tmp_path, crops
    ) == [{"same": True}]
