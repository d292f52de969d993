"""Class names are saved as JSON beside the model, and read again for one picture."""

import json

import numpy as np
from keras.preprocessing import image

train = image.ImageDataGenerator().flow_from_directory("data/train", target_size=(16, 16), seed=1)
with open("labels.json", "w") as f:
    json.dump({v: k for k, v in train.class_indices.items()}, f)

with open("labels.json") as f:
    labels = json.load(f)
img = image.load_img("data/test/all/02.png", target_size=(16, 16))
x = np.expand_dims(image.img_to_array(img), axis=0)
guess = int(np.argmin([abs(x.mean() - v) for v in (60, 100, 140)]))
results = {"labels": labels, "x": x, "guess": labels[str(guess)]}
