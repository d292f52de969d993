"""A subclass of the generator with a `standardize` and a `random_transform` of its own."""

import numpy as np
from keras.preprocessing.image import ImageDataGenerator


class MyGenerator(ImageDataGenerator):
    def __init__(self, *args, contrast=1.0, **kwargs):
        super().__init__(*args, **kwargs)
        self.contrast = contrast

    def standardize(self, x):
        x = super().standardize(x)
        return (x - x.mean()) * self.contrast


class EveryOtherUpsideDown(ImageDataGenerator):
    def get_random_transform(self, img_shape, seed=None):
        params = super().get_random_transform(img_shape, seed)
        params["flip_vertical"] = params["flip_horizontal"]
        return params


data = np.load("data/arrays.npz")
WITHIN = {"standardized": 1.5}
results = {
    "standardized": next(
        MyGenerator(rotation_range=9, contrast=0.5).flow(data["x"], batch_size=8, seed=2)
    ),
    "flipped": next(
        EveryOtherUpsideDown(horizontal_flip=True).flow_from_directory("data/train", (12, 12), seed=1)
    ),
}
