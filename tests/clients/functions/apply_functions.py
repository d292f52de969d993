"""The functions `apply_*`, with numbers that are known."""

import numpy as np
from keras.preprocessing.image import (
    apply_affine_transform,
    apply_brightness_shift,
    apply_channel_shift,
)

x = np.load("data/arrays.npz")["x"][3].astype("float32")
results = {
    "turned": apply_affine_transform(x, theta=30, row_axis=0, col_axis=1, channel_axis=2),
    "moved": apply_affine_transform(
        x, tx=2.5, ty=-3, row_axis=0, col_axis=1, channel_axis=2, fill_mode="constant"
    ),
    "zoomed": apply_affine_transform(
        x, zx=0.5, zy=1.5, shear=10, row_axis=0, col_axis=1, channel_axis=2, order=0
    ),
    "channels": apply_channel_shift(x, 20, channel_axis=2),
    "brighter": apply_brightness_shift(x, 1.4),
}
WITHIN = dict.fromkeys(results, 1.5)
