"""Pictures without labels: predictions beside file names, written as a CSV file."""

import csv

import keras
import numpy as np
from keras.preprocessing.image import ImageDataGenerator

train = ImageDataGenerator(rescale=1 / 255).flow_from_directory("data/train", target_size=(16, 16))
labels = dict((v, k) for k, v in train.class_indices.items())
test = ImageDataGenerator(rescale=1 / 255).flow_from_directory(
    "data/test", target_size=(16, 16), class_mode=None, batch_size=3, shuffle=False
)
model = keras.Sequential([keras.Input((16, 16, 3)), keras.layers.Flatten(), keras.layers.Dense(3)])
test.reset()
pred = model.predict(test, steps=len(test), verbose=0)
rows = [(name, labels[k]) for name, k in zip(test.filenames, np.argmax(pred, axis=1))]
with open("submission.csv", "w", newline="") as f:
    csv.writer(f).writerows([("filename", "label"), *rows])

with open("submission.csv") as f:
    results = {"pred": pred, "lines": f.read().splitlines(), "classes": test.class_indices, "n": test.n}
WITHIN = {"pred": 1e-3}
