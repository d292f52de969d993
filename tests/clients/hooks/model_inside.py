"""The hook asks a small Keras model, which lies on the same object as the flow."""

import keras
import numpy as np
from keras.preprocessing.image import ImageDataGenerator


class Denoiser:
    def __init__(self):
        self.model = keras.Sequential(
            [keras.Input((8, 8, 1)), keras.layers.AveragePooling2D(3, 1, "same")]
        )
        datagen = ImageDataGenerator(preprocessing_function=self, rescale=1 / 255)
        self.flow = datagen.flow_from_directory(
            "data/train", target_size=(8, 8), color_mode="grayscale", batch_size=4, shuffle=False
        )

    def __call__(self, img):
        return np.array(self.model(img[None]))[0]


denoiser = Denoiser()
results = {"first": next(denoiser.flow), "second": next(denoiser.flow)}
