"""Half precision to save memory, and uint8 for those who normalise in the model."""

import numpy as np
from keras.preprocessing.image import ImageDataGenerator

x = np.load("data/arrays.npz")["x"]
out = {}
for dtype in ("float16", "float64", "uint8"):
    gen = ImageDataGenerator(dtype=dtype, vertical_flip=True)
    batch = next(gen.flow(x, batch_size=6, seed=2))
    out[dtype] = batch
    out[dtype + " of flow"] = next(
        ImageDataGenerator(vertical_flip=True).flow(x.astype(dtype), batch_size=6, seed=2)
    )
results = out
