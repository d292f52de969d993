"""Workers are born safely: from no folder of data, by no module that reads, and not by applications."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
import zipapp
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import spawn
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ending_programs import Program
from executor_support import BATCHES, assert_same_batches, flow, flow_with, take, worker_processes
from numpy.typing import NDArray
from programs import PROGRAMS, environment_of

from imageloom import ImageDataGenerator, IteratorClosedError, WorkerError, WorkerStartError
from imageloom._executors import fallback
from imageloom._executors.shared import make_executor
from imageloom._executors.workers.birth import interpreter_command
from imageloom._warnings import Once

pytestmark = pytest.mark.slow

NAME = "executors/beside_data.py"
NEEDED = (
    *("random", "socket", "selectors", "select", "struct", "tempfile", "typing", "ctypes", "colorsys"),
    *("numpy", "PIL", "cv2", "simplejpeg", "isal", "kornia_rs", "cykooz_resizer"),
    *("psutil", "cloudpickle"),
)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder of data, beside which a module of the program lies."""
    folder = tmp_path / "data"
    folder.mkdir()
    modules = tmp_path / "modules"
    modules.mkdir()
    (modules / "beside.py").write_text("NAME = 'beside'\n")
    return folder


@contextmanager
def started(arguments: list[str], crops: Path, data: Path, before: str = "") -> Iterator[Program]:
    """Runs Python in the folder of data."""
    environment = {"CROPS": str(crops), "SIGNALS": str(data.parent), "SPOILT": ",".join(NEEDED)}
    environment = environment_of(environment)
    path = (before + environment["PYTHONPATH"], str(data.parent / "modules"))
    environment["PYTHONPATH"] = os.pathsep.join(path)
    process = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=data,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield Program(process)
    finally:
        process.kill()
        process.communicate()


def seen_by_worker(program: Program, data: Path) -> dict[str, Any]:
    """What a function has seen in a worker, once the program has ended well."""
    said = program.hear()
    assert said["sevens"]
    assert said["fallback"] is None
    assert len(said["workers"]) == 1
    assert program.finish() == ""
    assert not list(data.glob("* ran"))
    seen: dict[str, Any] = json.loads((data.parent / "seen.json").read_text())
    path = [os.path.join(data, place) if place else str(data) for place in said["path"]]
    assert seen["path"] == path, "functions import as the program does"
    assert seen["beside"] == "beside"
    assert Path(seen["colorsys"]).parent == Path(os.__file__).parent
    assert seen["input"] == ""
    return seen


# The working directory


def script(folder: Path) -> list[str]:
    return [str(PROGRAMS / NAME)]


def script_in_the_folder(folder: Path) -> list[str]:
    (folder / "train.py").write_bytes((PROGRAMS / NAME).read_bytes())
    return ["train.py"]


def command(folder: Path) -> list[str]:
    return ["-c", (PROGRAMS / NAME).read_text("utf-8")]


def module(folder: Path) -> list[str]:
    return ["-m", "executors.beside_data"]


def archive(folder: Path) -> list[str]:
    source = folder.parent / "source"
    source.mkdir()
    (source / "__main__.py").write_bytes((PROGRAMS / NAME).read_bytes())
    zipapp.create_archive(source, folder.parent / "train.pyz")
    return [str(folder.parent / "train.pyz")]


@pytest.mark.slow
@pytest.mark.parametrize("way", [script, script_in_the_folder, command, module, archive])
def test_nothing_beside_the_data_is_run(
    way: Callable[[Path], list[str]], crops: Path, data: Path
) -> None:
    with started(way(data), crops, data) as program:
        seen_by_worker(program, data)


@pytest.mark.slow
def test_an_empty_part_of_the_search_path_is_the_folder_too(crops: Path, data: Path) -> None:
    with started([str(PROGRAMS / NAME)], crops, data, before=os.pathsep) as program:
        seen = seen_by_worker(program, data)
    assert seen["variable"].startswith(os.pathsep), "what a function starts has it, too"


@pytest.mark.slow
@pytest.mark.parametrize("flags", [["-I"], ["-P", "-O", "-X", "utf8"], ["-W", "error"]])
def test_flags_are_passed_on(flags: list[str], crops: Path, data: Path) -> None:
    with started([*flags, str(PROGRAMS / NAME)], crops, data) as program:
        seen = seen_by_worker(program, data)
    assert seen["isolated"] == ("-I" in flags)
    assert seen["optimize"] == ("-O" in flags)
    assert seen["utf8"] == ("utf8" in flags) or sys.version_info >= (3, 15)
    assert seen["warnings"] == (["error"] if "-W" in flags else [])


# Modules that read when they are imported


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_a_module_that_reads_when_it_is_imported_is_imported_once(crops: Path, data: Path) -> None:
    name = PROGRAMS / "executors/reads_when_imported.py"
    with started(["-c", f"import executors.{name.stem}"], crops, data) as program:
        assert program.hear() == {"imports": "executors.reads_when_imported"}
        for _ in range(2):
            said = program.hear()
            assert len(said["workers"]) == 2
            assert said["fallback"] is None
        assert program.finish() == ""
    assert len(program.told) == 3


