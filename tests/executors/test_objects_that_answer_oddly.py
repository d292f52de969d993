"""Objects of the user that raise or lie when they are asked for an attribute change nothing."""

from __future__ import annotations

import importlib
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from programs import PROGRAMS

from imageloom import ImageDataGenerator

EXECUTORS = ["serial", "threads", pytest.param("processes", marks=pytest.mark.slow)]
NAME = "odd_objects_of_test"
TEXT = (PROGRAMS / "executors/objects_that_answer_oddly.py").read_text("utf-8")


@pytest.fixture
def odd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A module of the user with such objects."""
    (tmp_path / f"{NAME}.py").write_text(TEXT)
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module(NAME)
    sys.modules.pop(NAME, None)


def read(executor: str, function: Any) -> tuple[NDArray[Any], str | None]:
    """All images, and why workers did not compute them."""
    workers = 1 if executor == "serial" else 2
    generator = ImageDataGenerator(executor=executor, cores=workers, preprocessing_function=function)
    with generator.flow(np.zeros((8, 2, 2, 1)), batch_size=2, shuffle=False, seed=1) as it:
        return np.concatenate([next(it) for _ in range(4)]), it.report().fallback


WAYS: dict[str, Callable[[Any], Any]] = {
    "of the module": lambda odd: odd.gain,
    "variable": lambda odd: lambda x, options=odd.options: x * 0 + options.gain + odd.OfKind.GAIN,
    "called": lambda odd: odd.called,
}


@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.parametrize("way", WAYS)
def test_attributes_that_raise(way: str, executor: str, odd: Any) -> None:
    odd.options.gain, odd.OfKind.GAIN = 7, 3
    images, fallback = read(executor, WAYS[way](odd))
    assert fallback is None
    assert (images == 10).all()


@pytest.mark.parametrize("executor", EXECUTORS)
def test_generators_beside_them_are_seeded(executor: str, odd: Any) -> None:
    images, fallback = read(executor, odd.noisy)
    assert fallback is None
    assert len(np.unique(images)) == 8
    np.testing.assert_array_equal(images, read("serial", odd.noisy)[0])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["options", "raises", "lies"])
def test_what_cannot_be_sent_beside_them_is_named(name: str, odd: Any) -> None:
    held, thread = getattr(odd, name), threading.Thread()
    culprit = "held" if name == "lies" else "thread"  # cloudpickle asks for the class, too
    with pytest.warns(UserWarning, match=f"because `{culprit}`"):
        images, _ = read("processes", lambda x: x + (held is None) + (thread is None) + 3)
    assert (images == 3).all()


class NotInstalled(ModuleType):
    def __getattr__(self, name: str) -> Any:
        raise ImportError(f"{self.__name__} is not installed")


class Late:
    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(name)


@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.parametrize("module", [NotInstalled("late_of_test"), Late(), None], ids=type)
def test_what_is_among_the_modules(
    module: Any, executor: str, odd: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "late_of_test", module)
    monkeypatch.setitem(sys.modules, f"{NAME}.late_of_test", module)
    assert (read(executor, odd.gain)[0] == 2).all()


@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.parametrize("arguments", [None, [], ["x", None]], ids=str)
def test_arguments_of_a_program_that_has_python_in_it(
    arguments: Any, executor: str, odd: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", arguments)
    assert (read(executor, odd.gain)[0] == 2).all()
