"""The generator of an iterator is exchanged after some epochs: augmentation grows."""

import numpy as np
from keras.preprocessing.image import ImageDataGenerator

data = np.load("data/arrays.npz")
flow = ImageDataGenerator().flow(data["x"], data["y"], batch_size=20, seed=1)
plain = [next(flow) for _ in range(2)]
flow.image_data_generator = ImageDataGenerator(vertical_flip=True, rescale=1 / 255)
flipped = [next(flow) for _ in range(2)]
results = {"plain": plain, "flipped": flipped}
