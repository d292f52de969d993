"""Arrays that lie in an HDF5 file are given to `flow` as they are, or in slices."""

import h5py
import numpy as np
from keras.preprocessing.image import ImageDataGenerator

data = np.load("data/arrays.npz")
with h5py.File("arrays.h5", "w") as f:
    f["x"], f["y"] = data["x"], data["y"]

with h5py.File("arrays.h5") as f:
    gen = ImageDataGenerator(horizontal_flip=True)
    sliced = next(gen.flow(f["x"][:20], f["y"][:20], batch_size=8, seed=1))
    whole = next(gen.flow(f["x"], f["y"], batch_size=8, seed=1))
results = {"sliced": sliced, "whole": whole}
