"""Workers run the code that the program runs, whatever becomes of the file that it is from."""

from __future__ import annotations

import importlib
import importlib.util
import runpy
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from executor_support import wait_for, worker_processes
from numpy.typing import NDArray
from ray_support import needs_ray

from imageloom import ImageDataGenerator, NumpyArrayIterator
from imageloom._executors.program import end_idle_workers

EXECUTORS = [
    "serial",
    "threads",
    pytest.param("processes", marks=pytest.mark.slow),
    pytest.param("ray", marks=[needs_ray, pytest.mark.slow]),
]
TEXT = """\
import numpy as np

OFFSET = 0

class Inner:
    amount = {value}

def gain(x):
    return x * 0 + Inner.amount + OFFSET

def also(x):
    import {name}
    return {name}.gain(x)

def with_text(x):
    import inspect
    return gain(x) if "x * 0 + Inner" in inspect.getsource(gain) else x
"""
NAME = "code_for_tests"


@pytest.fixture(scope="module", autouse=True)
def cluster(request: pytest.FixtureRequest) -> None:
    """Ray, if a test of this module that needs it runs."""
    wanted = [item for item in request.session.items if item.path == request.path]
    if any("ray" in item.callspec.params.values() for item in wanted if hasattr(item, "callspec")):
        request.getfixturevalue("ray_on_two_cpus")


