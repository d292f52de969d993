"""Spoilt copies of the test images, for the tests of bad images; a pytest plugin (see conftest.py)."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from executor_support import (
    SAMPLES,
    flow,
    take,
)
from numpy.typing import NDArray

NO_IMAGE = b"this is not an image\n"


@pytest.fixture
def folder(crops: Path, tmp_path: Path) -> Path:
    """A copy of the crops that may be spoilt."""
    return shutil.copytree(crops, tmp_path / "images")


def spoil(folder: Path, numbers: Collection[int], content: bytes = NO_IMAGE) -> list[str]:
    """Overwrites these files and returns the names of all."""
    names = [str(name) for name in flow(folder).filenames]
    for number in numbers:
        (folder / names[number]).write_bytes(content)
    return names


def substitutes(bad: Collection[int], samples: int = SAMPLES) -> list[int]:
    """For each sample, the one that is read in its place."""
    found = []
    for sample in range(samples):
        while sample in bad:
            sample = (sample + 1) % samples  # noqa: PLW2901
        found.append(sample)
    return found


def in_order(folder: Path, **options: Any) -> Any:
    return flow(folder, shuffle=False, on_bad_image="replace", **options)


def joined(batches: list[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    return np.concatenate([x for x, _ in batches]), np.concatenate([y for _, y in batches])


def told(it: Any, batches: int) -> tuple[list[Any], list[str]]:
    """So many batches, and the warnings, which are this file's."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        received = take(it, batches)
    assert {w.category for w in caught} <= {UserWarning}
    return received, [str(w.message) for w in caught]


# The next readable one
