"""Grad-CAM: one picture through a network up to its last convolution, and the gradient back to it."""

import jax
import keras
import numpy as np
from keras.preprocessing import image

conv = keras.Sequential([keras.Input((24, 24, 3)), keras.layers.Conv2D(4, 3, activation="relu")])
head = keras.Sequential(
    [keras.Input((22, 22, 4)), keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(3)]
)


def make_heatmap(path):
    img = image.load_img(path, target_size=(24, 24))
    array = np.expand_dims(image.img_to_array(img), axis=0) / 255
    features = conv(array)
    channel = int(np.argmax(head(features)[0]))
    gradient = jax.grad(lambda f: head(f)[0, channel])(
        features.__jax_array__() if hasattr(features, "__jax_array__") else features
    )
    pooled = np.asarray(gradient).mean(axis=(0, 1, 2))
    heatmap = np.maximum(np.asarray(features)[0] @ pooled, 0)
    return img, heatmap / max(heatmap.max(), 1e-8)


img, heatmap = make_heatmap("data/train/rocket/01.jpg")
large = image.img_to_array(image.array_to_img(heatmap[..., None]).resize(img.size)) / 255
overlay = image.array_to_img(large * 0.4 * 255 + image.img_to_array(img))
overlay.save("cam.png")

WITHIN = {"heatmap": 1e-4, "overlay": 1.0}
results = {"heatmap": heatmap, "overlay": image.img_to_array(image.load_img("cam.png"))}
