"""`fit` of the generator, then batches that are normalised with the statistics of the data set."""

import numpy as np
from keras.preprocessing.image import ImageDataGenerator

X = np.load("data/arrays.npz")["x"].astype("float32")

gen = ImageDataGenerator(featurewise_center=True, featurewise_std_normalization=True)
gen.fit(X)
normalised = np.concatenate(
    [next(it) for it in [gen.flow(X, batch_size=16, shuffle=False)] for _ in "123"]
)

augmented = ImageDataGenerator(featurewise_center=True, rotation_range=30)
augmented.fit(X, augment=True, rounds=2, seed=4)

WITHIN = {"mean_of_augmented": 0.2}
results = {
    "mean": gen.mean,
    "std": gen.std,
    "batches": normalised,
    "about_zero": bool(abs(normalised.mean()) < 1e-3),
    "mean_of_augmented": augmented.mean,
}
