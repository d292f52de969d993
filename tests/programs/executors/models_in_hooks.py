"""Hooks with a model inside: whether their values are the serial ones, and what the warning names."""

from __future__ import annotations

import os
import re
import sys
import warnings
from collections.abc import Callable
from typing import Any

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras
import numpy as np
import tensorflow as tf
import torch
from keras._tf_keras.keras.preprocessing.image import ImageDataGenerator as OfKeras

from imageloom import ImageDataGenerator

model = keras.Sequential([keras.layers.Input((16, 16, 3)), keras.layers.Dense(3)])
module = torch.nn.Linear(3, 3)
theirs = OfKeras().flow(np.zeros((5, 8, 8, 3)), batch_size=2)


@tf.function
def traced(x: Any) -> Any:
    return x * 2


traced(tf.zeros((16, 16, 3)))  # from now on it keeps a graph


def by_keras(x: Any) -> Any:
    return model.predict_on_batch(x[None])[0]


def by_torch(x: Any) -> Any:
    with torch.no_grad():
        return module(torch.from_numpy(x)).numpy()


def by_iterator(x: Any) -> Any:
    return x + theirs.n + theirs.batch_size


def by_graph(x: Any) -> Any:
    return traced(x).numpy()


hooks: dict[str, Callable[[Any], Any]] = {
    "keras": by_keras,
    "iterator": by_iterator,
    "torch": by_torch,
    "traced": by_graph,
}
for name, hook in hooks.items():
    batches = []
    for executor in ("serial", "processes"):
        generator = ImageDataGenerator(executor=executor, preprocessing_function=hook, cores=1)
        with (
            warnings.catch_warnings(record=True) as caught,
            generator.flow_from_directory(sys.argv[1], (16, 16), batch_size=4, seed=1) as it,
        ):
            warnings.simplefilter("always", UserWarning)
            batches.append(next(it)[0])
    named = [re.findall("because (`[^`]+`)", str(one.message)) for one in caught]
    print(name, np.allclose(*batches, atol=1e-3), [one[0] for one in named if one])
