"""`Iterator` itself is subclassed for data of one's own, here with two pictures a sample."""

import numpy as np
from keras.preprocessing.image import ImageDataGenerator, Iterator


class PairIterator(Iterator):
    def __init__(self, x, generator, batch_size=8, shuffle=True, seed=None):
        self.x, self.generator = x, generator
        super().__init__(len(x) - 1, batch_size, shuffle, seed)

    def _get_batches_of_transformed_samples(self, index_array):
        now = [self.generator.standardize(self.x[i].astype("float32")) for i in index_array]
        then = [self.generator.standardize(self.x[i + 1].astype("float32")) for i in index_array]
        return np.stack(now), np.stack(then)

    def next(self):
        with self.lock:
            index_array = next(self.index_generator)
        return self._get_batches_of_transformed_samples(index_array)


data = np.load("data/arrays.npz")
pairs = PairIterator(data["x"], ImageDataGenerator(rescale=1 / 255), seed=3)
results = {
    "by next": [next(pairs) for _ in range(3)],
    "by hand": pairs.next(),
    "len": len(pairs),
    "is one": isinstance(pairs, Iterator),
}
