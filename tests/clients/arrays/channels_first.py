"""A model that was ported from Theano: the channels come first."""

import numpy as np
from keras.preprocessing.image import ImageDataGenerator

x = np.load("data/arrays.npz")["x"].transpose(0, 3, 1, 2).astype("float32")
gen = ImageDataGenerator(
    data_format="channels_first",
    rotation_range=20,
    channel_shift_range=10,
    featurewise_center=True,
)
gen.fit(x)
arrays = gen.flow(x, batch_size=8, seed=0)
folder = gen.flow_from_directory("data/train", target_size=(20, 24), batch_size=4, seed=0)

WITHIN = {"arrays": 1.5, "folder": 1.5}
results = {
    "mean": gen.mean,
    "arrays": next(arrays),
    "folder": next(folder)[0],
    "shape": list(folder.image_shape),
}
