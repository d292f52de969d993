"""A hook changes the picture that it is given; the user's array has to stay as it is."""

import numpy as np
from keras.preprocessing.image import ImageDataGenerator


def caffe_style(x):
    x = x[..., ::-1]
    x[..., 0] -= 103.939
    x[..., 1] -= 116.779
    x[..., 2] -= 123.68
    return x


data = np.load("data/arrays.npz")["x"].astype("float32")
before = data.copy()
flow = ImageDataGenerator(preprocessing_function=caffe_style).flow(data, batch_size=10, shuffle=False)
results = {"batch": next(flow), "untouched": bool((data == before).all())}
