"""Anchor, positive and negative: batches are regrouped by class."""

import numpy as np
from keras.preprocessing.image import ImageDataGenerator


class Triplets:
    def __init__(self, flow, seed):
        self.flow = flow
        self.rng = np.random.RandomState(seed)

    def __next__(self):
        x, y = self.flow.__next__()
        anchor, positive, negative = [], [], []
        for i, label in enumerate(y):
            same, other = np.flatnonzero(y == label), np.flatnonzero(y != label)
            if len(other):
                anchor.append(x[i])
                positive.append(x[self.rng.choice(same)])
                negative.append(x[self.rng.choice(other)])
        return np.array(anchor), np.array(positive), np.array(negative)


data = np.load("data/arrays.npz")
triplets = Triplets(ImageDataGenerator(vertical_flip=True).flow(data["x"], data["y"], 8, seed=4), 0)
results = {"batches": [next(triplets) for _ in range(3)]}
