"""Calls the methods of a generator that the user has overridden, as Keras' iterators call them.

A subclass may override `get_random_transform`, `apply_transform`, `random_transform`, `standardize`
and `default_transform`. Its methods receive images in the layout that the user has chosen.
Meanwhile, NumPy's global generator has the state that the batch's transforms are drawn from, and
`current_sample` is set for the original methods, which the overriding methods may call.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imageloom._checks.values import in_words
from imageloom._errors import ArgumentTypeError
from imageloom._pipeline.hooks import SampleCall, as_image, current_sample
from imageloom._pipeline.recipe import UserCode
from imageloom._pipeline.seeds import drawing_from

__all__ = ["DRAWING", "UserMethods", "as_params"]

# Those that draw parameters, and do nothing with images.
DRAWING: Final = frozenset({"get_random_transform", "default_transform"})


def as_params(drawn: Any) -> Mapping[str, Any]:
    """What a `get_random_transform` of the user has returned.

    Raises:
        ArgumentTypeError: It is no dictionary.
    """
    if not hasattr(drawn, "get"):
        raise ArgumentTypeError(
            f"get_random_transform returned {in_words(drawn)}, but must return a dictionary of "
            "parameters."
        )
    params: Mapping[str, Any] = drawn
    return params


class UserMethods:
    """Calls the methods that the user has overridden on images (height, width, channels)."""

    def __init__(self, generator: Any, user_code: UserCode, *, channels_first: bool) -> None:
        """`generator` is a copy of the user's generator from when the first batch was requested.

        It is None in another process if nothing is overridden.
        """
        overrides = user_code.overrides
        self._generator = generator
        self._channels_first = channels_first
        self._turns = user_code.turns
        self.transforms = "random_transform" in overrides
        self.draws = bool(DRAWING & overrides)
        self.applies = "apply_transform" in overrides
        self.standardizes = "standardize" in overrides

    def transform(
        self, call: SampleCall, state: np.random.RandomState, x: NDArray[Any]
    ) -> NDArray[Any]:
        """Calls `random_transform`, which draws from `state`."""
        with self._turns, _current_sample_set_to(call), drawing_from(state):
            returned = self._generator.random_transform(self._in_user_layout(x))
        return self._channels_last("random_transform", returned)

    def draw(
        self, call: SampleCall, state: np.random.RandomState, x: NDArray[Any]
    ) -> Mapping[str, Any]:
        """Calls `get_random_transform`, which draws from `state`."""
        with self._turns, _current_sample_set_to(call), drawing_from(state):
            drawn = self._generator.get_random_transform(self._in_user_layout(x).shape)
        return as_params(drawn)

    def apply(self, call: SampleCall, x: NDArray[Any], params: Mapping[str, Any]) -> NDArray[Any]:
        """Calls `apply_transform`."""
        with self._turns, _current_sample_set_to(call):
            returned = self._generator.apply_transform(self._in_user_layout(x), dict(params))
        return self._channels_last("apply_transform", returned)

    def standardize(self, call: SampleCall, x: NDArray[Any]) -> NDArray[Any]:
        """Calls `standardize`, on an image that is in the layout of the user already."""
        with self._turns, _current_sample_set_to(call):
            return as_image("standardize", self._generator.standardize(x))

    def _in_user_layout(self, x: NDArray[Any]) -> NDArray[Any]:
        return np.moveaxis(x, -1, 0) if self._channels_first else x

    def _channels_last(self, name: str, returned: Any) -> NDArray[Any]:
        x = as_image(name, returned)
        return np.moveaxis(x, 0, -1) if self._channels_first else x


@contextmanager
def _current_sample_set_to(call: SampleCall) -> Iterator[None]:
    token = current_sample.set(call)
    try:
        yield
    finally:
        current_sample.reset(token)
