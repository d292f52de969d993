"""Crops: pictures are read larger, and a wrapper cuts a random square out of each."""

import numpy as np
from keras.preprocessing.image import ImageDataGenerator


def random_crop(img, size, rng):
    height, width = img.shape[0], img.shape[1]
    dy, dx = size
    x = rng.randint(0, width - dx + 1)
    y = rng.randint(0, height - dy + 1)
    return img[y : (y + dy), x : (x + dx), :]


def crop_generator(batches, crop_length):
    rng = np.random.RandomState(5)
    while True:
        batch_x, batch_y = next(batches)
        crops = np.zeros((batch_x.shape[0], crop_length, crop_length, 3))
        for i in range(batch_x.shape[0]):
            crops[i] = random_crop(batch_x[i], (crop_length, crop_length), rng)
        yield crops, batch_y


flow = ImageDataGenerator(rescale=1 / 255).flow_from_directory(
    "data/train", (26, 26), batch_size=7, seed=2
)
crops = crop_generator(flow, 20)
results = {"batches": [next(crops) for _ in range(3)]}
