"""Mixup of two flows, as a class with `__iter__`, `__next__` and `__len__`."""

import numpy as np
from keras.preprocessing.image import ImageDataGenerator


class MixupImageDataGenerator:
    def __init__(self, generator, directory, batch_size, img_size, alpha=0.2, seed=0):
        self.batch_size, self.alpha = batch_size, alpha
        self.rng = np.random.RandomState(seed)
        args = dict(target_size=img_size, class_mode="categorical", batch_size=batch_size)
        self.generator1 = generator.flow_from_directory(directory, seed=seed, **args)
        self.generator2 = generator.flow_from_directory(directory, seed=seed + 1, **args)
        self.n = self.generator1.samples

    def __len__(self):
        return (self.n + self.batch_size - 1) // self.batch_size

    def get_steps_per_epoch(self):
        return self.n // self.batch_size

    def reset_index(self):
        self.generator1.reset()
        self.generator2.reset()

    def __iter__(self):
        return self

    def __next__(self):
        (x1, y1), (x2, y2) = next(self.generator1), next(self.generator2)
        n = min(len(x1), len(x2))
        lam = self.rng.beta(self.alpha, self.alpha, n)
        lx, ly = lam.reshape(n, 1, 1, 1), lam.reshape(n, 1)
        return x1[:n] * lx + x2[:n] * (1 - lx), y1[:n] * ly + y2[:n] * (1 - ly)


flow = MixupImageDataGenerator(ImageDataGenerator(rescale=1 / 255), "data/train", 6, (12, 12))
results = {"steps": [len(flow), flow.get_steps_per_epoch()], "batches": [next(flow) for _ in range(5)]}
