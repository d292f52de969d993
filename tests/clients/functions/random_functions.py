"""The functions `random_*`, seeded through NumPy."""

import numpy as np
from keras.preprocessing import image

x = np.load("data/arrays.npz")["x"][0].astype("float32")
axes = dict(row_axis=0, col_axis=1, channel_axis=2)
np.random.seed(5)
results = {
    "rotation": image.random_rotation(x, 30, **axes),
    "shift": image.random_shift(x, 0.2, 0.3, **axes, fill_mode="reflect"),
    "shear": image.random_shear(x, 20, **axes, fill_mode="constant", cval=7),
    "zoom": image.random_zoom(x, (0.7, 1.3), **axes),
    "channels": image.random_channel_shift(x, 30, channel_axis=2),
    "brightness": image.random_brightness(x, (0.5, 1.5)),
    "next": np.random.rand(),
}
WITHIN = dict.fromkeys(["rotation", "shift", "shear", "zoom", "channels", "brightness"], 1.5)
