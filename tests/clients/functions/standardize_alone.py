"""`standardize` for one picture that comes from a camera: the same steps as in training."""

import numpy as np
from keras.preprocessing.image import ImageDataGenerator

X = np.load("data/arrays.npz")["x"].astype("float32")
gen = ImageDataGenerator(
    rescale=1 / 255, featurewise_center=True, featurewise_std_normalization=True,
    preprocessing_function=lambda img: img[::-1],
)  # fmt: skip
gen.fit(X / 255)
frame = X[7].copy()
one = gen.standardize(frame)
batch = gen.standardize(X[:3].copy())
results = {
    "one": one,
    "batch": batch,
    "mean": gen.mean,
    "std": gen.std,
    "in place": bool((frame != X[7]).any()),
}
