"""Finishes images with JAX, as one compiled function."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from imageloom._adapters.finish.images import image_finish
from imageloom._adapters.finish.steps import FinishSteps, ImageFinish

__all__ = ["jax_finish"]

_IMAGE: Final = (1, 2, 3)


def jax_finish(steps: FinishSteps) -> ImageFinish:
    """A compiled function that finishes images where they are."""
    import jax

    finish: ImageFinish = jax.jit(image_finish(_JaxNumbers(), steps))
    return finish


class _JaxNumbers:
    """JAX' operations, as `Numbers` names them."""

    def __init__(self) -> None:
        import jax.numpy

        self._jnp = jnp = jax.numpy
        self.floor, self.trunc, self.isnan = jnp.floor, jnp.trunc, jnp.isnan

    def where(self, condition: Any, one: Any, other: Any) -> Any:
        return self._jnp.where(condition, one, other)

    def clip(self, x: Any, low: Any, high: Any) -> Any:
        return self._jnp.clip(x, low, high)

    def remainder(self, x: Any, divisor: int) -> Any:
        return self._jnp.remainder(x, divisor)

    def floats(self, x: Any) -> Any:
        return x.astype(np.float32)

    def whole(self, x: Any) -> Any:
        return x.astype(np.int32)

    def take(self, x: Any, row: Any, column: Any) -> Any:
        return x[self._jnp.arange(x.shape[0])[:, None, None], row, column]

    def extremes(self, x: Any) -> tuple[Any, Any]:
        return x.min(axis=_IMAGE, keepdims=True), x.max(axis=_IMAGE, keepdims=True)

    def mean(self, x: Any) -> Any:
        return x.mean(axis=_IMAGE, keepdims=True)

    def std(self, x: Any) -> Any:
        return x.std(axis=_IMAGE, keepdims=True)

    def total(self, x: Any) -> Any:
        return x.astype(np.int32).sum(axis=_IMAGE, keepdims=True)

    def flip(self, x: Any, axis: int) -> Any:
        return self._jnp.flip(x, axis)

    def move_channels_first(self, x: Any) -> Any:
        return self._jnp.moveaxis(x, 3, 1)

    def multiply(self, x: Any, matrix: Any) -> Any:
        return self._jnp.matmul(x, matrix, precision="highest")

    def join(self, x: Any, more: Any) -> Any:
        return self._jnp.concatenate((x, more), axis=3)

    def constant(self, value: np.ndarray[Any, Any]) -> Any:
        return np.asarray(value, np.float32)  # part of the compiled function, on each of its devices

    def cast(self, x: Any, dtype: str) -> Any:
        return x.astype(dtype)
