"""`random_transform` picture by picture, with and without a seed, then `standardize`."""

import numpy as np
from keras.preprocessing.image import ImageDataGenerator

x = np.load("data/arrays.npz")["x"][:6].astype("float32")
gen = ImageDataGenerator(
    width_shift_range=[-2, 0, 2], height_shift_range=3, rescale=1 / 255, samplewise_center=True
)
seeded = [gen.standardize(gen.random_transform(img, seed=i)) for i, img in enumerate(x)]
np.random.seed(0)
unseeded = [gen.random_transform(img) for img in x]
WITHIN = {"seeded": 1.5 / 255, "unseeded": 1.5}
results = {"seeded": seeded, "unseeded": unseeded, "drawn": np.random.rand()}
