"""A data set in chunks: each gets a flow of its own, of which one batch is taken."""

import numpy as np
from keras.preprocessing.image import ImageDataGenerator

x = np.load("data/arrays.npz")["x"]
gen = ImageDataGenerator(rotation_range=10, horizontal_flip=True)
chunks = np.split(x[:36], 12)
augmented = [next(gen.flow(chunk, batch_size=3, seed=i)) for i, chunk in enumerate(chunks)]

WITHIN = {"augmented": 1.5}
results = {"augmented": np.concatenate(augmented)}
