"""A loop transforms more with each epoch: it assigns to the generator while its iterator runs."""

import numpy as np
from keras.preprocessing.image import ImageDataGenerator

data = np.load("data/arrays.npz")
datagen = ImageDataGenerator(rescale=1 / 255)
train = datagen.flow(data["x"], data["y"], batch_size=8, seed=4)

means, pictures = [], []
for epoch in range(3):
    datagen.rotation_range = 15 * epoch
    datagen.zoom_range = [1 - 0.1 * epoch, 1 + 0.1 * epoch]
    datagen.horizontal_flip = epoch > 0
    for step in range(len(train)):
        x, y = next(train)
        means.append(float(y.mean()))
        if step == 0:
            pictures.append(x)

datagen.featurewise_center = True
datagen.fit(data["x"])
WITHIN = {"pictures": 1.5 / 255, "centred": 1.5 / 255}
results = {"means": means, "pictures": np.concatenate(pictures), "centred": next(train)[0]}
