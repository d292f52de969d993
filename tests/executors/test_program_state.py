"""Functions of the user see the program as it was at the first batch, whoever computes."""

from __future__ import annotations

import gc
import importlib
import sys
from array import array
from collections.abc import Callable, Iterator
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from executor_support import wait_for, worker_processes
from programs import PROGRAMS
from ray_support import needs_ray

from imageloom import DataFrameIterator, DirectoryIterator, ImageDataGenerator, NumpyArrayIterator
from imageloom._executors.program import end_idle_workers

EXECUTORS = [
    "serial",
    "threads",
    pytest.param("processes", marks=pytest.mark.slow),
    pytest.param("ray", marks=[needs_ray, pytest.mark.slow]),
]
SETTINGS = (PROGRAMS / "executors/settings_that_change.py").read_text("utf-8")
READS = """\
import numpy as np
import {settings} as cfg

def number(x):
    return np.full_like(x, float({what}))

class Caller:
    def __call__(self, x):
        return number(x)

def late(x):
    import {settings} as cfg
    return np.full_like(x, float({what}))
"""


@pytest.fixture(scope="module", autouse=True)
def cluster(request: pytest.FixtureRequest) -> None:
    """Ray, if a test of this module that needs it runs."""
    wanted = [item for item in request.session.items if item.path == request.path]
    if any("ray" in item.callspec.params.values() for item in wanted if hasattr(item, "callspec")):
        request.getfixturevalue("ray_on_two_cpus")


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., ModuleType]]:
    """Makes modules of these texts, which the tests of other names do not see."""
    monkeypatch.syspath_prepend(tmp_path)
    made: list[str] = []

    def make(name: str, text: str) -> ModuleType:
        file = tmp_path.joinpath(*name.split(".")).with_suffix(".py")
        for folder in reversed(file.relative_to(tmp_path).parents[:-1]):
            (tmp_path / folder).mkdir(exist_ok=True)
            (tmp_path / folder / "__init__.py").touch()
        file.write_text(text)
        importlib.invalidate_caches()
        made.append(name.partition(".")[0])
        return importlib.import_module(name)

    yield make
    for name in [name for name in sys.modules if name.partition(".")[0] in made]:
        del sys.modules[name]


def opened(executor: str, function: Any) -> NumpyArrayIterator:
    generator = ImageDataGenerator(executor=executor, cores=1, preprocessing_function=function)
    return generator.flow(np.zeros((8, 4, 4, 1)), batch_size=2, seed=1)


def number_of(it: Any) -> float:
    """What the function has seen for all pixels of the next batch."""
    batch = next(it)
    values = np.unique(batch[0] if isinstance(batch, tuple) else batch)
    assert values.size == 1
    return float(values[0])


def replace(**values: Any) -> Callable[[Any], None]:
    return lambda cfg: vars(cfg).update(values)


def in_place(cfg: Any) -> None:
    cfg.OPTIONS["a"]["b"][0] = 5


def class_attribute(cfg: Any) -> None:
    cfg.Settings.GAIN = 5


def inner_class(cfg: Any) -> None:
    cfg.Settings.Inner.GAIN = 5


def filled(cfg: Any) -> None:
    cfg.TABLE[:] = 5


def large(cfg: Any) -> None:
    cfg.LARGE[-1] = 5


def of_object(cfg: Any) -> None:
    cfg.options.gain, cfg.options.more = 2, [3]


def of_frozen(cfg: Any) -> None:
    cfg.frozen = cfg.Frozen(5)


def of_bag(cfg: Any) -> None:
    cfg.bag["gain"] = 5


def member(cfg: Any) -> None:
    cfg.MODE = cfg.Mode.ON


def namespace(cfg: Any) -> None:
    cfg.ARGS = cfg.argparse.Namespace(gain=5)


def deleted(cfg: Any) -> None:
    del cfg.GAIN


def deleted_of_class(cfg: Any) -> None:
    del cfg.Settings.GAIN