@pytest.mark.slow
def test_a_worker_reads_nothing_while_it_imports(crops: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(PROGRAMS / "executors"))
    import reads_in_workers

    with flow_with(crops, "processes", preprocessing_function=reads_in_workers.halve) as it:
        with pytest.warns(UserWarning, match="The module 'reads_in_workers' reads batches when"):
            received = take(it, 2)
        assert len(worker_processes()) == 1
    serial = flow(crops, preprocessing_function=reads_in_workers.halve)
    assert_same_batches(received, take(serial, 2))


@pytest.mark.slow
def test_a_function_in_a_worker_reads_nothing_that_starts_workers(
    crops: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(x: NDArray[Any], kind: str = "processes") -> NDArray[Any]:
        inner = ImageDataGenerator(cores=1, executor=kind)
        mean: float = next(inner.flow(np.zeros((4, 8, 8, 3)), batch_size=2)).mean()
        return x + mean

    with (
        flow_with(crops, "processes", preprocessing_function=read) as it,
        pytest.raises(IteratorClosedError, match="A function of the module 'test_birth_of_workers'"),
    ):
        next(it)
    alone = lambda x: read(x, "serial")  # noqa: E731 - starts nothing
    with flow_with(crops, "processes", preprocessing_function=alone) as it:
        assert_same_batches(take(it, 2), take(flow(crops), 2))


# Programs that are no Python


def without_executable(patch: pytest.MonkeyPatch, folder: Path) -> str:
    patch.setattr(spawn, "_python_exe", None)
    return "does not say which Python"


def frozen(patch: pytest.MonkeyPatch, folder: Path) -> str:
    patch.setattr(sys, "frozen", True, raising=False)
    return "made into one file"


def application(patch: pytest.MonkeyPatch, folder: Path) -> str:
    (folder / "blender").write_bytes(b"")
    patch.setattr(spawn, "_python_exe", str(folder / "blender"))
    return "is no Python"


def gone(patch: pytest.MonkeyPatch, folder: Path) -> str:
    patch.setattr(spawn, "_python_exe", str(folder / "python3"))
    return "there is no Python at"


@pytest.mark.parametrize("how", [without_executable, frozen, application, gone])
@pytest.mark.parametrize("function", [None, np.negative], ids=["plain", "with a function"])
def test_what_is_no_python_is_not_started_again(
    how: Callable[[pytest.MonkeyPatch, Path], str],
    function: Any,
    crops: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fallback, "_shown", Once())
    monkeypatch.setattr(subprocess, "Popen", None)
    why = how(monkeypatch, tmp_path)
    expected = take(flow(crops, preprocessing_function=function), BATCHES)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(2):
            with flow_with(crops, "processes", preprocessing_function=function) as it:
                assert_same_batches(take(it, BATCHES), expected)
                assert why in str(it.report().fallback)
    assert [why in str(one.message) for one in caught] == [True], "one warning"
    assert Path(caught[0].filename).name == "executor_support.py", "where it is read"


def test_workers_that_are_asked_for_are_refused_with_the_reason(
    crops: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    executor = make_executor("processes", 1, disable_gpu=True)
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    with flow(crops, executor) as it, pytest.raises(WorkerStartError, match="made into one file"):
        next(it)
    executor.close()


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
def test_a_link_to_python_may_have_any_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "trainer").symlink_to(sys.executable)
    monkeypatch.setattr(spawn, "_python_exe", str(tmp_path / "trainer"))
    assert interpreter_command()[0] == str(tmp_path / "trainer")


# Standard input


def pause(x: NDArray[Any]) -> NDArray[Any]:
    breakpoint()
    return x


def pause_by_module(x: NDArray[Any]) -> NDArray[Any]:
    import pdb

    pdb.set_trace()
    return x


@pytest.mark.parametrize("function", [pause, pause_by_module])
def test_a_debugger_in_a_worker_is_an_error(
    function: Any, crops: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTHONBREAKPOINT", raising=False)
    with (
        flow_with(crops, "processes", preprocessing_function=function) as it,
        pytest.raises(WorkerError, match="debug=True"),
    ):
        next(it)


def test_another_debugger_is_called(crops: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONBREAKPOINT", "builtins.repr")

    def named(x: NDArray[Any]) -> NDArray[Any]:
        return x + len(breakpoint(7))  # type: ignore[func-returns-value]

    with flow_with(crops, "processes", preprocessing_function=named) as it:
        received = next(it)
    assert_same_batches([received], [next(flow(crops, preprocessing_function=lambda x: x + 1))])


def test_standard_input_is_empty_and_nothing_depends_on_it(crops: Path) -> None:
    def take_all(x: NDArray[Any]) -> NDArray[Any]:
        with pytest.raises(EOFError):
            input()
        assert subprocess.run(["cat"], capture_output=True, check=True).stdout == b""
        return x

    with flow_with(crops, "processes", preprocessing_function=take_all) as it:
        assert_same_batches(take(it, BATCHES), take(flow(crops), BATCHES))
        assert it.report().restarts == 0
