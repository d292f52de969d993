"""Keras 2's `GeneratorEnqueuer` around a generator function that takes from a flow."""

import numpy as np
from tf_keras.preprocessing.image import ImageDataGenerator
from tf_keras.utils import GeneratorEnqueuer

data = np.load("data/arrays.npz")


def normalised():
    for x, y in ImageDataGenerator(horizontal_flip=True).flow(
        data["x"], data["y"], batch_size=9, seed=7
    ):
        yield x / 127.5 - 1, y


enqueuer = GeneratorEnqueuer(normalised(), use_multiprocessing=False)
enqueuer.start(workers=1, max_queue_size=3)
output = enqueuer.get()
results = {"batches": [next(output) for _ in range(7)]}
enqueuer.stop()
