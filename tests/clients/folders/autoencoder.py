"""`class_mode="input"` for an autoencoder, with noise that is added in between."""

import numpy as np
from keras.preprocessing.image import ImageDataGenerator


def noisy(generator, factor=0.1):
    rng = np.random.RandomState(0)
    for clean, target in generator:
        yield np.clip(clean + factor * rng.normal(size=clean.shape), 0, 1).astype("float32"), target


flow = ImageDataGenerator(rescale=1 / 255).flow_from_directory(
    "data/train", target_size=(16, 16), class_mode="input", batch_size=6, seed=2
)
pairs = noisy(flow)
results = {"batches": [next(pairs) for _ in range(4)]}
