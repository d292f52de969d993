"""Every picture to mean 0 and deviation 1."""

import numpy as np
from keras.preprocessing import image

x = np.load("data/arrays.npz")["x"]
gen = image.ImageDataGenerator(samplewise_center=True, samplewise_std_normalization=True)
flow = gen.flow(x, batch_size=10, shuffle=False)
means, stds = [], []
for _ in range(len(flow)):
    batch = next(flow)
    means.append(batch.mean(axis=(1, 2, 3)))
    stds.append(batch.std(axis=(1, 2, 3)))

results = {"batch": batch, "means": np.concatenate(means), "stds": np.concatenate(stds)}
