"""The hook uses a second generator, a global one, for a fixed transform of its own."""

import numpy as np
from keras.preprocessing.image import ImageDataGenerator

inner = ImageDataGenerator(fill_mode="reflect")


def sharpen_and_turn(img):
    turned = inner.apply_transform(img, {"theta": 10, "zx": 0.9, "zy": 0.9})
    return inner.standardize(0.5 * img + 0.5 * turned)


outer = ImageDataGenerator(preprocessing_function=sharpen_and_turn, horizontal_flip=True)
flow = outer.flow_from_directory("data/train", target_size=(16, 16), batch_size=5, seed=3)
batches = [next(flow) for _ in range(3)]
WITHIN = {"x": 1.5}
results = {"x": [b[0] for b in batches], "dtype": str(np.asarray(batches[0][0]).dtype)}
