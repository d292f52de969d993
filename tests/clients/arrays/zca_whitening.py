"""Whitened digits, as blog posts draw them in a grid of three by three."""

import numpy as np
from keras.preprocessing.image import ImageDataGenerator

with np.load("data/arrays.npz") as f:
    X = f["x"].mean(axis=-1, keepdims=True).astype("float32")[:, ::2, ::2]
    y = f["y"]

datagen = ImageDataGenerator(featurewise_center=True, zca_whitening=True, zca_epsilon=1e-3)
datagen.fit(X)
grid = np.zeros((3, 3, 8, 8), "float32")
for X_batch, y_batch in datagen.flow(X, y, batch_size=9, seed=3):
    for i in range(9):
        grid[i // 3, i % 3] = X_batch[i].reshape(8, 8)
    break

WITHIN = {"grid": 1e-3, "whitened": 1e-3}
whitened = datagen.standardize(X[0].copy())
results = {"grid": grid, "labels": y_batch, "whitened": whitened}
