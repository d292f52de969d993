"""A small data set made ten times as large: for each picture a flow, ten steps, all in a list."""

import numpy as np
from keras.preprocessing.image import ImageDataGenerator

data = np.load("data/arrays.npz")
datagen = ImageDataGenerator(zoom_range=[0.8, 1.2], vertical_flip=True)

X_aug, y_aug = [], []
for number, (picture, label) in enumerate(zip(data["x"][:6], data["y"][:6])):
    it = datagen.flow(picture[np.newaxis], batch_size=1, seed=number)
    for _ in range(10):
        X_aug.append(next(it)[0])
        y_aug.append(label)
X_aug, y_aug = np.array(X_aug), np.array(y_aug)

WITHIN = {"X": 1.5}
results = {"X": X_aug, "y": y_aug}