def called(cfg: Any) -> None:
    cfg.set_gain(5)


CHANGES: dict[str, tuple[Callable[[Any], None], str]] = {
    "number": (replace(GAIN=5), "cfg.GAIN"),
    "number for None": (replace(NONE=5), "cfg.NONE or 0"),
    "None for a number": (replace(GAIN=None), "5 if cfg.GAIN is None else 0"),
    "new name": (replace(NEW=5), "getattr(cfg, 'NEW', 0)"),
    "text": (replace(TEXT="5"), "cfg.TEXT"),
    "bytes": (replace(TEXT=b"5"), "cfg.TEXT"),
    "truth": (replace(GAIN=True), "5 if cfg.GAIN is True else 0"),
    "tuple": (replace(GAIN=(1, (5, "x"))), "cfg.GAIN[1][0] if cfg.GAIN != 1 else 0"),
    "set": (replace(CHOSEN=frozenset({5})), "max(cfg.CHOSEN)"),
    "path": (replace(TEXT=Path("5")), "cfg.Path(cfg.TEXT).name"),
    "decimal number": (replace(TEXT=Decimal(5)), "cfg.TEXT"),
    "fraction": (replace(TEXT=(Fraction(10, 2), 1)), "cfg.TEXT[0] if cfg.TEXT[1:] == (1,) else 0"),
    "number of 128 bits": (replace(TEXT=UUID(int=5)), "getattr(cfg.TEXT, 'int', 0)"),
    "scalar of NumPy": (replace(SCALAR=np.int64(5)), "cfg.SCALAR"),
    "dtype": (replace(TEXT=np.dtype("f8")), "5 if cfg.TEXT == np.dtype('f8') else 0"),
    "array": (replace(TABLE=np.full(3, 5)), "cfg.TABLE[-1]"),
    "array in place": (filled, "cfg.TABLE[-1]"),
    "large array in place": (large, "cfg.LARGE[-1]"),
    "long list": (replace(TEXT=[5] * 5000), "cfg.TEXT[4999] if len(cfg.TEXT) > 1 else 0"),
    "slice": (replace(TEXT=slice(5)), "getattr(cfg.TEXT, 'stop', 0)"),
    "array of Python": (replace(TEXT=array("i", [5])), "cfg.TEXT[0] if len(cfg.TEXT) < 2 else 0"),
    "nested containers": (in_place, "cfg.OPTIONS['a']['b'][0]"),
    "attribute of a class": (class_attribute, "cfg.Settings.GAIN"),
    "attribute of a class in a class": (inner_class, "cfg.Settings.Inner.GAIN"),
    "object": (of_object, "cfg.options.gain + sum(cfg.options.more)"),
    "frozen object with slots": (of_frozen, "cfg.frozen.gain"),
    "class of dict": (of_bag, "cfg.bag['gain']"),
    "member of an enumeration": (member, "cfg.MODE.value"),
    "namespace": (namespace, "cfg.ARGS.gain if hasattr(cfg, 'ARGS') else 0"),
    "deleted name": (deleted, "getattr(cfg, 'GAIN', 5)"),
    "deleted attribute": (deleted_of_class, "getattr(cfg.Settings, 'GAIN', 5)"),
    "by a function of the module": (called, "cfg.GAIN"),
}


@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.parametrize("kind", CHANGES)
def test_values_of_modules(kind: str, executor: str, modules: Callable[..., ModuleType]) -> None:
    change, what = CHANGES[kind]
    settings = modules("settings_of_test", SETTINGS)
    reads = modules("reads_of_test", READS.format(settings="settings_of_test", what=what))
    before = opened(executor, reads.number)
    was = number_of(before)
    change(settings)
    after = opened(executor, reads.number)
    assert (was, number_of(after)) != (5, 5)
    assert number_of(after) == 5
    if executor in ("processes", "ray"):
        assert number_of(before) == was, "an iterator keeps what it began with"
        assert number_of(after) == 5


