"""Calls the batch method of a user's iterator class, which computes a whole batch, as Keras does it.

The method runs on a `twin` of the iterator: an object of the same class, with the same attributes, but
without workers. So it may travel to another process. Meanwhile NumPy's global generator has the state
that the batch's transforms are drawn from, as in Keras. The method may call the original one, which
computes a batch here and now, and draws from the same generator.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imageloom._errors import ArgumentTypeError
from imageloom._pipeline.recipe import BatchTask, Recipe
from imageloom._pipeline.seeds import drawing_from

__all__ = ["BATCH_METHOD", "BatchMethod", "MethodCall", "call_batch_method", "current_call"]

BATCH_METHOD: Final = "_get_batches_of_transformed_samples"


@dataclass(slots=True)
class MethodCall:
    """What the original method does while the user's method runs.

    Attributes:
        seed: the seed of the batch.
        index: the number of the batch in its epoch.
        pictures: the files for `save_to_dir`, which are written when the batch is handed out.
        warnings: what the user is told then, by its key.
    """

    seed: int
    index: int
    pictures: list[tuple[str, bytes]] = field(default_factory=list)
    warnings: dict[str, tuple[str, str, type[Warning]]] = field(default_factory=dict)


# Set while a user's batch method runs for a batch of the stream.
current_call: ContextVar[MethodCall | None] = ContextVar("imageloom.call", default=None)


class BatchMethod:
    """The method, on an object that computes like the iterator."""

    def __init__(self, twin: Any, parts: Callable[[Any], Any]) -> None:
        """`parts(twin)` returns a function and its arguments, which makes a twin in another process."""
        self._twin = twin
        self._parts = parts

    def __call__(self, indices: NDArray[np.int64]) -> Any:
        """Computes the batch of these samples."""
        batch = getattr(self._twin, BATCH_METHOD)(indices)
        if batch is None:
            raise ArgumentTypeError(
                f"{BATCH_METHOD} returned None, but must return the batch: end it with a `return`."
            )
        return batch

    def __reduce__(self) -> Any:
        """Sends the parts of the twin rather than an iterator, which would arrive without batches."""
        make, arguments = self._parts(self._twin)
        return _received, (make, arguments, self._parts)


def _received(make: Callable[..., Any], arguments: tuple[Any, ...], parts: Any) -> BatchMethod:
    return BatchMethod(make(*arguments), parts)


def call_batch_method(
    recipe: Recipe, task: BatchTask, state: np.random.RandomState
) -> tuple[Any, MethodCall]:
    """Returns the batch, and what the original method has left to do."""
    method = recipe.user_code.batch_method
    assert method is not None
    call = MethodCall(task.spec.seed, task.spec.index)
    token = current_call.set(call)
    try:
        with recipe.user_code.turns, drawing_from(state):
            batch = method(task.spec.indices)
    finally:
        current_call.reset(token)
    return batch, call
