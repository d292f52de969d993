"""Moves batches to a device: what all frameworks have in common."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from imageloom._adapters.finish.steps import BatchFinish

__all__ = ["Moved", "Mover", "with_arrays"]


@dataclass(frozen=True, slots=True)
class Moved:
    """A batch on its way to a device.

    Attributes:
        batch: The batch, with arrays of the framework.
        ready: What the framework waits for before it uses them; None for nothing.
    """

    batch: Any
    ready: Any = None


class Mover(Protocol):
    """Moves batches to one device. A host array is not reused before its copy has ended."""

    def move(self, batch: Any, finish: BatchFinish | None = None) -> Moved:
        """Begins to move the arrays of a batch; does not wait for the end.

        With `finish`, the batch is its unfinished arrays, which it makes the batch of there.
        """
        ...

    def hand_over(self, moved: Moved) -> Any:
        """Returns a moved batch, which the caller's computations on the device may use at once."""
        ...

    def release(self) -> None:
        """Waits for copies that still go on, and gives back what is kept for further ones."""
        ...


def with_arrays(batch: Any, change: Callable[[np.ndarray[Any, Any]], Any]) -> Any:
    """A batch with each NumPy array replaced, in tuples, lists and dictionaries of any depth."""
    if isinstance(batch, np.ndarray):
        return change(batch)
    if isinstance(batch, dict):
        return {key: with_arrays(part, change) for key, part in batch.items()}
    if isinstance(batch, tuple) and hasattr(batch, "_fields"):  # a named tuple takes its fields singly
        return type(batch)(*(with_arrays(part, change) for part in batch))
    if isinstance(batch, (tuple, list)):
        return type(batch)(with_arrays(part, change) for part in batch)
    return batch
