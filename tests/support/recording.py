"""A model that tells what it is trained on."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

import numpy as np


def mark(images: Any) -> int:
    return zlib.crc32(np.ascontiguousarray(np.asarray(images)).tobytes())


def recording_model(hear: Callable[[int], object]) -> Any:
    """A model that tells the mark of every batch it is trained on, when it is trained."""
    import keras

    class Recording(keras.Sequential):  # type: ignore[misc]  # Keras has no types
        def train_step(self, *state_and_batch: Any) -> Any:
            result = super().train_step(*state_and_batch)
            hear(mark(state_and_batch[-1][0]))
            return result

    layers = [keras.layers.Flatten(), keras.layers.Dense(3, activation="softmax")]
    model = Recording(layers)
    model.compile("sgd", "categorical_crossentropy", run_eagerly=True)
    return model
