"""How the programs of tests/clients are run: with Keras, or with imageloom in its place.

The programs are scripts that were written for Keras. They import `keras.preprocessing.image`, and what
that module is, is decided here. A script starts in a directory with a folder `data` (`client_data`),
and leaves what it found out in a variable `results`. Where pixels are warped or a model is trained,
`WITHIN` says how far a result may be off.
"""

from __future__ import annotations

import gc
import importlib
import os
import pickle
import random
import re
import runpy
import shutil
import sys
import threading
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Final
from unittest import mock

import numpy as np
from programs import run_program

CLIENTS: Final = Path(__file__).resolve().parents[1] / "clients"
PROGRAMS: Final = sorted(p for p in CLIENTS.rglob("*.py") if p.parent != CLIENTS)
# Of pixels that are warped, this share has to be within the tolerance (see docs/coming-from-keras.md).
_SHARE: Final = 0.999
# What is computed in float32 in another order.
_ROUNDING: Final = {"rtol": 1e-5, "atol": 1e-5}
_MODULE: Final = "preprocessing.image"
_IMPORTED: Final = re.compile(r"^(?:import|from) (sklearn|tensorflow|tf_keras|torch)\b", re.MULTILINE)


@dataclass(frozen=True)
class Outcome:
    """What a program found out, what it was warned of, and how long it took."""

    results: dict[str, Any]
    within: dict[str, float]
    warnings: list[str]
    seconds: float


def name_of(program: Path) -> str:
    """The name of a program in tables: its folder and its stem."""
    return program.relative_to(CLIENTS).with_suffix("").as_posix()


def libraries_of(program: Path) -> tuple[str, str]:
    """The reference, and what has to do the same."""
    if program.parent.name == "mltk":  # whose generator Keras does not have
        return "serial", "imageloom"
    return "keras", "imageloom"


def frameworks_of(program: Path) -> list[str]:
    """What a program needs that may be missing."""
    imported = set(_IMPORTED.findall(program.read_text(encoding="utf-8")))
    if "tf_keras" in imported:
        imported.add("tensorflow")
    return ["keras", *sorted(imported)]


def run_with_both(program: Path, data: Path, folder: Path) -> tuple[Outcome, Outcome]:
    """Runs a program with the reference and with imageloom, one after the other."""
    if "tensorflow" not in frameworks_of(program):
        reference, ours = (run_client(program, name, data, folder) for name in libraries_of(program))
        return reference, ours
    # The tests beside this one are to find no TensorFlow that is loaded already.
    kept = folder.with_name("outcomes")
    environment = {"TF_CPP_MIN_LOG_LEVEL": "3"}
    done = run_program(
        "clients/run_client.py", program, data, folder, kept, cwd=data.parent, environment=environment
    )
    assert done.returncode == 0, done.stderr
    reference, ours = pickle.loads(kept.read_bytes())
    return reference, ours


