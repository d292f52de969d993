"""Random programs, line by line: the values, errors and attributes of each line are those of Keras."""

from __future__ import annotations

import copy
import io
import itertools
from collections.abc import Mapping
from contextlib import redirect_stdout
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import pytest
from both_iterators import frame, make_folder
from random_programs import random_program
from reference import keras_generator, quiet

from imageloom import ImageDataGenerator

IMAGES: Final = np.random.RandomState(3).randint(0, 256, (9, 8, 8, 3)).astype("uint8")
# Of an iterator, after each line.
TOLD: Final = ("n", "batch_size", "shuffle", "batch_index", "total_batches_seen", "index_array")
_SHARE: Final = 0.012  # of the span of values; 1.5 grey levels of 255 are half of it
_EDGES: Final = 0.01  # of all values may lie on the other side of an edge


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_folder(tmp_path_factory.mktemp("programs") / "photos")


def outcomes(lines: list[str], generator: Any, folder: Path) -> list[tuple[Any, dict[str, Any]]]:
    """What each line gives or raises, and what the iterator tells behind it."""
    names = {
        "Generator": generator, "copy": copy, "itertools": itertools, "np": np, "pd": pd,
        "x": IMAGES.copy(), "y": np.arange(9), "table": frame(folder), "folder": folder,
    }  # fmt: skip
    found = []
    for number, line in enumerate(lines):
        np.random.seed(number)
        with quiet(), redirect_stdout(io.StringIO()) as told:
            try:
                is_value = " = " not in line
                value = copied(eval(line, names)) if is_value else exec(line, names)
            except Exception as error:
                value = error
        it: Any = names.get("it")
        attributes = {name: copied(getattr(it, name, None)) for name in TOLD}
        found.append(((value, told.getvalue()), attributes))
    if hasattr(it, "close"):
        it.close()
    return found


def copied(value: Any) -> Any:
    """A value as it is now; None for what has no values, such as a generator."""
    if isinstance(value, (list, tuple)):
        return type(value)(copied(item) for item in value)
    if isinstance(value, dict):
        return {key: copied(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return value.copy()
    return value if isinstance(value, (str, int, float, np.generic, Path)) else None


def assert_same(ours: Any, theirs: Any, about: str) -> None:
    if isinstance(theirs, Exception) or isinstance(ours, Exception):
        caught = tuple(kind for kind in type(theirs).__mro__ if kind.__module__ == "builtins")
        assert isinstance(theirs, Exception), f"{about}: {ours!r}, not {theirs!r}"
        assert isinstance(ours, caught[:1]), f"{about}: {ours!r}, not {theirs!r}"
    elif isinstance(theirs, Mapping):
        assert list(ours) == list(theirs), about
        for key in theirs:
            assert_same(ours[key], theirs[key], f"{about} [{key!r}]")
    elif isinstance(theirs, (list, tuple)):
        assert type(ours) is type(theirs), about
        assert len(ours) == len(theirs), about
        for one, other in zip(ours, theirs, strict=True):
            assert_same(one, other, about)
    elif isinstance(theirs, np.ndarray):
        assert (ours.dtype, ours.shape) == (theirs.dtype, theirs.shape), about
        assert_near(ours, theirs, about)
    else:
        assert ours == pytest.approx(theirs), about


def assert_near(ours: Any, theirs: Any, about: str) -> None:
    if theirs.dtype.kind != "f" or theirs.ndim < 3:
        np.testing.assert_array_equal(ours, theirs, about)
        return
    np.testing.assert_array_equal(np.isnan(ours), np.isnan(theirs), about)
    values = np.nan_to_num(theirs)
    off = np.abs(np.nan_to_num(ours) - values) > _SHARE * np.ptp(values) + 1e-4
    assert off.sum() <= max(4, _EDGES * off.size), f"{about}: {off.sum()} of {off.size} are off"


def compare(number: int, folder: Path) -> None:
    lines = random_program(number)
    ours = outcomes(lines, partial(ImageDataGenerator, executor="serial"), folder)
    theirs = outcomes(lines, keras_generator, folder)
    for line, mine, expected in zip(lines, ours, theirs, strict=True):
        assert_same(mine, expected, f"program {number}, {line!r} of\n" + "\n".join(lines) + "\n")


@pytest.mark.parametrize("number", range(40))
def test_random_programs_do_the_same(number: int, folder: Path) -> None:
    compare(number, folder)


@pytest.mark.long
@pytest.mark.parametrize("start", range(100, 3100, 100))
def test_thousands_of_random_programs_do_the_same(start: int, folder: Path) -> None:
    for number in range(start, start + 100):
        compare(number, folder)


def test_most_lines_of_random_programs_are_no_errors(folder: Path) -> None:
    found = [
        value
        for number in range(20)
        for (value, _), _ in outcomes(random_program(number), keras_generator, folder)
    ]
    assert sum(isinstance(value, Exception) for value in found) < len(found) / 4
