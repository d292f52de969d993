"""One picture at a time out of a flow into `tf.data`, batched anew there."""

import numpy as np
import tensorflow as tf
from keras.preprocessing.image import ImageDataGenerator

data = np.load("data/arrays.npz")
gen = ImageDataGenerator(vertical_flip=True)


def pictures():
    flow = gen.flow(data["x"], data["y"], batch_size=6, seed=1)
    for _ in range(len(flow)):
        yield from zip(*next(flow))


signature = (tf.TensorSpec((16, 16, 3), tf.float32), tf.TensorSpec((), tf.int64))
ds = tf.data.Dataset.from_generator(pictures, output_signature=signature).batch(16)
results = {"epochs": [[(x.numpy(), y.numpy()) for x, y in ds] for _ in range(2)]}