def run_client(program: Path, library: str, data: Path, folder: Path) -> Outcome:
    """Runs a program in a fresh `folder` with a copy of the data."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(data, folder / "data")
    with ExitStack() as stack:
        given = stack.enter_context(warnings.catch_warnings(record=True))
        warnings.simplefilter("always")
        stack.enter_context(_standing_in(library, program))
        stack.enter_context(_inside(folder))
        _start_anew()
        start = time.perf_counter()
        left = runpy.run_path(str(program), run_name="__main__")
        seconds = time.perf_counter() - start
        results, within = left["results"], left.get("WITHIN", {})
        del left
        _end()
    return Outcome(results, within, [str(warning.message) for warning in given], seconds)


def assert_same_results(reference: Outcome, ours: Outcome) -> None:
    """Compares all that a program found out: its values, and the types and shapes of these."""
    assert reference.results, "a program has to find something out"
    assert reference.within.keys() <= reference.results.keys()
    assert list(ours.results) == list(reference.results)
    for name, expected in reference.results.items():
        _assert_same(ours.results[name], expected, reference.within.get(name), name)


def _assert_same(actual: Any, expected: Any, within: float | None, name: str) -> None:
    if isinstance(expected, Mapping):
        assert list(actual) == list(expected), name
        for key, value in expected.items():
            _assert_same(actual[key], value, within, f"{name}[{key!r}]")
    elif isinstance(expected, list | tuple):
        assert type(actual) is type(expected), name
        assert len(actual) == len(expected), name
        for i, (one, other) in enumerate(zip(actual, expected, strict=True)):
            _assert_same(one, other, within, f"{name}[{i}]")
    elif isinstance(expected, np.ndarray | np.generic | float):
        _assert_close(np.asarray(actual), np.asarray(expected), within, name)
    else:
        assert isinstance(expected, int | str | bytes | bool | None), f"{name}: {type(expected)}"
        assert actual == expected, name


def _assert_close(actual: Any, expected: Any, within: float | None, name: str) -> None:
    assert actual.dtype == expected.dtype, name
    assert actual.shape == expected.shape, name
    if expected.dtype.kind not in "fc" and within is None:
        np.testing.assert_array_equal(actual, expected, err_msg=name)
    elif within is None:
        np.testing.assert_allclose(actual, expected, err_msg=name, **_ROUNDING)
    else:
        off = np.abs(actual.astype(np.float64) - expected.astype(np.float64))
        share = float((off <= within).mean())
        assert share >= _SHARE, f"{name}: {1 - share:.2%} are off by up to {off.max()}"


def _end() -> None:
    """Does what the end of a program does: its iterators are closed, whoever refers to them."""
    gc.collect()
    if not any(thread.name.startswith("imageloom") for thread in threading.enumerate()):
        return
    from imageloom import BatchIterator

    for there in gc.get_objects():
        if BatchIterator in type(there).__mro__ and there._attached:
            there.close()


@contextmanager
def _inside(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def _start_anew() -> None:
    """Seeds what programs draw from, and forgets the names of earlier layers."""
    import keras

    keras.backend.clear_session()
    keras.utils.set_random_seed(7)
    random.seed(7)
    np.random.seed(7)


@contextmanager
def _standing_in(library: str, program: Path) -> Iterator[None]:
    """Makes a library what programs import as Keras' module."""
    import imageloom

    # Keras was imported before the clock starts, too.
    for name in ("_api.engine", "_api.generator", "image"):
        importlib.import_module(f"imageloom.{name}")
    with ExitStack() as stack:
        if library == "serial":
            serial = _in_the_foreground(imageloom.ParallelImageDataGenerator)
            stack.enter_context(mock.patch.object(imageloom, "ParallelImageDataGenerator", serial))
        else:
            # Importing tf_keras takes seconds, so only for those who use it.
            for package in {"keras", "tf_keras"} & {*frameworks_of(program)}:
                parent = importlib.import_module(f"{package}.preprocessing")
                module = imageloom.image if library == "imageloom" else _module_of(package)
                stack.enter_context(mock.patch.object(parent, "image", module))
                stack.enter_context(_imported_as(f"{package}.{_MODULE}", module))
        yield


@contextmanager
def _imported_as(name: str, module: ModuleType) -> Iterator[None]:
    # Not `mock.patch.dict`, which would also forget what the program has imported; torch cannot be
    # imported twice.
    before = sys.modules.get(name)
    sys.modules[name] = module
    try:
        yield
    finally:
        if before is None:
            del sys.modules[name]
        else:
            sys.modules[name] = before


def _in_the_foreground(generator: Any) -> Any:
    class ParallelImageDataGenerator(generator):  # type: ignore[misc]
        def __init__(self, **options: Any) -> None:
            super().__init__(**options, executor="serial")

    return ParallelImageDataGenerator


def _module_of(package: str) -> ModuleType:
    """The module as TensorFlow shows it; `keras` itself has no generators in it."""
    if package == "tf_keras":
        return importlib.import_module("tf_keras.preprocessing.image")
    module = ModuleType(f"{package}.{_MODULE}")
    for place in ("keras.src.legacy.preprocessing.image", "keras._tf_keras.keras.preprocessing.image"):
        found = importlib.import_module(place)
        module.__dict__.update({k: v for k, v in vars(found).items() if not k.startswith("__")})
    return module