@pytest.fixture(autouse=True)
def no_module(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """None of the modules outlives its test; and files are read anew, within one second too."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield
    for name in [name for name in sys.modules if name.startswith(NAME)]:
        del sys.modules[name]


def written(folder: Path, value: int, name: str = NAME) -> Path:
    file = folder / f"{name}.py"
    file.write_text(TEXT.format(value=value, name=name))
    importlib.invalidate_caches()
    return file


def opened(executor: str, function: Any) -> NumpyArrayIterator:
    generator = ImageDataGenerator(executor=executor, cores=1, preprocessing_function=function)
    return generator.flow(np.zeros((8, 4, 4, 1)), batch_size=2, seed=1)


def amount(it: Any) -> float:
    values = np.unique(next(it))
    assert values.size == 1
    assert it.report().fallback is None, "it was computed in a worker"
    return float(values[0])


# Where it comes from


def by_file(folder: Path) -> Any:
    spec = importlib.util.spec_from_file_location(NAME, written(folder, 5, "anything_else"))
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[NAME] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.gain


def by_file_unregistered(folder: Path) -> Any:
    function = by_file(folder)
    del sys.modules[NAME]
    return function


def package_by_file(folder: Path) -> Any:
    package = folder / "somewhere"
    package.mkdir()
    (package / "__init__.py").write_text("from .parts import gain\n")
    (package / "parts.py").write_text(TEXT.format(value=5, name=NAME))
    spec = importlib.util.spec_from_file_location(NAME, package / "__init__.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[NAME] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.gain


def by_exec(folder: Path) -> Any:
    scope: dict[str, Any] = {}
    exec(TEXT.format(value=5, name=NAME), scope)
    return scope["gain"]


def module_by_exec(folder: Path) -> Any:
    module = sys.modules[NAME] = ModuleType(NAME)
    exec(TEXT.format(value=5, name=NAME), vars(module))
    return module.gain


def module_by_exec_that_is_referred_to(folder: Path) -> Any:
    module_by_exec(folder)
    module = sys.modules[NAME]
    return lambda x: module.gain(x) + 0


def by_runpy(folder: Path) -> Any:
    return runpy.run_path(str(written(folder, 5)))["gain"]


def from_archive(folder: Path) -> Any:
    with zipfile.ZipFile(folder / "code.zip", "w") as archive:
        archive.writestr(f"{NAME}.py", TEXT.format(value=5, name=NAME))
    sys.path.insert(0, str(folder / "code.zip"))
    try:
        return importlib.import_module(NAME).gain
    finally:
        sys.path.remove(str(folder / "code.zip"))


def from_a_path_that_is_no_more(folder: Path) -> Any:
    written(folder, 5)
    sys.path.insert(0, str(folder))
    try:
        return importlib.import_module(NAME).also
    finally:
        sys.path.remove(str(folder))


@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.parametrize(
    "way",
    [
        by_file,
        by_file_unregistered,
        package_by_file,
        by_exec,
        module_by_exec,
        module_by_exec_that_is_referred_to,
        by_runpy,
        from_archive,
        from_a_path_that_is_no_more,
    ],
)
def test_where_it_comes_from(way: Callable[[Path], Any], executor: str, tmp_path: Path) -> None:
    assert amount(opened(executor, way(tmp_path))) == 5


# What becomes of the file


def imported(folder: Path, monkeypatch: pytest.MonkeyPatch, value: int) -> Any:
    file = written(folder, value)
    monkeypatch.syspath_prepend(folder)
    module: Any = importlib.import_module(NAME)
    return file, module


def other_text(file: Path) -> None:
    written(file.parent, 9)


def longer_text(file: Path) -> None:
    file.write_text("# another\n" * 10 + file.read_text().replace("x * 0 +", "x * 0 + 2 +"))


def no_python(file: Path) -> None:
    file.write_text("def (:")


def no_file(file: Path) -> None:
    file.unlink()


EDITS = [other_text, longer_text, no_python, no_file]


@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.parametrize("function", ["gain", "user"])
@pytest.mark.parametrize("bytecode", [False, True])
@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_before_the_first_batch(
    edit: Callable[[Path], None],
    bytecode: bool,
    function: str,
    executor: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", not bytecode)
    file, module = imported(tmp_path, monkeypatch, 5)
    (tmp_path / "code_for_tests_user.py").write_text(
        f"import {NAME}\n\ndef gain(x):\n    return {NAME}.gain(x)\n"
    )
    user = importlib.import_module("code_for_tests_user")
    edit(file)
    for _ in range(2):
        assert amount(opened(executor, user.gain if function == "user" else module.gain)) == 5


@pytest.mark.slow
@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_while_batches_are_read(
    edit: Callable[[Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, module = imported(tmp_path, monkeypatch, 5)
    end_idle_workers()
    it = opened("processes", module.with_text)
    assert amount(it) == 5
    edit(file)
    for worker in worker_processes().values():
        worker.kill()
    assert [amount(it) for _ in range(12)] == [5] * 12
    assert it.report().restarts > 0
    it.close()
    end_idle_workers()
    wait_for(lambda: not worker_processes(), "the end of all workers")
    assert amount(opened("processes", module.with_text)) == 5


@pytest.mark.parametrize("executor", EXECUTORS)
def test_a_module_that_was_loaded_again(
    executor: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, module = imported(tmp_path, monkeypatch, 5)
    assert amount(opened(executor, module.gain)) == 5
    longer_text(file)
    assert amount(opened(executor, module.gain)) == 5, "edited, and not loaded"
    importlib.reload(module)
    assert amount(opened(executor, module.gain)) == 7
    module.OFFSET = 1
    assert amount(opened(executor, module.gain)) == 8
    del sys.modules[NAME]
    written(tmp_path, 20)
    assert amount(opened(executor, importlib.import_module(NAME).gain)) == 20


@pytest.mark.parametrize("executor", EXECUTORS)
def test_a_module_whose_text_was_run_again(
    executor: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, module = imported(tmp_path, monkeypatch, 5)
    assert amount(opened(executor, module.gain)) == 5
    longer_text(file)
    exec(compile(file.read_text(), str(file), "exec"), vars(module))
    assert amount(opened(executor, module.gain)) == 7


def plain(x: NDArray[Any]) -> NDArray[Any]:
    return x * 0 + 3


@pytest.mark.slow
def test_a_function_of_the_tests_needs_no_search_path(monkeypatch: pytest.MonkeyPatch) -> None:
    here = str(Path(__file__).parent)
    monkeypatch.setattr(sys, "path", [place for place in sys.path if place != here])
    assert amount(opened("processes", plain)) == 3


class _Answers(ModuleType):
    """A module that answers with an object, whatever it is asked for, as `torch.classes` does."""

    def __getattr__(self, name: str) -> Any:
        return type("Answer", (), {})()


@pytest.mark.parametrize("file", ["_answers.py", "/nowhere/answers.py", None])
@pytest.mark.parametrize("executor", EXECUTORS)
def test_objects_that_stand_for_modules_are_no_matter(
    executor: str, file: str | None, monkeypatch: pytest.MonkeyPatch, crops: Path
) -> None:
    module = _Answers("answers")
    if file is not None:
        module.__file__ = file
    monkeypatch.setitem(sys.modules, "answers", module)

    def mentions(x: NDArray[np.float32]) -> NDArray[np.float32]:
        return x + ("answers" in sys.modules)

    generator = ImageDataGenerator(executor=executor, cores=1, preprocessing_function=mentions)
    with generator.flow_from_directory(crops, (8, 8), batch_size=4, seed=1) as it:
        assert next(it)[0].shape == (4, 8, 8, 3)
