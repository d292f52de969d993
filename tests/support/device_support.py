"""What tests of moving batches to devices share."""

from __future__ import annotations

import os
from concurrent.futures import wait
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imageloom._adapters.moving import Moved

# Where torch computes in these tests. "cuda" tests a GPU, and with it JAX' default device.
TORCH_DEVICE = os.environ.get("IMAGELOOM_TEST_DEVICE", "cpu")


class Recorder:
    """A mover that leaves arrays where they are, and notes what happens."""

    def __init__(self) -> None:
        self.moves = 0
        self.handed = 0
        self.ahead: list[int] = []  # how many were moved ahead, after each that was handed over
        self.released = 0

    def move(self, batch: Any) -> Moved:
        self.moves += 1
        return Moved(batch, self.moves)

    def hand_over(self, moved: Moved) -> Any:
        self.handed += 1
        self.ahead.append(self.moves - self.handed)
        return moved.batch

    def release(self) -> None:
        self.released += 1


def photographs(count: int = 6) -> NDArray[np.uint8]:
    """Pieces of a photograph, 40x48."""
    from skimage import data

    whole = data.astronaut()
    return np.stack([whole[40 * i : 40 * i + 40, 150:198] for i in range(count)])


def wait_until_computed(it: Any) -> None:
    """Waits until all batches in the window of an iterator are computed."""
    wait(tuple(it._stream.supply._stream._window.values()), timeout=60)


def arrays_of(batch: Any) -> list[np.ndarray[Any, Any]]:
    """The arrays of a batch, on the host."""
    found: list[np.ndarray[Any, Any]] = []

    def note(part: Any) -> Any:
        found.append(on_host(part))

    for part in batch if isinstance(batch, (tuple, list)) else [batch]:
        if isinstance(part, (tuple, list)):
            found += arrays_of(part)
        else:
            note(part)
    return found


def on_host(array: Any) -> np.ndarray[Any, Any]:
    """An array of any framework and device."""
    return np.asarray(array.cpu() if hasattr(array, "cpu") else array)


def assert_equal_batches(received: list[Any], expected: list[Any]) -> None:
    """Compares structures and values; dtypes may become narrower on a device."""
    assert len(received) == len(expected)
    for one, other in zip(received, expected, strict=True):
        assert structure(one) == structure(other)
        for part, right in zip(arrays_of(one), arrays_of(other), strict=True):
            np.testing.assert_array_equal(part, right)


def structure(batch: Any) -> Any:
    """The tuples and lists of a batch, with shapes in the place of arrays."""
    if isinstance(batch, (tuple, list)):
        return type(batch)(structure(part) for part in batch)
    return tuple(batch.shape)
