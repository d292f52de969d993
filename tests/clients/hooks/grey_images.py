"""A function makes images grey and returns one channel, which NumPy writes into all three."""

import numpy as np
from keras.preprocessing.image import ImageDataGenerator


def to_grey(image):
    grey = np.dot(image[..., :3], np.array([0.299, 0.587, 0.114], image.dtype))
    return np.expand_dims(grey, axis=-1)


data = np.load("data/arrays.npz")
datagen = ImageDataGenerator(preprocessing_function=to_grey, horizontal_flip=True, rescale=1 / 255)
train = datagen.flow(data["x"], data["y"], batch_size=8, seed=2)
batch, labels = next(train)
results = {"batch": batch, "labels": labels, "grey": bool((batch[..., 0] == batch[..., 2]).all())}
