"""A fixed list of transforms for every picture, each given to `apply_transform` as a dictionary."""

import numpy as np
from keras.preprocessing.image import ImageDataGenerator

x = np.load("data/arrays.npz")["x"][:4].astype("float32")
datagen = ImageDataGenerator(fill_mode="reflect")
transforms = [
    {"flip_horizontal": True},
    {"flip_vertical": True, "theta": 90},
    {"tx": 3, "ty": -2},
    {"zx": 0.8, "zy": 0.8, "shear": 5},
    {"brightness": 0.7},
    {"channel_shift_intensity": 15},
    {},
]
more = np.concatenate([[datagen.apply_transform(img, t) for t in transforms] for img in x])
WITHIN = {"more": 1.5}
results = {"more": more, "as it was": bool((more[6] == x[0]).all())}
