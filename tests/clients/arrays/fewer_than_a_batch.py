"""A batch size above the number of pictures, and one that does not divide it."""

import numpy as np
from keras.preprocessing.image import ImageDataGenerator

x = np.load("data/arrays.npz")["x"]
results = {}
for size in (1, 7, 40, 64):
    it = ImageDataGenerator(horizontal_flip=True).flow(x, np.arange(40), batch_size=size, seed=1)
    shapes, order = [], []
    for _ in range(min(len(it), 8) + 2):
        xb, yb = next(it)
        shapes.append(xb.shape)
        order.append(yb)
    results[str(size)] = {"len": len(it), "shapes": shapes, "order": order, "last": xb}
