"""Targets that are no numbers: the names of pictures, to see which one came."""

import numpy as np
from keras.preprocessing.image import ImageDataGenerator

x = np.load("data/arrays.npz")["x"]
names = np.array([f"picture {i}" for i in range(len(x))])
flow = ImageDataGenerator().flow(x, names, batch_size=7, seed=3)

seen = []
while len(seen) < len(x):
    _, which = next(flow)
    seen.extend(which.tolist())
results = {"seen": seen, "all": sorted(seen) == sorted(names.tolist())}
