"""The user's own versions of a generator's methods, called as Keras' iterators call them.

A subclass may override `get_random_transform`, `apply_transform`, `random_transform`, `standardize` and
`default_transform`. Its methods see images in the layout the user chose, and find in NumPy's global
generator the state that the batch's transforms are drawn from; if they call ours, ours know the sample.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imageloom._pipeline.hooks import SampleCall, current_sample
from imageloom._pipeline.seeds import drawing_from

__all__ = ["UserMethods"]

_DRAWING: Final = frozenset({"get_random_transform", "default_transform"})


class UserMethods:
    """Which methods the user has replaced, and how to call them on images (height, width, channels)."""

    def __init__(self, generator: Any, overrides: frozenset[str], *, channels_first: bool) -> None:
        """`generator` is the user's own, as it was when the first batch was asked for."""
        self._generator = generator
        self._channels_first = channels_first
        self.transforms = "random_transform" in overrides
        self.draws = bool(_DRAWING & overrides)
        self.applies = "apply_transform" in overrides
        self.standardizes = "standardize" in overrides

    def transform(
        self, call: SampleCall, state: np.random.RandomState, x: NDArray[Any]
    ) -> NDArray[Any]:
        """`random_transform`, drawing from `state`."""
        with _informed(call), drawing_from(state):
            return self._back(self._generator.random_transform(self._shown(x)))

    def draw(
        self, call: SampleCall, state: np.random.RandomState, x: NDArray[Any]
    ) -> Mapping[str, Any]:
        """`get_random_transform`, drawing from `state`."""
        with _informed(call), drawing_from(state):
            params: Mapping[str, Any] = self._generator.get_random_transform(self._shown(x).shape)
        return params

    def apply(self, call: SampleCall, x: NDArray[Any], params: Mapping[str, Any]) -> NDArray[Any]:
        """`apply_transform`."""
        with _informed(call):
            return self._back(self._generator.apply_transform(self._shown(x), dict(params)))

    def standardize(self, call: SampleCall, x: NDArray[Any]) -> NDArray[Any]:
        """`standardize`, on an image that is in the user's layout already."""
        with _informed(call):
            return np.asarray(self._generator.standardize(x))

    def _shown(self, x: NDArray[Any]) -> NDArray[Any]:
        return np.moveaxis(x, -1, 0) if self._channels_first else x

    def _back(self, x: NDArray[Any]) -> NDArray[Any]:
        return np.moveaxis(np.asarray(x), 0, -1) if self._channels_first else np.asarray(x)


@contextmanager
def _informed(call: SampleCall) -> Iterator[None]:
    token = current_sample.set(call)
    try:
        yield
    finally:
        current_sample.reset(token)
