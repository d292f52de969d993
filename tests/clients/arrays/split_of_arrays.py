"""`validation_split` on arrays: the first part validates, the rest trains."""

import numpy as np
from keras.preprocessing.image import ImageDataGenerator

npz = np.load("data/arrays.npz")
datagen = ImageDataGenerator(validation_split=0.25, rescale=1 / 255.0)
common = dict(batch_size=5, seed=42)
train = datagen.flow(npz["x"], npz["y"], subset="training", **common)
valid = datagen.flow(npz["x"], npz["y"], subset="validation", shuffle=False, **common)

results = {
    "sizes": [train.n, valid.n, len(train), len(valid)],
    "train": next(train),
    "valid": [next(valid) for _ in range(len(valid))],
}
