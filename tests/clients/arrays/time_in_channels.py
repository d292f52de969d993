"""Frames whose time axis is folded into the channels, so that one flow moves them together."""

import numpy as np
from keras.preprocessing.image import ImageDataGenerator

data = np.load("data/clips.npz")
clips, y = data["clips"].astype("float32"), data["y"]
n, t, h, w, c = clips.shape
folded = clips.transpose(0, 2, 3, 1, 4).reshape(n, h, w, t * c)


def series(batch_size):
    gen = ImageDataGenerator(width_shift_range=3, horizontal_flip=True)
    for x, labels in gen.flow(folded, labels_of(y), batch_size=batch_size, seed=8):
        yield x.reshape(-1, h, w, t, c).transpose(0, 3, 1, 2, 4), labels


def labels_of(y):
    return np.eye(n)[y]


WITHIN = {"x": 1.5}
flow = series(2)
batches = [next(flow) for _ in range(5)]
results = {"x": np.concatenate([b[0] for b in batches]), "y": np.concatenate([b[1] for b in batches])}
