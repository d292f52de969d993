"""`smart_resize` of an array and of a batch: cut, not stretched."""

import numpy as np
from keras.preprocessing.image import img_to_array, load_img, smart_resize

img = img_to_array(load_img("data/train/rocket/00.jpg"))
batch = np.load("data/arrays.npz")["x"][:3].astype("float32")
results = {
    "wide": smart_resize(img, (12, 40)),
    "nearest": smart_resize(img, (20, 20), interpolation="nearest"),
    "batch": np.asarray(smart_resize(batch, (9, 11))),
}
WITHIN = {"wide": 1e-2, "batch": 1e-2}
