"""A picture and a row of numbers as the two inputs of a model."""

import numpy as np
from keras.preprocessing.image import ImageDataGenerator

data = np.load("data/arrays.npz")
x, y = data["x"], data["y"]
table = np.random.RandomState(0).rand(len(x), 3).astype("float32")


def two_inputs():
    gen = ImageDataGenerator(horizontal_flip=True)
    for (images, rows), targets in gen.flow([x, table], y, batch_size=8, seed=9):
        yield {"picture": images, "numbers": rows}, targets


batches = two_inputs()
results = {"first": next(batches), "second": next(batches)}