def among(functions: list[Any]) -> Any:
    return lambda x: functions[0](x) + 0


WAYS: dict[str, Callable[[Any], Any]] = {
    "function": lambda reads: reads.number,
    "imported late": lambda reads: reads.late,
    "object": lambda reads: reads.Caller(),
    "method": lambda reads: reads.Caller().__call__,
    "lambda": lambda reads: lambda x: reads.number(x) + 0,
    "in a list": lambda reads: among([reads.number]),
}


@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.parametrize("name", ["settings_of_test", "package_of_test.inner.settings"])
@pytest.mark.parametrize("way", WAYS)
def test_ways_to_a_value(
    way: str, name: str, executor: str, modules: Callable[..., ModuleType]
) -> None:
    settings = modules(name, SETTINGS)
    reads = modules("reads_of_test", READS.format(settings=name, what="cfg.GAIN"))
    for value in (5, 7):
        vars(settings)["GAIN"] = value
        assert number_of(opened(executor, WAYS[way](reads))) == value


FLOWS: dict[str, Callable[..., DirectoryIterator | DataFrameIterator | NumpyArrayIterator]] = {
    "flow": lambda generator, folder: generator.flow(np.zeros((8, 4, 4, 1)), batch_size=2),
    "directory": lambda generator, folder: generator.flow_from_directory(folder, (8, 8), batch_size=2),
    "frame": lambda generator, folder: generator.flow_from_dataframe(
        pytest.importorskip("pandas").DataFrame({"filename": ["cat/00.jpg", "cat/01.png"]}),
        folder,
        class_mode=None,
        target_size=(8, 8),
    ),
}


@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.parametrize("kind", FLOWS)
def test_all_flows(kind: str, executor: str, crops: Path, modules: Callable[..., ModuleType]) -> None:
    settings = modules("settings_of_test", SETTINGS)
    reads = modules("reads_of_test", READS.format(settings="settings_of_test", what="cfg.GAIN"))
    vars(settings)["GAIN"] = 5
    for name in ("preprocessing_function", "noaug_preprocessing_function"):
        generator = ImageDataGenerator(executor=executor, cores=1, **{name: reads.number})
        assert number_of(FLOWS[kind](generator, crops)) == 5


@pytest.mark.slow
def test_the_same_workers_serve_all_values(modules: Callable[..., ModuleType]) -> None:
    gc.collect()
    end_idle_workers()
    wait_for(lambda: not worker_processes(), "the end of all workers")
    settings = modules("settings_of_test", SETTINGS)
    reads = modules("reads_of_test", READS.format(settings="settings_of_test", what="cfg.GAIN"))
    its = []
    for value in range(10):
        vars(settings)["GAIN"] = value
        its.append(opened("processes", reads.number))
        assert number_of(its[-1]) == value
    assert [number_of(it) for it in its] == list(range(10))
    assert len(worker_processes()) == 1


COUNTS = """\
count = 0

def counted(x):
    global count
    count += 1
    return x * 0 + count
"""


@pytest.mark.slow
def test_what_functions_assign_stays_from_batch_to_batch(modules: Callable[..., ModuleType]) -> None:
    counts = modules("counts_of_test", COUNTS)
    for start in (0, 100):
        counts.count = start
        it, other = opened("processes", counts.counted), opened("processes", counts.counted)
        assert next(it).max() == start + 2
        assert next(it).max() == start + 4
        counts.count = start + 50
        assert next(other).max() == start + 52
        assert next(it).max() == start + 6
        counts.count = start


LAZY = (PROGRAMS / "executors/makes_objects.py").read_text("utf-8")


@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.parametrize("name", ["make", "make_for_class"])
def test_a_mark_without_its_object_does_not_travel(
    name: str, executor: str, modules: Callable[..., ModuleType]
) -> None:
    lazy = modules("lazy_of_test", LAZY)
    make = getattr(lazy, name)
    make(np.zeros(1))  # in the program: what it has made cannot travel
    assert number_of(opened(executor, make)) == 7
