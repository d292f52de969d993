"""`NumpyArrayIterator` with its constructor called by name, whose batches get a second target."""

import numpy as np
from keras.preprocessing.image import ImageDataGenerator, NumpyArrayIterator


class WithMean(NumpyArrayIterator):
    def _get_batches_of_transformed_samples(self, index_array):
        x, y = super()._get_batches_of_transformed_samples(index_array)
        return x, (y, x.mean(axis=(1, 2, 3)))


data = np.load("data/arrays.npz")
flow = WithMean(
    data["x"], data["y"], ImageDataGenerator(vertical_flip=True), batch_size=7, shuffle=True, seed=4
)
results = {"by next": [next(flow) for _ in range(2)], "n": flow.n, "by number": flow[2]}
