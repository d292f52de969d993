"""Attributes of the generator are changed between two flows, and in one that runs."""

import numpy as np
from keras.preprocessing.image import ImageDataGenerator

data = np.load("data/arrays.npz")
gen = ImageDataGenerator(rotation_range=10)
first = next(gen.flow(data["x"], batch_size=8, seed=1))
gen.rotation_range = 0
gen.horizontal_flip = True
gen.rescale = 1 / 255
second = next(gen.flow(data["x"], batch_size=8, seed=1))
WITHIN = {"first": 1.5, "second": 1.5 / 255}
results = {
    "first": first,
    "second": second,
    "attributes": [gen.rotation_range, gen.zoom_range, gen.fill_mode],
}
